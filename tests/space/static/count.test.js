// The browser counts and filters as Python does: on analyses and reports that Python wrote into FIXTURES.

import assert from "node:assert/strict";
import { test } from "node:test";
import { writeNotes } from "../../../space/screen/static/model/count.js";
import { Work } from "../../../space/screen/static/model/work.js";
import { readFixture } from "./fixtures.js";

const { settings, cases } = readFixture("counts.json");

for (const { name, analysis, confidence, report, notes } of cases) {
  test(`${name} at ${confidence}`, () => {
    const work = new Work({ key: "a", file: "a.png", picture: null, ...analysis }, settings);
    work.confidence = confidence;
    const counted = work.report();
    const theirs = { ...report, warnings: report.warnings.map(({ code }) => code) };
    for (const key of Object.keys(counted)) close(counted[key], theirs[key], key);
    for (const [language, sentences] of Object.entries(notes)) {
      // that it is no diagnosis stands above the viewer
      assert.deepEqual(
        writeNotes(counted, settings.rules, settings.notes[language], settings.lineage_names[language]),
        sentences.slice(0, -1),
      );
    }
  });
}

/** Compare numbers to the rounding of floats, everything else exactly. */
function close(mine, theirs, where) {
  if (typeof mine === "number" && !Number.isInteger(mine)) return assert.ok(Math.abs(mine - theirs) < 1e-9, where);
  if (mine === null || typeof mine !== "object") return assert.equal(mine, theirs, where);
  assert.deepEqual(Object.keys(mine), Object.keys(theirs), where);
  for (const key of Object.keys(mine)) close(mine[key], theirs[key], `${where}.${key}`);
}
