// Distances in masks as OpenCV's distanceTransform gives them (DIST_L2, 5×5), and masks opened by them.

/** @import { Mask } from "./types.d.ts" */

/** Length of a step to a neighbour, to a diagonal one, and of a knight's move (Borgefors 1986). */
const [STRAIGHT, DIAGONAL, KNIGHT] = [1, 1.4, 2.1969].map(Math.fround);

/** @type {[number, number, number][]} columns, rows and length of the steps to what was seen before */
const STEPS = [
  [-1, -2, KNIGHT],
  [1, -2, KNIGHT],
  [-2, -1, KNIGHT],
  [-1, -1, DIAGONAL],
  [0, -1, STRAIGHT],
  [1, -1, DIAGONAL],
  [2, -1, KNIGHT],
  [-1, 0, STRAIGHT],
];

/**
 * Open a mask with a disc: what is narrower goes.
 * @param {Mask} mask
 * @param {number} radius in pixels
 * @returns {Mask}
 */
export function opened(mask, radius) {
  const { width, height, data } = mask;
  const bound = Math.fround(radius);
  const core = distances(mask, 0).map((distance) => (distance > bound ? 1 : 0));
  if (!core.includes(1)) return { width, height, data: new Uint8Array(data.length) };
  const around = distances({ width, height, data: Uint8Array.from(core) }, 1);
  return { width, height, data: data.map((inside, i) => (inside && around[i] <= bound ? 1 : 0)) };
}

/**
 * Return how far each pixel lies from the nearest one of a value, row by row.
 * @param {Mask} mask
 * @param {0 | 1} value
 * @returns {Float32Array}
 */
export function distances({ width, height, data }, value) {
  const stride = width + 4; // two pixels around, that are far from all
  const far = new Float32Array(stride * (height + 4)).fill(Infinity);
  const steps = STEPS.map(([x, y, length]) => ({ offset: y * stride + x, length }));
  const visit = (/** @type {number} */ at, /** @type {1 | -1} */ direction) => {
    let nearest = far[at];
    for (const { offset, length } of steps)
      nearest = Math.min(nearest, Math.fround(far[at + direction * offset] + length));
    far[at] = nearest;
  };
  for (let i = 0; i < data.length; i++) {
    const at = (Math.floor(i / width) + 2) * stride + (i % width) + 2;
    if (data[i] === value) far[at] = 0;
    else visit(at, 1);
  }
  const inside = new Float32Array(data.length);
  for (let i = data.length - 1; i >= 0; i--) {
    const at = (Math.floor(i / width) + 2) * stride + (i % width) + 2;
    visit(at, -1);
    inside[i] = far[at];
  }
  return inside;
}
