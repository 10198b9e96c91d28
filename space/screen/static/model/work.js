// The work on one image: what the models found, what a person made of it, and the way back and forth.

import { countCells } from "./count.js";
import { openState } from "./edits.js";

/** @import { Analysis, Settings, Value } from "../types.d.ts" */
/** @import { State } from "./edits.js" */

export class Work {
  /**
   * @param {Value} value
   * @param {Pick<Settings, "labels" | "rules" | "min_confidence" | "confidence">} settings
   */
  constructor(value, settings) {
    this.value = value;
    this.settings = settings;
    /** @type {string[]} under which a server knows the image, or knew it */
    this.keys = value.key ? [value.key] : [];
    /** @type {string | null} of what the browser keeps, as it was read or written last */
    this.version = null;
    this.minConfidence = settings.min_confidence;
    this.confidence = settings.confidence;
    this.now = openState(value.cells, value.removed, value.models.reference);
    this.saved = this.now;
    /** @type {State[]} */
    this.past = [];
    /** @type {State[]} */
    this.future = [];
  }

  /**
   * Go on from a saved analysis; what it leaves out below its confidence cannot come back.
   * @param {Analysis} analysis
   */
  reopen({ cells, removed, confidence, models }) {
    this.now = openState(cells, removed, models.reference);
    this.saved = this.now;
    [this.past, this.future] = [[], []];
    this.value = { ...this.value, models };
    this.minConfidence = confidence;
    this.confidence = confidence;
  }

  /**
   * Take up an edited state.
   * @param {State} state
   */
  go(state) {
    this.past.push(this.now);
    this.now = state;
    this.future = [];
  }

  /** Go one step back; return whether there was one. */
  undo() {
    return this._step(this.past, this.future);
  }

  /** Go one step forth again; return whether there was one. */
  redo() {
    return this._step(this.future, this.past);
  }

  /**
   * @param {State[]} from
   * @param {State[]} to
   */
  _step(from, to) {
    const state = from.pop();
    if (!state) return false;
    to.push(this.now);
    this.now = state;
    return true;
  }

  get isUnsaved() {
    return this.now !== this.saved;
  }

  /** Return the cells at the slider's confidence; what a person has seen passes it. */
  passing() {
    return this.now.cells.filter((cell) => cell.edited || cell.score >= this.confidence);
  }

  /** Return the networks, and the stain in whose colours the cells were named. */
  get models() {
    return { ...this.value.models, reference: this.now.reference };
  }

  /** Return how far the colours are from those of the training; nothing where a person vouches for others. */
  get stainDistance() {
    return this.now.reference ? null : (this.value.image.stain_distance ?? null);
  }

  report() {
    return countCells(this.passing(), this.now.removed, this.settings, this.stainDistance);
  }

  /**
   * Return the analysis as it stands, in the layout of the JSON.
   * @returns {Analysis}
   */
  analysis() {
    const { models, value } = this;
    const { uncertain_below, not_from_marrow, unknown, unlike_above, stain_far_above } = this.settings.rules;
    const rules = { uncertain_below, not_from_marrow, unknown, unlike_above, stain_far_above };
    const report = { ...this.report(), ...rules };
    const image = { ...value.image, stain_distance: this.stainDistance };
    const [cells, { removed }] = [this.passing(), this.now];
    return { image, models, confidence: this.confidence, cells, removed, report };
  }
}
