// Where a picture is stained like nuclei, and which outlines hold one, as `marrow/nuclei.py` tells.

import { clip } from "./numbers.js";
import { shrinkArea } from "./resize.js";
import { nuclearColour, opticalDensity, thinnedSize } from "./stain.js";

/** @import { Box, Picture } from "./types.d.ts" */

/** Longest side of the picture, in pixels, in which nuclei are looked for. */
const THUMBNAIL = 2048;

/** Share of a picture's pixels that are taken for its darkest nuclei. */
const DARKEST = 0.001;

/** Of the colour of the darkest nuclei, the share from which on a pixel may be nucleus, pale ones included. */
const PALE = 0.12;

/** What is less of that colour is not stained. */
const FAINT = 0.01;

/** Pixels of the thumbnail's nuclei from which a tile may hold a cell. */
const NUCLEUS = 6;

/** Share of a cell's box, around its middle, and share of that part that is nucleus at least. */
const [INNER, NUCLEAR] = [0.8, 0.05];

/** Where a picture is stained like nuclei. */
export class Nuclei {
  /** @param {Picture} picture */
  constructor(picture) {
    const [width, height] = thinnedSize(picture, THUMBNAIL);
    const colour = nuclearColour(opticalDensity(shrinkArea(picture, width, height)));
    const bound = Math.max(PALE * darkest(colour), FAINT);
    this.scale = Math.min(1, THUMBNAIL / Math.max(picture.width, picture.height));
    this.width = width;
    this.height = height;
    /** Sums over all pixels above and to the left of each place, one column and row more than pixels. */
    this.counts = new Uint32Array((width + 1) * (height + 1));
    for (let y = 0; y < height; y++) {
      let row = 0;
      for (let x = 0; x < width; x++) {
        row += colour[y * width + x] >= bound ? 1 : 0;
        this.counts[(y + 1) * (width + 1) + x + 1] = this.counts[y * (width + 1) + x + 1] + row;
      }
    }
  }

  /**
   * Tell whether there may be a nucleus in a box, in pixels of the picture.
   * @param {Box} box
   */
  areIn(box) {
    return this._count(box)[0] >= NUCLEUS;
  }

  /**
   * Tell whether what a box encloses, in pixels of the picture, has a nucleus, as no red cell has.
   *
   * A picture that is not stained, and shows none anywhere, cannot tell: there every box may.
   * @param {Box} box
   */
  makeACellOf([x0, y0, x1, y1]) {
    const [x, y] = [(x0 + x1) / 2, (y0 + y1) / 2];
    const [across, down] = [(x1 - x) * INNER, (y1 - y) * INNER];
    const [count, pixels] = this._count([x - across, y - down, x + across, y + down]);
    return count >= NUCLEAR * pixels || this.counts[this.counts.length - 1] === 0;
  }

  /**
   * Return how many pixels of the thumbnail are nucleus in a box, and how many there are.
   * @param {Box} box
   */
  _count(box) {
    const [x0, y0, x1, y1] = box.map((value) => value * this.scale);
    const [left, right] = [Math.floor(x0), Math.ceil(x1)].map((x) => clip(x, 0, this.width));
    const [top, bottom] = [Math.floor(y0), Math.ceil(y1)].map((y) => clip(y, 0, this.height));
    const { counts } = this;
    const [above, below] = [top, bottom].map((y) => y * (this.width + 1));
    const count = counts[below + right] - counts[above + right] - counts[below + left] + counts[above + left];
    return [count, (right - left) * (bottom - top)];
  }
}

/**
 * Return how much of the colour of nuclei is in the darkest of a picture.
 * @param {Float32Array} colour of each pixel
 */
function darkest(colour) {
  return Float32Array.from(colour).sort()[Math.floor((1 - DARKEST) * (colour.length - 1))];
}
