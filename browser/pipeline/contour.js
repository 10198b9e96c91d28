// Outlines of masks, as `marrow/geometry.py` makes them: a corner at each bend, then fewer points with the same pixels.

/** @import { Mask } from "./types.d.ts" */

/** @typedef {[number, number]} Point column and row, or x and y */

/** @type {Point[]} the neighbours of a pixel, against the clock from the right one */
const NEIGHBOURS = [
  [1, 0],
  [1, -1],
  [0, -1],
  [-1, -1],
  [-1, 0],
  [-1, 1],
  [0, 1],
  [1, 1],
];

/** Pixels by which `simplify` moves an outline; no centre of a pixel is as near to it (`sqrt(1 / 8)`). */
const TOLERANCE = 0.35;

/**
 * Follow the edges of the outermost pixels of the largest region of a mask; holes are not seen.
 * @param {Mask} mask
 * @returns {Point[]} a corner at each bend; none for an empty mask
 */
export function contour(mask) {
  // each quarter of a pixel lies at a corner of its own
  const corners = borderPixels(quarters(mask)).map(([x, y]) => /** @type {Point} */ ([(x + 1) >> 1, (y + 1) >> 1]));
  return corners.filter(([x, y], i) => {
    const [beforeX, beforeY] = corners.at(i - 1) ?? [x, y];
    return x !== beforeX || y !== beforeY;
  });
}

/**
 * Cut each pixel into four.
 * @param {Mask} mask
 * @returns {Mask}
 */
function quarters({ width, height, data }) {
  const finer = new Uint8Array(4 * data.length);
  for (let y = 0, to = 0; y < 2 * height; y++) {
    for (let x = 0; x < 2 * width; x++, to++) finer[to] = data[(y >> 1) * width + (x >> 1)];
  }
  return { width: 2 * width, height: 2 * height, data: finer };
}

/**
 * Return the outermost pixels of the largest region of a mask in order, one at each bend.
 *
 * This is the following of borders by Suzuki and Abe (1985), of outer borders alone, in the order of OpenCV.
 * @param {Mask} mask
 * @returns {Point[]}
 */
export function borderPixels(mask) {
  const left = mask.data.slice();
  /** @type {{border: Point[], area: number} | null} */
  let largest = null;
  for (let start = left.indexOf(1); start >= 0; start = left.indexOf(1, start)) {
    const border = follow(mask, start);
    const area = polygonArea(border);
    const isLarger =
      !largest || area > largest.area || (area === largest.area && border.length >= largest.border.length);
    if (isLarger) largest = { border, area };
    erase(left, mask.width, start);
  }
  return largest ? largest.border : [];
}

/**
 * Follow the outer border of a region from its topmost, leftmost pixel.
 * @param {Mask} mask
 * @param {number} start
 * @returns {Point[]}
 */
function follow({ width, height, data }, start) {
  const isInside = (/** @type {number} */ x, /** @type {number} */ y) =>
    x >= 0 && y >= 0 && x < width && y < height && data[y * width + x] === 1;
  const next = (/** @type {Point} */ [x, y], /** @type {number} */ way) =>
    /** @type {Point} */ ([x + NEIGHBOURS[way & 7][0], y + NEIGHBOURS[way & 7][1]]);
  const first = /** @type {Point} */ ([start % width, Math.floor(start / width)]);
  let way = 3; // what lies above and to the left is empty
  while (way > -4 && !isInside(...next(first, way))) way--;
  if (way === -4) return [first];
  const last = next(first, way);
  const border = [];
  let [here, before] = [first, (way & 7) ^ 4];
  way &= 7;
  while (true) {
    do way++;
    while (!isInside(...next(here, way)));
    way &= 7;
    if (way !== before) border.push(here);
    before = way;
    const there = next(here, way);
    if (isSame(there, first) && isSame(here, last)) return border;
    [here, way] = [there, (way + 4) & 7];
  }
}

/**
 * @param {Point} one
 * @param {Point} other
 */
function isSame(one, other) {
  return one[0] === other[0] && one[1] === other[1];
}

/**
 * Erase a region, with what touches it at a corner.
 * @param {Uint8Array} data
 * @param {number} width
 * @param {number} start a pixel of the region
 */
function erase(data, width, start) {
  const waiting = [start];
  data[start] = 0;
  for (let at = waiting.pop(); at !== undefined; at = waiting.pop()) {
    const x = at % width;
    for (const [dx, dy] of NEIGHBOURS) {
      const neighbour = at + dy * width + dx;
      if (x + dx < 0 || x + dx >= width || data[neighbour] !== 1) continue;
      data[neighbour] = 0;
      waiting.push(neighbour);
    }
  }
}

/**
 * Smooth the steps of a contour: fewer points, with the same pixels inside.
 * @param {Point[]} corners as `contour` gives them
 * @returns {Point[]} a line through the middles of the pixels' edges
 */
export function simplify(corners) {
  const middles = corners.flatMap(([x, y], i) => {
    const [nextX, nextY] = corners[(i + 1) % corners.length];
    const length = Math.max(Math.abs(nextX - x), Math.abs(nextY - y));
    const [halfX, halfY] = [(nextX - x) / length / 2, (nextY - y) / length / 2];
    return /** @type {Point[]} */ ([
      [x + halfX, y + halfY],
      [nextX - halfX, nextY - halfY],
    ]);
  });
  return approximate(middles, TOLERANCE ** 2);
}

/**
 * Leave points of a closed line out that lie near to what remains (Douglas and Peucker 1973).
 * @param {Point[]} points at least one
 * @param {number} bound square of the distance
 * @returns {Point[]}
 */
function approximate(points, bound) {
  if (!points.length) return [];
  const [start, opposite] = farApart(points);
  const kept = [];
  const waiting = [
    [opposite, start],
    [start, opposite],
  ];
  for (let part = waiting.pop(); part; part = waiting.pop()) {
    const [first, last] = part;
    const farthest = farthestFrom(points, first, last, bound);
    if (farthest === null) kept.push(points[first]);
    else waiting.push([farthest, last], [first, farthest]);
  }
  return withoutFlat(kept, bound / 2);
}

/**
 * Find two points of a line that are about as far apart as any.
 * @param {Point[]} points
 */
function farApart(points) {
  let [start, opposite] = [0, 0];
  for (let round = 0; round < 3; round++) {
    start = (start + opposite) % points.length;
    opposite = 0;
    let most = 0;
    for (let i = 1; i < points.length; i++) {
      const distance = squared(points[start], points[(start + i) % points.length]);
      if (distance > most) [most, opposite] = [distance, i];
    }
  }
  return [start, (start + opposite) % points.length];
}

/**
 * Return the point between two that lies farthest from the line that joins them; `null` where all lie near.
 * @param {Point[]} points
 * @param {number} first
 * @param {number} last
 * @param {number} bound square of the distance
 */
function farthestFrom(points, first, last, bound) {
  const [start, end] = [points[first], points[last]];
  const [dx, dy] = [end[0] - start[0], end[1] - start[1]];
  const length = dx * dx + dy * dy;
  let [most, farthest] = [0, first];
  for (let i = (first + 1) % points.length; i !== last; i = (i + 1) % points.length) {
    const [x, y] = [points[i][0] - start[0], points[i][1] - start[1]];
    const along = x * dx + y * dy;
    let distance = (y * dx - x * dy) ** 2; // times the length, as those to the ends
    if (along < 0) distance = squared(points[i], start) * length;
    else if (along > length) distance = squared(points[i], end) * length;
    if (distance > most) [most, farthest] = [distance, i];
  }
  return most <= bound * length ? null : farthest;
}

/**
 * Leave out points in which a slanting line hardly bends; after each of them the next stays.
 * @param {Point[]} points
 * @param {number} bound square of the distance
 */
function withoutFlat(points, bound) {
  const count = points.length;
  const line = points.slice();
  let [left, read, write] = [count, 0, 0];
  let start = line[count - 1];
  const next = () => line[read++ % count];
  const keep = (/** @type {Point} */ point) => {
    start = point;
    line[write++ % count] = point;
  };
  let here = next();
  for (let i = 0; i < count && left > 2; i++) {
    const there = next();
    const [dx, dy] = [there[0] - start[0], there[1] - start[1]];
    const [x, y] = [here[0] - start[0], here[1] - start[1]];
    const goesOn = x * (there[0] - here[0]) + y * (there[1] - here[1]) >= 0;
    if ((x * dy - y * dx) ** 2 <= bound * (dx * dx + dy * dy) && dx !== 0 && dy !== 0 && goesOn) {
      left--;
      keep(there);
      here = next();
      i++;
    } else {
      keep(here);
      here = there;
    }
  }
  return line.slice(0, left);
}

/**
 * @param {Point} one
 * @param {Point} other
 */
function squared(one, other) {
  return (one[0] - other[0]) ** 2 + (one[1] - other[1]) ** 2;
}

/**
 * Return the area inside a polygon, in square pixels.
 * @param {Point[]} polygon
 */
export function polygonArea(polygon) {
  const twice = polygon.reduce((sum, [x, y], i) => {
    const [nextX, nextY] = polygon[(i + 1) % polygon.length];
    return sum + x * nextY - y * nextX;
  }, 0);
  return Math.abs(twice) / 2;
}
