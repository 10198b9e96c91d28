// The classification report: figures, table with bars and intervals, notes, and files to take away.

import { format, ratioRestsOn, wilson, writeNotes } from "../model/count.js";
import { capital, chip } from "./context.js";
import { make, makeButton } from "./dom.js";
import { filesRow } from "./files.js";

/** @import { Report } from "../types.d.ts" */
/** @import { Context } from "./context.js" */
/** @import { FileListeners } from "./files.js" */

/**
 * Make the report of a count.
 * @param {Context} context
 * @param {Report} report
 * @param {FileListeners & {onAdd: (() => void) | null}} listeners
 */
export function reportPanel(context, report, listeners) {
  const { words, settings } = context;
  const { onAdd } = listeners;
  const join = onAdd && makeButton({ class: "join", text: `+ ${words.add_to_case}`, title: words.case_info, onclick: onAdd });
  return make(
    "section",
    { class: "report" },
    figures(context, report),
    progress(context, report.total),
    join ? make("p", {}, join) : null,
    ...differentialWithNotes(context, report),
    filesRow(context, listeners),
    make("p", { class: "small", text: format(words.models, { names: settings.models.join(" · ") }) }),
  );
}

/**
 * Make the table and all that explains it.
 * @param {Context} context
 * @param {Report} report
 */
export function differentialWithNotes(context, report) {
  const { words, rules, settings, language } = context;
  const notes = writeNotes(report, rules, settings.notes[language]);
  return [
    differential(context, report),
    make("p", { class: "small", text: words.bars }),
    make("p", { class: "small definition", text: meDefinition(context) }),
    make("ul", { class: "notes" }, ...notes.map((text) => make("li", { text }))),
    rules.not_from_marrow.length ? make("p", { class: "small", text: words.not_from_marrow }) : null,
  ];
}

/**
 * Make the four figures that stand first.
 * @param {Context} context
 * @param {Report} report
 */
export function figures(context, report) {
  const { words } = context;
  const isShaky = report.me_ratio !== null && ratioRestsOn(report, context.rules).length > 0;
  const all = [
    ["found", context.number(report.found), words.found],
    ["total", context.number(report.total), words.counted],
    ["uncertain", context.number(report.uncertain), words.uncertain],
    ["me_ratio", report.me_ratio === null ? "–" : context.number(report.me_ratio, 1), words.me_ratio],
  ];
  const figure = (/** @type {string[]} */ [name, value, label]) =>
    make(
      "div",
      { "data-figure": name },
      make("b", { text: value }),
      make("span", { text: label }, name === "me_ratio" && isShaky ? make("i", { class: "shaky", text: words.unreliable }) : null),
    );
  return make("div", { class: "figures" }, ...all.map(figure));
}

/**
 * Make the bar that shows how far the count has come.
 * @param {Context} context
 * @param {number} total
 */
export function progress(context, total) {
  const { floor, target } = context.rules;
  const share = (/** @type {number} */ n) => `${Math.min(100, (100 * n) / target)}%`;
  const bar = make("div", { class: "bar" }, make("i", { style: `width:${share(total)}` }), make("u", { style: `left:${share(floor)}` }));
  const text = format(context.words.of_floor, { total: context.number(total), floor, target });
  return make("div", { class: "progress" }, bar, make("span", { class: "small", text }));
}

/**
 * @param {Context} context
 * @param {Report} report
 */
function differential(context, report) {
  const { words, rules, settings } = context;
  const most = Math.max(1, ...Object.values(report.intervals).map(([, high]) => (report.total ? high : 1)));
  const body = [];
  for (const { name, codes } of rules.lineages) {
    const here = codes.filter((code) => settings.labels.includes(code));
    if (!here.length) continue;
    body.push(lineageRow(context, name, report.lineages[name], report.total));
    for (const code of here) body.push(classRow(context, code, report, most));
  }
  for (const code of rules.left_out.filter((left) => settings.labels.includes(left))) {
    body.push(classRow(context, code, report, most));
  }
  const head = ["", "", "n", "%", words.interval].map((text, at) =>
    make("th", { text, scope: "col", title: at === 4 ? words.interval_long : null }),
  );
  return make("table", {}, make("thead", {}, make("tr", {}, ...head)), make("tbody", {}, ...body));
}

/**
 * @param {Context} context
 * @param {string} name
 * @param {number} n
 * @param {number} total
 */
function lineageRow(context, name, n, total) {
  const [low, high] = wilson(n, total, context.rules.z95);
  return make(
    "tr",
    { class: "lineage", "data-lineage": name },
    make("th", { colspan: 2, scope: "rowgroup", text: capital(context.words[name]) }),
    make("td", { text: context.number(n) }),
    make("td", { text: total ? context.number((100 * n) / total, 1) : "–" }),
    make("td", { text: total ? `${context.number(low)}–${context.number(high)}` : "–" }),
  );
}

/**
 * @param {Context} context
 * @param {string} code
 * @param {Report} report
 * @param {number} most percent that fill the bar
 */
function classRow(context, code, report, most) {
  const n = report.counts[code];
  const inCount = code in report.percent && report.total > 0;
  const [low, high] = inCount ? report.intervals[code] : [0, 0];
  const share = (/** @type {number} */ value) => `${(100 * value) / most}%`;
  const bar = make(
    "div",
    { class: "bar wide" },
    make("i", { style: `width:${share(report.percent[code])};background:${context.styleOf(code).colour}` }),
    make("s", { style: `left:${share(low)};width:${share(high - low)}` }),
  );
  const leftOut = make("span", { class: "small", text: code in report.percent ? "" : context.words.left_out });
  const name = make("span", { text: ` ${context.nameOf(code)}${context.starOf(code)}` });
  return make(
    "tr",
    { "data-code": code, class: n ? null : "zero" },
    make("th", { scope: "row", title: context.originsOf(code) || null }, chip(context, code), name),
    make("td", { class: "bars" }, inCount ? bar : leftOut),
    make("td", { text: context.number(n) }),
    make("td", { text: inCount ? context.number(report.percent[code], 1) : "–" }),
    make("td", { text: inCount ? `${context.number(low)}–${context.number(high)}` : "–" }),
  );
}

/** @param {Context} context */
function meDefinition({ words, rules, settings }) {
  const of = (/** @type {string[]} */ codes) => codes.filter((code) => settings.labels.includes(code)).join(" + ");
  return format(words.me_definition, { myeloid: of(rules.myeloid), erythroid: of(rules.erythroid) });
}
