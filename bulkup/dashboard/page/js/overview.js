// All journals: what runs now, how each stands, and the newest runs.

import { h, replace, bone } from "./dom.js";
import { count, dateTime, duration, files, rate, size } from "./format.js";
import { livePanel } from "./live.js";
import { journalBadge, link, outcome, runningBadge, statePage, time } from "./parts.js";
import { journals, listen, loadOverview } from "./store.js";

const STRIP = 24;

export function overview(view) {
  const live = h("section", { className: "block", "aria-labelledby": "now" }, h("header", {}, h("h2", { id: "now" }, "Now")), h("div", { id: "live" }));
  const cards = h("ul", { className: "journals" });
  const table = h("div", { className: "panel scroll" });
  const body = h("div", {}, h("h1", { tabindex: "-1", className: "unseen" }, "All runs"), live, h("section", { className: "block", "aria-labelledby": "profiles" }, h("header", {}, h("h2", { id: "profiles" }, "Profiles and journals")), cards), h("section", { className: "block", "aria-labelledby": "newest" }, h("header", {}, h("h2", { id: "newest" }, "Newest runs")), table));
  view.show(body, { title: "All runs", crumbs: [] });
  replace(live.lastChild, h("div", { className: "panel empty" }, bone("12rem")));
  replace(cards, [1, 2, 3].map(() => h("li", { className: "panel journal", "aria-hidden": "true" }, bone("9rem"), bone("14rem"), bone("11rem"))));
  replace(table, runTable(null));

  const panels = new Map();
  const draw = () => {
    if (view.left) return;
    const all = [...journals.values()];
    if (!all.length) {
      replace(view.root, statePage("empty", "No run yet", ["Once `bulkup upload` has run, its progress, its files and its failures are here.", "This page notices the first run by itself."]));
      return;
    }
    if (!body.isConnected) replace(view.root, body);
    const running = all.filter((one) => one.state === "running");
    for (const id of [...panels.keys()]) if (!running.some((one) => one.id === id)) { panels.get(id).stop(); panels.delete(id); }
    for (const one of running) if (!panels.has(one.id)) panels.set(one.id, livePanel(one, { linked: true }));
    replace(live.lastChild, running.length ? running.map((one) => panels.get(one.id).element) : h("div", { className: "panel empty" }, h("strong", {}, "Nothing is running"), "A run that begins appears here."));
    replace(cards, all.sort(order).map(card));
    const runs = all.flatMap((journal) => journal.runs.map((run) => ({ run, journal }))).sort((a, b) => b.run.started_at - a.run.started_at).slice(0, 20);
    replace(table, runTable(runs));
  };
  const stop = listen((kind) => { if (kind === "journal") draw(); });
  view.leave(() => { stop(); for (const panel of panels.values()) panel.stop(); });
  return loadOverview().then(draw);
}

function order(a, b) {
  const latest = (journal) => (journal.last_run ? journal.last_run.started_at : 0);
  return (b.state === "running") - (a.state === "running") || latest(b) - latest(a) || a.name.localeCompare(b.name);
}

function card(journal) {
  const last = journal.last_run, usable = journal.state === "ready" || journal.state === "running";
  const facts = usable ? [journal.sources.join(", "), ` → ${journal.provider}`] : [journal.message || "No run has used it yet.", journal.hint ? ` Next: ${journal.hint}.` : ""];
  return h("li", { className: "panel journal" },
    h("div", { className: "title" }, h("h3", {}, usable ? h("a", { href: link("j", journal.id), "data-key": `card-${journal.id}` }, journal.name) : journal.name), journalBadge(journal)),
    h("p", { className: "facts" }, facts),
    last ? h("div", { className: "foot" },
      h("div", {}, h("div", {}, missed(last, journal)), h("div", { className: "note" }, time(last.started_at), last.seconds === null ? "" : ` · ${duration(last.seconds)}`)),
      strip(journal.runs)) : h("p", { className: "note foot" }, h("code", {}, journal.path)));
}

function missed(run, journal) {
  if (run.running) return h("span", { className: "muted" }, "Under way");
  if (journal.left) return h("a", { href: link("j", journal.id, "failures"), "data-key": `missed-${journal.id}` }, `${files(journal.left)} not uploaded`);
  if (!run.missed) return run.found === null ? h("span", { className: "muted" }, run.ended) : h("span", {}, `Last run: ${files(run.found)}, all uploaded`);
  return h("a", { href: link("j", journal.id, "failures"), "data-key": `missed-${journal.id}` }, `${files(run.missed)} not uploaded`);
}

export function strip(runs) {
  const shown = runs.slice(0, STRIP).reverse();
  const most = Math.max(1, ...shown.map((run) => run.bytes || 0));
  const words = shown.map((run) => run.outcome).reduce((sum, one) => ({ ...sum, [one]: (sum[one] || 0) + 1 }), {});
  const text = `The last ${shown.length} runs: ${Object.entries(words).map(([name, number]) => `${number} ${{ good: "complete", bad: "failed", partial: "incomplete", running: "running" }[name]}`).join(", ")}`;
  return h("div", { className: "strip", role: "img", "aria-label": text, title: text }, shown.map((run) => h("i", { className: run.outcome, style: { height: `${Math.max(12, (100 * (run.bytes || 0)) / most)}%` } })));
}

export function runTable(runs, { journalColumn = true, caption = "Runs, the newest first" } = {}) {
  const columns = [["Ended", ""], journalColumn ? ["Profile", ""] : null, ["Started", ""], ["Took", "num"], ["Uploaded", "num"], ["Unchanged", "num wide"], ["Not uploaded", "num"], ["Data", "num wide"], ["Rate", "num wide"]].filter(Boolean);
  const rows = runs === null ? [1, 2, 3, 4, 5].map(() => h("tr", { "aria-hidden": "true" }, columns.map(([, kind]) => h("td", { className: kind }, bone("4rem"))))) : runs.map(({ run, journal }) => h("tr", {},
    h("td", {}, run.running ? runningBadge(journal.id) : outcome(run)),
    journalColumn ? h("td", {}, h("a", { href: link("j", journal.id) }, journal.name)) : null,
    h("td", { className: "when" }, h("a", { href: link("j", journal.id, "run", run.run), "data-key": `run-${run.run}` }, time(run.started_at))),
    h("td", { className: "num" }, duration(run.seconds)),
    h("td", { className: "num" }, count(run.uploaded)),
    h("td", { className: "num wide" }, count(run.skipped)),
    h("td", { className: "num" }, run.missed ? h("span", { className: "bad-text" }, count(run.missed)) : count(run.missed)),
    h("td", { className: "num wide" }, size(run.bytes)),
    h("td", { className: "num wide" }, rate(run.bytes_per_second))));
  return h("table", {}, h("caption", { className: "unseen" }, caption), h("thead", {}, h("tr", {}, columns.map(([text, kind]) => h("th", { className: kind, scope: "col" }, text)))), h("tbody", {}, rows));
}

export const runTitle = (run) => dateTime(run.started_at);
