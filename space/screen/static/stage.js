// The stage: the picture under an SVG whose view box is what one looks at. Zoom, pan and keys; no cell is known here.

const CLOSEST = 12; // screen pixels per image pixel
const STEP = 1.4;

class Stage {
  /**
   * @param {{onKey: function(KeyboardEvent): boolean, onClick: function(Element|null, PointerEvent), onHover: function(Element|null, PointerEvent), onZoom: function(number)}} listeners
   *   `onKey` gives true for a key that it has used; `onZoom` gets the image pixels per screen pixel.
   */
  constructor(listeners) {
    this.listeners = listeners;
    this.image = vector("image", { x: 0, y: 0, preserveAspectRatio: "none" });
    this.layer = vector("g");
    this.svg = vector(
      "svg",
      { class: "stage", tabindex: 0, role: "application", "aria-label": words.picture },
      this.image,
      this.layer,
    );
    const button = (text, title, act) =>
      make("button", { type: "button", text, title, "aria-label": title, onclick: act });
    this.buttons = make(
      "div",
      { class: "zoom" },
      button("+", words.zoom_in, () => this.zoom(STEP)),
      button("−", words.zoom_out, () => this.zoom(1 / STEP)),
      button("⤢", words.whole, () => this.fit()),
    );
    this.element = make("div", { class: "frame" }, this.svg);
    Object.assign(this, { size: [1, 1], centre: [0.5, 0.5], unit: 1, fitted: true });
    this.pointers = new Map();
    this._listen();
    new ResizeObserver(() => (this.fitted ? this.fit() : this._show())).observe(this.svg);
  }

  /** Show another picture, whole. */
  open(url, width, height) {
    this.size = [width, height];
    fill(this.image, { href: url, width, height }, []);
    this.element.style.setProperty("--ratio", `${width} / ${height}`);
    this.fit();
  }

  fit() {
    const [width, height] = this._screen();
    this.unit = Math.max(this.size[0] / width, this.size[1] / height);
    this.centre = this.size.map((length) => length / 2);
    this._show();
  }

  /** Zoom by a factor around a point of the screen, the middle by default. */
  zoom(factor, point = this._screen().map((length) => length / 2)) {
    const before = this._at(point);
    const [width, height] = this._screen();
    const whole = Math.max(this.size[0] / width, this.size[1] / height);
    this.unit = Math.min(whole, Math.max(1 / CLOSEST, this.unit / factor));
    const after = this._at(point);
    this._move(before[0] - after[0], before[1] - after[1]);
  }

  /** Bring a box of the image into view, where it is not. */
  reveal([x0, y0, x1, y1]) {
    const [width, height] = this._screen();
    const [left, top] = this._at([0, 0]);
    const inside = x0 >= left && y0 >= top && x1 <= left + width * this.unit && y1 <= top + height * this.unit;
    if (inside) return;
    this.centre = [(x0 + x1) / 2, (y0 + y1) / 2];
    this._move(0, 0);
  }

  /** Give the point of the image under the pointer. */
  pointOf(event) {
    return this._at(this._point(event));
  }

  /** Give a square in the middle of what is looked at, with a side in image pixels. */
  middle(side) {
    const [x, y] = this.centre;
    return [x - side / 2, y - side / 2, x + side / 2, y + side / 2];
  }

  _screen() {
    return [this.svg.clientWidth || 1, this.svg.clientHeight || 1];
  }

  _at([x, y]) {
    const [width, height] = this._screen();
    return [this.centre[0] + (x - width / 2) * this.unit, this.centre[1] + (y - height / 2) * this.unit];
  }

  _point(event) {
    const frame = this.svg.getBoundingClientRect();
    return [event.clientX - frame.left, event.clientY - frame.top];
  }

  /** Move the view by image pixels; the picture never leaves it. */
  _move(dx, dy) {
    const screen = this._screen();
    this.centre = this.centre.map((centre, axis) => {
      const half = (screen[axis] * this.unit) / 2;
      const length = this.size[axis];
      const moved = centre + (axis ? dy : dx);
      return 2 * half >= length ? length / 2 : Math.min(length - half, Math.max(half, moved));
    });
    this._show();
  }

  _show() {
    const [width, height] = this._screen();
    const [left, top] = this._at([0, 0]);
    const whole = Math.max(this.size[0] / width, this.size[1] / height);
    this.fitted = this.unit >= whole * 0.999;
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
      this.pressed = event.target;
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
      const zooms = { "+": () => this.zoom(STEP), "=": () => this.zoom(STEP), "-": () => this.zoom(1 / STEP) };
      const act = { ...zooms, 0: () => this.fit() }[event.key];
      if (event.ctrlKey || event.metaKey || event.altKey) return;
      if (act) act();
      if (act || this.listeners.onKey(event)) event.preventDefault();
    });
  }

  _drag(event) {
    const before = this.pointers.get(event.pointerId);
    const now = this._point(event);
    if (!before) {
      if (event.pointerType !== "touch") this.listeners.onHover(event.target, event);
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
      const other = [...this.pointers].find(([id]) => id !== event.pointerId)[1];
      const distance = (point) => Math.hypot(point[0] - other[0], point[1] - other[1]);
      this._move(((before[0] - now[0]) * this.unit) / 2, ((before[1] - now[1]) * this.unit) / 2);
      this.zoom(distance(now) / (distance(before) || 1), [(now[0] + other[0]) / 2, (now[1] + other[1]) / 2]);
    }
    this.pointers.set(event.pointerId, now);
  }
}
