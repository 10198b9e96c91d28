// Masks widened and narrowed with discs as OpenCV does, and Otsu's threshold.

import { roundHalfEven } from "./numbers.js";

/** @import { Mask } from "./types.d.ts" */

/**
 * Return a mask with the pixels around it.
 * @param {Mask} mask
 * @param {number} width of the disc in pixels, odd
 */
export function dilatedByDisc(mask, width) {
  return spread(mask, width, 1);
}

/**
 * @param {Mask} mask
 * @param {number} width of the disc in pixels, odd
 */
export function openedByDisc(mask, width) {
  return spread(spread(mask, width, 0), width, 1);
}

/**
 * @param {Mask} mask
 * @param {number} width of the disc in pixels, odd
 */
export function closedByDisc(mask, width) {
  return spread(spread(mask, width, 1), width, 0);
}

/**
 * Spread the pixels of a value over those in the disc around each.
 * @param {Mask} mask
 * @param {number} diameter
 * @param {0 | 1} value
 * @returns {Mask}
 */
function spread({ width, height, data }, diameter, value) {
  const radius = diameter >> 1;
  const reaches = discRows(diameter);
  const result = data.slice();
  for (let i = 0; i < data.length; i++) {
    if (data[i] !== value || isAmong(data, i, width)) continue;
    const [x, y] = [i % width, Math.floor(i / width)];
    for (let dy = Math.max(-radius, -y); dy <= Math.min(radius, height - 1 - y); dy++) {
      const reach = reaches[dy + radius];
      const row = (y + dy) * width;
      result.fill(value, row + Math.max(x - reach, 0), row + Math.min(x + reach + 1, width));
    }
  }
  return { width, height, data: result };
}

/**
 * Tell whether the pixels on all four sides have the same value, and spread it as far: only borders need a look.
 * @param {Uint8Array} data
 * @param {number} i
 * @param {number} width
 */
function isAmong(data, i, width) {
  const value = data[i];
  return (
    i % width !== 0 &&
    i % width !== width - 1 &&
    data[i - 1] === value &&
    data[i + 1] === value &&
    data[i - width] === value &&
    data[i + width] === value
  );
}

/**
 * Return how far a disc reaches to the left and right of its middle in each row.
 * @param {number} diameter odd
 */
function discRows(diameter) {
  const radius = diameter >> 1;
  return Array.from({ length: diameter }, (_, i) => roundHalfEven(Math.sqrt(radius ** 2 - (i - radius) ** 2)));
}

/**
 * Return the level, 0 to 255, that parts two kinds of pixels best (Otsu 1979): those above it are of the one.
 * @param {Uint8Array} levels at least one
 */
export function otsu(levels) {
  const counts = new Uint32Array(256);
  for (const level of levels) counts[level] += 1;
  const scale = 1 / levels.length;
  const mean = counts.reduce((sum, count, level) => sum + level * count, 0) * scale;
  const tiny = 2 ** -23;
  let [below, belowMean, most, best] = [0, 0, 0, 0];
  for (let level = 0; level < 256; level++) {
    const share = counts[level] * scale;
    belowMean *= below;
    below += share;
    const above = 1 - below;
    if (Math.min(below, above) < tiny || Math.max(below, above) > 1 - tiny) continue;
    belowMean = (belowMean + level * share) / below;
    const aboveMean = (mean - below * belowMean) / above;
    const spread = below * above * (belowMean - aboveMean) ** 2;
    if (spread > most) [most, best] = [spread, level];
  }
  return best;
}
