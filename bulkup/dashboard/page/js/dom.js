// Builds elements. Text becomes text nodes alone, so no name of a file can become markup.

const SVG = "http://www.w3.org/2000/svg";

function fill(element, properties, children) {
  for (const [name, value] of Object.entries(properties || {})) {
    if (value === undefined || value === null || value === false) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (name === "style") for (const [key, each] of Object.entries(value)) element.style.setProperty(key, each);
    else element.setAttribute(name === "className" ? "class" : name, value === true ? "" : String(value));
  }
  element.append(...children.flat(Infinity).filter((child) => child !== null && child !== undefined && child !== false).map((child) => (child instanceof Node ? child : String(child))));
  return element;
}

export function h(tag, properties, ...children) {
  return fill(document.createElement(tag), properties, children);
}

export function s(tag, properties, ...children) {
  return fill(document.createElementNS(SVG, tag), properties, children);
}

// Replaces the content, and keeps the focus on the element with the same `data-key`.
export function replace(container, ...children) {
  const active = document.activeElement;
  const key = active && container.contains(active) ? active.dataset.key : undefined;
  container.replaceChildren();
  fill(container, null, children);
  if (key !== undefined) {
    const same = [...container.querySelectorAll("[data-key]")].find((one) => one.dataset.key === key);
    if (same) same.focus({ preventScroll: true });
  }
}

export function bone(width) {
  return h("span", { className: "bone", style: { width }, "aria-hidden": "true" });
}

export function say(text) {
  document.getElementById("said").textContent = text;
}
