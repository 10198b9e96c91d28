// The gallery: crops in groups, the uncertain ones first, the least certain first in each group.

import { format, isHumanLabelled, isUncertain } from "../model/count.js";
import { galleryGroups } from "../model/order.js";
import { writeEdit } from "./card.js";
import { capital, chip } from "./context.js";
import { icon, make, makeButton } from "./dom.js";

/** @import { Cell } from "../types.d.ts" */
/** @import { Context } from "./context.js" */
/** @typedef {(cell: Cell) => HTMLElement} Thumbnail */

/**
 * @typedef {object} GalleryListeners
 * @property {(id: number, event: MouseEvent) => void} onChoose
 * @property {(ids: number[]) => void} onGroup
 * @property {(id: number) => void} onRestore
 */

/**
 * Make the gallery of the cells, and of the deleted ones; `thumbnail` makes the crop of one.
 * @param {Context} context
 * @param {{cells: Cell[], deleted: Cell[], chosen: Set<number>, thumbnail: Thumbnail}} shown
 * @param {GalleryListeners} listeners
 */
export function galleryPanel(context, { cells, deleted, chosen, thumbnail }, { onChoose, onGroup, onRestore }) {
  const groups = galleryGroups(cells, context.settings);
  const makeGroup = (/** @type {[string, Cell[]]} */ [group, members]) => {
    const ids = members.map((cell) => cell.id);
    const isWhole = ids.every((id) => chosen.has(id));
    const head = makeButton(
      {
        class: "head",
        "data-all": group,
        title: format(context.words.choose_group, { name: context.nameOf(group) }),
        "aria-pressed": String(isWhole),
        onclick: () => onGroup(isWhole ? [] : ids),
      },
      chip(context, group),
      make("span", { text: capital(context.nameOf(group)) }),
      make("span", { class: "n", text: context.number(members.length) }),
    );
    const crops = members.map((cell) => cropButton(context, cell, chosen.has(cell.id), thumbnail(cell), onChoose));
    return make("div", { class: "group", "data-group": group }, make("h3", {}, head), make("div", { class: "crops" }, ...crops));
  };
  return make(
    "section",
    { class: "review" },
    groups.length ? null : make("p", { class: "empty", text: context.words.none }),
    ...groups.map(makeGroup),
    deleted.length ? deletedGroup(context, deleted, thumbnail, onRestore) : null,
  );
}

/**
 * @param {Context} context
 * @param {Cell} cell
 * @param {boolean} isChosen
 * @param {HTMLElement} crop
 * @param {GalleryListeners["onChoose"]} onChoose
 */
function cropButton(context, cell, isChosen, crop, onChoose) {
  const { words, rules } = context;
  const share = isHumanLabelled(cell) ? words.by_hand : context.percent(cell.probability);
  const name = `${words.cell} ${cell.id}, ${context.nameOf(cell.label)} ${share}`;
  const short = isHumanLabelled(cell) ? cell.label : share;
  return makeButton(
    {
      "data-id": cell.id,
      title: cell.edited ? `${name}. ${writeEdit(context, cell)}` : name,
      "aria-label": name,
      "aria-pressed": String(isChosen),
      onclick: (/** @type {MouseEvent} */ event) => onChoose(cell.id, event),
    },
    crop,
    make("span", {}, cell.edited ? icon("pen") : null, isUncertain(cell, rules) ? `${cell.label} ${share}` : short),
  );
}

/**
 * @param {Context} context
 * @param {Cell[]} deleted
 * @param {Thumbnail} thumbnail
 * @param {GalleryListeners["onRestore"]} onRestore
 */
function deletedGroup(context, deleted, thumbnail, onRestore) {
  const { words } = context;
  const button = (/** @type {Cell} */ cell) => {
    const name = `${format(words.restore, { id: cell.id })}. ${writeEdit(context, cell)}`;
    const attributes = { "data-restore": cell.id, title: name, "aria-label": name, onclick: () => onRestore(cell.id) };
    return makeButton(attributes, thumbnail(cell), make("span", { text: `↶ ${cell.label}` }));
  };
  const number = make("span", { class: "n", text: context.number(deleted.length) });
  return make(
    "div",
    { class: "group deleted", "data-group": "deleted" },
    make("h3", {}, make("span", { text: words.deleted }), number),
    make("div", { class: "crops" }, ...deleted.map(button)),
  );
}
