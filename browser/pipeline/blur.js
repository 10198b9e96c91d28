// Gaussian smoothing as OpenCV's GaussianBlur, of bytes in fixed-point numbers and of floats.

import { roundHalfEven } from "./numbers.js";

/** @import { Picture, Plane } from "./types.d.ts" */

/**
 * Smooth a picture; it is mirrored beyond its border.
 * @param {Picture} picture
 * @param {number} sigma in pixels
 * @returns {Picture}
 */
export function blurPicture({ width, height, data }, sigma) {
  const weights = wholeWeights(sigma);
  const rows = along(data, new Uint16Array(data.length), { lines: height, length: width, step: 3 }, weights);
  const both = across(rows, new Float64Array(data.length), { width: 3 * width, height }, weights);
  return { width, height, data: Uint8Array.from(both, (sum) => (sum + 32768) / 65536) };
}

/**
 * Smooth a plane; it is mirrored beyond its border.
 * @param {Plane} plane
 * @param {number} sigma in pixels
 * @returns {Plane}
 */
export function blurPlane({ width, height, data }, sigma) {
  const weights = gaussian(roundHalfEven(sigma * 8 + 1) | 1, sigma).map(Math.fround);
  const rows = along(data, new Float32Array(data.length), { lines: height, length: width, step: 1 }, weights);
  return { width, height, data: across(rows, new Float32Array(data.length), { width, height }, weights) };
}

/**
 * @template {Uint16Array | Float32Array} Target
 * @param {ArrayLike<number>} data
 * @param {Target} target
 * @param {{lines: number, length: number, step: number}} shape `step` channels
 * @param {number[]} weights
 */
function along(data, target, { lines, length, step }, weights) {
  const places = mirrored(length, weights.length >> 1).map((place) => place * step);
  for (let line = 0, to = 0; line < lines; line++) {
    const start = line * length * step;
    for (let i = 0; i < length; i++) {
      for (let channel = 0; channel < step; channel++, to++) {
        let sum = 0;
        for (let k = 0; k < weights.length; k++) sum += weights[k] * data[start + places[i + k] + channel];
        target[to] = sum;
      }
    }
  }
  return target;
}

/**
 * @template {Float64Array | Float32Array} Target
 * @param {ArrayLike<number>} data
 * @param {Target} target
 * @param {{width: number, height: number}} shape
 * @param {number[]} weights
 */
function across(data, target, { width, height }, weights) {
  const places = mirrored(height, weights.length >> 1).map((place) => place * width);
  for (let y = 0, to = 0; y < height; y++) {
    for (let x = 0; x < width; x++, to++) {
      let sum = 0;
      for (let k = 0; k < weights.length; k++) sum += weights[k] * data[places[y + k] + x];
      target[to] = sum;
    }
  }
  return target;
}

/**
 * Return the pixels of a row with those beyond both ends, which are mirrored at the outermost pixels.
 * @param {number} length
 * @param {number} reach
 */
function mirrored(length, reach) {
  const period = Math.max(2 * (length - 1), 1);
  return Array.from({ length: length + 2 * reach }, (_, i) => {
    const place = (((i - reach) % period) + period) % period;
    return Math.min(place, period - place, length - 1);
  });
}

/**
 * @param {number} length odd
 * @param {number} sigma
 */
function gaussian(length, sigma) {
  const values = Array.from({ length }, (_, i) => Math.exp(-((i - (length - 1) / 2) ** 2) / (2 * sigma * sigma)));
  const sum = values.reduce((all, value) => all + value, 0);
  return values.map((value) => value / sum);
}

/**
 * Return weights in 256ths that add up to 256: what rounding leaves goes on to the next, from both ends inwards.
 * @param {number} sigma
 */
function wholeWeights(sigma) {
  const exact = gaussian(roundHalfEven(sigma * 6 + 1) | 1, sigma);
  const middle = exact.length >> 1;
  const whole = exact.map(() => 0);
  let [left, sum] = [0, 0];
  for (let i = 0; i < middle; i++) {
    const wanted = exact[i] * 256 + left;
    whole[i] = roundHalfEven(wanted);
    whole[exact.length - 1 - i] = whole[i];
    left = wanted - whole[i];
    sum += 2 * whole[i];
  }
  whole[middle] = 256 - sum;
  return whole;
}
