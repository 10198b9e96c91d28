// The gallery: crops in groups, the uncertain ones first, the least certain first in each group.

import { format, isHumanLabelled, isUncertain } from "../model/count.js";
import { galleryGroups } from "../model/order.js";
import { writeEdit } from "./card.js";
import { capital, chip } from "./context.js";
import { icon, make } from "./dom.js";

/** @import { Cell } from "../types.d.ts" */
/** @import { Viewer } from "../control/viewer.js" */

/**
 * Make the gallery of the cells, and of the deleted ones.
 * @param {Viewer} viewer
 */
export function galleryPanel(viewer) {
  const { context, work } = viewer;
  const groups = galleryGroups(work.passing(), context.settings);
  const deleted = work.now.removed.filter((cell) => cell.edited?.shape === "deleted");
  return make(
    "section.review",
    groups.length === 0 && make("p.empty", context.words.none),
    groups.map(([group, members]) => groupOfCrops(viewer, group, members)),
    deleted.length > 0 && deletedGroup(viewer, deleted),
  );
}

/**
 * @param {Viewer} viewer
 * @param {string} group
 * @param {Cell[]} members
 */
function groupOfCrops(viewer, group, members) {
  const { context, choice } = viewer;
  const name = context.nameOf(group);
  const ids = members.map((cell) => cell.id);
  const isWhole = ids.every((id) => choice.ids.has(id));
  const attributes = {
    "data-all": group,
    title: format(context.words.choose_group, { name }),
    "aria-pressed": String(isWhole),
    onclick: () => choice.group(isWhole ? [] : ids),
  };
  const n = make("span.n", context.number(members.length));
  const head = make("button.head", attributes, chip(context, group), make("span", capital(name)), n);
  const crops = members.map((cell) => cropButton(viewer, cell));
  return make("div.group", { "data-group": group }, make("h3", head), make("div.crops", crops));
}

/**
 * @param {Viewer} viewer
 * @param {Cell} cell
 */
function cropButton({ context, choice, pictures, work }, cell) {
  const { words, rules } = context;
  const share = isHumanLabelled(cell) ? words.by_hand : context.percent(cell.probability);
  const name = `${words.cell} ${cell.id}, ${context.nameOf(cell.label)} ${share}`;
  const short = isHumanLabelled(cell) ? cell.label : share;
  const attributes = {
    "data-id": cell.id,
    title: cell.edited ? `${name}. ${writeEdit(context, cell)}` : name,
    "aria-label": name,
    "aria-pressed": String(choice.ids.has(cell.id)),
    onclick: (/** @type {MouseEvent} */ event) => choice.inGallery(cell.id, event),
  };
  const text = isUncertain(cell, rules) ? `${cell.label} ${share}` : short;
  return make("button", attributes, pictures.thumbnail(work, cell), make("span", cell.edited && icon("pen"), text));
}

/**
 * @param {Viewer} viewer
 * @param {Cell[]} deleted
 */
function deletedGroup({ context, commands, pictures, work }, deleted) {
  const { words } = context;
  const buttons = deleted.map((cell) => {
    const { id, label } = cell;
    const title = `${format(words.restore, { id })}. ${writeEdit(context, cell)}`;
    const attributes = { "data-restore": id, title, "aria-label": title, onclick: () => commands.restore(id) };
    return make("button", attributes, pictures.thumbnail(work, cell), make("span", `↶ ${label}`));
  });
  const head = make("h3", make("span", words.deleted), make("span.n", context.number(deleted.length)));
  return make("div.group.deleted", { "data-group": "deleted" }, head, make("div.crops", buttons));
}
