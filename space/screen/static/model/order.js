// Orders: of the classes, of the cells in the gallery, of the cells on the image; and the keys of classes and tools.

import { UNCERTAIN, groupOf, isHumanLabelled } from "./count.js";

/** @import { Cell, Settings } from "../types.d.ts" */
/** @typedef {Pick<Settings, "labels" | "rules">} Classes */

/** @type {Record<string, string>} */
const TOOL_KEYS = { c: "confirm", m: "merge", s: "split", a: "add", Delete: "remove", Backspace: "remove" };

/** @type {Record<string, [number, number]>} */
export const ARROWS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };

/**
 * Return the codes in the order of a differential: lineage by lineage, by maturation.
 * @param {Classes} classes
 */
export function orderCodes({ labels, rules }) {
  const inLineages = rules.lineages.flatMap(({ codes }) => codes).filter((code) => labels.includes(code));
  return [...new Set([...inLineages, ...labels])];
}

/**
 * Return the code of each class by its key: digits first, then a letter of the code.
 * @param {Classes} classes
 * @returns {Map<string, string>}
 */
export function classKeys(classes) {
  const keys = new Map();
  orderCodes(classes).forEach((code, at) => {
    const own =
      at < 9 ? String(at + 1) : [...code.toLowerCase()].find((letter) => !keys.has(letter) && !TOOL_KEYS[letter]);
    if (own) keys.set(own, code);
  });
  return keys;
}

/**
 * Return the class or the tool that a key stands for.
 * @param {{key: string, code: string}} event
 * @param {Map<string, string>} keys of the classes
 * @returns {{code?: string, tool?: string}}
 */
export function keyMeaning(event, keys) {
  const digit = /^Digit([1-9])$/.exec(event.code); // also where digits want Shift, as on French keyboards
  const key = event.key.length === 1 ? event.key.toLowerCase() : event.key;
  const code = keys.get(key) || (digit ? keys.get(digit[1]) : undefined);
  return code ? { code } : { tool: TOOL_KEYS[key] };
}

/**
 * Sort cells into groups, in the order of the gallery: the uncertain ones first, the least certain first in each group.
 * @param {Cell[]} cells
 * @param {Classes} classes
 * @returns {[string, Cell[]][]} groups that hold a cell
 */
export function galleryGroups(cells, classes) {
  /** @type {Map<string, Cell[]>} */
  const groups = new Map([UNCERTAIN, ...orderCodes(classes)].map((group) => [group, []]));
  // a person's word is the last to be looked at
  const certainty = (/** @type {Cell} */ cell) => (isHumanLabelled(cell) ? 2 : cell.probability);
  for (const cell of [...cells].sort((a, b) => certainty(a) - certainty(b))) {
    groups.get(groupOf(cell, classes.rules))?.push(cell);
  }
  return [...groups].filter(([, members]) => members.length);
}

/**
 * Return the ids from one cell of the gallery to another.
 * @param {Cell[]} cells
 * @param {Classes} classes
 * @param {number | null} from
 * @param {number} to
 */
export function galleryRange(cells, classes, from, to) {
  const ids = galleryGroups(cells, classes).flatMap(([, members]) => members.map((cell) => cell.id));
  const [first, last] = [ids.indexOf(from ?? 0), ids.indexOf(to)].sort((a, b) => a - b);
  return first < 0 ? [to] : ids.slice(first, last + 1);
}

/**
 * Find the nearest of `cells` from one in the direction of an arrow key.
 * @param {Cell[]} cells
 * @param {Cell} from
 * @param {string} key
 * @returns {Cell | null}
 */
export function findNeighbour(cells, from, key) {
  const middle = (/** @type {Cell} */ { box }) => [(box[0] + box[2]) / 2, (box[1] + box[3]) / 2];
  const [dx, dy] = ARROWS[key];
  const start = middle(from);
  let best = null;
  for (const cell of cells) {
    const at = middle(cell);
    const [x, y] = [at[0] - start[0], at[1] - start[1]];
    const ahead = x * dx + y * dy;
    const aside = Math.abs(x * dy) + Math.abs(y * dx);
    const cost = ahead + 2 * aside;
    if (cell.id !== from.id && ahead > 0 && aside <= 2 * ahead && (!best || cost < best.cost)) best = { cell, cost };
  }
  return best?.cell ?? null;
}
