// The card of the chosen cell.

import { format, groupOf, isUncertain, sureLineage } from "../model/count.js";
import { modelLabel } from "../model/edits.js";
import { capital, chip } from "./context.js";
import { fill, icon, make, signButton } from "./dom.js";
import { penOf } from "./pictures.js";

/** @import { Answer, Cell, NewCell } from "../types.d.ts" */
/** @import { Choice } from "../control/choice.js" */
/** @import { Viewer } from "../control/viewer.js" */
/** @import { Context } from "./context.js" */

/** @typedef {{image?: HTMLImageElement, error?: string}} Heat what a name rests on; neither while it is not there yet */

const CROP = 104; // side in pixels

/**
 * Make the card of a cell: crop, three best classes, size, and what its name rests on.
 * @param {Viewer} viewer
 * @param {Cell} cell
 * @param {Heat | null} heat
 * @param {HTMLElement} tools that correct the cell
 */
export function cellCard({ context, pictures, work, choice }, cell, heat, tools) {
  const best = bestClasses(cell);
  const crop = () => pictures.crop(work, cell, CROP);
  const classes = best.map(([code, share]) => classBar(context, code, share));
  return make(
    "section.card",
    { "data-id": cell.id },
    cardHead(context, cell, choice),
    make("div.facts", crop(), make("div.classes", classes)),
    tools,
    make("div.facts", heat && heatOver(context, crop(), heat), make("div.why", reasons(context, cell, best, heat))),
    measures(context, cell),
  );
}

/**
 * Make the card's head: number, name, and the ways to other cells.
 * @param {Context} context
 * @param {Cell} cell
 * @param {Choice} choice
 */
export function cardHead(context, cell, choice) {
  const { words, rules } = context;
  return make(
    "header",
    make("h3", `${words.cell} ${cell.id}`),
    chip(context, groupOf(cell, rules), cell.label + (isUncertain(cell, rules) ? "?" : "")),
    make("span.space"),
    signButton("‹", words.previous, () => choice.step(-1)),
    signButton("›", words.next, () => choice.step(1)),
    signButton("×", words.close, () => choice.choose(null)),
  );
}

/**
 * Return the model's three best classes with their probabilities.
 * @param {NewCell} cell
 */
export function bestClasses(cell) {
  const classes = Object.entries(cell.probabilities).sort((a, b) => b[1] - a[1]);
  return classes.slice(0, 3);
}

/**
 * Say who did what to a cell, when, and what the model says; nothing when nobody did.
 * @param {Context} context
 * @param {Cell} cell
 */
export function writeEdit(context, cell) {
  const { words } = context;
  const { edited, probabilities } = cell;
  if (!edited) return "";
  const at = context.timeOf(edited.at);
  const model = modelLabel(cell);
  const acts = [edited.label && words.named, edited.shape && words[`${edited.shape}_by_hand`]].filter(Boolean);
  const who = [acts.join(", "), edited.by, at].filter(Boolean).join(" · ");
  const values = { name: context.nameOf(model), share: context.percent(probabilities[model]) };
  return `${capital(who)}. ${format(words.model_said, values)}`;
}

/**
 * Make the line that says what a person did to a cell.
 * @param {Context} context
 * @param {Cell} cell
 */
export function editLine(context, cell, name = "p.edit") {
  return make(name, icon("pen"), make("span", writeEdit(context, cell)));
}

/**
 * Read the server's answer about what a name rests on.
 * @param {Answer} answer
 * @returns {Promise<Heat>}
 */
export async function loadHeat({ heat, error }) {
  if (error) return { error };
  const image = new Image();
  image.src = `data:image/png;base64,${heat}`;
  await image.decode();
  return { image };
}

/**
 * Lay the heat map over a crop; the disc is what the classifier saw.
 * @param {Context} context
 * @param {HTMLCanvasElement} canvas
 * @param {Heat} heat
 */
function heatOver({ words }, canvas, { image }) {
  const { heat: title } = words;
  fill(canvas, { class: "heat", role: "img", title, "aria-label": title, "data-ready": Boolean(image) });
  if (image) penOf(canvas).drawImage(image, 0, 0, canvas.width, canvas.height);
  return canvas;
}

/**
 * @param {Context} context
 * @param {string} code
 * @param {number} share
 */
function classBar(context, code, share) {
  const style = `width:${100 * share}%;background:${context.styleOf(code).colour}`;
  const name = make("span", { title: code }, context.nameOf(code));
  return make("div.class", name, make("b", context.percent(share)), make("div.bar", make("i", { style })));
}

/**
 * Say what the name of a cell rests on: a person, the probabilities, the training, places in the crop.
 * @param {Context} context
 * @param {Cell} cell
 * @param {[string, number][]} best
 * @param {Heat | null} heat
 */
function reasons(context, cell, best, heat) {
  const origins = context.originsOf(best[0][0]);
  const heatText = heat && (heat.error || format(context.words.why_heat, { name: context.nameOf(cell.label) }));
  return [
    cell.edited && editLine(context, cell),
    make("p", explain(context, cell, best)),
    origins && make("p.small.origins", `${best[0][0]}: ${origins}`),
    heatText && make("p.small", heatText),
  ];
}

/**
 * Say in sentences how sure the classifier is.
 * @param {Context} context
 * @param {Cell} cell
 * @param {[string, number][]} best
 */
function explain(context, cell, best) {
  const { words, rules } = context;
  const [[code, share], [second, next]] = best;
  const sentences = [];
  if (isUncertain(cell, rules)) {
    sentences.push(format(words.why_uncertain, { bound: context.percent(rules.uncertain_below) }));
    const lineage = sureLineage(cell, rules);
    const name = lineage && context.settings.lineage_names[context.language][lineage];
    if (name) sentences.push(format(words.why_lineage, { name }));
  } else if (next < 0.01) sentences.push(words.why_alone);
  else {
    const times = context.number(share / next, share / next < 10 ? 1 : 0);
    const names = { first: capital(context.nameOf(code)), second: context.nameOf(second) };
    sentences.push(format(words.why_certain, { ...names, times }));
  }
  if (rules.left_out.includes(code)) sentences.push(words.why_left_out);
  if (rules.not_from_marrow.includes(code)) sentences.push(words.why_not_marrow);
  return sentences.join(" ");
}

/**
 * @param {Context} context
 * @param {Cell} cell
 */
function measures(context, cell) {
  const { words } = context;
  const diameter = context.number(2 * Math.sqrt(cell.area / Math.PI));
  const size = format(words.size_value, { diameter, area: context.number(cell.area) });
  const score = context.number(cell.score, 2);
  return make("dl", make("dt", words.size), make("dd", size), make("dt", words.score), make("dd", score));
}
