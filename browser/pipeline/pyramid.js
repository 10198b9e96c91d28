// The image pyramid, as in `marrow/pyramid.py`: at which scales, and in which tiles, a picture is looked at.

import { clip } from "./numbers.js";
import { shrinkArea } from "./resize.js";
import { nuclearMask, opticalDensity, thinnedSize } from "./stain.js";

/** @import { Box, Picture, Tile } from "./types.d.ts" */

/** Pixels of the network's input that two tiles share. */
const OVERLAP = 128;

/** Pixels of the input from a border that runs through the picture within which a cell may be cut. */
const MARGIN = 8;

/** Pixels of the input from such a border within which the centre of a cell is the neighbouring tile's. */
const OWN = OVERLAP / 2 - MARGIN;

/** Longest side of the picture, in pixels, in which nuclei are looked for. */
const THUMBNAIL = 2048;

/** Strictness with which they are looked for, since pale nuclei lie beside dark ones. */
const PALE = 0.9;

/** Pixels of the thumbnail's nuclei from which a tile may hold a cell. */
const NUCLEUS = 6;

/** Share of a cell's box, around its middle, and share of that part that is nucleus at least. */
const [INNER, NUCLEAR] = [0.8, 0.01];

/**
 * List the scales of a picture, the coarsest first: from half of the one at which it fits to its own size.
 * @param {number} width in pixels
 * @param {number} height
 * @param {number} side of the network's input in pixels
 */
export function listScales(width, height, side) {
  const scales = [1];
  while (Math.max(width, height) * scales[0] > side) scales.unshift(scales[0] / 2);
  return [scales[0] / 2, ...scales];
}

/**
 * Cut a picture into tiles that share OVERLAP with their neighbours; one alone where the picture fits.
 * @param {number} width in pixels
 * @param {number} height
 * @param {number} side of the network's input in pixels
 * @param {number} scale a power of a half
 * @returns {Tile[]}
 */
export function listTiles(width, height, side, scale) {
  const columns = spans(width, side / scale, OVERLAP / scale);
  return spans(height, side / scale, OVERLAP / scale).flatMap(([top, bottom]) =>
    columns.map(([left, right]) => {
      const cut = /** @type {Tile["cut"]} */ ([left > 0, top > 0, right < width, bottom < height]);
      return { box: /** @type {Box} */ ([left, top, right, bottom]), scale, cut };
    }),
  );
}

/**
 * @param {number} length
 * @param {number} side
 * @param {number} overlap
 */
function spans(length, side, overlap) {
  if (length <= side) return [[0, length]];
  const count = Math.ceil((length - overlap) / (side - overlap));
  const starts = Array.from({ length: count }, (_, i) => i * (side - overlap));
  return starts.map((start) => [start, Math.min(start + side, length)]);
}

/**
 * Tell whether a tile shows a box, and no neighbour shows it better.
 *
 * No border of the tile cuts it nor comes near, and its centre, where a neighbour shows the box whole too, since it is
 * no larger than the overlap, does not lie on that one's side of the overlap.
 * @param {Tile} tile
 * @param {Box} box in pixels of the picture
 */
export function holds(tile, [x0, y0, x1, y1]) {
  const isLarge = Math.max(x1 - x0, y1 - y0) * tile.scale > OVERLAP - 2 * MARGIN;
  const [x, y] = [(x0 + x1) / 2, (y0 + y1) / 2];
  return isInside(tile, [x0, y0, x1, y1], MARGIN) && (isLarge || isInside(tile, [x, y, x, y], OWN));
}

/**
 * Tell whether a box keeps a margin, in pixels of the input, from the borders that run through the picture.
 * @param {Tile} tile
 * @param {Box} box
 * @param {number} margin
 */
function isInside({ box, scale, cut }, [x0, y0, x1, y1], margin) {
  const [left, top, right, bottom] = box.map((side, i) => (cut[i] ? side : i < 2 ? -Infinity : Infinity));
  const reach = margin / scale;
  return x0 > left + reach && y0 > top + reach && x1 < right - reach && y1 < bottom - reach;
}

/** Where a picture is stained like nuclei. */
export class Nuclei {
  /** @param {Picture} picture */
  constructor(picture) {
    const [width, height] = thinnedSize(picture, THUMBNAIL);
    const mask = nuclearMask(opticalDensity(shrinkArea(picture, width, height)), PALE);
    this.scale = Math.min(1, THUMBNAIL / Math.max(picture.width, picture.height));
    this.width = width;
    this.height = height;
    /** Sums over all pixels above and to the left of each place, one column and row more than pixels. */
    this.counts = new Uint32Array((width + 1) * (height + 1));
    for (let y = 0; y < height; y++) {
      let row = 0;
      for (let x = 0; x < width; x++) {
        row += mask.data[y * width + x];
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
