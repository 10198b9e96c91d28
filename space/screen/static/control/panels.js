// What stands beside the picture in each view.

import { cellCard, loadHeat } from "../view/card.js";
import { casePanel } from "../view/case.js";
import { bench, foldedTools } from "../view/correct.js";
import { make } from "../view/dom.js";
import { filesRow } from "../view/files.js";
import { flagPanel } from "../view/flag.js";
import { galleryPanel } from "../view/gallery.js";
import { keptPanel } from "../view/kept.js";
import { legend } from "../view/legend.js";
import { figures, reportPanel } from "../view/report.js";

/** @import { Cell } from "../types.d.ts" */
/** @import { Work } from "../model/work.js" */
/** @import { Heat } from "../view/card.js" */
/** @import { Viewer } from "./viewer.js" */

const STAY = 150; // milliseconds on a cell before the server is asked about it

export class Panels {
  /** @param {Viewer} viewer */
  constructor(viewer) {
    this.viewer = viewer;
    /** @type {WeakMap<Cell, Heat>} what the names rest on */
    this.heats = new WeakMap();
    /** @type {WeakMap<Work, HTMLElement>} the form of the flag, kept while one looks at other views */
    this.forms = new WeakMap();
  }

  /**
   * Make what the panel shows.
   * @returns {(HTMLElement | null)[]}
   */
  contents() {
    const { viewer } = this;
    const { view, context, layout, session } = viewer;
    if (view === "review") {
      const files = filesRow(context, session);
      return [bench(viewer), layout.reviewRow(), galleryPanel(viewer), files, keptPanel(viewer)];
    }
    if (view === "case") return [this._card(), casePanel(viewer)];
    if (view === "report") return [this._card(), reportPanel(viewer)];
    if (view === "flag") return [this._card(), this._flag()];
    const shown = figures(context, viewer.work.report());
    return [this._card(), shown, view === "segmentation" ? null : legend(viewer), this._hint()];
  }

  _card() {
    const { viewer } = this;
    const [cell] = viewer.choice.cells();
    return cell ? cellCard(viewer, cell, this._heatOf(cell), foldedTools(viewer, cell)) : null;
  }

  /**
   * Return what the name of a cell rests on, which is asked for where one stays on the cell.
   * @param {Cell} cell
   */
  _heatOf(cell) {
    const { viewer, heats } = this;
    if (!viewer.context.settings.explains) return null;
    const known = heats.get(cell);
    if (known) return known;
    /** @type {Heat} */
    const waiting = {};
    heats.set(cell, waiting);
    setTimeout(async () => {
      if (viewer.choice.last() !== cell.id) return heats.delete(cell);
      heats.set(cell, await loadHeat(await viewer.ask("explain", { cell })));
      return viewer.draw();
    }, STAY);
    return waiting;
  }

  _hint() {
    const { choice, context } = this.viewer;
    if (choice.ids.size) return null;
    const { hint, hint_touch: touch } = context.words;
    return make("p.small.hint", matchMedia("(hover: none)").matches ? touch : hint);
  }

  _flag() {
    const { viewer, forms } = this;
    const { work } = viewer;
    const send = (/** @type {object} */ flag) => viewer.ask("send_flag", { ...flag, analysis: work.analysis() });
    const form = forms.get(work) || flagPanel(viewer.context, send);
    forms.set(work, form);
    return form;
  }
}
