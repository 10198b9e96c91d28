// The frame of the viewer: what stays while everything in it changes.

import { icon, make, makeButton } from "./dom.js";

/** @import { Context } from "./context.js" */
/** @import { Stage } from "./stage.js" */

const VIEWS = ["segmentation", "annotations", "report", "review", "flag"];

/**
 * @typedef {object} LayoutListeners
 * @property {(view: string) => void} onView
 * @property {() => void} onRestart
 * @property {() => void} onSeveral
 * @property {(confidence: number) => void} onConfidence
 * @property {Record<"undo" | "redo" | "add", () => void>} commands
 */

export class Layout {
  /**
   * @param {Context} context
   * @param {Stage} stage
   * @param {LayoutListeners} listeners
   */
  constructor(context, stage, listeners) {
    const { words, settings } = context;
    this.context = context;
    this.tabs = VIEWS.map((view) => {
      const kind = view === "flag" ? "flagging" : null;
      return makeButton({ class: kind, "data-view": view, text: words[view], onclick: () => listeners.onView(view) });
    });
    this.slider = make("input", { type: "range", min: settings.min_confidence, max: 0.95, step: 0.01 });
    this.slider.addEventListener("input", () => listeners.onConfidence(Number(this.slider.value)));
    this.shownConfidence = make("output");
    this.panel = make("div", { class: "panel" });
    this.message = make("p", { class: "message", role: "status" });
    this.strip = make("div", { class: "case-strip" });
    this.edits = {
      undo: editButton(context, "undo", words.undo_keys, listeners.commands.undo),
      redo: editButton(context, "redo", words.redo_keys, listeners.commands.redo),
      add: editButton(context, "add", "A", listeners.commands.add),
    };
    this.edits.add.append(make("span", { text: words.add }));
    this.editRow = make("div", { class: "edits" }, ...Object.values(this.edits));
    this.several = makeButton({ class: "several", text: words.several, title: words.several_info, onclick: listeners.onSeveral });
    this.reviewer = make("input", { name: "reviewer", maxlength: 100, placeholder: words.optional, autocomplete: "name" });
    this.element = make("div", { class: "mv" }, this._head(listeners.onRestart), this.strip, this._body(stage));
  }

  /** @param {() => void} onRestart */
  _head(onRestart) {
    const { words } = this.context;
    const restart = makeButton({ class: "quiet restart", text: words.new_image, onclick: onRestart });
    return make("div", { class: "tools" }, make("nav", { "aria-label": words.views }, ...this.tabs), restart);
  }

  /** @param {Stage} stage */
  _body(stage) {
    const { words } = this.context;
    const label = make("span", { text: words.confidence });
    const confidence = make("label", { class: "confidence", title: words.confidence_info }, label, this.slider, this.shownConfidence);
    const under = make("div", { class: "under" }, confidence, this.editRow, stage.buttons);
    const look = make("div", { class: "look" }, stage.element, under, this.message);
    return make("div", { class: "body" }, look, this.panel);
  }

  /**
   * Show a sentence, or none.
   * @param {string} text
   */
  say(text, isWrong = false) {
    this.message.textContent = text;
    this.message.classList.toggle("wrong", isWrong);
    if (text) this.message.scrollIntoView({ block: "nearest" });
  }

  /**
   * @param {number} confidence
   * @param {number} lowest
   */
  setConfidence(confidence, lowest) {
    this.slider.min = String(lowest);
    this.slider.value = String(confidence);
  }

  /**
   * Show which view is on, the confidence, and what can be done.
   * @param {{view: string, confidence: number, canUndo: boolean, canRedo: boolean, isAdding: boolean, isSeveral: boolean}} state
   */
  draw({ view, confidence, canUndo, canRedo, isAdding, isSeveral }) {
    const { slider, edits } = this;
    for (const tab of this.tabs) tab.setAttribute("aria-pressed", String(tab.dataset.view === view));
    this.shownConfidence.textContent = this.context.number(confidence, 2);
    const [low, high] = [Number(slider.min), Number(slider.max)];
    slider.style.setProperty("--share", `${(100 * (confidence - low)) / (high - low)}%`);
    this.element.dataset.view = view;
    edits.undo.disabled = !canUndo;
    edits.redo.disabled = !canRedo;
    edits.add.hidden = view !== "review";
    edits.add.setAttribute("aria-pressed", String(isAdding));
    this.several.setAttribute("aria-pressed", String(isSeveral));
    this.editRow.hidden = edits.add.hidden && !canUndo && !canRedo;
  }

  /** Make the row above the gallery: choose several, and who reviews. */
  reviewRow() {
    const name = make("label", {}, make("span", { text: this.context.words.reviewer }), this.reviewer);
    return make("div", { class: "reviewer" }, this.several, name);
  }
}

/**
 * @param {Context} context
 * @param {string} name
 * @param {string} keys
 * @param {() => void} onclick
 */
function editButton({ words }, name, keys, onclick) {
  const title = `${words[`${name}_info`]} (${keys})`;
  return makeButton({ "data-act": name, title, "aria-label": title, onclick }, icon(name));
}
