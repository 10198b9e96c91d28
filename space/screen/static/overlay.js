// The outlines: one group per cell, made once; views, slider, legend and names only change their attributes.

const SMALL = 36; // a cell narrower than this on the screen carries no label

class Overlay {
  constructor(stage) {
    this.stage = stage;
    this.tooltip = make("div", { class: "tooltip", hidden: true });
    stage.element.append(this.tooltip);
    this.marks = new Map();
  }

  /** Outline the cells, the small ones on top; an outline that stays as it was is kept. */
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

  _renew(mark, cell) {
    if (!mark || mark.cell.polygon !== cell.polygon) return this._mark(cell);
    if (mark.cell !== cell) Object.assign(mark, { cell, view: null });
    return mark;
  }

  _mark(cell) {
    const path = `M${cell.polygon.map((point) => point.join(" ")).join("L")}Z`;
    const halo = vector("path", { d: path, class: "halo" });
    const line = vector("path", { d: path, class: "line" });
    const text = vector("text", { x: 0, y: -4 });
    const plate = vector("rect", { y: -15, height: 15, rx: 3 });
    const pen = vector("path", { class: "pen", d: ICONS.pen });
    const label = vector("g", { class: "label" }, plate, text, pen);
    const group = vector("g", { class: "cell", "data-id": cell.id }, halo, line, label);
    return { cell, group, halo, line, text, plate, pen, label, width: 29 };
  }

  /** Show the cells that pass `isShown`, dressed for a view; `chosen` holds ids, the last one to lie on top. */
  draw(view, isShown, chosen) {
    let isNew = false;
    for (const mark of this.marks.values()) {
      const { cell, group } = mark;
      group.classList.toggle("gone", !isShown(cell));
      group.classList.toggle("selected", chosen.has(cell.id));
      if (mark.view === view) continue;
      this._dress(mark, view);
      isNew = true;
    }
    if (isNew) this.place(this.stage.unit);
    this.stage.layer.classList.toggle("choosing", chosen.size > 0);
    const top = this.marks.get([...chosen].at(-1));
    if (this.lifted !== top) {
      this.lifted = top;
      if (top) this.stage.layer.append(top.group);
    }
  }

  _dress(mark, view) {
    const { cell, group, halo, line, text, plate, pen } = mark;
    const plain = view === "segmentation";
    const kind = plain ? "cell" : groupOf(cell);
    const { colour, ink, edge, dashes } = lookOf(kind);
    mark.view = view;
    group.style.setProperty("--colour", colour);
    fill(halo, { stroke: edge }, []);
    fill(line, { "stroke-dasharray": dashes }, []);
    text.textContent = plain ? number(cell.score, 2) : cell.label + (kind === UNCERTAIN ? "?" : "");
    fill(text, { fill: ink }, []);
    const letters = 7 * text.textContent.length;
    const isMarked = Boolean(cell.edited) && !plain;
    mark.width = 8 + letters + (isMarked ? 13 : 0);
    text.setAttribute("x", isMarked ? -6.5 : 0);
    const at = `translate(${letters / 2 - 4} -13) scale(0.7)`;
    fill(pen, { stroke: ink, display: isMarked ? "inline" : "none", transform: at }, []);
    fill(plate, { x: -mark.width / 2, width: mark.width, fill: colour }, []);
  }

  /** Keep labels at one size on the screen, inside the image, and off cells that are too small to carry them. */
  place(unit) {
    for (const { cell, label, width } of this.marks.values()) {
      const [x0, y0, x1, y1] = cell.box;
      const half = (width / 2) * unit;
      const x = Math.min(this.stage.size[0] - half, Math.max(half, (x0 + x1) / 2));
      label.style.display = Math.max(x1 - x0, y1 - y0) / unit < SMALL ? "none" : "";
      label.setAttribute("transform", `translate(${x} ${Math.max(y0, 19 * unit)}) scale(${unit})`);
    }
  }

  /** Give the id of the cell that an element belongs to, or null. */
  idOf(element) {
    const group = element && element.closest ? element.closest(".cell") : null;
    return group ? Number(group.dataset.id) : null;
  }

  /** Say what lies under the pointer. */
  hint(element, event, view) {
    const mark = this.marks.get(this.idOf(element));
    this.tooltip.hidden = !mark;
    if (!mark) return;
    const { cell } = mark;
    const frame = this.stage.element.getBoundingClientRect();
    const [x, y] = [event.clientX - frame.left, event.clientY - frame.top];
    const share = isNamed(cell) ? `· ${words.by_hand}` : percent(cell.probability);
    const doubt = isUncertain(cell) ? ` · ${words.uncertain}` : "";
    const parts =
      view === "segmentation"
        ? [make("span", { text: `${words.cell} ${cell.id} · ${number(cell.score, 2)}` })]
        : [chip(groupOf(cell), cell.label), make("span", { text: `${nameOf(cell.label)} ${share}${doubt}` })];
    this.tooltip.replaceChildren(...parts);
    this.tooltip.classList.toggle("left", x > frame.width / 2);
    this.tooltip.classList.toggle("above", y > frame.height / 2);
    this.tooltip.style.translate = `${x}px ${y}px`;
  }
}

/** Find the nearest of `cells` from one in the direction of an arrow key, or null. */
function neighbour(cells, from, key) {
  const middle = ({ box }) => [(box[0] + box[2]) / 2, (box[1] + box[3]) / 2];
  const [dx, dy] = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }[key];
  const start = middle(from);
  let best = null;
  for (const cell of cells) {
    const at = middle(cell);
    const [x, y] = [at[0] - start[0], at[1] - start[1]];
    const ahead = x * dx + y * dy;
    const aside = Math.abs(x * dy) + Math.abs(y * dx);
    const cost = ahead + 2 * aside;
    if (cell.id !== from.id && ahead > 0 && aside <= 2 * ahead && (!best || cost < best.cost)) best = { cell, cost };
  }
  return best && best.cell;
}
