// JSON and CSV that the browser writes are, byte for byte, those that Python writes.

import assert from "node:assert/strict";
import { test } from "node:test";
import { analysisToJson, caseToJson, toCsv } from "../../../space/screen/static/model/export.js";
import { Float, writeJson } from "../../../space/screen/static/model/json.js";
import { Work } from "../../../space/screen/static/model/work.js";
import { readFixture } from "./fixtures.js";

const { settings, cases, of_case: ofCase, case_json: caseJson, floats } = readFixture("export.json");

/** Return what the viewer takes away of an analysis at a confidence. */
function takenAway(analysis, confidence) {
  const work = new Work({ key: "a", file: "a.png", picture: null, ...analysis }, settings);
  work.confidence = confidence;
  return work.analysis();
}

for (const { name, analysis, confidence, json, csv } of cases) {
  test(`${name} at ${confidence}`, () => {
    const taken = takenAway(analysis, confidence);
    assert.equal(analysisToJson(taken, settings), json);
    assert.equal(toCsv(taken, settings), csv);
  });
}

test("a case", () => {
  const analyses = ofCase.map(({ file, confidence, ...analysis }) => ({ file, ...takenAway(analysis, confidence) }));
  assert.equal(caseToJson(analyses, settings), caseJson);
});

test("floats are rounded and written as Python does", () => {
  for (const { value, digits, text } of floats) assert.equal(String(new Float(value, digits ?? undefined)), text);
});

test("text is escaped as Python does", () => {
  assert.equal(writeJson('"\\\u0007é\u007f😀'), '"\\"\\\\\\u0007\\u00e9\\u007f\\ud83d\\ude00"');
});
