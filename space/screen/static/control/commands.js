// What the tools do to the work; new outlines come from the server. Each returns false where there is nothing to do.

import { format } from "../model/count.js";
import {
  confirmCells,
  deleteCells,
  putCells,
  relabelCells,
  renameCells,
  resetCells,
  restoreCell,
} from "../model/edits.js";
import { classKeys, keyMeaning } from "../model/order.js";

/** @import { Box, Stamp } from "../types.d.ts" */
/** @import { State } from "../model/edits.js" */
/** @import { Work } from "../model/work.js" */
/** @import { Viewer } from "./viewer.js" */

export class Commands {
  /** @param {Viewer} viewer */
  constructor(viewer) {
    this.viewer = viewer;
    this.words = viewer.context.words;
    this.keys = classKeys(viewer.context.settings);
    this.isBusy = false; // while the server looks for an outline
  }

  /** @param {string} code */
  name(code) {
    const { choice, context } = this.viewer;
    const sentence = format(this.words.did_name, { n: choice.ids.size, name: context.nameOf(code) });
    return this._edit(relabelCells, sentence, code);
  }

  confirm() {
    return this._edit(confirmCells, this.words.did_confirm);
  }

  reset() {
    return this._edit(resetCells, this.words.did_reset);
  }

  remove() {
    return this._edit(deleteCells, this.words.did_remove);
  }

  merge() {
    const { choice } = this.viewer;
    return choice.ids.size > 1 && this._outline("merge_cells", { cells: choice.cells() }, "merged", [...choice.ids]);
  }

  split() {
    const { choice } = this.viewer;
    const [cell] = choice.cells();
    return choice.ids.size === 1 && this._outline("split_cell", { cell, parts: 2 }, "split", [...choice.ids]);
  }

  add() {
    this.viewer.boxTool.use(!this.viewer.boxTool.active);
    return true;
  }

  undo() {
    return this._show(this.viewer.work.undo(), this.words.undone);
  }

  redo() {
    return this._show(this.viewer.work.redo(), this.words.redone);
  }

  /** @param {number} id of a deleted cell */
  restore(id) {
    const { work, choice } = this.viewer;
    work.go(restoreCell(work.now, id));
    choice.ids = new Set([id]);
    return this._show(true, this.words.did_restore);
  }

  /**
   * Look for the outline of a cell in a box.
   * @param {Box} box
   */
  async addInBox(box) {
    const done = this.viewer.boxTool.wait();
    await this._outline("add_cell", { box }, "added");
    done();
  }

  /**
   * Change the chosen cells.
   * @param {(now: State, ids: Set<number>, stamp: Stamp, code: string) => State} change
   * @param {string} sentence
   * @param {string} code of the class, for a change that names one
   */
  _edit(change, sentence, code = "") {
    const { work, choice } = this.viewer;
    if (!choice.ids.size) return false;
    work.go(change(work.now, choice.ids, this.viewer.stamp(), code));
    return this._show(true, sentence);
  }

  /**
   * @param {boolean} isDone
   * @param {string} sentence
   */
  _show(isDone, sentence) {
    if (!isDone) return false;
    this.viewer.say(sentence);
    this.viewer.draw();
    return true;
  }

  /**
   * Put the outlines that the server finds in the place of the cells that they are made `from`.
   * @param {string} what
   * @param {object} values
   * @param {"added" | "merged" | "split"} shape
   * @param {number[]} from
   */
  async _outline(what, values, shape, from = []) {
    if (this.isBusy) return;
    const { viewer, words } = this;
    const { work } = viewer;
    this.isBusy = true;
    viewer.say(words.outlining);
    const { cell, cells = cell ? [cell] : [], error } = await viewer.ask(what, values);
    this.isBusy = false;
    if (error) return viewer.say(error, true);
    if (!from.every((id) => work.now.cells.some((other) => other.id === id))) return viewer.say(""); // undone meanwhile
    const { next } = work.now;
    work.go(putCells(work.now, cells, viewer.stamp(), shape, from));
    viewer.say(words[`did_${shape}`]);
    if (work === viewer.current) viewer.choice.chooseAll(cells.map((_, at) => next + at));
  }

  /**
   * Name the cells in the colours of another picture, or in those of their own.
   * @param {Work | null} other
   */
  async nameLike(other) {
    if (this.isBusy) return;
    const { viewer, words } = this;
    const { work } = viewer;
    const { now } = work;
    this.isBusy = true;
    viewer.say(words.naming);
    const asked = { cells: now.cells, like: other?.value.key ?? null };
    const { cells, reference = null, error } = await viewer.ask("name_like", asked);
    this.isBusy = false;
    if (error || !cells) return viewer.say(error || words.failed, true);
    if (work.now !== now) return viewer.say(""); // edited meanwhile
    work.go(renameCells(now, cells, reference));
    const n = now.cells.filter((cell, at) => cell.label !== work.now.cells[at].label).length;
    this._show(work === viewer.current, format(words.did_like, { n, cells: now.cells.length }));
  }

  /**
   * Use a key anywhere on the viewer; return whether it was used.
   * @param {KeyboardEvent} event
   */
  onKey(event) {
    const key = event.key.toLowerCase();
    if (event.ctrlKey || event.metaKey) {
      if (key === "z") return event.shiftKey ? this.redo() : this.undo();
      return key === "y" && this.redo();
    }
    if (event.altKey || !this._areToolsShown()) return false;
    const { code, tool } = keyMeaning(event, this.keys);
    if (code) return this.name(code);
    if (tool === "add") return this.viewer.view === "review" && this.add();
    if (tool === "confirm" || tool === "merge" || tool === "split" || tool === "remove") return this[tool]() !== false;
    return false;
  }

  /** Tell whether the tools are on the screen: their keys do nothing to somebody who only looks. */
  _areToolsShown() {
    const { view, isCorrecting, choice } = this.viewer;
    return view === "review" || (isCorrecting && choice.ids.size === 1 && view !== "case");
  }
}
