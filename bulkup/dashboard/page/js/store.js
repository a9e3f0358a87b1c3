// What the page knows of journals, runs under way and retries. Views listen for changes, and stop when they are left.

import { events, get, Lost, Refused } from "./api.js";

const SAMPLES = 900; // of a run's progress; older ones are thinned out
const RETRY_MS = [500, 1000, 2000, 4000, 5000];

export const journals = new Map();
export const progress = new Map(); // by journal: the newest figures
export const samples = new Map(); // by journal: { run, points: [{ t, rate, workers }] }
export const retries = new Map();
const listeners = new Set();

export function listen(listener) {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

function tell(kind, value) {
  for (const listener of [...listeners]) listener(kind, value);
}

export async function loadOverview() {
  const found = await get("overview");
  journals.clear();
  for (const journal of found.journals) journals.set(journal.id, journal);
  retries.clear();
  for (const retry of found.retries) retries.set(retry.number, retry);
  return found;
}

export function addRetry(retry) {
  retries.set(retry.number, retry);
  tell("retry", retry);
}

function note(kind, value) {
  if (kind === "journal") {
    journals.set(value.id, value);
    if (value.state !== "running") progress.delete(value.id);
  } else if (kind === "retry") {
    retries.set(value.number, value);
  } else if (kind === "progress") {
    progress.set(value.journal, value);
    addSample(value);
  }
  tell(kind, value);
}

function addSample(value) {
  let kept = samples.get(value.journal);
  if (!kept || kept.run !== value.run) samples.set(value.journal, (kept = { run: value.run, points: [] }));
  kept.points.push({ t: value.at, rate: value.bytes_per_second || 0, workers: value.concurrency || 0 });
  if (kept.points.length > SAMPLES) kept.points = kept.points.filter((_, index) => index % 2 === 0);
}

// Keeps the connection. `show` gets "live", "lost" or "refused", and once more "again" after a connection was lost.
export async function connect(show) {
  let failures = 0, before = "";
  for (;;) {
    const abort = new AbortController();
    let watchdog;
    const alive = (wait) => { clearTimeout(watchdog); watchdog = setTimeout(() => abort.abort(), wait); };
    try {
      alive(10000);
      let heartbeat = 5;
      await events((kind, value) => {
        if (kind === "hello") {
          heartbeat = value.heartbeat;
          failures = 0;
          show(before === "lost" ? "again" : "live");
          before = "live";
        }
        alive(heartbeat * 2500);
        note(kind, value);
      }, abort.signal);
    } catch (error) {
      if (error instanceof Refused && error.status === 401) { clearTimeout(watchdog); show("refused"); return; }
      if (!(error instanceof Lost || error instanceof Refused || error.name === "AbortError")) console.error(error);
      show("lost");
      before = "lost";
    } finally {
      clearTimeout(watchdog);
    }
    await new Promise((resolve) => setTimeout(resolve, RETRY_MS[Math.min(failures++, RETRY_MS.length - 1)]));
  }
}
