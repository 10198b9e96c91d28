// The crop: the one way in which a cell is cut out, as in `marrow/crop.py`.

import { blurPicture } from "./blur.js";
import { cut } from "./resize.js";
import { scalePicture } from "./sampling.js";

/** @import { Box, CropConfig, Picture } from "./types.d.ts" */

/** Scale below which a picture is smoothed first: the four pixels around a place alone would skip others. */
const SMOOTHED_BELOW = 0.5;

/**
 * Cut a square around a cell, so that the cell has the same size whatever the magnification.
 * @param {Picture} picture
 * @param {Box} box around the cell in pixels; parts outside the picture become background
 * @param {CropConfig} config
 */
export function cropCell(picture, box, { size, context, background }) {
  const side = Math.max(box[2] - box[0], box[3] - box[1], 1) * (1 + 2 * context);
  const crop = cutSquare(picture, box, side, size, background);
  const middle = (size - 1) / 2;
  for (let y = 0; y < size; y++) {
    for (let x = 0; x < size; x++) {
      const at = 3 * (y * size + x);
      if (Math.hypot(x - middle, y - middle) > size / 2) crop.data.fill(background, at, at + 3);
    }
  }
  return crop;
}

/**
 * Cut a square around the middle of a box.
 * @param {Picture} picture
 * @param {Box} box in pixels
 * @param {number} side of the square in pixels of the picture
 * @param {number} size of the square in pixels of what is returned
 * @param {number} background level of what lies outside the picture
 * @returns {Picture}
 */
function cutSquare(picture, [x0, y0, x1, y1], side, size, background) {
  const scale = size / side;
  const [startX, startY] = [(x0 + x1 - side) / 2, (y0 + y1 - side) / 2];
  const around = 3 + 1.2 / scale; // pixels that smoothing may need
  const left = Math.max(Math.floor(startX - around), 0);
  const top = Math.max(Math.floor(startY - around), 0);
  const right = Math.min(Math.ceil(startX + side + around), picture.width);
  const bottom = Math.min(Math.ceil(startY + side + around), picture.height);
  if (right <= left || bottom <= top) {
    return { width: size, height: size, data: new Uint8Array(3 * size * size).fill(background) };
  }
  const part = cut(picture, [left, top, right, bottom]);
  const smooth = scale < SMOOTHED_BELOW ? blurPicture(part, 0.4 / scale) : part;
  // centres of pixels onto centres of pixels
  const [shiftX, shiftY] = [
    [left, startX],
    [top, startY],
  ].map(([first, start]) => (first - start) * scale + 0.5 * scale - 0.5);
  return scalePicture(smooth, scale, [shiftX, shiftY], size, background);
}
