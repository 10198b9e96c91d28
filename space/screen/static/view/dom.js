// Elements: made, filled with attributes and children, and made anew under the focus.

/** @import { ElementOf } from "../types.d.ts" */
/** @typedef {Record<string, any>} Attributes by name, and listeners as `on…`; null and false stand for none */
/** @typedef {Node | string | null | undefined | false} Child */
/** @typedef {Attributes | Child | Child[]} Part of an element: its attributes, a child, or several */

/**
 * Make an element, named with its classes as in `"p.small"`; a button submits nothing unless its `type` says so.
 * @template {string} Name
 * @param {Name} name
 * @param {...Part} parts
 * @returns {ElementOf<Name, HTMLElementTagNameMap>}
 */
export function make(name, ...parts) {
  const [tag, ...classes] = name.split(".");
  const node = document.createElement(tag);
  if (node instanceof HTMLButtonElement) node.type = "button";
  if (classes.length) node.className = classes.join(" ");
  return /** @type {ElementOf<Name, HTMLElementTagNameMap>} */ (fill(node, ...parts));
}

/**
 * Make an SVG element in the same way.
 * @template {string} Name
 * @param {Name} name
 * @param {...Part} parts
 * @returns {ElementOf<Name, SVGElementTagNameMap>}
 */
export function vector(name, ...parts) {
  const [tag, ...classes] = name.split(".");
  const node = document.createElementNS("http://www.w3.org/2000/svg", tag);
  if (classes.length) node.setAttribute("class", classes.join(" "));
  return /** @type {ElementOf<Name, SVGElementTagNameMap>} */ (fill(node, ...parts));
}

/**
 * Set attributes of an element and add children.
 * @template {Element} Kind
 * @param {Kind} node
 * @param {...Part} parts
 * @returns {Kind}
 */
export function fill(node, ...parts) {
  for (const part of parts.flat()) {
    if (part === null || part === undefined || part === false) continue;
    if (part instanceof Node) node.append(part);
    else if (typeof part === "string") node.append(spaced(part));
    else for (const [name, value] of Object.entries(part)) setAttribute(node, name, value);
  }
  return node;
}

/**
 * @param {Element} node
 * @param {string} name
 * @param {any} value
 */
function setAttribute(node, name, value) {
  if (value === null || value === undefined || value === false) return;
  if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
  else node.setAttribute(name, value === true ? "" : value);
}

/**
 * Keep signs from the start of a line, as French wants it.
 * @param {string} text
 */
function spaced(text) {
  return text.replace(/ (?=[;:?!%»])|(?<=«) /g, "\u00a0");
}

/**
 * Make a button that shows a sign, and is named by its title.
 * @param {string} sign
 * @param {string} title
 * @param {() => void} onclick
 */
export function signButton(sign, title, onclick, name = "button.quiet") {
  return make(name, { title, "aria-label": title, onclick }, sign);
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
  const controls = /** @type {HTMLElement[]} */ ([...part.querySelectorAll("button, textarea, input, summary")]);
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
  return vector("svg.icon", { viewBox: "0 0 16 16", "aria-hidden": "true" }, vector("path", { d: ICONS[name] }));
}
