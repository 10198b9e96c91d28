// The box around a cell that is to be added: dragged with mouse, pen or finger, or moved and sized with keys.

import { ARROWS } from "../model/order.js";
import { fill, vector } from "./dom.js";

/** @import { Box } from "../types.d.ts" */
/** @import { Point, Stage } from "./stage.js" */

const SMALLEST = 4; // sides in image pixels; less is a click

export class BoxTool {
  /**
   * @param {Stage} stage
   * @param {(box: Box) => void} onBox gets [x0, y0, x1, y1] in image pixels
   * @param {() => void} onChange called when the tool is taken up or put down
   */
  constructor(stage, onBox, onChange) {
    this.stage = stage;
    this.onBox = onBox;
    this.onChange = onChange;
    this.active = false;
    /** @type {Point | null} */
    this.start = null;
    /** @type {Box | null} */
    this.box = null;
    this.rect = vector("rect.box", { hidden: true });
    stage.svg.append(this.rect);
    const { svg } = stage;
    // caught on the way down, before the stage moves the picture
    svg.addEventListener("pointerdown", (event) => this.active && this._use(event, this._down(event)), true);
    svg.addEventListener("pointermove", (event) => this.active && this._use(event, this._move(event)), true);
    svg.addEventListener("pointerup", (event) => this.active && this._use(event, this._finish()), true);
    svg.addEventListener("pointercancel", (event) => this.active && this._use(event, this._draw(null)), true);
    svg.addEventListener("keydown", (event) => this.active && this._use(event, this._key(event)), true);
  }

  /**
   * Keep an event from the stage, unless the tool had no use for it.
   * @param {Event} event
   * @param {boolean | void} isUsed
   */
  _use(event, isUsed) {
    if (isUsed === false) return;
    event.preventDefault();
    event.stopImmediatePropagation();
  }

  /**
   * Take the tool up, or put it down.
   * @param {boolean} active
   */
  use(active) {
    this.active = active;
    this.start = null;
    this.stage.svg.classList.toggle("boxing", active);
    this._draw(null);
    this.onChange();
  }

  /** Show that the server looks into the box, until `done`. */
  wait() {
    this.rect.classList.add("waiting");
    return () => {
      this.rect.classList.remove("waiting");
      if (!this.active) this._draw(null);
    };
  }

  /** @param {PointerEvent} event */
  _down(event) {
    this.stage.svg.setPointerCapture(event.pointerId);
    this.stage.svg.focus({ preventScroll: true });
    this.start = event.isPrimary ? this.stage.pointOf(event) : null;
    this._draw(null);
  }

  /** @param {PointerEvent} event */
  _move(event) {
    if (!this.start || !event.isPrimary) return;
    const [x, y] = this.stage.pointOf(event);
    const [x0, y0] = this.start;
    this._draw([Math.min(x, x0), Math.min(y, y0), Math.max(x, x0), Math.max(y, y0)]);
  }

  /** Take the box as it is, unless it is too small to be meant. */
  _finish() {
    this.start = null;
    const box = this.box;
    if (!box || box[2] - box[0] < SMALLEST || box[3] - box[1] < SMALLEST) return this._draw(null);
    this.use(false);
    this._draw(box); // until the answer is there
    this.onBox(box);
  }

  /**
   * Arrows move the box, with Shift they size it, Enter takes it, Escape puts the tool down.
   * @param {KeyboardEvent} event
   */
  _key(event) {
    if (event.key === "Escape") return this.use(false);
    if (event.key === "Enter") return this._finish();
    const way = ARROWS[event.key];
    if (!way) return false;
    const side = 60 * this.stage.unit; // on the screen, as a cell about
    const [x0, y0, x1, y1] = this.box || this.stage.middle(side);
    const [dx, dy] = way.map((direction) => direction * (side / 6));
    const [left, top] = event.shiftKey ? [x0, y0] : [x0 + dx, y0 + dy];
    return this._draw([left, top, x1 + dx, y1 + dy]);
  }

  /** @param {Box | null} box */
  _draw(box) {
    const [width, height] = this.stage.size;
    const inside = (/** @type {number} */ value, /** @type {number} */ length) => Math.min(length, Math.max(0, value));
    this.box = box && [inside(box[0], width), inside(box[1], height), inside(box[2], width), inside(box[3], height)];
    this.rect.toggleAttribute("hidden", !this.box);
    if (!this.box) return;
    const [x0, y0, x1, y1] = this.box;
    fill(this.rect, { x: x0, y: y0, width: Math.max(0, x1 - x0), height: Math.max(0, y1 - y0) });
  }
}
