// The image pyramid, as in `marrow/pyramid.py`: at which scales, and in which tiles, a picture is looked at.

/** @import { Box, Tile } from "./types.d.ts" */

/** Pixels of the network's input that two tiles share. */
const OVERLAP = 128;

/** Pixels of the input from a border that runs through the picture within which a cell may be cut. */
const MARGIN = 8;

/** Pixels of the input from such a border within which the centre of a cell is the neighbouring tile's. */
const OWN = OVERLAP / 2 - MARGIN;

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
