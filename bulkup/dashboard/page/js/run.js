// One run: its figures, its chart, its progress while it is under way, and why files were not uploaded.

import { get } from "./api.js";
import { runChart } from "./chart.js";
import { causeList } from "./files.js";
import { h, replace, bone } from "./dom.js";
import { count, duration, exactTime, files, filesRate, rate, size } from "./format.js";
import { livePanel } from "./live.js";
import { againIn, badge, callout, head, headSkeleton, link, outcome, readingText, retryNotice, runningBadge, sentence, time, withQuery } from "./parts.js";
import { newestRetry } from "./journal.js";
import { listen, samples } from "./store.js";

export async function runView(view, [id, , name]) {
  view.show(h("div", {}, headSkeleton(), h("dl", { className: "tiles", "aria-hidden": "true" }, [1, 2, 3, 4, 5, 6].map(() => h("div", { className: "tile" }, h("dt", {}, bone("4rem")), h("dd", {}, bone("5rem")))))), { title: "Run", crumbs: [] });
  let run = await get(`journals/${id}/runs/${name}`), panel = null;
  const chart = runChart("Throughput and workers");
  const workers = h("div");
  const causes = h("div", { className: "panel" }, h("div", { className: "empty" }, bone("14rem")));
  const draw = () => {
    if (panel) panel.stop();
    panel = run.running ? livePanel({ ...run.journal, last_run: run }, { controls: true }) : null;
    const summary = run.summary;
    const missed = run.missed || 0, remaining = (summary && summary.files && summary.files.remaining) || 0;
    view.show(h("div", {},
      head(["Run of ", run.journal.name], [run.running ? runningBadge(id) : outcome(run), time(run.started_at), run.seconds === null ? null : `took ${duration(run.seconds)}`, h("span", {}, run.sources.join(", "), " → ", run.provider)],
        missed > remaining && !run.running && run.newest ? h("a", { className: "button primary", href: withQuery(link("j", id, "failures"), { run: run.run }) }, `See the ${files(missed - remaining)} that failed`) : null),
      run.running ? null : callout(run.outcome === "good" ? "good" : run.outcome === "bad" ? "bad" : "", verdict(run), run.error ? `${sentence(run.error)}${run.hint ? ` Next: ${sentence(run.hint)}` : ""}` : [remaining ? `${files(remaining)} ${remaining === 1 ? "was" : "were"} not reached.` : null, cutShort(run) ? "It may not have looked at all files, so there can be more." : null, remaining || cutShort(run) ? "The next run uploads the rest." : null].filter(Boolean).join(" ") || null),
      retryNotice(newestRetry(id)),
      panel ? h("section", { className: "block" }, panel.element) : null,
      workers,
      summary && !run.running ? h("section", { className: "block", "aria-label": "Figures" }, figures(run, summary)) : null,
      h("section", { className: "block" }, chart.element),
      h("section", { className: "block", "aria-labelledby": "why" }, h("header", {}, h("h2", { id: "why" }, "Why files were not uploaded"), h("span", { className: "note" }, run.newest ? "" : "Without files that a later run has tried again")), causes),
      summary ? h("section", { className: "block two" }, details("Requests for upload URLs", [["Calls", count(summary.presign && summary.presign.calls)], ["URLs", count(summary.presign && summary.presign.files)], ["Renewed", count(summary.presign && summary.presign.renewed)], ["From an earlier run", count(summary.reused_tickets)]]), details("Sending", [["Retries", count(summary.retries)], [run.running ? "Workers now" : "Workers at the end", count(summary.concurrency && summary.concurrency.last)], ["Most workers", count(summary.concurrency && summary.concurrency.peak)], ["Run", h("code", {}, run.run)]])) : null),
    { title: `Run of ${run.journal.name}`, crumbs: [[run.journal.name, link("j", id)], ["Run", null]] });
    drawChart();
  };
  const drawChart = () => {
    const kept = samples.get(id);
    const live = kept && kept.run === run.run ? kept.points : [];
    const points = [...run.samples.filter((one) => !live.length || one.t < live[0].t), ...live]; // the run's own record, and what came since
    if (points.length > 1 || run.running) chart.draw(points);
    chart.element.parentElement.hidden = !run.running && points.length < 2;
  };
  let waiting = null;
  const showCauses = async () => {
    const found = await get(`journals/${id}/groups`, { run: run.run });
    if (view.left) return;
    clearTimeout(waiting);
    if (found.reading !== null || found.stale) waiting = setTimeout(() => showCauses().catch(view.fail), againIn(found, run.running));
    if (found.reading !== null) { replace(causes, h("div", { className: "empty" }, readingText(found.reading))); return; }
    replace(causes, found.groups.length ? causeList(id, found.groups, { run: run.run }) : h("div", { className: "empty" }, h("strong", {}, run.running ? "No file has failed so far" : "No file of this run is left to retry"), run.running ? "Failures appear here while the run goes on." : run.missed ? "A later run uploaded them, or they are files that this run did not reach." : ""));
  };
  const refresh = async () => { run = await get(`journals/${id}/runs/${name}`); if (!view.left) { draw(); await showCauses(); } };
  const stop = listen((kind, value) => {
    if ((kind === "journal" && value.id === id) || (kind === "retry" && value.journal === id)) refresh().catch(view.fail);
    if (kind === "progress" && value.journal === id && value.run === run.run) { drawChart(); replace(workers, workerTable(value.workers)); }
  });
  view.leave(() => { stop(); chart.stop(); clearTimeout(waiting); if (panel) panel.stop(); });
  draw();
  await showCauses();
}

function verdict(run) {
  const end = run.ended_at === null ? "" : ` It ended ${exactTime(run.ended_at)}.`;
  if (run.exit_code === 0) return `Everything that was found is uploaded.${end}`;
  if (run.exit_code === null) return "This run was cut off before its end, so its figures are not known. The same command resumes it.";
  return `${run.ended[0].toUpperCase()}${run.ended.slice(1)} (exit code ${run.exit_code}).${run.missed ? ` ${files(run.missed)} not uploaded.` : ""}${end}`;
}

// A run that was stopped or met a limit counted the files ahead, but found only some of them.
const cutShort = (run) => run.exit_code !== null && ![0, 1, 3].includes(run.exit_code);

function figures(run, summary) {
  const tile = (name, value, sub, kind = "") => h("div", { className: "tile" }, h("dt", {}, name), h("dd", { className: kind }, value, sub ? h("span", { className: "sub" }, sub) : null));
  const of = summary.files || {}, bytes = summary.bytes || {};
  const missed = ["failed", "rejected", "changed", "unreadable", "remaining"].filter((one) => of[one]).map((one) => `${count(of[one])} ${one}`).join(", ");
  return h("dl", { className: "tiles" },
    tile(cutShort(run) ? "Found before its end" : "Found", count(of.found), size(bytes.found)), tile("Uploaded", count(of.uploaded), size(bytes.uploaded)), tile("Unchanged", count(of.skipped), "since an earlier run"),
    tile("Not uploaded", count(run.missed), missed || "none", run.missed ? "bad-text" : ""), tile("Rate", rate(run.bytes_per_second), filesRate(run.files_per_second)), tile("Took", duration(run.seconds), summary.retries ? `${count(summary.retries)} retries` : "no retries"));
}

function details(title, rows) {
  return h("div", { className: "panel" }, h("h2", { className: "pad", style: { "padding-bottom": "0" } }, title), h("dl", { className: "facts-list" }, rows.flatMap(([name, value]) => [h("dt", {}, name), h("dd", {}, value)])));
}

function workerTable(workers) {
  if (!workers || !workers.length) return null;
  const columns = [["Worker", ""], ["State", ""], ["Files", "num"], ["Data", "num"], ["Rate", "num"], ["Under way", "num wide"]];
  const state = (one) => (one.working ? badge("good", "Working") : badge("bad", "Ended or lost"));
  return h("section", { className: "block", "aria-labelledby": "workers" }, h("header", {}, h("h2", { id: "workers" }, "Workers of the cluster")), h("div", { className: "panel scroll", tabindex: 0, role: "region", "aria-label": "Table of workers" }, h("table", {}, h("caption", { className: "unseen" }, "Workers of the cluster"), h("thead", {}, h("tr", {}, columns.map(([name, kind]) => h("th", { scope: "col", className: kind }, name)))), h("tbody", {}, workers.map((one) => h("tr", {}, h("td", {}, one.name), h("td", {}, state(one)), h("td", { className: "num" }, count(one.files)), h("td", { className: "num" }, size(one.bytes)), h("td", { className: "num" }, rate(one.bytes_per_second)), h("td", { className: "num wide" }, count(one.in_flight))))))));
}
