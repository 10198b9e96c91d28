// The viewer as a whole: what is looked at, and who shows it. It knows of the page around it what `Page` says.

import { Case } from "../model/case.js";
import { groupOf } from "../model/count.js";
import { Work } from "../model/work.js";
import { BoxTool } from "../view/box.js";
import { caseStrip } from "../view/case.js";
import { Context } from "../view/context.js";
import { renew } from "../view/dom.js";
import { Layout } from "../view/layout.js";
import { Overlay } from "../view/overlay.js";
import { Pictures } from "../view/pictures.js";
import { Stage } from "../view/stage.js";
import { Choice } from "./choice.js";
import { Commands } from "./commands.js";
import { Keeper } from "./keeper.js";
import { Panels } from "./panels.js";
import { readReviewer, rememberReviewer } from "./reviewer.js";
import { Session } from "./session.js";

/** @import { Answer, Cell, Page, Settings, Value } from "../types.d.ts" */

const TEXT_FIELDS = "textarea, input:not([type=range], [type=checkbox])";

export class Viewer {
  /**
   * Show a viewer in an element; `open` gives it an analysis, `close` takes it away.
   * @param {HTMLElement} element
   * @param {Settings} settings
   * @param {Page} page
   * @param {string} locale
   */
  constructor(element, settings, page, locale = navigator.language || "en") {
    this.context = new Context(settings, locale);
    this.page = page;
    this.view = "annotations";
    /** @type {Set<string>} groups that the legend hides */
    this.hidden = new Set();
    this.isCorrecting = false; // whether the card's tools are unfolded
    /** @type {Work | null} on the image that is shown */
    this.current = null;
    this.currentCase = new Case(settings);
    this.pictures = new Pictures(settings.crop_scale, () => this.draw());
    this.choice = new Choice(this);
    this.commands = new Commands(this);
    this.session = new Session(this);
    this.keeper = new Keeper(this);
    this.panels = new Panels(this);
    this.stage = new Stage(this.context.words, {
      onKey: (event) => this.choice.onKey(event),
      onClick: (target, event) => this.choice.inPicture(this.overlay.idOf(target), event),
      onHover: (target, event) => this.overlay.hint(target, event, this._outlineView()),
      onLook: () => this.overlay?.place(),
    });
    this.overlay = new Overlay(this.context, this.stage);
    this.boxTool = new BoxTool(
      this.stage,
      (box) => this.commands.addInBox(box),
      () => this.draw(),
    );
    this.layout = new Layout(this);
    const { reviewer } = this.layout;
    reviewer.value = readReviewer();
    reviewer.addEventListener("input", () => rememberReviewer(reviewer.value.trim()));
    element.classList.add("marrow-viewer");
    element.replaceChildren(this.layout.element);
    this.closing = new AbortController(); // ends what listens beyond the element
    this._listen();
    this.keeper.start();
  }

  /** Return the work on the image that is shown. */
  get work() {
    if (!this.current) throw new Error("no image is open");
    return this.current;
  }

  /**
   * Take up another analysis.
   * @param {Value} value
   */
  open(value) {
    const { keeper } = this;
    const known = keeper.adopt(value);
    const arrival = keeper.arrivals.get(value.digest || "");
    if (!arrival) {
      this.hidden = new Set();
      this.view = "annotations";
    }
    const work = known || new Work(value, this.context.settings);
    this.say("");
    this.show(work);
    if (known && arrival) arrival.end(true);
    else this.session.resume(work, !known);
  }

  /** Take the viewer off the page. */
  close() {
    this.closing.abort();
    this.stage.close();
    this.layout.element.remove();
  }

  /**
   * Show the work on an image.
   * @param {Work} work
   */
  show(work) {
    this.current = work;
    this.choice.clear();
    this.layout.setConfidence(work.confidence, work.minConfidence);
    const { width, height } = work.value.image;
    this.stage.open(this.pictures.of(work).src, width, height);
    this.draw();
  }

  /** @param {string} text */
  say(text, isWrong = false) {
    this.layout.say(text, isWrong);
  }

  /** Leave for another image, when nothing is lost. */
  restart() {
    if (this.session.mayLeave()) this.leave(true);
  }

  /** @param {boolean} canReturn */
  leave(canReturn) {
    this.keeper.leave();
    this.page.restart(canReturn);
  }

  /** @param {string} view */
  turnTo(view) {
    this.view = view;
    this.say("");
    if (view !== "review" && this.boxTool.active) this.boxTool.use(false);
    if (view !== "review" && this.choice.ids.size > 1) this.choice.clear();
    this.draw();
  }

  /**
   * Leave out the cells that the segmenter is less sure of.
   * @param {number} confidence 0 to 1
   */
  filter(confidence) {
    this.work.confidence = confidence;
    this.draw();
  }

  /** Return those of the cells that the legend shows. */
  visible() {
    const all = ["segmentation", "review"].includes(this.view);
    return this.work.passing().filter((cell) => all || !this.hidden.has(groupOf(cell, this.context.rules)));
  }

  /** Return who edits, and when. */
  stamp() {
    return { at: `${new Date().toISOString().slice(0, 19)}Z`, by: this.layout.reviewer.value.trim() || null };
  }

  /**
   * Ask the server something about this image, which is sent again where the server has forgotten it and it is kept.
   * @param {string} what
   * @param {object} values
   * @returns {Promise<Answer>}
   */
  async ask(what, values) {
    const { work, page, keeper } = this;
    const asked = () => ({ key: work.value.key, reference: work.now.reference, ...values });
    try {
      const answer = await page.ask(what, asked());
      if (answer.reason !== "forgotten" || !(await keeper.resend(work))) return answer;
      return await page.ask(what, asked());
    } catch {
      return { error: this.context.words.failed };
    }
  }

  /** Show the state: everything on the screen follows from it. */
  draw() {
    const { current: work, layout, overlay, choice } = this;
    if (!work) return;
    const shown = new Set(this.visible().map((cell) => cell.id));
    choice.ids = new Set([...choice.ids].filter((id) => shown.has(id)));
    overlay.open(work.now.cells);
    overlay.draw(this._outlineView(), (/** @type {Cell} */ cell) => shown.has(cell.id), choice.ids);
    layout.draw(this);
    this.keeper.note();
    renew(layout.strip, [caseStrip(this)]);
    renew(layout.panel, this.panels.contents());
  }

  /** Return how the outlines are drawn: report, review and flag stand beside the annotations. */
  _outlineView() {
    return this.view === "segmentation" ? "segmentation" : "annotations";
  }

  _listen() {
    const { element } = this.layout;
    const until = { signal: this.closing.signal };
    // a file dropped on the viewer is taken; without this the browser would leave the page for it
    element.addEventListener("dragover", (event) => event.preventDefault());
    element.addEventListener("drop", (event) => {
      event.preventDefault();
      this.session.takeFiles([...(event.dataTransfer?.files || [])]);
    });
    let isInUse = true; // of several viewers on a page, the one that was touched last has the keys
    const notice = (/** @type {Event} */ { target }) => {
      const viewer = target instanceof Element ? target.closest(".mv") : null;
      if (viewer) isInUse = viewer === element;
    };
    document.addEventListener("pointerdown", notice, { ...until, capture: true });
    document.addEventListener("focusin", notice, until);
    document.addEventListener("keydown", (event) => this._onKey(event, isInUse), until);
    const warn = (/** @type {Event} */ event) => {
      if (this.session.isAnythingLost()) event.preventDefault();
    };
    window.addEventListener("beforeunload", warn, until);
  }

  /**
   * Use a key on the viewer, or on the page where nothing else has the focus; text is typed undisturbed.
   * @param {KeyboardEvent} event
   * @param {boolean} isInUse
   */
  _onKey(event, isInUse) {
    const { element } = this.layout;
    const { target } = event;
    if (!this.current || !element.offsetParent || !(target instanceof Element) || target.closest(TEXT_FIELDS)) return;
    if (target === document.body ? !isInUse : !element.contains(target)) return;
    if (this.commands.onKey(event)) event.preventDefault();
  }
}
