// The outlines: one group per cell, made once; views, slider, legend and names only change their attributes.

import { UNCERTAIN, groupOf, isHumanLabelled, isUncertain } from "../model/count.js";
import { chip } from "./context.js";
import { PEN, fill, make, vector } from "./dom.js";

/** @import { Cell } from "../types.d.ts" */
/** @import { Context } from "./context.js" */
/** @import { Stage } from "./stage.js" */
/** @typedef {ReturnType<typeof makeMark>} Mark an outline with its label, as it lies on the stage */

const SMALL = 36; // a cell narrower than this on the screen carries no label

export class Overlay {
  /**
   * @param {Context} context
   * @param {Stage} stage
   */
  constructor(context, stage) {
    this.context = context;
    this.stage = stage;
    this.tooltip = make("div.tooltip", { hidden: true });
    stage.element.append(this.tooltip);
    /** @type {Map<number, Mark>} */
    this.marks = new Map();
    /** @type {Cell[]} */
    this.cells = [];
    /** @type {Mark | null | undefined} */
    this.lifted = null;
  }

  /**
   * Outline the cells, the small ones on top; an outline that stays as it was is kept.
   * @param {Cell[]} cells
   */
  open(cells) {
    if (cells === this.cells) return;
    this.cells = cells;
    const before = this.marks;
    const byArea = [...cells].sort((a, b) => b.area - a.area);
    this.marks = new Map(byArea.map((cell) => [cell.id, this._renew(before.get(cell.id), cell)]));
    for (const [id, { group }] of before) if (this.marks.get(id)?.group !== group) group.remove();
    if (byArea.every(({ id }) => this.marks.get(id) === before.get(id))) return;
    this.lifted = null;
    this.stage.layer.replaceChildren(...[...this.marks.values()].map((mark) => mark.group));
  }

  /**
   * @param {Mark | undefined} mark
   * @param {Cell} cell
   */
  _renew(mark, cell) {
    if (!mark || mark.cell.polygon !== cell.polygon) return makeMark(cell);
    if (mark.cell !== cell) Object.assign(mark, { cell, view: null });
    return mark;
  }

  /**
   * Show the cells that pass `isShown`, drawn for a view; `chosen` holds ids, the last one to lie on top.
   * @param {string} view
   * @param {(cell: Cell) => boolean} isShown
   * @param {Set<number>} chosen
   */
  draw(view, isShown, chosen) {
    let isNew = false;
    for (const mark of this.marks.values()) {
      const { cell, group } = mark;
      group.classList.toggle("gone", !isShown(cell));
      group.classList.toggle("selected", chosen.has(cell.id));
      if (mark.view === view) continue;
      this._style(mark, view);
      isNew = true;
    }
    if (isNew) this.place(this.stage.unit);
    this.stage.layer.classList.toggle("choosing", chosen.size > 0);
    const top = this.marks.get([...chosen].at(-1) ?? 0);
    if (this.lifted !== top) {
      this.lifted = top;
      if (top) this.stage.layer.append(top.group);
    }
  }

  /**
   * @param {Mark} mark
   * @param {string} view
   */
  _style(mark, view) {
    const { context } = this;
    const { cell, group, halo, line, text, plate, pen } = mark;
    const plain = view === "segmentation";
    const kind = plain ? "cell" : groupOf(cell, context.rules);
    const { colour, ink, edge, dashes } = context.styleOf(kind);
    mark.view = view;
    group.style.setProperty("--colour", colour);
    fill(halo, { stroke: edge });
    fill(line, { "stroke-dasharray": dashes });
    text.textContent = plain ? context.number(cell.score, 2) : cell.label + (kind === UNCERTAIN ? "?" : "");
    fill(text, { fill: ink });
    const letters = 7 * text.textContent.length;
    const isMarked = Boolean(cell.edited) && !plain;
    mark.width = 8 + letters + (isMarked ? 13 : 0);
    text.setAttribute("x", isMarked ? "-6.5" : "0");
    const at = `translate(${letters / 2 - 4} -13) scale(0.7)`;
    fill(pen, { stroke: ink, display: isMarked ? "inline" : "none", transform: at });
    fill(plate, { x: -mark.width / 2, width: mark.width, fill: colour });
  }

  /**
   * Keep labels at one size on the screen, inside the image, and off cells that are too small to carry them.
   * @param {number} unit image pixels per screen pixel
   */
  place(unit) {
    for (const { cell, label, width } of this.marks.values()) {
      const [x0, y0, x1, y1] = cell.box;
      const half = (width / 2) * unit;
      const x = Math.min(this.stage.size[0] - half, Math.max(half, (x0 + x1) / 2));
      label.style.display = Math.max(x1 - x0, y1 - y0) / unit < SMALL ? "none" : "";
      label.setAttribute("transform", `translate(${x} ${Math.max(y0, 19 * unit)}) scale(${unit})`);
    }
  }

  /**
   * Return the id of the cell that an element belongs to, or null.
   * @param {Element | null} element
   */
  idOf(element) {
    const group = element?.closest(".cell");
    return group ? Number(group.getAttribute("data-id")) : null;
  }

  /**
   * Say what lies under the pointer.
   * @param {Element | null} element
   * @param {MouseEvent} event
   * @param {string} view
   */
  hint(element, event, view) {
    const mark = this.marks.get(this.idOf(element) ?? 0);
    this.tooltip.hidden = !mark;
    if (!mark) return;
    const frame = this.stage.element.getBoundingClientRect();
    const [x, y] = [event.clientX - frame.left, event.clientY - frame.top];
    this.tooltip.replaceChildren(...this._describe(mark.cell, view));
    this.tooltip.classList.toggle("left", x > frame.width / 2);
    this.tooltip.classList.toggle("above", y > frame.height / 2);
    this.tooltip.style.translate = `${x}px ${y}px`;
  }

  /**
   * @param {Cell} cell
   * @param {string} view
   */
  _describe(cell, view) {
    const { context } = this;
    const { words, rules } = context;
    if (view === "segmentation") {
      return [make("span", `${words.cell} ${cell.id} · ${context.number(cell.score, 2)}`)];
    }
    const share = isHumanLabelled(cell) ? `· ${words.by_hand}` : context.percent(cell.probability);
    const doubt = isUncertain(cell, rules) ? ` · ${words.uncertain}` : "";
    const name = make("span", `${context.nameOf(cell.label)} ${share}${doubt}`);
    return [chip(context, groupOf(cell, rules), cell.label), name];
  }
}

/** @param {Cell} cell */
function makeMark(cell) {
  const path = `M${cell.polygon.map((point) => point.join(" ")).join("L")}Z`;
  const halo = vector("path.halo", { d: path });
  const line = vector("path.line", { d: path });
  const text = vector("text", { x: 0, y: -4 });
  const plate = vector("rect", { y: -15, height: 15, rx: 3 });
  const pen = vector("path.pen", { d: PEN });
  const label = vector("g.label", plate, text, pen);
  const group = vector("g.cell", { "data-id": cell.id }, halo, line, label);
  const view = /** @type {string | null} */ (null); // for which it is drawn
  return { cell, view, group, halo, line, text, plate, pen, label, width: 29 };
}
