// The legend: a switch for each class that is there, and for the uncertain cells.

import { UNCERTAIN } from "../model/count.js";
import { swatch } from "./context.js";
import { make, makeButton } from "./dom.js";

/** @import { Report } from "../types.d.ts" */
/** @import { Context } from "./context.js" */

/**
 * @param {Context} context
 * @param {Report} report
 * @param {Set<string>} hidden groups
 * @param {{onToggle: (group: string) => void, onHide: (groups: string[]) => void}} listeners
 */
export function legend(context, report, hidden, { onToggle, onHide }) {
  const { words } = context;
  const groups = context.settings.labels.filter((code) => report.counts[code]);
  if (report.uncertain) groups.push(UNCERTAIN);
  if (!groups.length) return make("p", { class: "empty", text: words.none });
  const anyHidden = groups.some((group) => hidden.has(group));
  const row = (/** @type {string} */ group) =>
    makeButton(
      {
        "data-group": group,
        title: context.originsOf(group) || null,
        "aria-pressed": String(!hidden.has(group)),
        onclick: () => onToggle(group),
      },
      swatch(context, group),
      make("b", { text: group }),
      make("span", { text: context.nameOf(group) + context.starOf(group) }),
      make("span", { class: "n", text: context.number(group === UNCERTAIN ? report.uncertain : report.counts[group]) }),
    );
  const all = makeButton({
    class: "quiet all",
    text: anyHidden ? words.show_all : words.hide_all,
    onclick: () => onHide(anyHidden ? [] : groups),
  });
  return make(
    "section",
    { class: "legend" },
    make("header", {}, make("h3", { text: words.classes }), all),
    ...groups.map(row),
    groups.some((group) => context.starOf(group)) ? make("p", { class: "small", text: words.not_from_marrow }) : null,
  );
}
