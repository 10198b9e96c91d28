// Pictures made smaller, as OpenCV's resize does with INTER_AREA and INTER_LINEAR, to the last bit.

import { clip, roundHalfEven } from "./numbers.js";

/** @import { Box, Picture } from "./types.d.ts" */

/** Bits behind the point of the weights of `shrinkLinear`. */
const WEIGHT_BITS = 11;

/**
 * Cut a part out of a picture.
 * @param {Picture} picture
 * @param {Box} box in whole pixels, within the picture
 * @returns {Picture}
 */
export function cut(picture, [left, top, right, bottom]) {
  const [width, height] = [right - left, bottom - top];
  if (width === picture.width && height === picture.height) return picture;
  const data = new Uint8Array(3 * width * height);
  for (let y = 0; y < height; y++) {
    const start = 3 * ((top + y) * picture.width + left);
    data.set(picture.data.subarray(start, start + 3 * width), 3 * y * width);
  }
  return { width, height, data };
}

/**
 * Return width and height of a scaled picture, in whole pixels, at least 1.
 * @param {{width: number, height: number}} size
 * @param {number} scale
 * @returns {[number, number]}
 */
export function scaledSize({ width, height }, scale) {
  return [Math.max(1, roundHalfEven(width * scale)), Math.max(1, roundHalfEven(height * scale))];
}

/**
 * Make a picture smaller, by the mean of what falls into each pixel (INTER_AREA).
 * @param {Picture} picture
 * @param {number} width of what is returned, at most that of the picture
 * @param {number} height
 * @returns {Picture}
 */
export function shrinkArea(picture, width, height) {
  if (width === picture.width && height === picture.height) return picture;
  const isWhole = picture.width % width === 0 && picture.height % height === 0;
  return isWhole ? meanOfBlocks(picture, width, height) : meanOfShares(picture, width, height);
}

/**
 * @param {Picture} picture
 * @param {number} width a divisor of the picture's
 * @param {number} height
 * @returns {Picture}
 */
function meanOfBlocks(picture, width, height) {
  const [columns, rows] = [picture.width / width, picture.height / height];
  const data = new Uint8Array(3 * width * height);
  const share = Math.fround(1 / (columns * rows));
  const isQuarter = columns === 2 && rows === 2;
  const stride = 3 * picture.width;
  for (let y = 0, to = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      for (let channel = 0; channel < 3; channel++, to++) {
        let sum = 0;
        const start = y * rows * stride + 3 * x * columns + channel;
        for (let row = start; row < start + rows * stride; row += stride) {
          for (let from = row; from < row + 3 * columns; from += 3) sum += picture.data[from];
        }
        data[to] = isQuarter ? (sum + 2) >> 2 : roundHalfEven(sum * share);
      }
    }
  }
  return { width, height, data };
}

/**
 * @param {Picture} picture
 * @param {number} width
 * @param {number} height
 * @returns {Picture}
 */
function meanOfShares(picture, width, height) {
  const [across, down] = [shares(picture.width, width), shares(picture.height, height)];
  const data = new Uint8Array(3 * width * height);
  const sums = new Float32Array(3 * width);
  for (let y = 0; y < height; y++) {
    sums.fill(0);
    down[y].weights.forEach((weight, i) => {
      addRow(picture, down[y].first + i, across, weight, sums);
    });
    for (let i = 0; i < sums.length; i++) data[y * sums.length + i] = roundHalfEven(sums[i]);
  }
  return { width, height, data };
}

/**
 * Add a row of a picture to a row of sums, made narrower.
 * @param {Picture} picture
 * @param {number} y
 * @param {{first: number, weights: Float32Array}[]} across
 * @param {number} weight of the row
 * @param {Float32Array} sums
 */
function addRow(picture, y, across, weight, sums) {
  const row = picture.data.subarray(3 * y * picture.width, 3 * (y + 1) * picture.width);
  for (let x = 0, to = 0; x < across.length; x++) {
    const { first, weights } = across[x];
    for (let channel = 0; channel < 3; channel++, to++) {
      let sum = 0;
      for (let i = 0; i < weights.length; i++) sum = Math.fround(sum + row[3 * (first + i) + channel] * weights[i]);
      sums[to] += sum * weight;
    }
  }
}

/**
 * Return of which pixels a shorter row is made, and how much of each: for each pixel the first one, and the weights.
 * @param {number} from
 * @param {number} to
 */
function shares(from, to) {
  const scale = from / to;
  return Array.from({ length: to }, (_, i) => {
    const [start, end] = [i * scale, i * scale + scale];
    const last = Math.min(Math.floor(end), from - 1);
    const whole = Math.min(Math.ceil(start), last);
    const width = Math.min(scale, from - start);
    const first = whole - start > 1e-3 ? whole - 1 : whole; // less than a thousandth of a pixel is left out
    const weights = Array.from({ length: last - first }, (_, k) => (first + k < whole ? whole - start : 1) / width);
    if (end - last > 1e-3) weights.push(Math.min(end - last, 1, width) / width);
    return { first, weights: Float32Array.from(weights) };
  });
}

/**
 * Make a picture smaller, by the four pixels around each place (INTER_LINEAR, in fixed-point numbers).
 * @param {Picture} picture
 * @param {number} width of what is returned, at most that of the picture
 * @param {number} height
 * @returns {Picture}
 */
export function shrinkLinear(picture, width, height) {
  if (width === picture.width && height === picture.height) return picture;
  const [across, down] = [places(picture.width, width), places(picture.height, height)];
  const data = new Uint8Array(3 * width * height);
  for (let y = 0, to = 0; y < height; y++) {
    const [upper, lower] = [down.first[y], down.second[y]].map((row) => 3 * row * picture.width);
    for (let x = 0; x < width; x++) {
      for (let channel = 0; channel < 3; channel++, to++) {
        const [left, right] = [3 * across.first[x] + channel, 3 * across.second[x] + channel];
        const at = (/** @type {number} */ row) =>
          picture.data[row + left] * across.near[x] + picture.data[row + right] * across.far[x];
        // the products are cut off one by one
        const high = ((at(upper) >> 4) * down.near[y]) >> 16;
        const low = ((at(lower) >> 4) * down.far[y]) >> 16;
        data[to] = (high + low + 2) >> 2;
      }
    }
  }
  return { width, height, data };
}

/**
 * Return between which two pixels each pixel of a shorter row lies, and the weights of both.
 * @param {number} from
 * @param {number} to
 */
function places(from, to) {
  const [first, second] = [new Int32Array(to), new Int32Array(to)];
  const [near, far] = [new Int32Array(to), new Int32Array(to)];
  for (let i = 0; i < to; i++) {
    const place = Math.fround((i + 0.5) * (from / to) - 0.5);
    const floor = Math.floor(place);
    first[i] = clip(floor, 0, from - 1);
    second[i] = clip(floor + 1, 0, from - 1);
    const share = Math.fround(place - floor);
    near[i] = roundHalfEven(Math.fround(1 - share) * (1 << WEIGHT_BITS));
    far[i] = roundHalfEven(share * (1 << WEIGHT_BITS));
  }
  return { first, second, near, far };
}
