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
 * @property {(unit: number) => void} onZoom gets the image pixels per screen pixel
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
    /** @type {Map<number, Point>} */
    this.pointers = new Map();
    /** @type {Element | null} */
    this.pressed = null;
    this.dragged = false;
    this._listen();
    this.observer = new ResizeObserver(() => (this.fitted ? this.fit() : this._show()));
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
    this.centre = half(this.size);
    this._show();
  }

  /**
   * Zoom by a factor around a point of the screen, the middle by default.
   * @param {number} factor
   */
  zoom(factor, point = half(this._screen())) {
    const before = this._at(point);
    this.unit = Math.min(this._whole(), Math.max(1 / CLOSEST, this.unit / factor));
    const after = this._at(point);
    this._move(before[0] - after[0], before[1] - after[1]);
  }

  /**
   * Bring a box of the image into view, where it is not.
   * @param {Box} box
   */
  reveal([x0, y0, x1, y1]) {
    const [width, height] = this._screen();
    const [left, top] = this._at([0, 0]);
    const inside = x0 >= left && y0 >= top && x1 <= left + width * this.unit && y1 <= top + height * this.unit;
    if (inside) return;
    this.centre = [(x0 + x1) / 2, (y0 + y1) / 2];
    this._move(0, 0);
  }

  /**
   * Return the point of the image under the pointer.
   * @param {MouseEvent} event
   */
  pointOf(event) {
    return this._at(this._point(event));
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

  /** @returns {Point} */
  _screen() {
    return [this.svg.clientWidth || 1, this.svg.clientHeight || 1];
  }

  /** Return the image pixels per screen pixel at which the picture just fits. */
  _whole() {
    const [width, height] = this._screen();
    return Math.max(this.size[0] / width, this.size[1] / height);
  }

  /**
   * @param {Point} point of the screen
   * @returns {Point} of the image
   */
  _at([x, y]) {
    const [width, height] = this._screen();
    return [this.centre[0] + (x - width / 2) * this.unit, this.centre[1] + (y - height / 2) * this.unit];
  }

  /**
   * @param {MouseEvent} event
   * @returns {Point}
   */
  _point(event) {
    const frame = this.svg.getBoundingClientRect();
    return [event.clientX - frame.left, event.clientY - frame.top];
  }

  /**
   * Move the view by image pixels; the picture never leaves it.
   * @param {number} dx
   * @param {number} dy
   */
  _move(dx, dy) {
    const screen = this._screen();
    const place = (/** @type {0 | 1} */ axis, /** @type {number} */ by) => {
      const reach = (screen[axis] * this.unit) / 2;
      const length = this.size[axis];
      const within = Math.min(length - reach, Math.max(reach, this.centre[axis] + by));
      return 2 * reach >= length ? length / 2 : within;
    };
    this.centre = [place(0, dx), place(1, dy)];
    this._show();
  }

  _show() {
    const [width, height] = this._screen();
    const [left, top] = this._at([0, 0]);
    this.fitted = this.unit >= this._whole() * 0.999;
    this.svg.setAttribute("viewBox", `${left} ${top} ${width * this.unit} ${height * this.unit}`);
    // a finger on the whole image scrolls the page; on an enlarged one it moves the image
    this.svg.style.touchAction = this.fitted ? "pan-y" : "none";
    this.svg.classList.toggle("enlarged", !this.fitted);
    this.listeners.onZoom(this.unit);
  }

  _listen() {
    const { svg, pointers } = this;
    svg.addEventListener(
      "wheel",
      (event) => {
        if (this.fitted && event.deltaY > 0) return; // nothing to zoom out of: the page scrolls
        event.preventDefault();
        this.zoom(Math.exp(-event.deltaY * (event.ctrlKey ? 0.01 : 0.002)), this._point(event));
      },
      { passive: false },
    );
    svg.addEventListener("pointerdown", (event) => {
      pointers.set(event.pointerId, this._point(event));
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

  /** @param {PointerEvent} event */
  _drag(event) {
    const before = this.pointers.get(event.pointerId);
    const now = this._point(event);
    if (!before) {
      if (event.pointerType !== "touch") this.listeners.onHover(elementOf(event), event);
      return;
    }
    const moved = Math.hypot(now[0] - before[0], now[1] - before[1]);
    if (this.pointers.size === 1) {
      if (!this.dragged && moved < 4) return;
      if (!this.dragged) this.svg.setPointerCapture(event.pointerId);
      this.dragged = true;
      this.svg.classList.add("dragging");
      this.listeners.onHover(null, event);
      this._move((before[0] - now[0]) * this.unit, (before[1] - now[1]) * this.unit);
    } else {
      const other = [...this.pointers].filter(([id]) => id !== event.pointerId)[0][1];
      const distance = (/** @type {Point} */ point) => Math.hypot(point[0] - other[0], point[1] - other[1]);
      this._move(((before[0] - now[0]) * this.unit) / 2, ((before[1] - now[1]) * this.unit) / 2);
      this.zoom(distance(now) / (distance(before) || 1), [(now[0] + other[0]) / 2, (now[1] + other[1]) / 2]);
    }
    this.pointers.set(event.pointerId, now);
  }
}

/**
 * @param {Point} size
 * @returns {Point}
 */
function half([width, height]) {
  return [width / 2, height / 2];
}

/** @param {Event} event */
function elementOf({ target }) {
  return target instanceof Element ? target : null;
}
