// What a browser keeps of the work on an image: the cells with their edits, and the digest of the picture.

import { isAnalysis } from "./saved.js";

/** @import { Analysis, Value } from "../types.d.ts" */
/** @import { Case } from "./case.js" */
/** @import { Work } from "./work.js" */

/**
 * The work on one image, as it is kept under the digest of its picture.
 * @typedef {object} Kept
 * @property {string} digest
 * @property {string} file
 * @property {Analysis} analysis with every cell, also those under its confidence
 * @property {number} minConfidence
 * @property {string[]} keys under which a server knows the picture, or knew it
 * @property {string | null} caseId of the case that it belongs to
 * @property {number} place in that case
 * @property {string} at when it was kept, ISO 8601
 * @property {string} version another one after each change
 */

/**
 * Return what is to be kept of a work, under a new version.
 * @param {Work} work
 * @param {Case} currentCase
 * @returns {Kept}
 */
export function keptOf(work, currentCase) {
  const { value, models, now, confidence, minConfidence, keys } = work;
  const { digest = "", file, image } = value;
  const analysis = { image, models, confidence, cells: now.cells, removed: now.removed };
  const place = currentCase.works.indexOf(work);
  const caseId = place < 0 ? null : currentCase.id;
  const at = new Date().toISOString();
  return { digest, file, analysis, minConfidence, keys, caseId, place, at, version: `${at} ${Math.random()}` };
}

/**
 * Tell whether a person did anything to the cells of a work.
 * @param {Work} work
 */
export function isEdited({ now }) {
  return now.removed.length > 0 || now.cells.some((cell) => cell.edited);
}

/**
 * Return the number of cells that a person changed or removed.
 * @param {Kept} kept
 */
export function countEdits({ analysis: { cells, removed = [] } }) {
  return removed.length + cells.filter((cell) => cell.edited).length;
}

/**
 * Tell whether something kept can be shown and counted with these classes.
 * @param {Kept} kept
 * @param {string[]} labels
 */
export function isUsable(kept, labels) {
  try {
    return isAnalysis(kept.analysis, labels);
  } catch {
    return false;
  }
}

/**
 * Return the value of a work whose image is not here.
 * @param {Kept} kept
 * @returns {Value}
 */
export function waitingValue({ digest, file, analysis: { image, models, cells, removed } }) {
  return { key: null, digest, file, picture: null, image, models, cells, removed };
}

/**
 * Return the SHA-256 of bytes in hexadecimal; none where the page was not loaded over a safe connection.
 * @param {BufferSource} bytes
 */
export async function digestOf(bytes) {
  if (!globalThis.crypto?.subtle) return undefined;
  const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", bytes));
  return [...digest].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}
