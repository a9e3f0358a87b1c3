// Lists of files: failures by their cause, and all files. The server searches, sorts and pages.

import { get, post, Refused } from "./api.js";
import { h, replace, bone, say } from "./dom.js";
import { count, dateTime, files, size } from "./format.js";
import { againIn, callout, capital, fileName, fileState, head, headSkeleton, link, readingText, retryNotice, sentence, stateName, tabs, time, withQuery } from "./parts.js";
import { journalMeta, newestRetry } from "./journal.js";
import { addRetry, listen } from "./store.js";

const PAGE = 50;
const MOST_ROWS = 1000;
const TYPING_MS = 160;

const COLUMNS = {
  failures: [["path", "File", ""], ["state", "State", ""], ["reason", "Reason", ""], ["attempts", "Attempts", "num wide"], ["size", "Size", "num wide"]],
  files: [["path", "File", ""], ["state", "State", ""], ["size", "Size", "num"], ["time", "Uploaded", "wide"], [null, "Id at the service", "wide"]],
};

export function causeList(id, groups, { chosen = null, choose = null, run = null } = {}) {
  return h("ul", { className: "causes" }, groups.map((group) => {
    const same = chosen && chosen.reason === group.name && chosen.reason_state === group.state;
    const action = choose
      ? h("button", { type: "button", "aria-pressed": String(Boolean(same)), "data-key": `cause-${group.state}-${group.name}`, onclick: () => choose(same ? null : group) }, same ? "Show all" : "Show files")
      : h("a", { className: "button", href: withQuery(link("j", id, "failures"), { reason: group.name, reason_state: group.state, run }) }, "Show files");
    return h("li", { className: same ? "chosen" : "" }, h("div", { className: "cause" },
      h("div", { className: "many" }, count(group.files), h("small", {}, size(group.bytes))),
      h("div", { className: "why" }, fileState(group.state), " ", h("strong", {}, shortReason(capital(group.reason))),
        group.hint ? h("div", {}, h("span", { className: "advice" }, h("span", { className: "unseen" }, "Advice: "), sentence(group.hint))) : null,
        h("div", { className: "example" }, "Such as ", group.path, group.example === group.reason ? null : h("div", {}, sentence(group.example)))),
      h("div", { className: "actions" }, action)));
  }));
}

export async function filesView(view, [id, kind], query) {
  const failing = kind === "failures";
  view.show(h("div", {}, headSkeleton(), h("div", { className: "panel rows" }, skeletonTable(kind))), { title: failing ? "Failures" : "Files", crumbs: [] });
  let journal = await get(`journals/${id}`), groups = null, rows = [], chosen = new Map(), place = null, total = null, more = false, loading = null, waiting = null, timer = null, dead = false, readAt = null;
  const now = { q: query.get("q") || "", state: query.get("state") || "", reason: query.get("reason"), reason_state: query.get("reason_state"), run: query.get("run"), sort: query.get("sort") || "path", order: query.get("order") || "up" };
  const address = () => withQuery(link("j", id, kind), { ...now, sort: now.sort === "path" && now.order === "up" ? null : now.sort, order: now.order === "up" ? null : now.order });
  const parameters = () => ({ q: now.q, state: failing ? "missed" : now.state, reason: now.reason, reason_state: now.reason_state, run: now.run, sort: now.sort, order: now.order });

  const search = h("input", { type: "search", value: now.q, placeholder: "Search by a part of the path", "aria-label": "Search by a part of the path", autocomplete: "off", spellcheck: "false", id: "search", oninput: () => { clearTimeout(timer); timer = setTimeout(() => { now.q = search.value; load(); }, TYPING_MS); } });
  const states = failing ? null : h("select", { "aria-label": "State", onchange: () => { now.state = states.value; load(); } }, [["", "All states"], ...["uploaded", "unverified", "failed", "rejected", "changed", "unreadable", "pending"].map((one) => [one, stateName(one)])].map(([value, text]) => h("option", { value, selected: value === now.state }, text)));
  const found = h("span", { className: "note" });
  const table = h("div", { className: "scroll rows", tabindex: 0, role: "region", "aria-label": "Table of files" });
  const foot = h("div", { className: "more" });
  const bar = h("div", { className: "panel chosen-bar" });
  const why = h("div", { className: "panel" });
  const top = h("div");
  const notice = h("div");
  const filters = h("span", { className: "inline" });
  const body = h("div", {}, top, notice,
    failing ? h("section", { className: "block", "aria-labelledby": "why" }, h("header", {}, h("h2", { id: "why" }, "Why files were not uploaded"), h("span", { className: "note", id: "whole" })), why) : null,
    h("section", { className: "block", "aria-labelledby": "list" }, h("header", {}, h("h2", { id: "list" }, failing ? "Files" : "All files"), filters),
      h("div", { className: "panel" }, h("div", { className: "find", role: "search" }, search, states, found), table, foot), failing ? bar : null));

  const drawTop = () => {
    const missed = journal.counts ? ["failed", "rejected", "changed", "unreadable"].reduce((sum, one) => sum + (journal.counts[one] || 0), 0) : null;
    replace(top, head(journal.name, journalMeta(journal), failing && missed ? h("button", { type: "button", className: "primary", disabled: journal.state === "running", title: journal.state === "running" ? "A run of this journal is under way" : null, onclick: () => retry({ all: true }, missed) }, `Retry all ${files(missed)}`) : null), tabs(id, kind, journal.counts));
    replace(notice, dead ? callout("bad", journal.message || "The journal cannot be read any more", journal.hint) : null, retryNotice(newestRetry(id)));
  };
  const drawFilters = () => replace(filters, [now.run ? ["run", "One run only"] : null, now.reason ? ["reason", now.reason] : null].filter(Boolean).map(([name, text]) => h("button", { type: "button", "data-key": `filter-${name}`, title: "Remove this filter", onclick: () => { now[name] = null; if (name === "reason") now.reason_state = null; load(); } }, text.length > 48 ? `${text.slice(0, 47)}…` : text, h("span", { "aria-hidden": "true" }, " ×"), h("span", { className: "unseen" }, ", remove this filter"))));
  const drawBar = () => {
    if (!failing) return;
    const all = total !== null && chosen.size === 0;
    const number = all ? total : chosen.size, filtered = now.q || now.reason || now.run;
    bar.hidden = !rows.length || (all && !filtered);
    replace(bar, h("span", {}, chosen.size ? `${files(chosen.size)} chosen` : `${more ? "More than " : ""}${files(total)} in this list`), h("span", { className: "inline" }, chosen.size ? h("button", { type: "button", className: "quiet", "data-key": "clear", onclick: () => { chosen.clear(); drawRows(); } }, "Clear the choice") : null, h("button", { type: "button", className: "primary", "data-key": "retry", disabled: journal.state === "running", onclick: () => retry(chosen.size ? { files: [...chosen.values()].map((row) => row.key) } : { list: parameters() }, number) }, `Retry ${more && !chosen.size ? "the first " : ""}${files(number)}`)));
  };
  const retry = async (what, number) => {
    try {
      addRetry(await post(`journals/${id}/retry`, what));
      chosen.clear();
      say(`Retrying ${files(number)}`);
    } catch (error) {
      replace(notice, callout("bad", error.message, error.hint));
      say(error.message);
    }
  };
  const drawRows = () => {
    drawBar();
    if (!rows.length) {
      replace(table, h("div", { className: "empty" }, emptyText(failing, now, journal)));
      replace(foot);
      return;
    }
    replace(table, h("table", {}, h("caption", { className: "unseen" }, failing ? "Files that were not uploaded" : "Files"), h("thead", {}, h("tr", {}, failing ? h("th", { scope: "col" }, h("input", { type: "checkbox", "aria-label": "Choose all files shown", "data-key": "all", checked: rows.every((row) => chosen.has(name(row))), onchange: (event) => { for (const row of rows) if (event.target.checked) chosen.set(name(row), row); else chosen.delete(name(row)); drawRows(); } })) : null, COLUMNS[kind].map(([key, text, className]) => h("th", { scope: "col", className, "aria-sort": key === now.sort ? (now.order === "up" ? "ascending" : "descending") : null }, key ? h("button", { type: "button", "data-key": `sort-${key}`, onclick: () => { now.order = now.sort === key && now.order === "up" ? "down" : "up"; now.sort = key; load(); } }, text) : text)))),
      h("tbody", {}, rows.map((row) => rowOf(id, failing, row, chosen, drawRows)))));
    replace(foot, place ? (rows.length >= MOST_ROWS ? h("span", { className: "note" }, `${count(MOST_ROWS)} rows are shown. Search to narrow the list.`) : h("button", { type: "button", "data-key": "more", onclick: () => load(true) }, "Show more")) : h("span", { className: "note" }, rows.length > 8 ? "End of the list" : ""));
  };
  const drawCount = (value) => { found.textContent = value.reading !== null ? `${files(value.reading)} read so far` : `${more ? "more than " : ""}${files(total)}`; };
  const load = async (next = false) => {
    if (loading) loading.abort();
    const mine = (loading = new AbortController());
    clearTimeout(waiting);
    table.setAttribute("aria-busy", "true");
    try {
      const value = await get(`journals/${id}/files`, { ...parameters(), limit: PAGE, after: next ? place : null }, mine.signal);
      if (view.left || mine !== loading) return;
      if (value.reading !== null) { if (!rows.length) { replace(table, skeletonTable(kind)); if (failing) replace(why, h("div", { className: "empty" }, readingText(value.reading))); } drawCount(value); waiting = setTimeout(() => load(next).catch(view.fail), 500); return; }
      rows = next ? [...rows, ...value.files] : value.files;
      place = value.after;
      if (!next) { total = value.count; more = value.more; chosen = new Map([...chosen].filter(([key]) => rows.some((row) => name(row) === key))); }
      history.replaceState(null, "", address());
      drawFilters(); drawRows(); drawCount(value);
      if (!next) say(`${more ? "More than " : ""}${files(total)} found`);
      readAt = value.read_at;
      if (value.stale) waiting = setTimeout(() => renew().catch(view.fail), againIn(value, journal.state === "running"));
      if (failing && !next) showGroups().catch(view.fail);
      if (journal.counts === null || journal.read_at !== value.read_at) { journal = await get(`journals/${id}`, {}, mine.signal); if (!view.left) drawTop(); }
    } catch (error) {
      if (error.name === "AbortError" || view.left) return;
      if (error instanceof Refused && error.kind === "list") { await load(); return; }
      view.fail(error);
    } finally {
      if (mine === loading) table.removeAttribute("aria-busy");
    }
  };
  const showGroups = async () => {
    const value = await get(`journals/${id}/groups`, { run: now.run });
    if (view.left || value.reading !== null) return;
    groups = value.groups;
    body.querySelector("#whole").textContent = value.read_at ? `As of ${dateTime(value.read_at).replace(/^[TY]/, (letter) => letter.toLowerCase())}` : "";
    replace(why, groups.length ? causeList(id, groups, { chosen: now, choose: (group) => { now.reason = group ? group.name : null; now.reason_state = group ? group.state : null; load(); body.querySelector("#list").scrollIntoView({ block: "start" }); } }) : h("div", { className: "empty" }, h("strong", {}, "No file has failed"), "Every file of this journal is uploaded, or will be by the next run."));
  };
  // The server reads a changed journal again in the background. A list that was paged during a run is left as it is.
  const renew = async () => {
    const value = await get(`journals/${id}`), running = value.state === "running";
    if (view.left) return;
    journal = value;
    drawTop();
    if (value.read_at !== readAt && (!running || rows.length <= PAGE)) await load();
    else if (value.stale) waiting = setTimeout(() => renew().catch(view.fail), againIn(value, running));
  };
  const refresh = async () => { journal = await get(`journals/${id}`); if (view.left) return; drawTop(); if (journal.reading === null) await load(); };
  const stop = listen((event, value) => {
    if (event === "journal" && value.id === id) {
      if (value.state === "ready" || value.state === "running") { dead = false; refresh().catch(view.fail); } else { dead = true; journal = { ...journal, ...value, name: journal.name, counts: journal.counts }; drawTop(); }
    } else if (event === "retry" && value.journal === id) refresh().catch(view.fail);
  });
  view.leave(() => { stop(); clearTimeout(waiting); clearTimeout(timer); if (loading) loading.abort(); });
  view.show(body, { title: failing ? `Failures of ${journal.name}` : `Files of ${journal.name}`, crumbs: [[journal.name, link("j", id)], [failing ? "Failures" : "Files", null]] });
  drawTop();
  if (failing) replace(why, h("div", { className: "empty" }, bone("14rem")));
  replace(table, skeletonTable(kind));
  await load();
}

// A long text in brackets, such as a list of extensions, is left to the example below.
function shortReason(text) {
  const cut = text.indexOf(" (");
  return text.length > 100 && cut > 0 ? `${text.slice(0, cut).replace(/[ …]+$/, "")} …` : text;
}

const name = (row) => row.key.join("/");

function rowOf(id, failing, row, chosen, draw) {
  const href = link("j", id, "file", ...row.key);
  return h("tr", {},
    failing ? h("td", {}, h("input", { type: "checkbox", "aria-label": `Choose ${row.path}`, "data-key": `row-${name(row)}`, checked: chosen.has(name(row)), onchange: (event) => { if (event.target.checked) chosen.set(name(row), row); else chosen.delete(name(row)); draw(); } })) : null,
    h("td", { className: "path" }, h("a", { href, "data-key": `file-${name(row)}` }, fileName(row.path))),
    h("td", {}, fileState(row.status)),
    failing ? h("td", { className: "reason" }, shortReason(capital(row.reason)) || "No reason was recorded") : h("td", { className: "num" }, size(row.size)),
    failing ? h("td", { className: "num wide" }, count(row.attempts)) : h("td", { className: "wide when" }, time(row.uploaded_at)),
    failing ? h("td", { className: "num wide" }, size(row.size)) : h("td", { className: "wide path" }, row.remote_id ? h("span", { className: "mono" }, row.remote_id) : row.reason ? h("span", { className: "muted" }, row.reason) : ""));
}

function emptyText(failing, now, journal) {
  if (now.q) return [h("strong", {}, "No file matches"), `No path contains “${now.q}”. Upper and lower case do not matter.`];
  if (failing && (now.reason || now.run)) return [h("strong", {}, "No file has this cause any more"), "A later run may have uploaded them."];
  if (failing) return [h("strong", {}, "No file has failed"), journal.state === "running" ? "Failures of the run under way appear here." : "The last run uploaded everything that it found."];
  return [h("strong", {}, "No file here"), now.state ? "No file is in this state." : "The first run has not settled a file yet."];
}

function skeletonTable(kind) {
  return h("table", { "aria-hidden": "true" }, h("tbody", {}, [1, 2, 3, 4, 5, 6].map(() => h("tr", {}, COLUMNS[kind].map(([, , className], index) => h("td", { className }, bone(index ? "5rem" : "16rem")))))));
}
