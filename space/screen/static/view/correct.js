// The tools to correct the chosen cells: a button for each class, confirm, merge, split, delete.

import { UNCERTAIN, format, groupOf, isHumanLabelled, isUncertain } from "../model/count.js";
import { classKeys, orderCodes } from "../model/order.js";
import { bestClasses, cardHead, editLine } from "./card.js";
import { capital, chip } from "./context.js";
import { make, signButton } from "./dom.js";

/** @import { Cell } from "../types.d.ts" */
/** @import { Choice } from "../control/choice.js" */
/** @import { Commands } from "../control/commands.js" */
/** @import { Viewer } from "../control/viewer.js" */
/** @import { Context } from "./context.js" */

/**
 * Make the tools for cells.
 * @param {Context} context
 * @param {Cell[]} cells
 * @param {Commands} commands
 */
function correctionTools(context, cells, commands) {
  const { words, settings, rules } = context;
  const keys = new Map([...classKeys(settings)].map(([key, code]) => [code, key.toUpperCase()]));
  const [first] = cells;
  const isOne = first && cells.every((cell) => cell.label === first.label && !isUncertain(cell, rules));
  const classButton = (/** @type {string} */ code) => {
    const key = keys.get(code);
    const attributes = {
      "data-name": code,
      title: capital(context.nameOf(code)) + (key ? ` (${key})` : ""),
      "aria-pressed": String(isOne && code === first.label),
      disabled: !cells.length,
      onclick: () => commands.name(code),
    };
    return make("button", attributes, chip(context, code), make("kbd", { "aria-hidden": "true" }, key));
  };
  /** @type {["confirm" | "merge" | "split" | "remove" | "reset", string, boolean][]} name, key, whether it is usable */
  const tools = [
    ["confirm", "C", cells.some((cell) => !isHumanLabelled(cell))],
    ["merge", "M", cells.length > 1],
    ["split", "S", cells.length === 1],
    ["remove", words.delete_key, cells.length > 0],
    ["reset", "", cells.some(isHumanLabelled)],
  ];
  const acts = tools.map(([name, key, isUsable]) => {
    const title = words[`${name}_info`] + (key ? ` (${key})` : "");
    const attributes = { "data-act": name, title, disabled: !isUsable, onclick: () => commands[name]() };
    return make("button", attributes, words[name]);
  });
  const pad = make("div.pad", { role: "group", "aria-label": words.correct }, orderCodes(settings).map(classButton));
  return make("div.correct", pad, make("div.acts", acts));
}

/**
 * Make the tools as they stand in a card: folded, until somebody wants to correct.
 * @param {Viewer} viewer
 * @param {Cell} cell
 */
export function foldedTools(viewer, cell) {
  const { context, commands, isCorrecting } = viewer;
  const tools = isCorrecting && correctionTools(context, [cell], commands);
  const details = make("details.folded", { open: isCorrecting }, make("summary", context.words.correct), tools);
  details.addEventListener("toggle", () => {
    if (viewer.isCorrecting === details.open) return;
    viewer.isCorrecting = details.open;
    viewer.draw();
  });
  return details;
}

/**
 * Make the review's bench: what is chosen, and the tools for it.
 * @param {Viewer} viewer
 */
export function bench(viewer) {
  const { context, choice, commands } = viewer;
  const cells = choice.cells();
  const facts = cells.length === 1 ? oneChosen(viewer, cells[0]) : manyChosen(context, cells, choice);
  return make("section.bench", facts, correctionTools(context, cells, commands));
}

/**
 * @param {Viewer} viewer
 * @param {Cell} cell
 */
function oneChosen({ context, pictures, work, choice }, cell) {
  const classes = bestClasses(cell).map(([code, share]) => `${code} ${context.percent(share)}`);
  const said = make("p.small", format(context.words.model_says, { classes: classes.join(" · ") }));
  const line = cell.edited ? editLine(context, cell, "p.edit.small") : said;
  return make("div.chosen", pictures.crop(work, cell, 64), make("div", cardHead(context, cell, choice), line));
}

/**
 * @param {Context} context
 * @param {Cell[]} cells
 * @param {Choice} choice
 */
function manyChosen(context, cells, choice) {
  const { words, rules } = context;
  const groups = Map.groupBy(cells, (cell) => groupOf(cell, rules));
  const name = (/** @type {string} */ group) => (group === UNCERTAIN ? words.uncertain : group);
  const parts = [...groups].map(([group, { length }]) => `${name(group)} ${context.number(length)}`);
  const title = cells.length ? format(words.chosen, { n: context.number(cells.length) }) : words.none_chosen;
  const close = cells.length > 0 && signButton("×", words.close, () => choice.choose(null));
  const head = make("header", make("h3", title), make("span.space"), close);
  return make("div.chosen", make("div", head, make("p.small", parts.join(" · ") || words.review_info)));
}
