// The case on the screen: the strip of its images, and its report.

import { format } from "../model/count.js";
import { icon, make, signButton } from "./dom.js";
import { openButton } from "./files.js";
import { keptPanel } from "./kept.js";
import { differentialWithNotes, figures, progress } from "./report.js";

/** @import { Viewer } from "../control/viewer.js" */
/** @import { Work } from "../model/work.js" */

/**
 * Make the strip of the case's images; nothing while there are none.
 * @param {Viewer} viewer
 */
export function caseStrip(viewer) {
  const { context, currentCase, work, session } = viewer;
  const { words, rules } = context;
  if (!currentCase.works.length) return null;
  const total = format(words.of_target, { total: context.number(currentCase.report().total), target: rules.target });
  const isTotal = String(viewer.view === "case");
  const named = { "data-view": "case", title: words.case_info, "aria-pressed": isTotal };
  const turn = { onclick: () => viewer.turnTo("case") };
  const works = currentCase.works.map((one) => workButton(viewer, one));
  const join = currentCase.has(work)
    ? make("button.join", { onclick: () => viewer.restart() }, `+ ${words.next_image}`)
    : make("button.join", { onclick: () => session.addToCase() }, make("span", `+ ${words.add_this}`));
  return make(
    "section.strip",
    { "aria-label": words.case },
    make("button.sum", named, turn, icon("case"), make("b", words.case), make("span.n", total)),
    make("div.works", works),
    join,
  );
}

/**
 * @param {Viewer} viewer
 * @param {Work} work
 */
function workButton(viewer, work) {
  const { context, pictures, session } = viewer;
  const { words } = context;
  const { file, key } = work.value;
  const counted = format(words.n_counted, { n: context.number(work.report().total) });
  const attributes = {
    title: key ? `${file}: ${counted}` : format(words.waits, { file }),
    "aria-current": work === viewer.current && "true",
    disabled: !key,
    onclick: () => viewer.show(work),
  };
  return make(
    key ? "div.work" : "div.work.waits",
    { "data-file": file },
    make("button", attributes, pictures.middle(work), make("span.file", file), make("span.n", counted)),
    signButton("×", format(words.case_remove, { file }), () => session.removeFromCase(work)),
  );
}

/**
 * Make the case's own report: the total, image by image, and the ways to take it away.
 * @param {Viewer} viewer
 */
export function casePanel(viewer) {
  const { context, currentCase, session } = viewer;
  const { words } = context;
  const report = currentCase.report();
  const row = (/** @type {Work} */ work) => {
    const { found, total, uncertain, edited } = work.report();
    const { key, file } = work.value;
    const name = key ? make("button.quiet.link", { onclick: () => viewer.show(work) }, file) : file;
    const numbers = [found, total, uncertain, edited].map((n) => make("td", context.number(n)));
    return make("tr", { "data-file": file }, make("th", { scope: "row" }, name), numbers);
  };
  const titles = ["", words.found, words.counted, words.uncertain, words.edited];
  const head = titles.map((title) => make("th", { scope: "col" }, title));
  const print = { "data-case": "print", title: words.format_print_info, onclick: () => session.printCase() };
  const save = { "data-case": "json", title: words.save_case_info, onclick: () => session.saveCase() };
  const takeAways = [make("button", print, words.format_print), make("button", save, words.save_case)];
  return make(
    "section.report.case",
    make("h3", format(words.case_total, { n: context.number(currentCase.works.length) })),
    figures(context, report),
    progress(context, report.total),
    make("table.images", make("thead", make("tr", head)), make("tbody", currentCase.works.map(row))),
    differentialWithNotes(context, report),
    make("p.files", takeAways, openButton(words, session)),
    keptPanel(viewer),
  );
}
