// How a picture is laid into the network's input, as `letterbox` in `marrow/segmenter.py` does.

import { clip, roundHalfEven } from "./numbers.js";
import { scaledSize, shrinkArea, shrinkLinear } from "./resize.js";

/** @import { Frame, Picture, Tensor } from "./types.d.ts" */

/** The grey level of the frame. */
const GREY = 114;

/** What brings a level to 0…1, in single precision. */
const SHARE = Math.fround(1 / 255);

/** Pixels that the sides of an input are multiples of. */
const BUCKET = 64;

/**
 * Fit a picture into a grey frame, and never enlarge it.
 * @param {Picture} picture
 * @param {[number, number]} size columns and rows of the frame in pixels
 * @param {number} [scale] size of the picture in the frame, as a share of its own; the largest that fits when left out
 * @returns {{input: Tensor, scale: number, corner: [number, number]}} the input, 0 to 1, and left and top in it
 */
export function letterbox(picture, [columns, rows], scale) {
  const fit = scale ?? Math.min(rows / picture.height, columns / picture.width, 1);
  const [width, height] = scaledSize(picture, fit);
  const shrink = scale === undefined ? shrinkLinear : shrinkArea;
  const { data: pixels } = shrink(picture, width, height);
  const left = roundHalfEven((columns - width) / 2 - 0.1);
  const top = roundHalfEven((rows - height) / 2 - 0.1);
  const data = new Float32Array(3 * rows * columns).fill(GREY * SHARE);
  for (let y = 0, from = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      const to = (top + y) * columns + left + x;
      for (let channel = 0; channel < 3; channel++) data[channel * rows * columns + to] = pixels[from++] * SHARE;
    }
  }
  return { input: { data, dims: [1, 3, rows, columns] }, scale: fit, corner: [left, top] };
}

/**
 * Return columns and rows of the frame of a scaled picture: few sizes, since the first use of each takes longer.
 * @param {Picture} picture
 * @param {number} scale
 * @returns {[number, number]}
 */
export function bucket({ width, height }, scale) {
  const side = (/** @type {number} */ length) =>
    BUCKET * Math.max(1, Math.ceil(roundHalfEven(length * scale) / BUCKET));
  return [side(width), side(height)];
}

/**
 * Bring a point of the input into the picture.
 * @param {Frame} frame
 * @param {number} x
 * @param {number} y
 * @returns {[number, number]}
 */
export function toPicture({ limit, scale, offset }, x, y) {
  return [clip((x - offset[0]) / scale, 0, limit[0]), clip((y - offset[1]) / scale, 0, limit[1])];
}
