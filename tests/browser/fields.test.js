// The browser's pipeline finds, outlines, names and counts the cells of drawn fields as Python does: the networks
// answer as they did when Python analyzed the field, and must be asked the same.

import assert from "node:assert/strict";
import { test } from "node:test";
import { Classifier } from "../../browser/pipeline/classifier.js";
import { analyze, settingsFor } from "../../browser/pipeline/pipeline.js";
import { Segmenter } from "../../browser/pipeline/segmenter.js";
import { analysisToJson } from "../../space/screen/static/model/export.js";
import { assertSameReport, matchCells } from "./compare.js";
import { pictureOf, readPack } from "./fixtures.js";

const counting = readPack("counting");

/** By how much mean levels, -1 to 1, may differ: where a row lies just between two, a pixel can be a level lighter. */
const TIES = 5e-4;

/** A network that answers as it was recorded, one call after the other. */
class Player {
  constructor(calls, takesAnySize) {
    this.calls = [...calls];
    this.takesAnySize = takesAnySize;
  }

  async run(input) {
    const { means, outputs } = this.calls.shift();
    const mine = blockMeans(input, means.dims[2]);
    assert.equal(mine.length, means.data.length);
    for (const [i, mean] of mine.entries()) assert.ok(Math.abs(mean - means.data[i]) < TIES, `block ${i}`);
    return outputs;
  }
}

/** Return mean levels of pictures, in `count` × `count` blocks for each channel. */
function blockMeans({ data, dims: [number, channels, rows, columns] }, count) {
  const blockOf = (place, length) => {
    const [short, longer] = [Math.floor(length / count), length % count]; // the first blocks are a pixel longer
    const first = longer * (short + 1);
    return place < first ? Math.floor(place / (short + 1)) : longer + Math.floor((place - first) / short);
  };
  const sums = new Float64Array(number * channels * count * count);
  const sizes = new Float64Array(count * count);
  for (let i = 0; i < data.length; i++) {
    const [x, y, plane] = [i % columns, Math.floor(i / columns) % rows, Math.floor(i / (rows * columns))];
    const block = blockOf(y, rows) * count + blockOf(x, columns);
    sums[plane * count * count + block] += data[i];
    if (plane === 0) sizes[block] += 1;
  }
  return sums.map((sum, i) => sum / sizes[i % sizes.length]);
}

test("the cells of all fields", async (context) => {
  const totals = { cells: 0, matched: 0, named: 0 };
  for (const name of ["few_cells", "odd_sides", "tiles", "no_cells"]) {
    await context.test(name, async () => {
      const { mine, theirs } = await replay(readPack(name));
      const { matched, named } = matchCells(mine.cells, theirs.cells);
      totals.cells += Math.max(mine.cells.length, theirs.cells.length);
      totals.matched += matched;
      totals.named += named;
      assertSameReport(mine, theirs);
    });
  }
  context.diagnostic(`${totals.cells} cells, ${totals.matched} matched, ${totals.named} of them of the same name`);
  assert.ok(totals.cells > 20);
  assert.ok(totals.matched >= 0.99 * totals.cells, "fewer than 99 % of the cells are the same");
  assert.ok(totals.named >= 0.995 * totals.matched, "fewer than 99.5 % of them have the same name");
});

/** Analyze a recorded field; return the JSON of the analysis, and that of Python. */
async function replay({ picture, confidence, takes_any_size: takesAnySize, analysis, ...recorded }) {
  const networks = [recorded.segmenter, recorded.classifier].map(({ calls }) => new Player(calls, takesAnySize));
  const segmenter = new Segmenter(recorded.segmenter.config, networks[0]);
  const classifier = new Classifier(recorded.classifier.config, networks[1]);
  const models = { segmenter, classifier, names: analysis.models };
  const shares = [];
  const found = await analyze(pictureOf(picture), models, confidence ?? undefined, (share) => shares.push(share));
  for (const network of networks) assert.equal(network.calls.length, 0, "a network was asked too little");
  assert.deepEqual(shares, shares.toSorted());
  return { mine: JSON.parse(analysisToJson(found, settingsFor(counting, classifier))), theirs: analysis };
}
