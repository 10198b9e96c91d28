// The case on the screen: the strip of its images, and its report.

import { format } from "../model/count.js";
import { icon, make, makeButton } from "./dom.js";
import { openButton } from "./files.js";
import { differentialWithNotes, figures, progress } from "./report.js";

/** @import { Case } from "../model/case.js" */
/** @import { Work } from "../model/work.js" */
/** @import { Context } from "./context.js" */
/** @import { Pictures } from "./pictures.js" */

/**
 * @typedef {object} StripListeners
 * @property {(work: Work) => void} onOpen
 * @property {() => void} onAdd
 * @property {(work: Work) => void} onRemove
 * @property {() => void} onTotal
 * @property {() => void} onNext
 */

/**
 * Make the strip of the case's images; nothing while there are none.
 * @param {Context} context
 * @param {Pictures} pictures
 * @param {{currentCase: Case, work: Work, isTotal: boolean}} shown
 * @param {StripListeners} listeners
 */
export function caseStrip(context, pictures, { currentCase, work, isTotal }, listeners) {
  if (!currentCase.works.length) return null;
  const { words, rules } = context;
  const total = format(words.of_target, { total: context.number(currentCase.report().total), target: rules.target });
  const sum = makeButton(
    { class: "sum", "data-view": "case", title: words.case_info, "aria-pressed": String(isTotal), onclick: listeners.onTotal },
    icon("case"),
    make("b", { text: words.case }),
    make("span", { class: "n", text: total }),
  );
  const works = currentCase.works.map((one) => workButton(context, pictures, one, one === work, listeners));
  const join = currentCase.has(work)
    ? makeButton({ class: "join", text: `+ ${words.next_image}`, onclick: listeners.onNext })
    : makeButton({ class: "join", onclick: listeners.onAdd }, make("span", { text: `+ ${words.add_this}` }));
  return make("section", { class: "strip", "aria-label": words.case }, sum, make("div", { class: "works" }, ...works), join);
}

/**
 * @param {Context} context
 * @param {Pictures} pictures
 * @param {Work} work
 * @param {boolean} isCurrent
 * @param {StripListeners} listeners
 */
function workButton(context, pictures, work, isCurrent, { onOpen, onRemove }) {
  const { words } = context;
  const { file, key } = work.value;
  const counted = format(words.n_counted, { n: context.number(work.report().total) });
  const waits = !key;
  const show = makeButton(
    {
      title: waits ? format(words.waits, { file }) : `${file}: ${counted}`,
      "aria-current": isCurrent ? "true" : null,
      disabled: waits,
      onclick: () => onOpen(work),
    },
    pictures.middle(work),
    make("span", { class: "file", text: file }),
    make("span", { class: "n", text: counted }),
  );
  const title = format(words.case_remove, { file });
  const remove = makeButton({ class: "quiet", text: "×", title, "aria-label": title, onclick: () => onRemove(work) });
  return make("div", { class: waits ? "work waits" : "work", "data-file": file }, show, remove);
}

/**
 * @typedef {object} CaseListeners
 * @property {(work: Work) => void} onOpen
 * @property {() => void} onPrint
 * @property {() => void} onSave
 * @property {(file: File) => void} onOpenSaved
 */

/**
 * Make the case's own report: the total, image by image, and the ways to take it away.
 * @param {Context} context
 * @param {Case} currentCase
 * @param {CaseListeners} listeners
 */
export function casePanel(context, currentCase, { onOpen, onPrint, onSave, onOpenSaved }) {
  const { words } = context;
  const report = currentCase.report();
  const row = (/** @type {Work} */ work) => {
    const own = work.report();
    const { key, file } = work.value;
    const cells = [own.found, own.total, own.uncertain, own.edited].map((n) => make("td", { text: context.number(n) }));
    const name = key ? makeButton({ class: "quiet link", text: file, onclick: () => onOpen(work) }) : file;
    return make("tr", { "data-file": file }, make("th", { scope: "row" }, name), ...cells);
  };
  const head = ["", words.found, words.counted, words.uncertain, words.edited].map((text) => make("th", { text, scope: "col" }));
  const rows = currentCase.works.map(row);
  return make(
    "section",
    { class: "report case" },
    make("h3", { text: format(words.case_total, { n: context.number(rows.length) }) }),
    figures(context, report),
    progress(context, report.total),
    make("table", { class: "images" }, make("thead", {}, make("tr", {}, ...head)), make("tbody", {}, ...rows)),
    ...differentialWithNotes(context, report),
    make(
      "p",
      { class: "files" },
      makeButton({ "data-case": "print", text: words.format_print, title: words.format_print_info, onclick: onPrint }),
      makeButton({ "data-case": "json", text: words.save_case, title: words.save_case_info, onclick: onSave }),
      openButton(words, onOpenSaved),
    ),
  );
}
