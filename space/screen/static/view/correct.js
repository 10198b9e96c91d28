// The tools to correct the chosen cells: a button for each class, confirm, merge, split, delete.

import { UNCERTAIN, format, groupOf, isHumanLabelled, isUncertain } from "../model/count.js";
import { classKeys, orderCodes } from "../model/order.js";
import { bestClasses, cardHead, writeEdit } from "./card.js";
import { capital, chip } from "./context.js";
import { icon, make, makeButton, signButton } from "./dom.js";

/** @import { Cell } from "../types.d.ts" */
/** @import { Work } from "../model/work.js" */
/** @import { Commands } from "../control/commands.js" */
/** @import { CardListeners } from "./card.js" */
/** @import { Context } from "./context.js" */
/** @import { Pictures } from "./pictures.js" */

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
  const classButton = (/** @type {string} */ code) =>
    makeButton(
      {
        "data-name": code,
        title: `${capital(context.nameOf(code))}${keys.has(code) ? ` (${keys.get(code)})` : ""}`,
        "aria-pressed": String(isOne && code === first.label),
        disabled: !cells.length,
        onclick: () => commands.name(code),
      },
      chip(context, code),
      make("kbd", { text: keys.get(code) || "", "aria-hidden": "true" }),
    );
  const tool = (
    /** @type {"confirm" | "merge" | "split" | "remove" | "reset"} */ name,
    /** @type {string} */ key,
    /** @type {boolean} */ isUsable,
  ) =>
    makeButton({
      "data-act": name,
      text: words[name],
      title: `${words[`${name}_info`]}${key ? ` (${key})` : ""}`,
      disabled: !isUsable,
      onclick: () => commands[name](),
    });
  return make(
    "div",
    { class: "correct" },
    make("div", { class: "pad", role: "group", "aria-label": words.correct }, ...orderCodes(settings).map(classButton)),
    make(
      "div",
      { class: "acts" },
      tool("confirm", "C", cells.some((cell) => !isHumanLabelled(cell))),
      tool("merge", "M", cells.length > 1),
      tool("split", "S", cells.length === 1),
      tool("remove", words.delete_key, cells.length > 0),
      tool("reset", "", cells.some(isHumanLabelled)),
    ),
  );
}

/**
 * Make the tools as they stand in a card: folded, until somebody wants to correct.
 * @param {Context} context
 * @param {Cell[]} cells
 * @param {Commands} commands
 * @param {boolean} isOpen
 * @param {(isOpen: boolean) => void} onToggle
 */
export function foldedTools(context, cells, commands, isOpen, onToggle) {
  const details = make(
    "details",
    { class: "folded", open: isOpen },
    make("summary", { text: context.words.correct }),
    isOpen ? correctionTools(context, cells, commands) : null,
  );
  details.addEventListener("toggle", () => onToggle(details.open));
  return details;
}

/**
 * Make the review's bench: what is chosen, and the tools for it.
 * @param {Context} context
 * @param {Pictures} pictures
 * @param {{work: Work, cells: Cell[]}} chosen
 * @param {Commands} commands
 * @param {CardListeners} listeners
 */
export function bench(context, pictures, { work, cells }, commands, listeners) {
  const facts =
    cells.length === 1 ? oneChosen(context, pictures.crop(work, cells[0], 64), cells[0], listeners) : manyChosen(context, cells, listeners);
  return make("section", { class: "bench" }, facts, correctionTools(context, cells, commands));
}

/**
 * @param {Context} context
 * @param {HTMLCanvasElement} crop
 * @param {Cell} cell
 * @param {CardListeners} listeners
 */
function oneChosen(context, crop, cell, listeners) {
  const classes = bestClasses(cell).map(([code, share]) => `${code} ${context.percent(share)}`);
  const text = cell.edited
    ? make("p", { class: "edit small" }, icon("pen"), make("span", { text: writeEdit(context, cell) }))
    : make("p", { class: "small", text: format(context.words.model_says, { classes: classes.join(" · ") }) });
  return make("div", { class: "chosen" }, crop, make("div", {}, cardHead(context, cell, listeners), text));
}

/**
 * @param {Context} context
 * @param {Cell[]} cells
 * @param {CardListeners} listeners
 */
function manyChosen(context, cells, { onClose }) {
  const { words, rules } = context;
  /** @type {Map<string, number>} */
  const counts = new Map();
  for (const cell of cells) counts.set(groupOf(cell, rules), (counts.get(groupOf(cell, rules)) || 0) + 1);
  const parts = [...counts].map(([group, n]) => `${group === UNCERTAIN ? words.uncertain : group} ${context.number(n)}`);
  const head = make(
    "header",
    {},
    make("h3", { text: cells.length ? format(words.chosen, { n: context.number(cells.length) }) : words.none_chosen }),
    make("span", { class: "space" }),
    cells.length ? signButton("×", words.close, onClose, "quiet") : null,
  );
  const text = make("p", { class: "small", text: cells.length ? parts.join(" · ") : words.review_info });
  return make("div", { class: "chosen" }, make("div", {}, head, text));
}
