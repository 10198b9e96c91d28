// Saved work: which dropped file is what, and whether a JSON can be an analysis or a case at all.

/** @import { Analysis, Cell, Size, Value } from "../types.d.ts" */

const LARGEST = 50e6; // bytes of a JSON

/** @param {{name: string, type: string}} file */
export const isSavedFile = ({ name, type }) => type === "application/json" || /\.json$/i.test(name);

/**
 * Read a saved file: the analyses in it, each with its file's name if it has one; or nothing, when it holds none.
 * @param {Blob} file
 * @param {string[]} labels the codes that can be counted
 * @returns {Promise<{analyses: Analysis[], isCase: boolean} | null>}
 */
export async function readSaved(file, labels) {
  try {
    if (file.size > LARGEST) return null;
    const plain = JSON.parse(await file.text());
    const isCase = Array.isArray(plain.case);
    /** @type {Analysis[]} */
    const analyses = isCase ? plain.case : [plain];
    return analyses.length && analyses.every((one) => isAnalysis(one, labels)) ? { analyses, isCase } : null;
  } catch {
    return null;
  }
}

/**
 * Tell whether a value can be shown and counted; the server looks closer once its image is there.
 * @param {Analysis} plain what was read, of which nothing is certain
 * @param {string[]} labels
 */
export function isAnalysis(plain, labels) {
  const isSize = (/** @type {unknown} */ value) => Number.isInteger(value) && Number(value) > 0;
  const isCell = (/** @type {Cell} */ { id, box, score, probability, label, probabilities, edited }) =>
    isSize(id) &&
    Array.isArray(box) &&
    [...box, score, probability].every(Number.isFinite) &&
    labels.includes(label) &&
    Object.values(probabilities).every(Number.isFinite) &&
    (!edited || (Array.isArray(edited.from) && Number.isFinite(Date.parse(edited.at))));
  return (
    isSize(plain.image.width) &&
    isSize(plain.image.height) &&
    Number.isFinite(plain.confidence) &&
    [...plain.cells, ...(plain.removed || [])].every(isCell)
  );
}

/**
 * Tell whether a saved analysis can be that of a value: the same size, and the same name where it names a file.
 * @param {{image: Size, file?: string}} plain
 * @param {Value} value
 */
export function fits(plain, value) {
  const { width, height } = value.image;
  const isNamedAlike = !plain.file || stem(plain.file) === stem(value.file);
  return plain.image.width === width && plain.image.height === height && isNamedAlike;
}

/**
 * Return the name of a file without its ending.
 * @param {string} name
 */
export function stem(name) {
  return name.replace(/(?<=.)\.[^.]*$/, "");
}
