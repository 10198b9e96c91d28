// From a picture to an analysis: segment, crop, classify; the count is made by the viewer's own modules.

import { round } from "../../space/screen/static/model/json.js";
import { clip } from "./numbers.js";

/** @import { Analysis, Cell, Detection, Model, Picture, Progress, Settings } from "./types.d.ts" */
/** @import { Classifier } from "./classifier.js" */
/** @import { Segmenter } from "./segmenter.js" */

/**
 * @typedef {object} Models
 * @property {Segmenter} segmenter
 * @property {Classifier} classifier
 * @property {{segmenter: Model, classifier: Model}} names repo and revision of both
 */

/** Share of the work at which all cells are found and their naming begins. */
const FOUND = 0.8;

/**
 * Find, outline and name the nucleated cells of a picture, as `marrow.pipeline.analyze` does.
 * @param {Picture} picture
 * @param {Models} models
 * @param {number} [confidence] lowest segmenter score to keep, 0 to 1; the segmenter's default when left out
 * @param {Progress} [progress]
 * @returns {Promise<Analysis>} in pixels of the picture, rounded to tenths as in the JSON
 */
export async function analyze(picture, { segmenter, classifier, names }, confidence, progress = () => {}) {
  const detections = await segmenter.find(picture, confidence, (share) => progress(share * FOUND));
  const boxes = detections.map(({ box }) => box);
  const named = await classifier.name(picture, boxes, (share) => progress(FOUND + share * (1 - FOUND)));
  return {
    image: { width: picture.width, height: picture.height, stain_distance: classifier.stainDistance(picture) },
    models: { ...names, reference: null },
    confidence: confidence ?? segmenter.config.confidence,
    cells: detections.map((detection, i) => nameCell(i + 1, detection, named[i], classifier.labels)),
    removed: [],
  };
}

/**
 * @param {number} id
 * @param {Detection} detection
 * @param {{probabilities: number[], unlikeness: number | null}} named
 * @param {string[]} labels
 * @returns {Cell}
 */
function nameCell(id, { box, polygon, area, score }, { probabilities, unlikeness }, labels) {
  const probability = Math.max(...probabilities);
  const tenths = (/** @type {number} */ value) => round(value, 1);
  return {
    id,
    box: [tenths(box[0]), tenths(box[1]), tenths(box[2]), tenths(box[3])],
    polygon: polygon.map(([x, y]) => [tenths(x), tenths(y)]),
    area: tenths(area),
    score,
    label: labels[probabilities.indexOf(probability)],
    probability,
    probabilities: Object.fromEntries(labels.map((code, i) => [code, probabilities[i]])),
    unlikeness: unlikeness === null ? null : clip(unlikeness, 0, 2),
    edited: null,
  };
}

/**
 * Return the settings by which cells are counted: those of every count, with what the classifier says of itself.
 * @template {Pick<Settings, "rules">} Counting
 * @param {Counting} counting as `screen.viewer.make_settings` writes it
 * @param {Classifier} classifier
 */
export function settingsFor(counting, classifier) {
  return { ...counting, labels: classifier.labels, rules: { ...counting.rules, ...classifier.rules } };
}
