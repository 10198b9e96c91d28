// Each stage of the browser's pipeline makes of small cases what Python makes of them.

import assert from "node:assert/strict";
import { test } from "node:test";
import { findParts, suppress } from "../../browser/pipeline/boxes.js";
import { probabilities, quarterTurn, temperatureOf } from "../../browser/pipeline/classifier.js";
import { contour, polygonArea, simplify } from "../../browser/pipeline/contour.js";
import { cropCell } from "../../browser/pipeline/crop.js";
import { decode } from "../../browser/pipeline/decoding.js";
import { opened } from "../../browser/pipeline/distance.js";
import { letterbox } from "../../browser/pipeline/letterbox.js";
import { leastShare, Nuclei } from "../../browser/pipeline/nuclei.js";
import { holds, listScales, listTiles } from "../../browser/pipeline/pyramid.js";
import { shrinkArea } from "../../browser/pipeline/resize.js";
import {
  backgroundColour,
  measureStain,
  nuclearColour,
  nuclearMask,
  opticalDensity,
  thinnedSize,
} from "../../browser/pipeline/stain.js";
import { pictureOf, readPack, rowsOf } from "./fixtures.js";

const stages = readPack("stages");

/** Run the test of a stage on each of its cases. */
function each(stage, check) {
  for (const [number, one] of stages[stage].entries()) test(`${stage} ${number}`, () => check(one));
}

each("thinned", ({ picture, longest, thinned }) => {
  const whole = pictureOf(picture);
  assertPixels(shrinkArea(whole, ...thinnedSize(whole, longest)).data, thinned.data);
});

each("letterbox", ({ picture, size, scale, levels, used, corner }) => {
  const made = letterbox(pictureOf(picture), [size, size], scale ?? undefined);
  assert.equal(made.scale, used);
  assert.deepEqual(made.corner, corner);
  assertPixels(
    Uint8Array.from(made.input.data, (value) => Math.round(value * 255)),
    levels.data,
  );
});

each("decode", ({ rows, confidence, iou, classes, boxes, scores, coefficients }) => {
  const found = decode(rows, confidence, iou, classes);
  assertClose(
    found.flatMap(({ box }) => box),
    boxes.data,
  );
  assertClose(
    found.map(({ score }) => score),
    scores.data,
  );
  assertClose(
    found.flatMap((row) => [...row.coefficients]),
    coefficients.data,
  );
});

each("suppress", ({ boxes, scores, iou, confidence, kept, parts }) => {
  assert.deepEqual(suppress(rowsOf(boxes), scores.data, iou), [...kept.data]);
  assert.deepEqual(findParts(rowsOf(boxes), scores.data, confidence), rowsOf(parts));
});

each("outline", ({ mask, radius, opened: cleaned, raw, clean }) => {
  const [height, width] = mask.dims;
  const before = { width, height, data: mask.data };
  assert.deepEqual(opened(before, radius).data, cleaned.data);
  for (const [one, theirs] of [
    [before, raw],
    [{ width, height, data: cleaned.data }, clean],
  ]) {
    const corners = contour(one);
    assert.deepEqual(corners, rowsOf(theirs.contour));
    assert.deepEqual(simplify(corners), rowsOf(theirs.polygon));
    assert.equal(polygonArea(corners), theirs.area);
  }
});

each("crop", ({ picture, box, config, crop }) => {
  assertPixels(cropCell(pictureOf(picture), box, config).data, crop.data);
});

each("stain", ({ picture, ground, densities, nuclei, colour, boxes, shares, least, stain }) => {
  const whole = pictureOf(picture);
  assertClose(backgroundColour(whole), ground.data);
  const density = opticalDensity(whole);
  const [rows] = densities.dims;
  for (let row = 0; row < rows; row++) {
    for (let i = 0; i < whole.width * 3; i++) {
      const mine = density.channels[i % 3][row * 30 * whole.width + Math.floor(i / 3)];
      assert.ok(Math.abs(mine - densities.data[row * whole.width * 3 + i]) < 1e-6);
    }
  }
  assertPixels(nuclearMask(density).data, nuclei.data);
  const mine = nuclearColour(density).filter((_, i) => Math.floor(i / whole.width) % 30 === 0);
  assertClose(mine, colour.data);
  const found = new Nuclei(whole).shares(boxes);
  assertClose(found, shares);
  assertClose([leastShare(shares)], [least]);
  if (stain) assert.deepEqual(measureStain(whole), stain);
  else assert.equal(measureStain(whole), null);
});

each("temperature", ({ config, unlikeness, temperatures }) => {
  assertClose(
    unlikeness.map((one) => temperatureOf(config, one)),
    temperatures,
  );
  assert.equal(temperatureOf(config, null), config.temperature);
  assert.equal(temperatureOf({ temperature: 2 }, 0.3), 2);
});

each("probabilities", ({ logits, temperature, reject_logit: rejectLogit, probabilities: theirs }) => {
  const [turns, cells, classes] = logits.dims;
  const mine = Array.from({ length: cells }, (_, cell) => {
    const ofCell = Array.from({ length: turns }, (_, turn) => {
      const at = (turn * cells + cell) * classes;
      return logits.data.subarray(at, at + classes);
    });
    return probabilities(ofCell, temperature, rejectLogit);
  });
  assertClose(mine.flat(), theirs.data);
});

each("tiles", ({ width, height, side, boxes, tiles }) => {
  const mine = listScales(width, height, side).flatMap((scale) => listTiles(width, height, side, scale));
  const held = (tile) => rowsOf(boxes).flatMap((box, i) => (holds(tile, box) ? i : []));
  assert.deepEqual(
    mine.map((tile) => ({ ...tile, held: held(tile) })),
    tiles,
  );
});

test("a quarter turn goes against the clock, and four of them lead back", () => {
  const upright = { data: Float32Array.of(1, 2, 3, 4), dims: [1, 1, 2, 2] };
  const turned = quarterTurn(upright);
  assert.deepEqual([...turned.data], [2, 4, 1, 3]);
  assert.deepEqual(quarterTurn(quarterTurn(quarterTurn(turned))), upright);
});

/** Compare pixels, which are the same to the last bit. */
function assertPixels(mine, theirs) {
  assert.equal(mine.length, theirs.length);
  const different = mine.reduce((sum, value, i) => sum + (value !== theirs[i] ? 1 : 0), 0);
  assert.equal(different, 0, `${different} of ${mine.length} bytes differ`);
}

/** Compare numbers to the rounding of single precision. */
function assertClose(mine, theirs) {
  assert.equal(mine.length, theirs.length);
  theirs.forEach((value, i) => {
    assert.ok(Math.abs(mine[i] - value) <= 2e-6 * Math.max(1, Math.abs(value)), `${i}: ${mine[i]} for ${value}`);
  });
}
