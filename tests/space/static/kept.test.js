// What a browser keeps of a work, and how it reads it back.

import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { test } from "node:test";
import { Case } from "../../../space/screen/static/model/case.js";
import { confirmCells, openState } from "../../../space/screen/static/model/edits.js";
import * as kept from "../../../space/screen/static/model/kept.js";
import { Work } from "../../../space/screen/static/model/work.js";
import { readFixture } from "./fixtures.js";

const { settings, analysis } = readFixture("saved.json");
const picture = { url: "secret.jpg" };
const work = new Work({ key: "k", digest: "d", file: "a.png", picture, original: picture, ...analysis }, settings);
const ofCase = new Case(settings);

test("edits and the digest are kept, the picture is not", () => {
  const record = kept.keptOf(work, ofCase);
  assert.equal(record.digest, "d");
  assert.equal(record.caseId, null);
  assert.ok(!JSON.stringify(record).includes("secret"));
  assert.deepEqual(openState(record.analysis.cells, record.analysis.removed), work.now);
  assert.equal(kept.countEdits(record), analysis.report.edited);
  assert.ok(kept.isUsable(structuredClone(record), settings.labels));
  const waiting = new Work(kept.waitingValue(record), settings);
  assert.deepEqual(waiting.now, work.now);
  assert.equal(waiting.value.key, null);
});

test("each time under another version, and at its place in the case", () => {
  ofCase.add(work);
  const [one, two] = [kept.keptOf(work, ofCase), kept.keptOf(work, ofCase)];
  assert.notEqual(one.version, two.version);
  assert.deepEqual([one.caseId, one.place], [ofCase.id, 0]);
});

test("what cannot be counted here is left alone", () => {
  const record = kept.keptOf(work, ofCase);
  assert.ok(!kept.isUsable(record, ["XXX"]));
  assert.ok(!kept.isUsable({ ...record, analysis: null }, settings.labels));
  assert.ok(!kept.isUsable({}, settings.labels));
});

test("only what a person did is an edit", () => {
  const plain = { ...analysis, removed: [], cells: analysis.cells.map((cell) => ({ ...cell, edited: null })) };
  const untouched = new Work({ key: "k", file: "a.png", picture, ...plain }, settings);
  assert.equal(kept.isEdited(untouched), false);
  untouched.go(confirmCells(untouched.now, new Set([1]), { at: "2026-11-23T12:00:00Z", by: null }));
  assert.equal(kept.isEdited(untouched), true);
});

test("a digest is the SHA-256 of the bytes", async () => {
  const bytes = new TextEncoder().encode("a smear");
  assert.equal(await kept.digestOf(bytes), createHash("sha256").update(bytes).digest("hex"));
});
