// The released networks, run by ONNX Runtime Web, with the pipeline around them: as Python with ONNX Runtime.
// `test_networks.py` writes the pictures and what Python makes of them, and names their folder.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { pathToFileURL } from "node:url";
import * as runtime from "onnxruntime-web";
import { Classifier } from "../../browser/pipeline/classifier.js";
import { openNetwork } from "../../browser/pipeline/network.js";
import { analyze, settingsFor } from "../../browser/pipeline/pipeline.js";
import { Segmenter } from "../../browser/pipeline/segmenter.js";
import { analysisToJson } from "../../space/screen/static/model/export.js";
import { assertSameReport, matchCells } from "./compare.js";
import { pictureOf, readPack } from "./fixtures.js";

const { WRITTEN, SEGMENTER, CLASSIFIER } = process.env;

async function open(kind, folder) {
  const config = JSON.parse(readFileSync(join(folder, "config.json"), "utf8"));
  return new kind(config, await openNetwork(runtime, readFileSync(join(folder, "model.onnx"))));
}

test("a drawn field, analyzed by JavaScript alone", async (context) => {
  const [segmenter, classifier] = [await open(Segmenter, SEGMENTER), await open(Classifier, CLASSIFIER)];
  const { picture, analysis: theirs } = readPack("field", pathToFileURL(`${WRITTEN}/`));
  const found = await analyze(pictureOf(picture), { segmenter, classifier, names: theirs.models });
  const mine = JSON.parse(analysisToJson(found, settingsFor(readPack("counting"), classifier)));
  const { matched, named } = matchCells(mine.cells, theirs.cells);
  context.diagnostic(`${theirs.cells.length} cells, ${matched} matched, ${named} of them of the same name`);
  assert.equal(mine.cells.length, theirs.cells.length);
  assert.ok(matched >= 0.99 * theirs.cells.length && named >= 0.995 * matched);
  assertSameReport(mine, theirs);
});
