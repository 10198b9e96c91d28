// What a segmenter's raw outputs say: boxes, scores, and masks as sums of prototypes.

import { suppress } from "./boxes.js";
import { clip } from "./numbers.js";

/** @import { Box, Plane, Tensor } from "./types.d.ts" */
/** @typedef {{box: Box, score: number, coefficients: Float32Array}} Row box in pixels of the input, score 0 to 1 */

/** Pixels of the prototypes around a box in which its mask is computed too. */
const AROUND = 2;

/**
 * Return boxes, scores and mask coefficients of the best rows, by falling score.
 * @param {Tensor} rows `(1, 4 + classes + coefficients, anchors)`; centre, width and height in pixels of the input
 * @param {number} confidence lowest score to keep, 0 to 1
 * @param {number} iou overlap above which the weaker of two goes, 0 to 1
 * @param {number} classes their number
 */
export function decode({ data, dims: [, length, anchors] }, confidence, iou, classes) {
  const bound = Math.fround(confidence);
  /** @type {Row[]} */
  const chosen = [];
  for (let i = 0; i < anchors; i++) {
    let score = data[4 * anchors + i];
    for (let k = 1; k < classes; k++) score = Math.max(score, data[(4 + k) * anchors + i]);
    if (!(score >= bound)) continue;
    const row = Float32Array.from({ length }, (_, k) => data[k * anchors + i]);
    chosen.push({ box: corners(row), score, coefficients: row.subarray(4 + classes) });
  }
  const boxes = chosen.map(({ box }) => box);
  const scores = chosen.map(({ score }) => score);
  return suppress(boxes, scores, iou).map((i) => chosen[i]);
}

/**
 * @param {Float32Array} row
 * @returns {Box}
 */
function corners([x, y, width, height]) {
  return [
    Math.fround(x - width / 2),
    Math.fround(y - height / 2),
    Math.fround(x + width / 2),
    Math.fround(y + height / 2),
  ];
}

/**
 * Return the logits of a mask in a box and a little around it, and column and row at which they begin.
 * @param {Float32Array} coefficients
 * @param {Tensor} prototypes `(1, coefficients, rows, columns)`
 * @param {Box} box in pixels of the input
 * @param {number} stride pixels of the input in one of the prototypes
 * @returns {{logits: Plane, corner: [number, number]}}
 */
export function maskLogits(coefficients, { data, dims: [, , rows, columns] }, box, stride) {
  const [x0, y0, x1, y1] = box.map((value) => Math.fround(value / stride));
  const left = clip(Math.floor(x0) - AROUND, 0, columns - 1);
  const top = clip(Math.floor(y0) - AROUND, 0, rows - 1);
  const width = Math.max(clip(Math.ceil(x1) + AROUND, 1, columns) - left, 0);
  const height = Math.max(clip(Math.ceil(y1) + AROUND, 1, rows) - top, 0);
  const sums = new Float64Array(width * height);
  coefficients.forEach((coefficient, k) => {
    for (let y = 0, to = 0; y < height; y++) {
      const from = (k * rows + top + y) * columns + left;
      for (let x = 0; x < width; x++, to++) sums[to] += coefficient * data[from + x];
    }
  });
  return { logits: { width, height, data: Float32Array.from(sums) }, corner: [left, top] };
}
