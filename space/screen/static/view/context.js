// What every part of one viewer shares: its settings, and words, numbers and classes in the visitor's language.

import { UNCERTAIN, format } from "../model/count.js";
import { make, vector } from "./dom.js";

/** @import { Settings } from "../types.d.ts" */

export class Context {
  /**
   * @param {Settings} settings
   * @param {string} locale language of the visitor, as browsers name it; French, or else English
   */
  constructor(settings, locale) {
    this.settings = settings;
    this.rules = settings.rules;
    this.language = locale.toLowerCase().startsWith("fr") ? "fr" : "en";
    this.words = settings.words[this.language];
    // made once: toLocaleString makes one at every call, which hundreds of cells would feel
    this.numberFormats = [0, 1, 2].map(
      (n) => new Intl.NumberFormat(this.language, { minimumFractionDigits: n, maximumFractionDigits: n }),
    );
    this.percentFormat = new Intl.NumberFormat(this.language, { style: "percent", maximumFractionDigits: 0 });
    this.timeFormat = new Intl.DateTimeFormat(locale, { dateStyle: "medium", timeStyle: "short" });
  }

  /**
   * Write a number as the language does, with up to two decimals, always that many.
   * @param {number} value
   */
  number(value, decimals = 0) {
    return this.numberFormats[decimals].format(value);
  }

  /**
   * Write a probability as a percentage; none is nought or certain.
   * @param {number} probability
   */
  percent(probability) {
    const write = (/** @type {number} */ share) => this.percentFormat.format(share);
    if (probability < 0.01) return `< ${write(0.01)}`;
    return probability > 0.99 ? `> ${write(0.99)}` : write(probability);
  }

  /**
   * Write a time as the visitor's place does.
   * @param {string} at ISO 8601
   */
  timeOf(at) {
    return this.timeFormat.format(new Date(at));
  }

  /**
   * Name a class, or the group of the uncertain cells.
   * @param {string} code
   */
  nameOf(code) {
    return code === UNCERTAIN ? this.words.uncertain : this.settings.names[this.language][code] || code;
  }

  /**
   * Return how a class, the uncertain cells, or a "cell" without a name are drawn.
   * @param {string} group
   */
  styleOf(group) {
    return this.settings.styles[group] || this.settings.styles[UNCERTAIN];
  }

  /**
   * Return the mark of a class that was hardly or never seen in a marrow image.
   * @param {string} code
   */
  starOf(code) {
    return this.rules.not_from_marrow.includes(code) ? "*" : "";
  }

  /**
   * Say from which kinds of smear, and from which laboratories, a class was learned; nothing when it was not.
   * @param {string} code
   */
  originsOf(code) {
    const { words } = this;
    const kinds = Object.entries(this.settings.trained_on[code] || {}).map(([origin, laboratories]) => {
      const counts = Object.entries(laboratories).filter(([, n]) => n > 0);
      // who drew the cells says nothing of a stain
      const write = (/** @type {[string, number]} */ [name, n]) =>
        origin === "drawn" ? this.number(n) : `${name} ${this.number(n)}`;
      return counts.length ? `${words[`origin_${origin}`] || origin} (${counts.map(write).join(", ")})` : null;
    });
    const known = kinds.filter((kind) => kind !== null);
    return known.length ? format(words.learned_from, { origins: known.join("; ") }) : "";
  }
}

/**
 * Draw a class's sign: a piece of its line.
 * @param {Context} context
 * @param {string} group
 */
export function swatch(context, group) {
  const { colour, edge, dashes } = context.styleOf(group);
  const line = { x1: 1, y1: 7, x2: 25, y2: 7, "stroke-dasharray": dashes };
  const lines = [vector("line.halo", { ...line, stroke: edge }), vector("line", { ...line, stroke: colour })];
  return vector("svg.swatch", { viewBox: "0 0 26 14", "aria-hidden": "true" }, lines);
}

/**
 * Write a code on its colour.
 * @param {Context} context
 * @param {string} group
 */
export function chip(context, group, text = group) {
  const { colour, ink } = context.styleOf(group);
  return make("span.chip", { style: `background:${colour};color:${ink}` }, text);
}

/** @param {string} text */
export function capital(text) {
  return text.charAt(0).toUpperCase() + text.slice(1);
}
