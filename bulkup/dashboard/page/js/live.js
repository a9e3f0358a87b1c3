// The progress of a run under way, and the controls that change it.

import { post } from "./api.js";
import { h, replace, say } from "./dom.js";
import { count, duration, files, filesRate, rate, size } from "./format.js";
import { link, stateBadge } from "./parts.js";
import { listen, progress } from "./store.js";

// Returns the panel of a journal's run. `controls` adds the buttons, `linked` a link to the run's page.
export function livePanel(journal, { linked = false, controls = false } = {}) {
  const run = journal.last_run ? journal.last_run.run : null;
  const state = h("span", {}, stateBadge(null));
  const text = h("span", { className: "muted" });
  const bar = h("div");
  const meter = h("div", { className: "progress", role: "progressbar", "aria-label": `Progress of ${journal.name}`, "aria-valuemin": 0, "aria-valuemax": 100 }, bar);
  const figures = h("div", { className: "figures" });
  const sending = h("ul", { className: "sending", "aria-label": "Files being sent" });
  const form = controls ? controlForm(journal) : null;
  const element = h("article", { className: "panel live", "aria-label": `Run of ${journal.name}` },
    h("div", { className: "row" }, h("h3", {}, linked && run ? h("a", { href: link("j", journal.id, "run", run), "data-key": `live-${journal.id}` }, journal.name) : "Progress", " ", state), text),
    meter, figures, controls ? sending : null, form ? form.element : null);

  const draw = (value) => {
    if (!value) {
      text.textContent = "Waiting for its progress";
      meter.removeAttribute("aria-valuenow");
      return;
    }
    if (value.unavailable) {
      replace(state, stateBadge(null));
      text.textContent = "Its progress is not available";
      replace(figures, h("span", {}, value.message));
      if (form) form.enable(false);
      return;
    }
    const known = value.percent !== null && value.percent !== undefined;
    const share = known ? value.percent : null;
    replace(state, stateBadge(value));
    const counted = value.total_known && !value.scan_done; // by a walk ahead of the run, which has found fewer so far
    bar.style.width = `${share || 0}%`;
    if (known) meter.setAttribute("aria-valuenow", share); else meter.removeAttribute("aria-valuenow");
    text.textContent = known ? `${share} %${value.eta !== null && value.eta !== undefined ? `, about ${duration(value.eta)} left` : ""}` : `${files(value.files_total)} found so far`;
    const problems = (value.failed || 0) + (value.rejected || 0) + (value.changed || 0) + (value.unreadable || 0);
    replace(figures,
      h("span", {}, h("b", {}, count(value.files_done)), ` of ${value.total_known ? "" : "at least "}${files(value.files_total)}${counted ? " counted" : ""}`),
      h("span", {}, h("b", {}, size(value.bytes_done)), ` of ${value.total_known ? "" : "at least "}${size(value.bytes_total)}`),
      h("span", {}, h("b", {}, rate(value.bytes_per_second))),
      h("span", {}, h("b", {}, filesRate(value.files_per_second))),
      h("span", {}, h("b", {}, count(value.concurrency)), " workers"),
      h("span", {}, h("b", {}, duration(value.elapsed)), " so far"),
      value.retries ? h("span", {}, h("b", {}, count(value.retries)), " retries") : null,
      problems ? h("a", { href: link("j", journal.id, "failures"), className: "bad-text" }, `${count(problems)} not uploaded`) : null);
    if (controls) {
      const under = (value.sending || []);
      replace(sending, !under.length ? h("li", { className: "muted none" }, value.state === "paused" ? "No file is sent while the run is paused." : "No file is being sent at this moment.") : under.slice(0, 4).map((file) => h("li", {},
        h("span", { className: "name", title: file.path }, h("bdi", {}, file.path)),
        h("span", { className: "meter", role: "img", "aria-label": `${Math.floor((100 * file.sent) / Math.max(1, file.size))} % sent` }, h("div", { style: { width: `${(100 * file.sent) / Math.max(1, file.size)}%` } })),
        h("span", { className: "muted num" }, `${size(file.sent)} of ${size(file.size)}`))));
      form.show(value);
    }
  };
  draw(progress.get(journal.id));
  const stop = listen((kind, value) => { if (kind === "progress" && value.journal === journal.id) draw(value); });
  return { element, stop };
}

function controlForm(journal) {
  const answer = h("p", { className: "note", role: "status" });
  let state = "running", asked = 0;
  const ask = async (what, done) => {
    const number = (asked += 1);
    answer.className = "note";
    answer.textContent = "Asking the run …";
    try {
      await post(`journals/${journal.id}/control`, what);
      if (number === asked) { answer.textContent = done; say(done); }
    } catch (error) {
      if (number === asked) { answer.className = "note bad-text"; answer.textContent = `${error.message}${error.hint ? `: ${error.hint}` : ""}`; }
    }
  };
  const pause = h("button", { type: "button", onclick: () => ask({ do: state === "paused" ? "resume" : "pause" }, state === "paused" ? "The run is resumed." : "The run is paused. Files being sent are finished; no other file is started.") }, "Pause");
  const dialog = h("dialog", { "aria-labelledby": "stop-title" }, h("h2", { id: "stop-title" }, "Stop this run?"), h("p", {}, "Files being sent are finished. The next run uploads the rest."), h("div", { className: "actions" }, h("button", { type: "button", className: "danger filled", onclick: () => { dialog.close(); ask({ do: "stop" }, "The run stops after the files that are being sent."); } }, "Stop the run"), h("button", { type: "button", onclick: () => dialog.close() }, "Keep it running")));
  const stop = h("button", { type: "button", className: "danger", onclick: () => dialog.showModal() }, "Stop …");
  const limit = h("input", { type: "text", placeholder: "no limit", autocomplete: "off", spellcheck: "false", "aria-describedby": "limit-help" });
  const workers = h("input", { type: "text", inputmode: "numeric", placeholder: "auto", autocomplete: "off" });
  const limitForm = h("form", { className: "inline", onsubmit: (event) => { event.preventDefault(); ask({ do: "bwlimit", value: limit.value.trim() || null }, limit.value.trim() ? `The bandwidth is limited to ${limit.value.trim()}.` : "The bandwidth has no limit."); } }, h("label", { className: "field" }, "Bandwidth, such as 20M", limit), h("button", { type: "submit", style: { "align-self": "end" } }, "Set"));
  const workersForm = h("form", { className: "inline", onsubmit: (event) => { event.preventDefault(); const given = workers.value.trim(); ask({ do: "concurrency", value: /^[0-9]+$/.test(given) ? Number(given) : given || "auto" }, /^[0-9]+$/.test(given) ? `The run uses ${given} workers.` : "The run chooses the number of workers itself."); } }, h("label", { className: "field" }, "Workers", workers), h("button", { type: "submit", style: { "align-self": "end" } }, "Set"));
  const buttons = [pause, stop, limit, workers, ...limitForm.querySelectorAll("button"), ...workersForm.querySelectorAll("button")];
  return {
    element: h("div", {}, h("div", { className: "controls" }, limitForm, workersForm, h("span", { className: "spacer" }), pause, stop), h("div", { style: { "min-height": "1.6rem" } }, answer), dialog),
    enable: (on) => { for (const button of buttons) button.disabled = !on; },
    show: (value) => {
      state = value.state;
      pause.textContent = state === "paused" ? "Resume" : "Pause";
      for (const button of buttons) button.disabled = state === "stopping";
      if (value.limits) limit.placeholder = value.limits.bytes_per_second ? `${rate(value.limits.bytes_per_second)} now` : "no limit";
      workers.placeholder = value.limits && value.limits.concurrency !== "auto" && value.limits.concurrency !== null ? `${value.concurrency} now` : `auto, ${value.concurrency} now`;
    },
  };
}
