// Every edit on an analysis that Python made; what comes of each is written back, for Python to read and to count.

import assert from "node:assert/strict";
import { test } from "node:test";
import * as edits from "../../../space/screen/static/model/edits.js";
import { Work } from "../../../space/screen/static/model/work.js";
import { readFixture, writeFixture } from "./fixtures.js";

const { settings, analysis } = readFixture("edits.json");
const STAMP = { at: "2026-11-23T12:00:00Z", by: "Åsa" };
const open = () => new Work({ key: "a", file: "a.png", picture: null, ...analysis }, settings);
const { id: _, edited: __, ...outline } = analysis.cells[0];

const STAIN = { ground: [230, 220.5, 210], nuclei: [0.8, 1.2, 0.4], others: [0.2, 0.3, -0.01] };

const ACTS = {
  rename: (now) => edits.renameCells(edits.confirmCells(now, new Set([1]), STAMP), [...now.cells].reverse(), STAIN),
  relabel: (now) => edits.relabelCells(now, new Set([1, 2]), STAMP, "BLA"),
  confirm: (now) => edits.confirmCells(now, new Set([1, 6]), STAMP),
  reset: (now) => edits.resetCells(edits.relabelCells(now, new Set([1, 2]), STAMP, "BLA"), new Set([1]), STAMP),
  remove: (now) => edits.deleteCells(now, new Set([3]), STAMP),
  restore: (now) => edits.restoreCell(edits.deleteCells(now, new Set([3]), STAMP), 3),
  add: (now) => edits.putCells(now, [outline], STAMP, "added"),
  merge: (now) => edits.putCells(now, [outline], STAMP, "merged", [4, 5]),
  split: (now) => edits.putCells(now, [outline, outline], STAMP, "split", [4]),
};

test("each edit gives an analysis", () => {
  const made = Object.entries(ACTS).map(([name, act]) => {
    const work = open();
    work.go(act(work.now));
    return { name, analysis: work.analysis(), report: work.report() };
  });
  writeFixture("edited.json", made);
});

test("in other colours a cell has the model's other name, unless a person named it", () => {
  const { now } = open();
  const named = ACTS.rename(now);
  const last = now.cells.at(-1);
  assert.deepEqual(named.reference, STAIN);
  assert.equal(named.cells[0].label, now.cells[0].label);
  assert.deepEqual(named.cells[0].probabilities, last.probabilities);
  assert.equal(named.cells[0].probability, last.probabilities[now.cells[0].label]);
  assert.deepEqual(named.cells.at(-1).probabilities, now.cells[0].probabilities);
  assert.equal(named.cells.at(-1).label, edits.modelLabel(now.cells[0]));
  assert.deepEqual(edits.renameCells(now, now.cells, null), now);
});

test("the state before stays as it was, and comes back", () => {
  const work = open();
  const before = structuredClone(work.now);
  for (const act of Object.values(ACTS)) work.go(act(work.now));
  while (work.undo());
  assert.deepEqual(work.now, before);
  assert.equal(work.isUnsaved, false);
  assert.ok(work.redo());
  assert.equal(work.isUnsaved, true);
});

test("a name that is taken back leaves no trace, and a deleted drawing neither", () => {
  const { now } = open();
  assert.deepEqual(edits.resetCells(edits.relabelCells(now, new Set([1]), STAMP, "BLA"), new Set([1]), STAMP), now);
  assert.deepEqual(edits.restoreCell(edits.deleteCells(now, new Set([2]), STAMP), 2), now);
  const drawn = edits.putCells(now, [outline], STAMP, "added");
  assert.deepEqual(edits.deleteCells(drawn, new Set([now.next]), STAMP).removed, []);
});

test("a new cell never takes a number that was used", () => {
  const { now } = open();
  const gone = edits.deleteCells(now, new Set([now.next - 1]), STAMP);
  assert.equal(edits.putCells(gone, [outline], STAMP, "added").cells.at(-1).id, now.next);
});
