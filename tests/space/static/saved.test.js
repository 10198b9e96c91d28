// Saved files as Python writes them, and what is none.

import assert from "node:assert/strict";
import { test } from "node:test";
import { Case, isSameImage } from "../../../space/screen/static/model/case.js";
import { fits, isSavedFile, readSaved } from "../../../space/screen/static/model/saved.js";
import { Work } from "../../../space/screen/static/model/work.js";
import { readFixture } from "./fixtures.js";

const { settings, analysis, of_case: ofCase, case_report: caseReport } = readFixture("saved.json");
const read = (text) => readSaved(new Blob([text]), settings.labels);

test("an analysis and a case are read", async () => {
  assert.deepEqual(await read(JSON.stringify(analysis)), { analyses: [analysis], isCase: false });
  const { analyses, isCase } = await read(JSON.stringify(ofCase));
  assert.ok(isCase && analyses.length === 2 && analyses.every((one) => one.file));
});

test("a case adds up as in Python", () => {
  const works = ofCase.case.map((plain) => {
    const work = new Work({ key: null, picture: null, ...plain }, settings);
    work.reopen(plain);
    return work;
  });
  const both = new Case(settings);
  for (const work of works) both.add(work);
  const { counts, total, found, edited, uncertain } = both.report();
  const { counts: theirs } = caseReport;
  assert.deepEqual(counts, theirs);
  assert.deepEqual(
    [total, found, edited, uncertain],
    ["total", "found", "edited", "uncertain"].map((key) => caseReport[key]),
  );
  assert.ok(isSameImage(works[0], works[0]));
});

const WRONG = {
  text: "no JSON",
  nothing: "null",
  list: "[]",
  "an empty case": '{"case": []}',
  "an unknown class": JSON.stringify({ ...analysis, cells: [{ ...analysis.cells[0], label: "XXX" }] }),
  "a cell without a number": JSON.stringify({ ...analysis, cells: [{ ...analysis.cells[0], id: 0 }] }),
  "no size": JSON.stringify({ ...analysis, image: { width: 0, height: 1 } }),
};

for (const [name, text] of Object.entries(WRONG)) {
  test(`${name} is no saved work`, async () => assert.equal(await read(text), null));
}

test("a file belongs to an image of its size and name", () => {
  const value = { image: analysis.image, file: "smear.png" };
  assert.ok(fits(analysis, value) && fits({ ...analysis, file: "smear.jpg" }, value));
  assert.ok(!fits({ ...analysis, file: "other.png" }, value));
  assert.ok(!fits({ ...analysis, image: { width: 1, height: 1 } }, value));
  assert.ok(isSavedFile({ name: "a.JSON", type: "" }) && !isSavedFile({ name: "a.png", type: "image/png" }));
});
