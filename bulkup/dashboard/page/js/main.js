// Starts the page: token, connection, keys, and the view that the address names.

import { acceptToken, findToken, Refused } from "./api.js";
import { fileView } from "./file.js";
import { filesView } from "./files.js";
import { h, replace } from "./dom.js";
import { journalView } from "./journal.js";
import { overview } from "./overview.js";
import { errorPage, statePage } from "./parts.js";
import { runView } from "./run.js";
import { connect, loadOverview } from "./store.js";

const main = document.getElementById("main");
const crumbs = document.getElementById("crumbs");
const banner = document.getElementById("banner");
const linkState = document.getElementById("link");
const help = document.getElementById("help");
const keysOn = document.getElementById("keys-on");
let current = null, first = true, refused = false;

function chosenView(parts) {
  if (!parts.length) return overview;
  if (parts[0] !== "j" || !parts[1]) return null;
  if (parts.length === 2) return journalView;
  if (parts.length === 3 && (parts[2] === "failures" || parts[2] === "files")) return filesView;
  if (parts.length === 4 && parts[2] === "run") return runView;
  return parts.length === 6 && parts[2] === "file" ? fileView : null;
}

class View {
  constructor() {
    this.root = main;
    this.left = false;
    this.cleanups = [];
    this.fail = (error) => { if (!this.left) this.problem(error); };
  }
  leave(cleanup) { this.cleanups.push(cleanup); }
  end() { this.left = true; for (const cleanup of this.cleanups) cleanup(); }
  show(node, { title, crumbs: places }) {
    if (this.left) return;
    const focused = document.activeElement && document.activeElement.dataset ? document.activeElement.dataset.key : undefined;
    document.title = `${title} – bulkup`;
    replace(crumbs, places.flatMap(([text, href]) => [h("span", { className: "sep", "aria-hidden": "true" }, "/"), href ? h("a", { href }, text) : h("span", { "aria-current": "page" }, text)]));
    this.root.replaceChildren(node);
    const same = focused && [...this.root.querySelectorAll("[data-key]")].find((one) => one.dataset.key === focused);
    if (same) same.focus({ preventScroll: true });
  }
  problem(error) {
    if (error instanceof Refused && error.status === 401) { noToken(true); return; }
    if (!(error instanceof Refused) && error.name === "TypeError") console.error(error);
    for (const cleanup of this.cleanups.splice(0)) cleanup();
    this.show(errorPage(error), { title: "Not shown", crumbs: [] });
  }
}

async function route() {
  if (acceptToken()) { location.reload(); return; }
  if (refused) return;
  if (current) current.end();
  const [address, query] = location.hash.replace(/^#\/?/, "").split("?");
  const parts = address.split("/").filter(Boolean).map(decodeURIComponent);
  const chosen = chosenView(parts), view = (current = new View());
  if (!chosen) { view.show(statePage("empty", "There is nothing at this address", ["The address may be cut off."], h("a", { className: "button primary", href: "#/" }, "All runs")), { title: "Nothing here", crumbs: [] }); return; }
  if (!first) window.scrollTo(0, 0);
  try {
    await chosen(view, parts.slice(1), new URLSearchParams(query || ""));
  } catch (error) {
    view.fail(error);
  }
  if (!first && !view.left) { const title = main.querySelector("h1"); if (title && document.activeElement === document.body) title.focus({ preventScroll: true }); }
  first = false;
}

function noToken(stale) {
  refused = true;
  if (current) current.end();
  sessionStorage.clear();
  linkState.textContent = "Locked";
  linkState.className = "link lost";
  banner.hidden = true;
  document.title = "Open it from the terminal – bulkup";
  replace(crumbs);
  replace(main, statePage("key", stale ? "The dashboard was started anew" : "Open the dashboard from the terminal",
    [stale ? "The token of this page belongs to an earlier start. Uploads are not affected." : "This address lacks the secret token that protects your uploads from other users and other sites.",
      "Open the address that `bulkup dashboard` printed: it ends in #token=… and a long word. If the command does not run any more, start it again."]));
}

function showLink(state) {
  if (state === "refused") { noToken(true); return; }
  linkState.className = `link ${state === "lost" ? "lost" : "live"}`;
  linkState.textContent = state === "lost" ? "Reconnecting" : "Live";
  banner.hidden = state !== "lost";
  if (state === "lost") banner.textContent = "The dashboard does not answer. What you see may be old; the page reconnects by itself. Uploads are not affected.";
  if (state === "again") loadOverview().then(route).catch(() => {});
}

document.getElementById("skip").addEventListener("click", (event) => { event.preventDefault(); main.focus(); });
document.getElementById("help-open").addEventListener("click", () => help.showModal());
document.getElementById("help-close").addEventListener("click", () => help.close());
keysOn.checked = localStorage.getItem("bulkup-keys") !== "off";
keysOn.addEventListener("change", () => localStorage.setItem("bulkup-keys", keysOn.checked ? "on" : "off"));
document.addEventListener("keydown", (event) => {
  const typing = event.target.matches("input:not([type=checkbox]), select, textarea");
  if (event.key === "Escape" && typing) { event.target.blur(); return; }
  if (typing || !keysOn.checked || event.ctrlKey || event.metaKey || event.altKey) return;
  const search = document.getElementById("search");
  if (event.key === "/" && search) { event.preventDefault(); search.focus(); search.select(); }
  if (event.key === "?") help.showModal();
});
window.addEventListener("hashchange", route);

if (await findToken()) {
  connect(showLink);
  if (location.hash.length > 2) loadOverview().catch(() => {}); // for views that show retries and progress
  await route();
} else noToken(false);
