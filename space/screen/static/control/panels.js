// What stands beside the picture in each view.

import { make } from "../view/dom.js";
import { cellCard, loadHeat } from "../view/card.js";
import { caseStrip, casePanel } from "../view/case.js";
import { bench, foldedTools } from "../view/correct.js";
import { filesRow } from "../view/files.js";
import { flagPanel } from "../view/flag.js";
import { galleryPanel } from "../view/gallery.js";
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
    const { choice, session, commands } = viewer;
    this.cardListeners = { onClose: () => choice.choose(null), onStep: (/** @type {number} */ by) => choice.step(by) };
    this.fileListeners = {
      onDownload: (/** @type {string} */ kind) => session.download(kind),
      onOpenSaved: (/** @type {File} */ file) => session.openSaved(file),
    };
    this.galleryListeners = {
      onChoose: (/** @type {number} */ id, /** @type {MouseEvent} */ event) => choice.inGallery(id, event),
      onGroup: (/** @type {number[]} */ ids) => choice.group(ids),
      onRestore: (/** @type {number} */ id) => commands.restore(id),
    };
  }

  /**
   * Make what the panel shows.
   * @returns {(HTMLElement | null)[]}
   */
  contents() {
    const { view, work } = this.viewer;
    if (view === "review") return this._review(work);
    if (view === "case") return [this._card(), this._case()];
    if (view === "report") return [this._card(), this._report(work)];
    if (view === "flag") return [this._card(), this._flag(work)];
    return [this._card(), figures(this.viewer.context, work.report()), view === "segmentation" ? null : this._legend(work), this._hint()];
  }

  /** Make the strip of the case above it all. */
  strip() {
    const { context, pictures, currentCase, work, view, session } = this.viewer;
    return caseStrip(context, pictures, { currentCase, work, isTotal: view === "case" }, {
      onOpen: (one) => this.viewer.show(one),
      onAdd: () => session.addToCase(),
      onRemove: (one) => session.removeFromCase(one),
      onTotal: () => this.viewer.turnTo("case"),
      onNext: () => this.viewer.restart(),
    });
  }

  _card() {
    const { viewer } = this;
    const { context, pictures, work, choice, commands, isCorrecting } = viewer;
    const [cell] = choice.cells();
    if (!cell) return null;
    const tools = foldedTools(context, [cell], commands, isCorrecting, (isOpen) => {
      if (viewer.isCorrecting === isOpen) return;
      viewer.isCorrecting = isOpen;
      viewer.draw();
    });
    return cellCard(context, pictures, { work, cell, heat: this._heatOf(cell), tools }, this.cardListeners);
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

  /** @param {Work} work */
  _legend(work) {
    const { viewer } = this;
    return legend(viewer.context, work.report(), viewer.hidden, {
      onToggle: (group) => {
        if (!viewer.hidden.delete(group)) viewer.hidden.add(group);
        viewer.draw();
      },
      onHide: (groups) => {
        viewer.hidden = new Set(groups);
        viewer.draw();
      },
    });
  }

  _hint() {
    const { choice, context } = this.viewer;
    if (choice.ids.size) return null;
    const { hint, hint_touch: touch } = context.words;
    return make("p", { class: "small hint", text: matchMedia("(hover: none)").matches ? touch : hint });
  }

  /** @param {Work} work */
  _review(work) {
    const { context, pictures, choice, commands, layout } = this.viewer;
    const shown = {
      cells: work.passing(),
      deleted: work.now.removed.filter((cell) => cell.edited?.shape === "deleted"),
      chosen: choice.ids,
      thumbnail: (/** @type {Cell} */ cell) => pictures.thumbnail(work, cell),
    };
    return [
      bench(context, pictures, { work, cells: choice.cells() }, commands, this.cardListeners),
      layout.reviewRow(),
      galleryPanel(context, shown, this.galleryListeners),
      filesRow(context, this.fileListeners),
    ];
  }

  /** @param {Work} work */
  _report(work) {
    const { context, currentCase, session } = this.viewer;
    const onAdd = currentCase.has(work) ? null : () => session.addToCase();
    return reportPanel(context, work.report(), { ...this.fileListeners, onAdd });
  }

  _case() {
    const { viewer } = this;
    return casePanel(viewer.context, viewer.currentCase, {
      onOpen: (work) => viewer.show(work),
      onPrint: () => viewer.session.takeCase("print"),
      onSave: () => viewer.session.takeCase("json"),
      onOpenSaved: this.fileListeners.onOpenSaved,
    });
  }

  /** @param {Work} work */
  _flag(work) {
    const { context } = this.viewer;
    const form =
      this.forms.get(work) || flagPanel(context, (flag) => this.viewer.ask("send_flag", { ...flag, analysis: work.analysis() }));
    this.forms.set(work, form);
    return form;
  }
}
