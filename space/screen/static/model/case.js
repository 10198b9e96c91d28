// A case: several images added up to one differential.

import { countCells, median } from "./count.js";

/** @import { Settings } from "../types.d.ts" */
/** @import { Work } from "./work.js" */

export class Case {
  /** @param {Pick<Settings, "labels" | "rules">} settings */
  constructor(settings) {
    this.settings = settings;
    /** @type {Work[]} */
    this.works = [];
    this.isSaved = true;
    this.id = `${Date.now()} ${Math.random()}`; // under which a browser keeps it
  }

  /** @param {Work} work */
  has(work) {
    return this.works.includes(work);
  }

  /**
   * Return the id of the case for a work in it, or null.
   * @param {Work} work
   */
  idFor(work) {
    return this.has(work) ? this.id : null;
  }

  /** @param {Work} work */
  add(work) {
    this.works.push(work);
    this.isSaved = false;
  }

  /**
   * Put another work in the place of one, or of none.
   * @param {Work} old
   * @param {Work | null} work
   */
  replace(old, work) {
    this.works = this.works.flatMap((one) => (one === old ? work || [] : one));
    this.isSaved = false;
  }

  report() {
    return countCells(
      this.works.flatMap((work) => work.passing()),
      this.works.flatMap((work) => work.now.removed),
      this.settings,
      median(this.works.map((work) => work.stainDistance)),
    );
  }
}

/**
 * Tell whether two works are on the same image: half of the cells lie at the very same place.
 * @param {Work} one
 * @param {Work} other
 */
export function isSameImage(one, other) {
  const [a, b] = [one, other].map(({ now }) => new Set([...now.cells, ...now.removed].map((cell) => cell.box.join())));
  const [{ width, height }, size] = [one.value.image, other.value.image];
  const shared = [...a].filter((box) => b.has(box)).length;
  return width === size.width && height === size.height && shared > 0 && 2 * shared >= Math.min(a.size, b.size);
}
