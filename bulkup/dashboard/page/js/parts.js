// Pieces that several views share.

import { Refused } from "./api.js";
import { h, replace, s, bone } from "./dom.js";
import { count, dateTime, exactTime, iso, none } from "./format.js";
import { listen, progress } from "./store.js";

export const link = (...parts) => `#/${parts.map(encodeURIComponent).join("/")}`;

export function withQuery(address, parameters) {
  const given = Object.entries(parameters).filter(([, value]) => value !== null && value !== undefined && value !== "");
  return given.length ? `${address}?${new URLSearchParams(given)}` : address;
}

export function time(unix) {
  if (unix === null || unix === undefined) return none;
  return h("time", { datetime: iso(unix), title: exactTime(unix) }, dateTime(unix));
}

export function badge(kind, text) {
  return h("span", { className: `badge ${kind}` }, text);
}

export function outcome(run) {
  return h("span", { title: run.ended }, badge(run.outcome, run.word));
}

const RUN_STATES = { running: "Running", paused: "Paused", stopping: "Stopping", watching: "Waiting for changes" };

// The state of a run under way, from its newest progress.
export function stateBadge(value) {
  const state = value && !value.unavailable ? value.state : "running";
  return badge(state === "paused" ? "partial" : "running", RUN_STATES[state] || "Running");
}

// The same for a journal's run, wherever it is shown: it follows the progress.
export function runningBadge(journal) {
  return h("span", { "data-run-of": journal }, stateBadge(progress.get(journal)));
}

listen((kind, value) => {
  if (kind !== "progress") return;
  for (const one of document.querySelectorAll("[data-run-of]")) if (one.dataset.runOf === value.journal) replace(one, stateBadge(value));
});

const STATES = {
  uploaded: ["good", "Uploaded"], unverified: ["partial", "Unverified"], failed: ["bad", "Failed"], rejected: ["bad", "Rejected"],
  changed: ["partial", "Changed"], unreadable: ["bad", "Unreadable"], pending: ["running", "Pending"],
};

export function fileState(state) {
  const [kind, text] = STATES[state] || ["", state];
  return badge(state === "pending" ? "" : kind, text);
}

export const stateName = (state) => (STATES[state] || ["", state])[1];

export function fileName(path) {
  const cut = path.lastIndexOf("/") + 1;
  return [cut ? h("span", { className: "folder" }, path.slice(0, cut)) : null, path.slice(cut)];
}

const JOURNAL_STATES = {
  empty: ["", "Not used yet", "No run has used this journal."],
  gone: ["partial", "Deleted", ""], foreign: ["", "Another user's", ""], newer: ["partial", "Newer version", ""],
  busy: ["partial", "Locked", ""], damaged: ["bad", "Damaged", ""], unusable: ["bad", "Cannot be read", ""],
};

export function journalBadge(journal) {
  if (JOURNAL_STATES[journal.state]) return badge(...JOURNAL_STATES[journal.state].slice(0, 2));
  if (journal.state === "running") return runningBadge(journal.id);
  return journal.left ? badge("partial", `Last run complete, ${count(journal.left)} left`) : journal.last_run ? outcome(journal.last_run) : null;
}

function picture(kind) {
  const shapes = {
    bad: [s("circle", { cx: 24, cy: 24, r: 19 }), s("path", { d: "M24 14v13M24 33v1" })],
    lost: [s("path", { d: "M8 20a24 24 0 0 1 32 0M14 27a15 15 0 0 1 20 0M24 36v1M6 6l36 36" })],
    key: [s("circle", { cx: 16, cy: 24, r: 9 }), s("path", { d: "M25 24h18v8M36 24v6" })],
    empty: [s("path", { d: "M7 27l6-16h22l6 16v11H7zM7 27h10l3 5h8l3-5h10" })],
  };
  return s("svg", { viewBox: "0 0 48 48", width: 52, height: 52, fill: "none", stroke: "currentColor", "stroke-width": 2.5, "stroke-linecap": "round", "stroke-linejoin": "round", "aria-hidden": "true" }, shapes[kind] || shapes.bad);
}

export function statePage(kind, title, texts, ...actions) {
  return h("section", { className: "state panel" }, picture(kind), h("h1", { tabindex: "-1" }, title), texts.filter(Boolean).map((text) => h("p", {}, text)), actions.length ? h("div", { className: "actions" }, actions) : null);
}

const TITLES = { gone: "This journal was deleted", foreign: "This journal belongs to another user", newer: "This journal is from a newer bulkup", busy: "Another program has locked this journal", damaged: "This journal is damaged", empty: "No run has used this journal", run: "This run is not in the journal any more", file: "This file is not in the journal", unknown: "There is nothing at this address" };

// Returns how soon a view asks again while the server reads the journal, or while it has read an older state of it.
export const againIn = (value, running) => (value.reading === null && running ? 5000 : 700);

export const readingText = (read) => [h("strong", {}, "Reading the journal"), read ? `${read.toLocaleString("en")} files so far. Lists are shown when all are read.` : "Lists are shown when all files are read."];

// A text that begins with a name, such as that of a setting or a service, keeps its first letter.
export const capital = (text) => (text && !/^[a-z]+[-_]|^\S+ =/.test(text) ? text[0].toUpperCase() + text.slice(1) : text || "");

export const sentence = (text) => (text ? capital(text) + (/[.!?…]$/.test(text) ? "" : ".") : "");

export function errorPage(error) {
  if (!(error instanceof Refused)) return statePage("lost", "The server does not answer", ["The dashboard was ended, or this machine is busy. The page tries again by itself.", "If you ended it, start `bulkup dashboard` again and open the address that it prints."], h("a", { className: "button", href: "#/" }, "All runs"));
  return statePage(error.status === 404 ? "empty" : "bad", TITLES[error.kind] || "This cannot be shown", [sentence(error.message), sentence(error.hint)], h("a", { className: "button primary", href: "#/" }, "All runs"));
}

export function callout(kind, title, text, ...more) {
  return h("div", { className: `callout ${kind}` }, h("div", {}, h("strong", {}, title), text ? h("p", {}, text) : null, more));
}

export function head(title, meta, ...actions) {
  return h("div", { className: "head" }, h("div", {}, h("h1", { tabindex: "-1" }, title), h("p", { className: "meta" }, meta.filter((one) => one !== null && one !== undefined && one !== false).map((one) => h("span", {}, one)))), actions.length ? h("div", { className: "actions" }, actions) : null);
}

export function headSkeleton() {
  return h("div", { className: "head", "aria-busy": "true" }, h("div", {}, h("h1", { tabindex: "-1" }, bone("14rem")), h("p", { className: "meta" }, bone("20rem"))));
}

export function tabs(journal, current, counts) {
  const missed = counts ? ["failed", "rejected", "changed", "unreadable"].reduce((sum, state) => sum + (counts[state] || 0), 0) : null;
  const total = counts ? Object.values(counts).reduce((sum, one) => sum + one, 0) : null;
  const items = [["runs", "Runs", link("j", journal), null], ["failures", "Failures", link("j", journal, "failures"), missed], ["files", "Files", link("j", journal, "files"), total]];
  return h("nav", { className: "tabs", "aria-label": "Views of this journal" }, items.map(([name, text, href, number]) => h("a", { href, "aria-current": name === current ? "page" : null }, text, h("span", { className: "count" }, number === null ? "" : number.toLocaleString("en")))));
}

export function retryNotice(retry) {
  if (!retry) return null;
  const files = `${retry.files.toLocaleString("en")} ${retry.files === 1 ? "file" : "files"}`;
  if (retry.state === "running") return callout("info", `Retrying ${files}`, "The outcome is shown here. The run goes on if you close this page.");
  if (retry.state === "refused") return callout("bad", `The retry of ${files} could not be started`, sentence(retry.message));
  const good = retry.exit_code === 0;
  const incomplete = retry.exit_code === 3 || retry.exit_code === 1;
  const text = retry.message ? h("pre", {}, retry.message) : null;
  const shown = text && incomplete ? h("details", {}, h("summary", {}, "Messages of the command"), text) : text; // the files' reasons are on the page
  return callout(good ? "good" : incomplete ? "" : "bad", good ? `The retry of ${files} is complete` : incomplete ? `The retry of ${files} ended, and not all are uploaded` : `The retry of ${files} ended: ${retry.ended}`, good ? "All of them are uploaded." : "The list below has the reason of each file that is still not uploaded.", good ? null : shown);
}

export const copied = async (text, button) => {
  await navigator.clipboard.writeText(text);
  button.textContent = "Copied";
  setTimeout(() => { button.textContent = "Copy"; }, 1500);
};
