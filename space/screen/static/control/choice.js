// Choosing cells: one in the picture for its card, several in the review to correct them together.

import { findNeighbour, galleryRange } from "../model/order.js";

/** @import { Viewer } from "./viewer.js" */

export class Choice {
  /** @param {Viewer} viewer */
  constructor(viewer) {
    this.viewer = viewer;
    /** @type {Set<number>} the last one chosen last */
    this.ids = new Set();
    /** Whether a click chooses one more. */
    this.isSeveral = false;
  }

  cells() {
    return this.viewer.work.now.cells.filter((cell) => this.ids.has(cell.id));
  }

  /** Return the id of the cell that was chosen last, or null. */
  last() {
    return [...this.ids].at(-1) ?? null;
  }

  clear() {
    this.ids = new Set();
  }

  /**
   * Choose one cell alone, or none.
   * @param {number | null} id
   */
  choose(id) {
    this.chooseAll(id === null ? [] : [id]);
  }

  /**
   * Choose cells; the last is brought into view.
   * @param {number[]} ids
   */
  chooseAll(ids) {
    this.ids = new Set(ids);
    const last = this.viewer.work.now.cells.find((cell) => cell.id === this.last());
    if (last) this.viewer.stage.reveal(last.box);
    this.viewer.draw();
  }

  /**
   * Choose one more cell, or one less.
   * @param {number} id
   */
  toggle(id) {
    const ids = [...this.ids].filter((other) => other !== id);
    this.chooseAll(this.ids.has(id) ? ids : [...ids, id]);
  }

  /** Let every click choose one cell more, or no longer. */
  turnSeveral() {
    this.isSeveral = !this.isSeveral;
    this.viewer.draw();
  }

  /** @param {MouseEvent} event */
  _isOneMore(event) {
    return this.viewer.view === "review" && (this.isSeveral || event.ctrlKey || event.metaKey);
  }

  /**
   * @param {number | null} id
   * @param {MouseEvent} event
   */
  inPicture(id, event) {
    this.viewer.say("");
    const isMore = this._isOneMore(event) || (event.shiftKey && this.viewer.view === "review");
    if (!isMore) this.choose(id);
    else if (id !== null) this.toggle(id);
  }

  /**
   * @param {number} id
   * @param {MouseEvent} event
   */
  inGallery(id, event) {
    const { work, context } = this.viewer;
    this.viewer.say("");
    if (event.shiftKey && this.ids.size) {
      const range = galleryRange(work.passing(), context.settings, this.last(), id);
      this.chooseAll([...this.ids, ...range].filter((other) => other !== id).concat(id));
    } else if (this._isOneMore(event)) this.toggle(id);
    else this.choose(id);
  }

  /**
   * Choose a whole group beside what is chosen, or nothing.
   * @param {number[]} ids
   */
  group(ids) {
    this.viewer.say("");
    this.chooseAll(ids.length ? [...this.ids, ...ids] : []);
  }

  /**
   * Go to the next or the previous visible cell; return whether there is one.
   * @param {number} by
   */
  step(by) {
    const cells = this.viewer.visible();
    const at = cells.findIndex((cell) => cell.id === this.last());
    const next = at < 0 ? cells[by > 0 ? 0 : cells.length - 1] : cells[at + by];
    if (next) this.choose(next.id);
    return Boolean(next);
  }

  /**
   * Use a key on the picture; return whether it was used.
   * @param {KeyboardEvent} event
   */
  onKey(event) {
    if (event.key === "Tab") return this.step(event.shiftKey ? -1 : 1);
    if (event.key === "Escape") {
      if (this.ids.size) this.choose(null);
      else this.viewer.stage.svg.blur();
      return true;
    }
    if (!event.key.startsWith("Arrow")) return false;
    const cells = this.viewer.visible();
    const from = cells.find((cell) => cell.id === this.last());
    const to = from ? findNeighbour(cells, from, event.key) : cells[0];
    if (to) this.choose(to.id);
    return true;
  }
}
