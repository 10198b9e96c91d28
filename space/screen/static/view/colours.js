// In whose colours the cells are named: those of their picture, or of one in the case that the visitor trusts.

import { format } from "../model/count.js";
import { make } from "./dom.js";

/** @import { Viewer } from "../control/viewer.js" */
/** @import { Work } from "../model/work.js" */

/**
 * Make the choice, where there is a cell to name.
 * @param {Viewer} viewer
 */
export function coloursPanel({ context, work, currentCase, commands }) {
  const { words } = context;
  const { cells, reference } = work.now;
  if (!cells.length || !work.value.key) return null;
  const others = currentCase.works.filter((one) => one !== work && one.value.key);
  const button = (/** @type {string} */ text, /** @type {Work | null} */ other) =>
    make("button", { "data-colours": other?.value.file ?? "", onclick: () => commands.nameLike(other) }, text);
  return make(
    "section.colours",
    make("p.small", words[reference ? "colours_other" : "colours_own"], " ", !others.length && words.colours_hint),
    reference && button(words.colours_back, null),
    others.map((one) => button(format(words.colours_like, { file: one.value.file }), one)),
  );
}
