// The outlines: one group per cell, made once; views, slider, legend and names only change their attributes. What lies
// far outside of what is looked at is not on the stage, so that thousands of cells do not slow it down.

import { UNCERTAIN, groupOf, isHumanLabelled, isUncertain } from "../model/count.js";
import { chip } from "./context.js";
import { PEN, fill, make, vector } from "./dom.js";

/** @import { Box, Cell } from "../types.d.ts" */
/** @import { Context } from "./context.js" */
/** @import { Stage } from "./stage.js" */
/** @typedef {ReturnType<typeof makeMark>} Mark an outline with its label, as it lies on the stage */

const SMALL = 36; // a cell narrower than this on the screen carries no label
const AROUND = 0.5; // what is on the stage beyond each border of what is looked at, as a share of it
const LABEL = { height: 15, above: 19 }; // of a label, and of its upper border above the cell's, in screen pixels

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
    /** @type {Mark[]} */
    this.onStage = [];
    /** @type {Box} within which all marks are on the stage */
    this.laid = [0, 0, 0, 0];
    this.unit = 0;
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
    this.onStage = [];
    this.place(true);
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
    let [isNew, isOther] = [false, false];
    for (const mark of this.marks.values()) {
      const { cell, group } = mark;
      const isGone = !isShown(cell);
      isOther ||= isGone !== group.classList.contains("gone");
      group.classList.toggle("gone", isGone);
      group.classList.toggle("selected", chosen.has(cell.id));
      if (mark.view === view) continue;
      this._style(mark, view);
      isNew = true;
    }
    this.stage.layer.classList.toggle("choosing", chosen.size > 0);
    const top = this.marks.get([...chosen].at(-1) ?? 0);
    const isLifted = this.lifted !== top;
    this.lifted = top;
    if (isNew || isLifted || isOther) this.place(true);
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
   * Lay what is looked at on the stage, and label it, where it is not there already.
   * @param {boolean} [anew] lay all of it
   */
  place(anew = false) {
    const { stage } = this;
    const seen = stage.seen();
    const isLaid =
      this.unit === stage.unit && seen.every((side, i) => (i < 2 ? side >= this.laid[i] : side <= this.laid[i]));
    if (isLaid && !anew) return;
    this.unit = stage.unit;
    const [dx, dy] = [AROUND * (seen[2] - seen[0]), AROUND * (seen[3] - seen[1])];
    this.laid = [seen[0] - dx, seen[1] - dy, seen[2] + dx, seen[3] + dy];
    const before = this.onStage;
    this.onStage = [...this.marks.values()].filter(({ cell }) => meet(cell.box, this.laid));
    if (this.lifted && this.onStage.includes(this.lifted)) {
      this.onStage = [...this.onStage.filter((mark) => mark !== this.lifted), this.lifted];
    }
    const isSame = before.length === this.onStage.length && before.every((mark, i) => mark === this.onStage[i]);
    if (!isSame) this._lay();
    this._label();
  }

  /** Bring the outlines on the stage into their order; only those that have another place are moved. */
  _lay() {
    const { layer } = this.stage;
    const groups = this.onStage.map((mark) => mark.group);
    const kept = new Set(groups);
    for (const child of [...layer.children]) if (!kept.has(/** @type {SVGGElement} */ (child))) child.remove();
    if (this.lifted && kept.has(this.lifted.group)) layer.append(this.lifted.group);
    let next = layer.firstChild;
    for (const group of groups) {
      if (group === next) next = next.nextSibling;
      else layer.insertBefore(group, next);
    }
  }

  /** Keep labels at one size on the screen, inside the image, off each other, and off cells too small to carry them. */
  _label() {
    const { unit } = this;
    /** @type {Box[]} */
    const taken = [];
    for (const { cell, group, label, width } of [...this.onStage].reverse()) {
      const [x0, y0, x1, y1] = cell.box;
      const half = (width / 2) * unit;
      const x = Math.min(this.stage.size[0] - half, Math.max(half, (x0 + x1) / 2));
      const y = Math.max(y0, LABEL.above * unit);
      const top = y - LABEL.above * unit;
      /** @type {Box} */
      const place = [x - half, top, x + half, top + LABEL.height * unit];
      const isLarge = Math.max(x1 - x0, y1 - y0) / unit >= SMALL && !group.classList.contains("gone");
      const isFree = isLarge && !taken.some((other) => meet(other, place));
      if (isFree) taken.push(place);
      label.style.display = isFree ? "" : "none";
      if (isFree) label.setAttribute("transform", `translate(${x} ${y}) scale(${unit})`);
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

/**
 * Tell whether two boxes have a point in common.
 * @param {Box} one
 * @param {Box} other
 */
function meet([ax0, ay0, ax1, ay1], [bx0, by0, bx1, by1]) {
  return ax0 <= bx1 && bx0 <= ax1 && ay0 <= by1 && by0 <= ay1;
}
