// The stage: the picture under an SVG whose view box is what one looks at. Zoom, pan and keys; no cell is known here.

import { fill, make, signButton, vector } from "./dom.js";

/** @import { Box, Words } from "../types.d.ts" */
/** @typedef {[number, number]} Point */

const CLOSEST = 12; // screen pixels per image pixel
const STEP = 1.4;

/**
 * @typedef {object} Listeners
 * @property {(event: KeyboardEvent) => boolean} onKey returns true for a key that it has used
 * @property {(target: Element | null, event: PointerEvent) => void} onClick
 * @property {(target: Element | null, event: PointerEvent) => void} onHover
 * @property {() => void} onLook is told that another part of the picture is looked at, or at another size
 */

export class Stage {
  /**
   * @param {Words} words
   * @param {Listeners} listeners
   */
  constructor(words, listeners) {
    this.listeners = listeners;
    this.image = vector("image", { x: 0, y: 0, preserveAspectRatio: "none" });
    this.layer = vector("g");
    const kind = { tabindex: 0, role: "application", "aria-label": words.picture };
    this.svg = vector("svg.stage", kind, this.image, this.layer);
    this.buttons = make(
      "div.zoom",
      signButton("+", words.zoom_in, () => this.zoom(STEP), "button"),
      signButton("−", words.zoom_out, () => this.zoom(1 / STEP), "button"),
      signButton("⤢", words.whole, () => this.fit(), "button"),
    );
    this.element = make("div.frame", this.svg);
    /** @type {Point} */
    this.size = [1, 1];
    /** @type {Point} */
    this.centre = [0.5, 0.5];
    this.unit = 1;
    this.fitted = true;
    /** @type {Map<number, Point>} what each pointer took hold of */
    this.pointers = new Map();
    /** @type {Element | null} */
    this.pressed = null;
    this.dragged = false;
    this._listen();
    this.observer = new ResizeObserver(() => (this.fitted ? this.fit() : this._lookAt(this.centre)));
    this.observer.observe(this.svg);
  }

  close() {
    this.observer.disconnect();
  }

  /**
   * Show another picture, whole.
   * @param {string} url
   * @param {number} width
   * @param {number} height
   */
  open(url, width, height) {
    this.size = [width, height];
    fill(this.image, { href: url, width, height });
    this.element.style.setProperty("--ratio", `${width} / ${height}`);
    this.fit();
  }

  fit() {
    this.unit = this._whole();
    this._lookAt([this.size[0] / 2, this.size[1] / 2]);
  }

  /**
   * Zoom by a factor around a point of the image, the middle of what is looked at by default.
   * @param {number} factor
   */
  zoom(factor, [x, y] = this.centre) {
    const unit = Math.min(this._whole(), Math.max(1 / CLOSEST, this.unit / factor));
    const share = unit / this.unit;
    this.unit = unit;
    this._lookAt([x + (this.centre[0] - x) * share, y + (this.centre[1] - y) * share]);
  }

  /**
   * Bring a box of the image into view, where it is not.
   * @param {Box} box
   */
  reveal([x0, y0, x1, y1]) {
    const { x, y, width, height } = this.svg.viewBox.baseVal;
    const isInside = x0 >= x && y0 >= y && x1 <= x + width && y1 <= y + height;
    if (!isInside) this._lookAt([(x0 + x1) / 2, (y0 + y1) / 2]);
  }

  /**
   * Return the point of the image under the pointer.
   * @param {MouseEvent} event
   * @returns {Point}
   */
  pointOf(event) {
    const { left, top, width, height } = this.svg.getBoundingClientRect();
    const [x, y] = [event.clientX - left - width / 2, event.clientY - top - height / 2];
    return [this.centre[0] + x * this.unit, this.centre[1] + y * this.unit];
  }

  /**
   * Return a square in the middle of what is looked at, with a side in image pixels.
   * @param {number} side
   * @returns {Box}
   */
  middle(side) {
    const [x, y] = this.centre;
    return [x - side / 2, y - side / 2, x + side / 2, y + side / 2];
  }

  /**
   * Return what is looked at, in image pixels.
   * @returns {Box}
   */
  seen() {
    const [x, y] = this.centre;
    const [width, height] = this._screen().map((length) => length * this.unit);
    return [x - width / 2, y - height / 2, x + width / 2, y + height / 2];
  }

  /** @returns {Point} width and height in screen pixels */
  _screen() {
    return [this.svg.clientWidth || 1, this.svg.clientHeight || 1];
  }

  /** Return the image pixels per screen pixel at which the picture just fits. */
  _whole() {
    const [width, height] = this._screen();
    return Math.max(this.size[0] / width, this.size[1] / height);
  }

  /**
   * Look at a point of the image, or as near to it as the picture, which never leaves the view, allows.
   * @param {Point} point
   */
  _lookAt(point) {
    const [width, height] = this._screen().map((length) => length * this.unit);
    const within = (/** @type {number} */ at, /** @type {number} */ length, /** @type {number} */ seen) =>
      seen >= length ? length / 2 : Math.min(length - seen / 2, Math.max(seen / 2, at));
    this.centre = [within(point[0], this.size[0], width), within(point[1], this.size[1], height)];
    this.fitted = this.unit >= this._whole() * 0.999;
    const corner = `${this.centre[0] - width / 2} ${this.centre[1] - height / 2}`;
    this.svg.setAttribute("viewBox", `${corner} ${width} ${height}`);
    // a finger on the whole image scrolls the page; on an enlarged one it moves the image
    this.svg.style.touchAction = this.fitted ? "pan-y" : "none";
    this.svg.classList.toggle("enlarged", !this.fitted);
    this.listeners.onLook();
  }

  _listen() {
    const { svg, pointers } = this;
    svg.addEventListener(
      "wheel",
      (event) => {
        if (this.fitted && event.deltaY > 0) return; // nothing to zoom out of: the page scrolls
        event.preventDefault();
        this.zoom(Math.exp(-event.deltaY * (event.ctrlKey ? 0.01 : 0.002)), this.pointOf(event));
      },
      { passive: false },
    );
    svg.addEventListener("pointerdown", (event) => {
      pointers.set(event.pointerId, this.pointOf(event));
      this.pressed = elementOf(event);
      this.dragged = pointers.size > 1;
    });
    svg.addEventListener("pointermove", (event) => this._drag(event));
    svg.addEventListener("pointerup", (event) => {
      const click = pointers.delete(event.pointerId) && !this.dragged && pointers.size === 0;
      svg.classList.remove("dragging");
      if (click) this.listeners.onClick(this.pressed, event);
    });
    svg.addEventListener("pointercancel", (event) => pointers.delete(event.pointerId));
    svg.addEventListener("pointerleave", (event) => this.listeners.onHover(null, event));
    svg.addEventListener("keydown", (event) => {
      if (event.ctrlKey || event.metaKey || event.altKey) return;
      if (this._useKey(event.key) || this.listeners.onKey(event)) event.preventDefault();
    });
  }

  /**
   * Zoom by a key; return whether it is one for that.
   * @param {string} key
   */
  _useKey(key) {
    if (key === "+" || key === "=") this.zoom(STEP);
    else if (key === "-") this.zoom(1 / STEP);
    else if (key === "0") this.fit();
    else return false;
    return true;
  }

  /**
   * Keep what was taken hold of under the pointer, or under both.
   * @param {PointerEvent} event
   */
  _drag(event) {
    const held = this.pointers.get(event.pointerId);
    if (!held) {
      if (event.pointerType !== "touch") this.listeners.onHover(elementOf(event), event);
      return;
    }
    const now = this.pointOf(event);
    const [other] = [...this.pointers.values()].filter((point) => point !== held);
    if (other) return this.zoom(distance(now, other) / (distance(held, other) || 1), other);
    if (!this.dragged && distance(now, held) < 4 * this.unit) return;
    if (!this.dragged) this.svg.setPointerCapture(event.pointerId);
    this.dragged = true;
    this.svg.classList.add("dragging");
    this.listeners.onHover(null, event);
    this._lookAt([this.centre[0] + held[0] - now[0], this.centre[1] + held[1] - now[1]]);
  }
}

/**
 * @param {Point} one
 * @param {Point} other
 */
function distance(one, other) {
  return Math.hypot(one[0] - other[0], one[1] - other[1]);
}

/** @param {Event} event */
function elementOf({ target }) {
  return target instanceof Element ? target : null;
}
