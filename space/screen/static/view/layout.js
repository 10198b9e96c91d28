// The frame of the viewer: what stays while everything in it changes.

import { icon, make } from "./dom.js";

/** @import { Viewer } from "../control/viewer.js" */

const VIEWS = ["segmentation", "annotations", "report", "review", "flag"];

export class Layout {
  /** @param {Viewer} viewer */
  constructor(viewer) {
    const { context, commands, choice, stage } = viewer;
    const { words, settings } = context;
    this.context = context;
    this.tabs = VIEWS.map((view) => {
      const attributes = { "data-view": view, onclick: () => viewer.turnTo(view) };
      return make(view === "flag" ? "button.flagging" : "button", attributes, words[view]);
    });
    this.slider = make("input", { type: "range", min: settings.min_confidence, max: 0.95, step: 0.01 });
    this.slider.addEventListener("input", () => viewer.filter(Number(this.slider.value)));
    this.shownConfidence = make("output");
    this.panel = make("div.panel");
    this.message = make("p.message", { role: "status" });
    this.strip = make("div.case-strip");
    this.edits = {
      undo: editButton(words, "undo", words.undo_keys, () => commands.undo()),
      redo: editButton(words, "redo", words.redo_keys, () => commands.redo()),
      add: editButton(words, "add", "A", () => commands.add()),
    };
    this.edits.add.append(make("span", words.add));
    this.editRow = make("div.edits", Object.values(this.edits));
    const turn = { title: words.several_info, onclick: () => choice.turnSeveral() };
    this.several = make("button.several", turn, words.several);
    const typed = { name: "reviewer", maxlength: 100, placeholder: words.optional, autocomplete: "name" };
    this.reviewer = make("input", typed);

    const restart = make("button.quiet.restart", { onclick: () => viewer.restart() }, words.new_image);
    const head = make("div.tools", make("nav", { "aria-label": words.views }, this.tabs), restart);
    const title = { title: words.confidence_info };
    const slider = make("label.confidence", title, make("span", words.confidence), this.slider, this.shownConfidence);
    const look = make("div.look", stage.element, make("div.under", slider, this.editRow, stage.buttons), this.message);
    this.element = make("div.mv", head, this.strip, make("div.body", look, this.panel));
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
   * @param {Viewer} viewer
   */
  draw({ view, work, boxTool, choice }) {
    const { slider, edits } = this;
    for (const tab of this.tabs) tab.setAttribute("aria-pressed", String(tab.dataset.view === view));
    this.shownConfidence.textContent = this.context.number(work.confidence, 2);
    const [low, high] = [Number(slider.min), Number(slider.max)];
    slider.style.setProperty("--share", `${(100 * (work.confidence - low)) / (high - low)}%`);
    this.element.dataset.view = view;
    edits.undo.disabled = !work.past.length;
    edits.redo.disabled = !work.future.length;
    edits.add.hidden = view !== "review";
    edits.add.setAttribute("aria-pressed", String(boxTool.active));
    this.several.setAttribute("aria-pressed", String(choice.isSeveral));
    this.editRow.hidden = edits.add.hidden && edits.undo.disabled && edits.redo.disabled;
  }

  /** Make the row above the gallery: choose several, and who reviews. */
  reviewRow() {
    return make("div.reviewer", this.several, make("label", make("span", this.context.words.reviewer), this.reviewer));
  }
}

/**
 * @param {Record<string, string>} words
 * @param {string} name
 * @param {string} keys
 * @param {() => void} onclick
 */
function editButton(words, name, keys, onclick) {
  const title = `${words[`${name}_info`]} (${keys})`;
  return make("button", { "data-act": name, title, "aria-label": title, onclick }, icon(name));
}
