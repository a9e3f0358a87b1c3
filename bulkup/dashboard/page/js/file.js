// One file: where it stands, why, and all that happened to it.

import { get } from "./api.js";
import { h, bone } from "./dom.js";
import { count, exactTime, size } from "./format.js";
import { callout, capital, fileState, head, headSkeleton, link, retryNotice, sentence, time } from "./parts.js";
import { post } from "./api.js";
import { newestRetry } from "./journal.js";
import { addRetry, listen } from "./store.js";

const MISSED = new Set(["failed", "rejected", "changed", "unreadable"]);

export async function fileView(view, [id, , destination, source, path]) {
  view.show(h("div", {}, headSkeleton(), h("div", { className: "panel pad" }, bone("20rem"))), { title: "File", crumbs: [] });
  let file = await get(`journals/${id}/files/${destination}/${source}/${path}`);
  const draw = () => {
    const name = file.path.slice(file.path.lastIndexOf("/") + 1) || file.source;
    const missed = MISSED.has(file.status), running = file.journal.state === "running";
    const retry = async () => {
      try { addRetry(await post(`journals/${id}/retry`, { files: [file.key] })); } catch (error) { body.prepend(callout("bad", error.message, error.hint)); }
    };
    const body = h("div", {},
      head(name, [fileState(file.status), h("span", {}, `${file.source}/${file.path}`)], missed ? h("button", { type: "button", className: "primary", disabled: running, title: running ? "A run of this journal is under way" : null, onclick: retry }, "Retry this file") : null),
      missed ? callout("bad", capital(file.reason) || "No reason was recorded", file.hint ? `Advice: ${sentence(file.hint)}` : null) : null,
      retryNotice(newestRetry(id)),
      h("div", { className: "two" },
        h("section", { className: "panel", "aria-labelledby": "facts" }, h("h2", { id: "facts", className: "pad", style: { "padding-bottom": "0" } }, "What is recorded"), h("dl", { className: "facts-list" }, facts(file).flatMap(([term, value]) => (value === null || value === undefined || value === "" ? [] : [h("dt", {}, term), h("dd", {}, value)])))),
        h("section", { className: "panel", "aria-labelledby": "history" }, h("h2", { id: "history", className: "pad", style: { "padding-bottom": "0" } }, "History, the newest first"), h("ol", { className: "timeline" }, steps(id, file)))));
    view.show(body, { title: name, crumbs: [[file.journal.name, link("j", id)], ["Files", link("j", id, "files")], [name, null]] });
  };
  const stop = listen((kind, value) => {
    if ((kind === "retry" && value.journal === id) || (kind === "journal" && value.id === id)) get(`journals/${id}/files/${destination}/${source}/${path}`).then((found) => { if (!view.left) { file = found; draw(); } }).catch(view.fail);
  });
  view.leave(stop);
  draw();
}

function facts(file) {
  const remote = Object.entries(file.remote || {});
  return [
    ["Path", file.path], ["Source", file.source], ["Size", `${size(file.size)} (${count(file.size)} bytes)`], ["Modified", exactTime(file.modified_at)],
    ["Checksum", file.checksum ? h("code", {}, file.checksum) : null], ["Service", `${file.provider} ${file.base_url}`], ["Id at the service", file.remote_id ? h("code", {}, file.remote_id) : null],
    ["ETag", file.etag ? h("code", {}, file.etag) : null], ["Attempts", count(file.attempts)], ["Kept until", file.kept_until ? exactTime(file.kept_until) : null],
    ["Answer", remote.length ? remote.map(([name, value]) => h("div", {}, h("span", { className: "muted" }, `${name}: `), value)) : null],
  ];
}

function steps(id, file) {
  const step = (kind, at, ...text) => ({ kind, at: at || 0, node: h("li", { className: kind }, h("time", at ? { datetime: new Date(at * 1000).toISOString() } : {}, at ? exactTime(at) : "Time not recorded"), text) });
  const found = [];
  const run = file.run ? h("a", { href: link("j", id, "run", file.run) }, "this run") : "a run that was pruned";
  const tries = `${count(file.attempts)} ${file.attempts === 1 ? "attempt" : "attempts"}`;
  if (file.steps.removed) found.push(step("good", (file.uploaded_at || file.run_started_at || 0) + 0.001, "Removed from its source after the upload"));
  if (MISSED.has(file.status)) found.push(step("bad", file.run_started_at, h("strong", {}, `Not uploaded (${file.status})`), ` after ${tries} in `, run, ": ", file.reason || "no reason was recorded"));
  else if (file.uploaded_at) found.push(step(file.status === "unverified" ? "partial" : "good", file.uploaded_at, h("strong", {}, file.status === "unverified" ? "Uploaded, without proof by storage" : "Uploaded, and proved by storage"), ` after ${tries} in `, run));
  else found.push(step("running", file.run_started_at, h("strong", {}, "On its way"), ` in `, run, `, ${tries} so far`));
  if (file.steps.ticket) found.push(step("running", file.run_started_at, "Has an upload URL", file.steps.ticket.expires_at ? `, valid until ${exactTime(file.steps.ticket.expires_at)}` : "", ", for the id ", h("code", {}, file.steps.ticket.remote_id)));
  if (file.steps.parts) found.push(step("running", file.run_started_at, `${count(file.steps.parts)} parts are stored`));
  for (const other of file.other_ids) {
    const what = other.kind === "superseded" ? ["An earlier upload was replaced: ", h("code", {}, other.remote_id)] : other.remote_id ? ["An id was not used: ", h("code", {}, other.remote_id)] : ["A call was cut off; up to one unknown id"];
    found.push(step("", other.created_at, what, ` (${other.reason})`));
  }
  return found.sort((a, b) => b.at - a.at).map((one) => one.node);
}
