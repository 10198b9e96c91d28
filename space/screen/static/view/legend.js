// The legend: a switch for each class that is there, and for the uncertain cells.

import { UNCERTAIN } from "../model/count.js";
import { swatch } from "./context.js";
import { make } from "./dom.js";

/** @import { Viewer } from "../control/viewer.js" */

/** @param {Viewer} viewer */
export function legend(viewer) {
  const { context, hidden } = viewer;
  const { words } = context;
  const report = viewer.work.report();
  const groups = context.settings.labels.filter((code) => report.counts[code]);
  if (report.uncertain) groups.push(UNCERTAIN);
  if (!groups.length) return make("p.empty", words.none);
  const hide = (/** @type {Iterable<string>} */ wanted) => {
    viewer.hidden = new Set(wanted);
    viewer.draw();
  };
  const row = (/** @type {string} */ group) => {
    const isShown = !hidden.has(group);
    const attributes = {
      "data-group": group,
      title: context.originsOf(group) || null,
      "aria-pressed": String(isShown),
      onclick: () => hide(isShown ? [...hidden, group] : [...hidden].filter((other) => other !== group)),
    };
    const name = make("span", context.nameOf(group) + context.starOf(group));
    const n = make("span.n", context.number(group === UNCERTAIN ? report.uncertain : report.counts[group]));
    return make("button", attributes, swatch(context, group), make("b", group), name, n);
  };
  const anyHidden = groups.some((group) => hidden.has(group));
  const onclick = () => hide(anyHidden ? [] : groups);
  const all = make("button.quiet.all", { onclick }, anyHidden ? words.show_all : words.hide_all);
  return make(
    "section.legend",
    make("header", make("h3", words.classes), all),
    groups.map(row),
    groups.some((group) => context.starOf(group)) && make("p.small", words.not_from_marrow),
  );
}
