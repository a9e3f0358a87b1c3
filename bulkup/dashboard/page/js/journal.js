// One journal: its runs, and how its files stand.

import { get } from "./api.js";
import { h, replace, bone } from "./dom.js";
import { count, files } from "./format.js";
import { livePanel } from "./live.js";
import { runTable, strip } from "./overview.js";
import { againIn, callout, head, headSkeleton, journalBadge, link, retryNotice, tabs } from "./parts.js";
import { listen, retries } from "./store.js";

const MISSED = ["failed", "rejected", "changed", "unreadable"];

// The last run may have been a retry of a few files, so a complete one does not mean that none is left.
export function journalMeta(journal) {
  const missed = MISSED.reduce((sum, one) => sum + ((journal.counts && journal.counts[one]) || 0), 0);
  const standing = journalBadge(journal.counts && journal.last_run && journal.last_run.outcome === "good" ? { ...journal, left: missed } : journal);
  return [standing, h("span", {}, journal.sources.join(", "), " → ", journal.provider || "?"), journal.config_file ? h("span", {}, "profile in ", h("code", {}, journal.config_file)) : null];
}

export function newestRetry(journal) {
  return [...retries.values()].filter((one) => one.journal === journal).sort((a, b) => b.number - a.number)[0];
}

export async function journalView(view, [id]) {
  view.show(h("div", {}, headSkeleton(), h("div", { className: "panel scroll" }, runTable(null, { journalColumn: false }))), { title: "Runs", crumbs: [] });
  let value = await get(`journals/${id}`), panel = null;
  const draw = () => {
    const missed = value.counts ? MISSED.reduce((sum, one) => sum + (value.counts[one] || 0), 0) : null;
    if (panel) panel.stop();
    panel = value.state === "running" ? livePanel(value, { linked: true }) : null;
    view.show(h("div", {},
      head(value.name, journalMeta(value), missed ? h("a", { className: "button primary", href: link("j", id, "failures") }, `See ${files(missed)} not uploaded`) : h("a", { className: "button", href: link("j", id, "files") }, "Search files")),
      value.message ? callout("bad", value.message, value.hint) : null,
      tabs(id, "runs", value.counts),
      retryNotice(newestRetry(id)),
      panel ? h("section", { className: "block", "aria-label": "Run under way" }, panel.element) : null,
      h("section", { className: "block", "aria-labelledby": "stand" }, h("header", {}, h("h2", { id: "stand" }, "Files in this journal"), h("span", { className: "note" }, value.counts ? "" : value.reading ? `Reading the journal: ${files(value.reading)} so far` : "Reading the journal")), tiles(value.counts)),
      h("section", { className: "block", "aria-labelledby": "runs" }, h("header", {}, h("h2", { id: "runs" }, "Runs"), strip(value.runs)), h("div", { className: "panel scroll", tabindex: 0, role: "region", "aria-label": "Table of runs" }, runTable(value.runs.map((run) => ({ run, journal: value })), { journalColumn: false })))),
    { title: value.name, crumbs: [[value.name, null]] });
  };
  let waiting = null;
  const refresh = async () => {
    clearTimeout(waiting);
    value = await get(`journals/${id}`);
    if (view.left) return;
    draw();
    if (value.reading !== null || value.stale) waiting = setTimeout(() => refresh().catch(view.fail), againIn(value, value.state === "running"));
  };
  const stop = listen((kind, changed) => {
    if ((kind === "journal" && changed.id === id) || (kind === "retry" && changed.journal === id)) refresh().catch(view.fail);
  });
  view.leave(() => { stop(); clearTimeout(waiting); if (panel) panel.stop(); });
  draw();
  if (value.reading !== null || value.stale) waiting = setTimeout(() => refresh().catch(view.fail), againIn(value, value.state === "running"));
}

function tiles(counts) {
  const names = [["uploaded", "Uploaded"], ["unverified", "Unverified"], ["failed", "Failed"], ["rejected", "Rejected"], ["changed", "Changed"], ["unreadable", "Unreadable"]];
  return h("dl", { className: "tiles" }, names.map(([name, text]) => h("div", { className: "tile" }, h("dt", {}, text), h("dd", { className: counts && counts[name] && !["uploaded", "unverified"].includes(name) ? "bad-text" : "" }, counts ? count(counts[name] || 0) : bone("4rem")))));
}
