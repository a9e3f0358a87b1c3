// The connection with the server. The token comes with the fragment of the address, which a browser never sends, and stays in
// the storage of this tab for this origin: no other site, and no other port of this machine, can read it or make use of it.

const KEY = "token";
const HELD = "bulkup-dashboard-token";

export class Refused extends Error {
  constructor(status, error) {
    super(error.message);
    this.status = status;
    this.kind = error.kind;
    this.hint = error.hint;
  }
}

export class Lost extends Error {}

let token = null;
const channel = "BroadcastChannel" in window ? new BroadcastChannel(HELD) : null;

// Another tab of this page may ask for the token, such as one that a link was opened in.
if (channel) channel.addEventListener("message", (event) => {
  if (event.data && event.data.ask && token) channel.postMessage({ token });
});

export async function findToken() {
  const given = new URLSearchParams(location.hash.slice(1)).get(KEY);
  if (given) history.replaceState(null, "", "#/");
  token = given || sessionStorage.getItem(HELD) || (await askOtherTabs());
  if (token) sessionStorage.setItem(HELD, token);
  return Boolean(token);
}

export function acceptToken() {
  const given = new URLSearchParams(location.hash.slice(1)).get(KEY);
  if (!given) return false;
  history.replaceState(null, "", "#/");
  token = given;
  sessionStorage.setItem(HELD, token);
  return true;
}

function askOtherTabs() {
  if (!channel) return null;
  return new Promise((resolve) => {
    const answer = (event) => { if (event.data && event.data.token) done(event.data.token); };
    const done = (value) => { channel.removeEventListener("message", answer); clearTimeout(timer); resolve(value); };
    const timer = setTimeout(done, 150, null);
    channel.addEventListener("message", answer);
    channel.postMessage({ ask: true });
  });
}

async function request(path, options = {}) {
  let response;
  try {
    response = await fetch(`/api/${path}`, { ...options, headers: { ...options.headers, Authorization: `Bearer ${token}` }, cache: "no-store", credentials: "omit" });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Lost("the server does not answer");
  }
  if (response.ok) return response;
  let error = { kind: "unknown", message: `the server answered ${response.status}`, hint: "" };
  try { error = (await response.json()).error || error; } catch { /* the answer is of another program */ }
  throw new Refused(response.status, error);
}

export async function get(path, parameters = {}, signal = undefined) {
  const given = Object.entries(parameters).filter(([, value]) => value !== null && value !== undefined && value !== "");
  const query = new URLSearchParams(given).toString();
  return (await request(query ? `${path}?${query}` : path, { signal })).json();
}

export async function post(path, value) {
  return (await request(path, { method: "POST", body: JSON.stringify(value), headers: { "Content-Type": "application/json" } })).json();
}

// Reads the events until the connection ends. `seen` is called for each sign of life.
export async function events(handle, signal) {
  const response = await request("events", { signal });
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  let text = "";
  for (;;) {
    let part;
    try { part = await reader.read(); } catch (error) { if (error.name === "AbortError") throw error; throw new Lost("the connection ended"); }
    if (part.done) throw new Lost("the connection ended");
    text += part.value;
    let end = text.indexOf("\n\n");
    while (end >= 0) {
      const lines = text.slice(0, end).split("\n");
      text = text.slice(end + 2);
      const kind = lines[0].slice("event: ".length);
      handle(kind, JSON.parse(lines[1].slice("data: ".length)));
      end = text.indexOf("\n\n");
    }
  }
}
