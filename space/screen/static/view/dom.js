// Elements: made, filled with attributes and children, and made anew under the focus.

/** @typedef {Record<string, any>} Attributes `text`, `on…` listeners, and attributes by name */
/** @typedef {Node | string | null | undefined} Child */

/**
 * Make an element.
 * @template {keyof HTMLElementTagNameMap} Tag
 * @param {Tag} tag
 * @param {Attributes} attributes
 * @param {...Child} children
 * @returns {HTMLElementTagNameMap[Tag]}
 */
export function make(tag, attributes = {}, ...children) {
  return fill(document.createElement(tag), attributes, children);
}

/**
 * Make an SVG element in the same way.
 * @template {keyof SVGElementTagNameMap} Tag
 * @param {Tag} tag
 * @param {Attributes} attributes
 * @param {...Child} children
 * @returns {SVGElementTagNameMap[Tag]}
 */
export function vector(tag, attributes = {}, ...children) {
  return fill(document.createElementNS("http://www.w3.org/2000/svg", tag), attributes, children);
}

/**
 * Set attributes of an element and add children.
 * @template {Element} Kind
 * @param {Kind} node
 * @param {Attributes} attributes
 * @param {Child[]} children
 * @returns {Kind}
 */
export function fill(node, attributes, children = []) {
  for (const [name, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue;
    if (name === "text") node.textContent = String(value).replace(/ (?=[;:?!%»])|(?<=«) /g, "\u00a0"); // as French wants it
    else if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else node.setAttribute(name, value === true ? "" : value);
  }
  node.append(...children.filter((child) => child !== null && child !== undefined));
  return node;
}

/**
 * Make a button; without a `text`, it shows its children.
 * @param {Attributes} attributes
 * @param {...Child} children
 */
export function makeButton(attributes, ...children) {
  return make("button", { type: "button", ...attributes }, ...children);
}

/**
 * Make a button that shows a sign, and is named by its title.
 * @param {string} text
 * @param {string} title
 * @param {() => void} onclick
 * @param {string | null} kind class of the button
 */
export function signButton(text, title, onclick, kind = null) {
  return makeButton({ class: kind, text, title, "aria-label": title, onclick });
}

/**
 * Put new children into a part of the screen; the control with the focus keeps it.
 * @param {HTMLElement} part
 * @param {(Node | null)[]} children
 */
export function renew(part, children) {
  const active = document.activeElement;
  const focused = active instanceof HTMLElement && part.contains(active) ? keyOf(active) : null;
  part.replaceChildren(...children.filter((child) => child !== null));
  if (!focused) return;
  /** @type {HTMLElement[]} */
  const controls = [...part.querySelectorAll("button, textarea, input, summary")].filter((node) => node instanceof HTMLElement);
  controls.find((node) => keyOf(node) === focused)?.focus({ preventScroll: true });
}

/**
 * Tell controls apart, so that the one with the focus keeps it when they are made anew.
 * @param {HTMLElement} node
 */
function keyOf(node) {
  const { group, id, name, act, all } = node.dataset;
  return group || id || name || act || all || node.title || node.getAttribute("name") || node.textContent;
}

/** @type {Record<string, string>} */
const ICONS = {
  pen: "M3 13l1-4 7-7 3 3-7 7zM10 3l3 3",
  undo: "M6 3L2 7l4 4M2 7h8a4 4 0 0 1 0 7H6",
  redo: "M10 3l4 4-4 4M14 7H6a4 4 0 0 0 0 7h4",
  add: "M2 5V2h3M11 2h3v3M14 11v3h-3M5 14H2v-3M8 5v6M5 8h6",
  case: "M2 5h8v9H2zM5 5V2h9v9h-4",
};

/** Outline of the sign of what a person has edited. */
export const PEN = ICONS.pen;

/**
 * Draw a sign that needs no words of its own.
 * @param {string} name
 */
export function icon(name) {
  return vector("svg", { class: "icon", viewBox: "0 0 16 16", "aria-hidden": "true" }, vector("path", { d: ICONS[name] }));
}
