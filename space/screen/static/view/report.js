// The classification report: figures, table with bars and intervals, notes, and files to take away.

import { format, ratioRestsOn, warningText, wilson, writeNotes } from "../model/count.js";
import { coloursPanel } from "./colours.js";
import { chip } from "./context.js";
import { make } from "./dom.js";
import { filesRow } from "./files.js";
import { keptPanel } from "./kept.js";

/** @import { Report } from "../types.d.ts" */
/** @import { Viewer } from "../control/viewer.js" */
/** @import { Context } from "./context.js" */

/**
 * Make the report of a count.
 * @param {Viewer} viewer
 */
export function reportPanel(viewer) {
  const { context, work, currentCase, session } = viewer;
  const { words, settings } = context;
  const report = work.report();
  const add = { title: words.case_info, onclick: () => session.addToCase() };
  return make(
    "section.report",
    figures(context, report),
    progress(context, report.total),
    !currentCase.has(work) && make("p", make("button.join", add, `+ ${words.add_to_case}`)),
    differentialWithNotes(context, report),
    coloursPanel(viewer),
    filesRow(context, session),
    keptPanel(viewer),
    make("p.small", format(words.models, { names: settings.models.join(" · ") })),
  );
}

/**
 * Make the table and all that explains it; nothing where the picture is no smear.
 * @param {Context} context
 * @param {Report} report
 */
export function differentialWithNotes(context, report) {
  const { words, rules, settings, language } = context;
  if (report.warnings.includes("no_smear")) return [];
  // what they begin with stands under the figures already
  const notes = writeNotes(report, rules, settings.notes[language], settings.lineage_names[language]).slice(
    report.warnings.length,
  );
  return [
    differential(context, report),
    make("p.small", words.bars),
    make("p.small.definition", meDefinition(context)),
    make(
      "ul.notes",
      notes.map((note) => make("li", note)),
    ),
    rules.not_from_marrow.length > 0 && make("p.small", words.not_from_marrow),
  ];
}

/**
 * Make the four figures that stand first, and the warnings under which there are no more than counts.
 * @param {Context} context
 * @param {Report} report
 */
export function figures(context, report) {
  const { words, settings, language } = context;
  const sentences = settings.notes[language];
  const isShaky = report.me_ratio !== null && ratioRestsOn(report, context.rules).length > 0;
  const ratio = report.me_ratio === null ? "–" : context.number(report.me_ratio, 1);
  const isSmear = !report.warnings.includes("no_smear");
  return make(
    "div.summary",
    isSmear &&
      make(
        "div.figures",
        figure("found", context.number(report.found), words.found),
        figure("total", context.number(report.total), words.counted),
        figure("uncertain", context.number(report.uncertain), words.uncertain),
        figure("me_ratio", ratio, words.me_ratio, isShaky && make("i.shaky", words.unreliable)),
      ),
    report.warnings.map((code) =>
      make("p.warning", { role: "alert", "data-warning": code }, warningText(code, report, context.rules, sentences)),
    ),
  );
}

/**
 * @param {string} name
 * @param {string} value
 * @param {...(Node | string | false)} label
 */
function figure(name, value, ...label) {
  return make("div", { "data-figure": name }, make("b", value), make("span", label));
}

/**
 * Make the bar that shows how far the count has come.
 * @param {Context} context
 * @param {number} total
 */
export function progress(context, total) {
  const { floor, target } = context.rules;
  const share = (/** @type {number} */ n) => `${Math.min(100, (100 * n) / target)}%`;
  const [done, least] = [make("i", { style: `width:${share(total)}` }), make("u", { style: `left:${share(floor)}` })];
  const text = format(context.words.of_floor, { total: context.number(total), floor, target });
  return make("div.progress", make("div.bar", done, least), make("span.small", text));
}

/**
 * @param {Context} context
 * @param {Report} report
 */
function differential(context, report) {
  const { words, rules, settings } = context;
  const isHere = (/** @type {string} */ code) => settings.labels.includes(code);
  const most = Math.max(1, ...Object.values(report.intervals).map(([, high]) => (report.total ? high : 1)));
  const row = (/** @type {string} */ code) => classRow(context, code, report, most);
  const body = rules.lineages.flatMap(({ name, codes }) => {
    const rows = codes.filter(isHere).map(row);
    return rows.length ? [lineageRow(context, name, report), ...rows] : [];
  });
  const head = ["", "", "n", "%"].map((text) => make("th", { scope: "col" }, text));
  head.push(make("th", { scope: "col", title: words.interval_long }, words.interval));
  return make("table", make("thead", make("tr", head)), make("tbody", body, rules.left_out.filter(isHere).map(row)));
}

/**
 * @param {Context} context
 * @param {string} name
 * @param {Report} report
 */
function lineageRow(context, name, { lineages, total, warnings }) {
  const head = make("th", { colspan: 2, scope: "rowgroup" }, context.settings.lineage_names[context.language][name]);
  if (warnings.length) return make("tr.lineage", { "data-lineage": name }, head, make("td", { colspan: 3 }));
  const n = lineages[name];
  const share = total ? { percent: (100 * n) / total, interval: wilson(n, total, context.rules.z95) } : null;
  return make("tr.lineage", { "data-lineage": name }, head, numbers(context, n, share));
}

/**
 * @param {Context} context
 * @param {string} code
 * @param {Report} report
 * @param {number} most percent that fill the bar
 */
function classRow(context, code, report, most) {
  const isCounted = !context.rules.left_out.includes(code);
  const [percent, interval] = [report.percent[code], report.intervals[code]];
  const share = code in report.percent && report.total ? { percent, interval } : null;
  const name = make("span", ` ${context.nameOf(code)}${context.starOf(code)}`);
  const drawn = share ? bar(context, code, share, most) : make("span.small", isCounted ? "" : context.words.left_out);
  return make(
    report.counts[code] ? "tr" : "tr.zero",
    { "data-code": code },
    make("th", { scope: "row", title: context.originsOf(code) || null }, chip(context, code), name),
    make("td.bars", drawn),
    numbers(context, report.counts[code], share),
  );
}

/** @typedef {{percent: number, interval: [number, number]}} Share of the count, 0 to 100 */

/**
 * @param {Context} context
 * @param {string} code
 * @param {Share} share
 * @param {number} most percent that fill the bar
 */
function bar(context, code, { percent, interval: [low, high] }, most) {
  const css = (/** @type {number} */ value) => `${(100 * value) / most}%`;
  const filled = make("i", { style: `width:${css(percent)};background:${context.styleOf(code).colour}` });
  return make("div.bar.wide", filled, make("s", { style: `left:${css(low)};width:${css(high - low)}` }));
}

/**
 * Make the cells of a row's number, its percentage, and the interval.
 * @param {Context} context
 * @param {number} n
 * @param {Share | null} share
 */
function numbers(context, n, share) {
  const interval = share ? share.interval.map((bound) => context.number(bound)).join("–") : "–";
  return [context.number(n), share ? context.number(share.percent, 1) : "–", interval].map((text) => make("td", text));
}

/** @param {Context} context */
function meDefinition({ words, rules, settings }) {
  const of = (/** @type {string[]} */ codes) => codes.filter((code) => settings.labels.includes(code)).join(" + ");
  return format(words.me_definition, { myeloid: of(rules.myeloid), erythroid: of(rules.erythroid) });
}
