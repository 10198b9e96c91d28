// From the logits of a mask to the outline of a cell, in pixels of the picture.

import { contour, polygonArea, simplify } from "./contour.js";
import { opened } from "./distance.js";
import { toPicture } from "./letterbox.js";
import { clip } from "./numbers.js";
import { samplePlane } from "./sampling.js";

/** @import { Box, Candidate, Detection, Mask, Plane } from "./types.d.ts" */

/** Most pixels of an outline's grid in one of the input, so that a huge picture takes no minutes. */
const FINEST = 3;

/** Share of a box; what is narrower leaks from the cell. */
const SMOOTHING = 0.2;

/**
 * Return the box of a candidate in pixels of the picture.
 * @param {Pick<Candidate, "box" | "frame">} candidate
 * @returns {Box}
 */
export function place({ box: [x0, y0, x1, y1], frame }) {
  return [...toPicture(frame, x0, y0), ...toPicture(frame, x1, y1)];
}

/**
 * Outline a cell; there is none for a mask without area.
 *
 * The logits are brought to the picture's own pixels, and the mask ends at those whose numbers lie in the box. The
 * outline is the border of these pixels.
 * @param {Candidate} candidate
 * @returns {Detection | null}
 */
export function outline(candidate) {
  const { frame, corner, logits, score } = candidate;
  const { limit, scale, offset, stride } = frame;
  const box = place(candidate);
  const pixel = Math.max(1, 1 / (FINEST * scale)); // pixels of the picture in one of the mask
  const [left, top, right, bottom] = box.map((value) => Math.ceil(value / pixel));
  if (right <= left || bottom <= top) return null;
  const step = (pixel * scale) / stride;
  const start = [left, top].map((first, i) => ((first + 0.5) * pixel * scale + offset[i]) / stride - 0.5 - corner[i]);
  const size = /** @type {[number, number]} */ ([right - left, bottom - top]);
  const part = samplePlane(logits, { step, start: [start[0], start[1]], size });
  const border = contour(opened(framed(part), (SMOOTHING * Math.min(...size)) / 2));
  if (!border.length) return null;
  const polygon = simplify(border).map(
    ([x, y]) =>
      /** @type {[number, number]} */ ([
        clip((x + left - 1) * pixel, 0, limit[0]),
        clip((y + top - 1) * pixel, 0, limit[1]),
      ]),
  );
  return { box, polygon, area: polygonArea(border) * pixel ** 2, score };
}

/**
 * Return where logits are above 0, with an empty pixel around.
 * @param {Plane} logits
 * @returns {Mask}
 */
function framed({ width, height, data }) {
  const wide = width + 2;
  const mask = new Uint8Array(wide * (height + 2));
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) mask[(y + 1) * wide + x + 1] = data[y * width + x] > 0 ? 1 : 0;
  }
  return { width: wide, height: height + 2, data: mask };
}
