// Places between pixels, as OpenCV's warpAffine does with INTER_LINEAR where nothing is turned.

import { clip, roundHalfEven } from "./numbers.js";

/** @import { Picture, Plane } from "./types.d.ts" */

/**
 * Take values of a plane at the places of a grid; beyond the border they go on as at it.
 * @param {Plane} plane
 * @param {{step: number, start: [number, number], size: [number, number]}} grid distance of its places, the first
 *   of them, and columns and rows; centres of pixels lie at whole numbers
 * @returns {Plane}
 */
export function samplePlane(plane, { step, start, size: [width, height] }) {
  const [across, down] = [places(width, step, start[0]), places(height, step, start[1])];
  const data = new Float32Array(width * height);
  const columns = across.map(({ index }) => within(index, plane.width));
  down.forEach(({ index, share: below }, y) => {
    const [upper, lower] = within(index, plane.height).map((row) => row * plane.width);
    across.forEach(({ share }, x) => {
      const [left, right] = columns[x];
      const high = between(plane.data[upper + left], plane.data[upper + right], share);
      const low = between(plane.data[lower + left], plane.data[lower + right], share);
      data[y * width + x] = between(high, low, below);
    });
  });
  return { width, height, data };
}

/**
 * Scale and shift a picture, and cut a square out of it.
 * @param {Picture} picture
 * @param {number} scale pixels of the square in one of the picture
 * @param {[number, number]} shift place of the picture's first pixel in the square
 * @param {number} size of the square
 * @param {number} background level of what lies outside the picture, 0 to 255
 * @returns {Picture}
 */
export function scalePicture(picture, scale, shift, size, background) {
  const step = scale * (1 / (scale * scale)); // the inverse, in the order in which OpenCV computes it
  const [across, down] = shift.map((first) => places(size, step, -step * first));
  const data = new Uint8Array(3 * size * size);
  const { width, height } = picture;
  const at = (/** @type {number} */ x, /** @type {number} */ y, /** @type {number} */ channel) =>
    x < 0 || y < 0 || x >= width || y >= height ? background : picture.data[3 * (y * width + x) + channel];
  let to = 0;
  for (const { index: y, share: below } of down) {
    for (const { index: x, share } of across) {
      for (let channel = 0; channel < 3; channel++, to++) {
        const high = between(at(x, y, channel), at(x + 1, y, channel), share);
        const low = between(at(x, y + 1, channel), at(x + 1, y + 1, channel), share);
        data[to] = clip(roundHalfEven(between(high, low, below)), 0, 255);
      }
    }
  }
  return { width: size, height: size, data };
}

/**
 * Return the pixel before each place of a row, and how far behind it the place lies, 0 to 1.
 * @param {number} count
 * @param {number} step
 * @param {number} start
 */
function places(count, step, start) {
  const [each, first] = [Math.fround(step), Math.fround(start)];
  return Array.from({ length: count }, (_, i) => {
    const place = Math.fround(i * each + first);
    const index = Math.floor(place);
    return { index, share: Math.fround(place - index) };
  });
}

/**
 * @param {number} index
 * @param {number} length
 */
function within(index, length) {
  return [clip(index, 0, length - 1), clip(index + 1, 0, length - 1)];
}

/**
 * Return a value between two, in single precision.
 * @param {number} first
 * @param {number} second
 * @param {number} share 0 is the first, 1 the second
 */
function between(first, second, share) {
  return Math.fround(first + share * Math.fround(second - first));
}
