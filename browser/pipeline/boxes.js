// Boxes `x0, y0, x1, y1`, compared in single precision as NumPy and OpenCV do.

/** @import { Box } from "./types.d.ts" */

/** A box with more than this share in one that is so much larger is a part of that cell. */
const [PART_MIN_OVERLAP, PART_MAX_AREA] = [Math.fround(0.8), Math.fround(0.75)];

/**
 * Non-maximum suppression: return the indices of the boxes that stay, by falling score.
 * @param {Box[]} boxes
 * @param {ArrayLike<number>} scores
 * @param {number} iou overlap above which the weaker of two goes, 0 to 1
 */
export function suppress(boxes, scores, iou) {
  const bound = Math.fround(iou);
  const order = boxes.map((_, i) => i).filter((i) => scores[i] > 0);
  order.sort((a, b) => scores[b] - scores[a]);
  /** @type {number[]} */
  const kept = [];
  for (const i of order) {
    if (kept.every((other) => overlap(boxes[i], boxes[other]) <= bound)) kept.push(i);
  }
  return kept;
}

/**
 * Return the intersection over union, 0 to 1; that of two empty boxes is 1.
 * @param {Box} one
 * @param {Box} other
 */
function overlap(one, other) {
  const [width, height] = [Math.fround(one[2] - one[0]), Math.fround(one[3] - one[1])];
  const [otherWidth, otherHeight] = [Math.fround(other[2] - other[0]), Math.fround(other[3] - other[1])];
  const areas = width * height + otherWidth * otherHeight;
  if (areas <= Number.EPSILON) return 1;
  const across = Math.min(one[0] + width, other[0] + otherWidth) - Math.max(one[0], other[0]);
  const down = Math.min(one[1] + height, other[1] + otherHeight) - Math.max(one[1], other[1]);
  const common = across > 0 && down > 0 ? across * down : 0;
  return Math.fround(1 - Math.fround(1 - common / (areas - common)));
}

/**
 * Return which boxes are parts of which cells: pairs of indices.
 * @param {Box[]} boxes
 * @param {ArrayLike<number>} scores of the same boxes
 * @param {number} confidence a box of a lower score takes only parts of scores that are lower still, 0 to 1
 */
export function findParts(boxes, scores, confidence) {
  const bound = Math.fround(confidence);
  const areas = boxes.map(area);
  /** @type {[number, number][]} */
  const pairs = [];
  boxes.forEach((box, part) => {
    const least = Math.fround(PART_MIN_OVERLAP * areas[part]);
    boxes.forEach((other, cell) => {
      const isSurer = scores[cell] >= Math.min(scores[part], bound);
      const isSmaller = areas[part] < Math.fround(PART_MAX_AREA * areas[cell]);
      if (isSurer && isSmaller && intersection(box, other) > least) pairs.push([part, cell]);
    });
  });
  return pairs;
}

/** @param {Box} box */
function area([x0, y0, x1, y1]) {
  return Math.fround(Math.fround(x1 - x0) * Math.fround(y1 - y0));
}

/**
 * @param {Box} one
 * @param {Box} other
 */
function intersection(one, other) {
  const across = Math.fround(Math.min(one[2], other[2]) - Math.max(one[0], other[0]));
  const down = Math.fround(Math.min(one[3], other[3]) - Math.max(one[1], other[1]));
  return Math.fround(Math.max(across, 0) * Math.max(down, 0));
}
