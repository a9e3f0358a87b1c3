// A chart of throughput and workers over time, as SVG. The pointer and the arrow keys read its values.

import { h, s } from "./dom.js";
import { clockTime, preciseTime, rate } from "./format.js";

const H = 208, LEFT = 82, RIGHT = 34, TOP = 10, BOTTOM = 26;

function ticks(most, unit) {
  const raw = most / 3 || 1, base = unit ** Math.floor(Math.log(raw) / Math.log(unit));
  const nice = unit === 1024 ? [1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024] : [1, 2, 5, 10];
  const step = Math.max(unit === 1024 ? 1 : 1, base * nice.find((one) => one * base >= raw));
  const count = Math.max(1, Math.ceil(most / step));
  return Array.from({ length: count + 1 }, (_, index) => index * step);
}

// Returns an element and `draw`. A point is { t: Unix time, rate: bytes per second, workers }.
export function runChart(title) {
  const readout = h("p", { className: "readout", role: "status" });
  const svg = s("svg", { tabindex: 0, role: "img", "aria-label": title });
  let W = 720;
  const element = h("figure", { className: "panel chart", style: { margin: 0 } }, h("header", {}, h("h2", {}, title), h("div", { className: "legend" }, h("span", {}, "Throughput"), h("span", { className: "of-step" }, "Workers"))), svg, readout);
  let points = [], at = -1, scale = null;
  const read = (index) => {
    if (!points.length || !scale) return;
    at = Math.max(0, Math.min(points.length - 1, index));
    const point = points[at], x = scale.x(point.t);
    const cursor = svg.querySelector(".cursor");
    if (cursor) { cursor.setAttribute("x1", x); cursor.setAttribute("x2", x); }
    readout.replaceChildren(`${preciseTime(point.t)}: `, h("b", {}, rate(point.rate)), ` with ${point.workers} workers`);
  };
  const summary = () => {
    if (!points.length) return;
    const mean = points.reduce((sum, one) => sum + one.rate, 0) / points.length;
    const text = `Mean ${rate(mean)}, peak ${rate(Math.max(...points.map((one) => one.rate)))}, up to ${Math.max(...points.map((one) => one.workers))} workers`;
    svg.setAttribute("aria-label", `${title}. ${text}`);
    if (at < 0) readout.textContent = text;
  };
  svg.addEventListener("pointermove", (event) => {
    if (points.length < 2) return;
    const box = svg.getBoundingClientRect(), x = ((event.clientX - box.left) / box.width) * W;
    const share = (x - LEFT) / (W - LEFT - RIGHT), wanted = points[0].t + share * (points.at(-1).t - points[0].t);
    let best = 0;
    points.forEach((one, index) => { if (Math.abs(one.t - wanted) < Math.abs(points[best].t - wanted)) best = index; });
    read(best);
  });
  svg.addEventListener("pointerleave", () => { at = -1; summary(); });
  svg.addEventListener("blur", () => { at = -1; summary(); });
  svg.addEventListener("keydown", (event) => {
    const step = { ArrowLeft: -1, ArrowRight: 1, Home: -Infinity, End: Infinity }[event.key];
    if (step === undefined) return;
    event.preventDefault();
    read(at < 0 ? points.length - 1 : at + (Number.isFinite(step) ? step : step * points.length));
  });
  const draw = (given) => {
    points = given;
    W = svg.clientWidth || W;
    svg.setAttribute("viewBox", `0 0 ${W} ${H}`);
    if (points.length < 2) {
      svg.replaceChildren(s("text", { x: W / 2, y: H / 2, "text-anchor": "middle" }, "The chart appears after the first seconds."));
      readout.textContent = "";
      return;
    }
    const first = points[0].t, last = points.at(-1).t;
    const label = last - first < 600 ? preciseTime : clockTime;
    const rates = ticks(Math.max(1024, ...points.map((one) => one.rate)), 1024), workers = ticks(Math.max(1, ...points.map((one) => one.workers)), 10);
    const x = (t) => LEFT + ((t - first) / Math.max(0.001, last - first)) * (W - LEFT - RIGHT);
    const y = (value, all) => TOP + (1 - value / all.at(-1)) * (H - TOP - BOTTOM);
    scale = { x };
    const line = points.map((one, index) => `${index ? "L" : "M"}${x(one.t).toFixed(1)} ${y(one.rate, rates).toFixed(1)}`).join("");
    const step = points.map((one, index) => (index ? `H${x(one.t).toFixed(1)}V${y(one.workers, workers).toFixed(1)}` : `M${x(one.t).toFixed(1)} ${y(one.workers, workers).toFixed(1)}`)).join("");
    const base = H - BOTTOM;
    svg.replaceChildren(
      ...rates.map((one) => s("g", {}, s("line", { className: "grid", x1: LEFT, x2: W - RIGHT, y1: y(one, rates), y2: y(one, rates) }), s("text", { x: LEFT - 8, y: y(one, rates) + 4, "text-anchor": "end" }, one ? rate(one) : "0"))),
      ...workers.map((one) => s("text", { x: W - RIGHT + 8, y: y(one, workers) + 4 }, String(one))),
      s("path", { className: "area", d: `${line}L${x(last).toFixed(1)} ${base}L${x(first).toFixed(1)} ${base}Z` }),
      s("path", { className: "step", d: step }), s("path", { className: "line", d: line }),
      s("line", { className: "axis", x1: LEFT, x2: W - RIGHT, y1: base, y2: base }),
      s("line", { className: "cursor", x1: LEFT, x2: LEFT, y1: TOP, y2: base }),
      s("text", { x: LEFT, y: H - 6 }, label(first)), s("text", { x: W - RIGHT, y: H - 6, "text-anchor": "end" }, label(last)));
    summary();
    if (at >= 0) read(at);
  };
  const watcher = new ResizeObserver(() => { if (svg.clientWidth && Math.abs(svg.clientWidth - W) > 1) draw(points); });
  watcher.observe(svg);
  draw([]);
  return { element, draw, stop: () => watcher.disconnect() };
}
