// Where a picture is stained like nuclei, and which outlines hold one, as `marrow/nuclei.py` tells.

import { clip } from "./numbers.js";
import { shrinkArea } from "./resize.js";
import { nuclearColour, opticalDensity, thinnedSize } from "./stain.js";

/** @import { Box, Picture } from "./types.d.ts" */

/** Most pixels of the longest side of the picture in which nuclei are looked for, and its scale where that allows it. */
const [THUMBNAIL, THINNED] = [2048, 0.5];

/** Share of a picture's pixels that are taken for its darkest nuclei. */
const DARKEST = 0.001;

/** Of the colour of the darkest nuclei, the share from which on a pixel may be nucleus, pale ones included. */
const PALE = 0.1;

/** What is less of that colour is not stained. */
const FAINT = 0.01;

/** Pixels of the thumbnail's nuclei from which a tile may hold a cell. */
const NUCLEUS = 6;

/** Share of a cell's box, around its middle, and the share of that part whose colour stands for its nucleus. */
const [INNER, NUCLEAR] = [0.8, 0.05];

/** By how much paler than all others outlines of one picture are no cells, if none of them has more than the second. */
const [GAP, MOST_PALE] = [2.5, 0.25];

/** Where a picture is stained like nuclei. */
export class Nuclei {
  /** @param {Picture} picture */
  constructor(picture) {
    const longest = Math.max(picture.width, picture.height);
    this.scale = Math.min(THINNED, THUMBNAIL / longest);
    const [width, height] = thinnedSize(picture, this.scale * longest);
    this.colour = nuclearColour(opticalDensity(shrinkArea(picture, width, height)));
    this.darkest = exceededBy(DARKEST, this.colour);
    this.width = width;
    this.height = height;
  }

  /**
   * Tell whether there may be a nucleus in a box, in pixels of the picture.
   * @param {Box} box
   */
  areIn(box) {
    const bound = Math.max(PALE * this.darkest, FAINT);
    return this._part(box).filter((value) => value >= bound).length >= NUCLEUS;
  }

  /**
   * Say how much of the colour of the darkest nuclei the nuclei of outlines have, 1 for all where nothing is stained.
   * @param {Box[]} boxes in pixels of the picture
   */
  shares(boxes) {
    if (this.darkest < FAINT) return boxes.map(() => 1);
    return boxes.map(([x0, y0, x1, y1]) => {
      const [x, y] = [(x0 + x1) / 2, (y0 + y1) / 2];
      const [across, down] = [((x1 - x0) / 2) * INNER, ((y1 - y0) / 2) * INNER];
      return exceededBy(NUCLEAR, this._part([x - across, y - down, x + across, y + down])) / this.darkest;
    });
  }

  /** @param {Box} box */
  _part(box) {
    const [x0, y0, x1, y1] = box.map((value) => value * this.scale);
    const [left, right] = [Math.floor(x0), Math.ceil(x1)].map((x) => clip(x, 0, this.width));
    const [top, bottom] = [Math.floor(y0), Math.ceil(y1)].map((y) => clip(y, 0, this.height));
    const part = new Float32Array(Math.max(0, right - left) * Math.max(0, bottom - top));
    for (let y = top; y < bottom; y++) {
      const row = this.colour.subarray(y * this.width + left, y * this.width + right);
      part.set(row, (y - top) * (right - left));
    }
    return part;
  }
}

/**
 * Return the share from which on outlines of a picture are cells.
 * @param {number[]} shares of those that are sure otherwise
 */
export function leastShare(shares) {
  const falling = shares.toSorted((a, b) => b - a);
  const noCell = falling.find((share, i) => i > 0 && share < MOST_PALE && falling[i - 1] >= GAP * share);
  return noCell === undefined || noCell < PALE ? PALE : noCell * (1 + Number.EPSILON);
}

/**
 * Return what a share of the pixels exceed; 0 where there are none.
 * @param {number} share
 * @param {Float32Array} colour
 */
function exceededBy(share, colour) {
  return colour.length ? Float32Array.from(colour).sort()[Math.floor((1 - share) * (colour.length - 1))] : 0;
}
