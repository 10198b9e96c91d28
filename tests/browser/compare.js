// Two analyses of one picture laid beside each other.

import assert from "node:assert/strict";

/** Intersection over union from which two outlines are of the same cell. */
const SAME = 0.95;

/** Count the cells of one analysis that are in the other, and those of the same name; each cell matches one at most. */
export function matchCells(mine, theirs) {
  const left = [...theirs];
  let [matched, named] = [0, 0];
  for (const cell of mine) {
    const index = left.findIndex((other) => outlineIou(cell.polygon, other.polygon) >= SAME);
    if (index < 0) continue;
    const [other] = left.splice(index, 1);
    matched += 1;
    if (cell.label === other.label && Math.abs(cell.probability - other.probability) < 0.01) named += 1;
  }
  return { matched, named };
}

/** Compare all but the cells and the names of the models: counts and words exactly, other numbers to rounding. */
export function assertSameReport(mine, theirs) {
  assertClose(mine.image, theirs.image, "image");
  assertClose(mine.confidence, theirs.confidence, "confidence");
  assertClose(mine.report, theirs.report, "report");
}

function assertClose(mine, theirs, where) {
  if (typeof mine === "number" && typeof theirs === "number" && !Number.isInteger(theirs)) {
    return assert.ok(Math.abs(mine - theirs) < 1e-3, `${where} is ${mine}, not ${theirs}`);
  }
  if (mine === null || typeof mine !== "object") return assert.equal(mine, theirs, where);
  assert.deepEqual(Object.keys(mine).toSorted(), Object.keys(theirs).toSorted(), where);
  for (const key of Object.keys(mine)) assertClose(mine[key], theirs[key], `${where}.${key}`);
}

/** Return the intersection over union of two polygons, in whole pixels. */
function outlineIou(one, other) {
  const points = [...one, ...other];
  const [xs, ys] = [points.map(([x]) => x), points.map(([, y]) => y)];
  let [common, either] = [0, 0];
  for (let y = Math.floor(Math.min(...ys)); y < Math.max(...ys); y++) {
    for (let x = Math.floor(Math.min(...xs)); x < Math.max(...xs); x++) {
      const [inOne, inOther] = [one, other].map((polygon) => isInside(polygon, x + 0.5, y + 0.5));
      if (inOne && inOther) common += 1;
      if (inOne || inOther) either += 1;
    }
  }
  return either ? common / either : 0;
}

function isInside(polygon, x, y) {
  let inside = false;
  polygon.forEach(([x1, y1], i) => {
    const [x0, y0] = polygon.at(i - 1);
    if (y0 > y !== y1 > y && x < ((x1 - x0) * (y - y0)) / (y1 - y0) + x0) inside = !inside;
  });
  return inside;
}
