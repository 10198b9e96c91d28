// Files that need no server: JSON and CSV, byte for byte as marrow/schema.py, case.py and export.py write them.

import { countCells, isUncertain, warningText, writeNotes } from "./count.js";
import { modelLabel } from "./edits.js";
import { Float, writeJson } from "./json.js";

/** @import { Analysis, Cell, Edit, Settings } from "../types.d.ts" */
/** @typedef {Pick<Settings, "labels" | "rules" | "notes" | "lineage_names">} Rules */

/** What a spreadsheet would take for a formula at the start of a text, wherever it looks past blanks. */
const FORMULA = /^[\s=+\-@＝＋－＠﹦﹢﹣﹫−]+/u;

/**
 * Write an analysis as marrow.analysis.Analysis.to_json does.
 * @param {Analysis} analysis
 * @param {Rules} settings
 */
export function analysisToJson(analysis, settings) {
  return writeJson(analysisFields(analysis, settings));
}

/**
 * Write a case as marrow.case.Case.to_json does.
 * @param {Analysis[]} analyses each with its `file`
 * @param {Rules} settings
 */
export function caseToJson(analyses, settings) {
  const cells = analyses.flatMap((analysis) => analysis.cells);
  const removed = analyses.flatMap((analysis) => analysis.removed || []);
  const rows = analyses.map((analysis) => ({ file: analysis.file, ...analysisFields(analysis, settings) }));
  return writeJson({ case: rows, report: reportFields(cells, removed, settings) });
}

/**
 * Write one row for each cell, as marrow.export.to_csv does.
 * @param {Analysis} analysis
 * @param {Rules} settings
 */
export function toCsv({ cells }, { labels, rules }) {
  const head = ["id", "label", "probability", "uncertain", "model_label", "edited", "edited_by", "edited_at", "score"];
  const rows = cells.map((cell) => {
    const { id, label, probability, probabilities, edited, score, box, area } = cell;
    const shares = labels.map((code) => new Float(probabilities[code], 4));
    const by = (edited?.by || "").replace(FORMULA, "");
    const named = [
      id,
      label,
      new Float(probability, 4),
      isUncertain(cell, rules) ? 1 : 0,
      modelLabel(cell),
      did(edited),
    ];
    const corners = box.map((value) => new Float(value, 1));
    return [...named, by, edited?.at || "", new Float(score, 4), ...corners, new Float(area, 1), ...shares];
  });
  const names = [...head, "x0", "y0", "x1", "y1", "area", ...labels.map((code) => `p_${code}`)];
  return [names, ...rows].map((row) => `${row.map(csvField).join(",")}\n`).join("");
}

/** @param {Edit | null} edited */
function did(edited) {
  return [edited?.label ? "named" : "", edited?.shape || ""].filter(Boolean).join("+");
}

/** @param {Float | number | string} value */
function csvField(value) {
  const text = String(value);
  return /[",\n\r]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

/**
 * @param {Analysis} analysis
 * @param {Rules} settings
 */
function analysisFields({ image, models, confidence, cells, removed = [] }, settings) {
  const model = (/** @type {Analysis["models"]["segmenter"]} */ { repo, revision }) => ({ repo, revision });
  return {
    image: { width: image.width, height: image.height, stain_distance: float(image.stain_distance) },
    models: {
      segmenter: model(models.segmenter),
      classifier: model(models.classifier),
      reference: stainFields(models.reference),
    },
    confidence: new Float(confidence),
    cells: cells.map(cellFields),
    removed: removed.map(cellFields),
    report: reportFields(cells, removed, settings, image.stain_distance),
  };
}

/** @param {Analysis["models"]["reference"]} stain */
function stainFields(stain) {
  const floats = (/** @type {number[]} */ values) => values.map((value) => new Float(value));
  return stain ? { ground: floats(stain.ground), nuclei: floats(stain.nuclei), others: floats(stain.others) } : null;
}

/** @param {Cell} cell */
function cellFields({ id, box, polygon, area, score, label, probability, probabilities, unlikeness, edited }) {
  return {
    id,
    box: box.map((value) => new Float(value, 1)),
    polygon: polygon.map((point) => point.map((value) => new Float(value, 1))),
    area: new Float(area, 1),
    score: new Float(score, 4),
    label,
    probability: new Float(probability, 4),
    probabilities: mapValues(probabilities, (share) => new Float(share, 4)),
    unlikeness: float(unlikeness, 4),
    edited: edited && { at: edited.at, by: edited.by, label: edited.label, shape: edited.shape, from: edited.from },
  };
}

/**
 * @param {Cell[]} cells
 * @param {Cell[]} removed
 * @param {Rules} settings
 * @param {number | null} [stainDistance]
 */
function reportFields(cells, removed, settings, stainDistance) {
  const { rules, notes, lineage_names: lineages } = settings;
  const report = countCells(cells, removed, settings, stainDistance);
  const { me_ratio: ratio } = report;
  return {
    ...report,
    percent: mapValues(report.percent, (share) => new Float(share)),
    intervals: mapValues(report.intervals, (bounds) => bounds.map((bound) => new Float(bound))),
    me_ratio: float(ratio),
    warnings: report.warnings.map((code) => ({ code, text: warningText(code, report, rules, notes.en) })),
    cell_size: float(report.cell_size),
    uncertain_below: new Float(rules.uncertain_below),
    not_from_marrow: rules.not_from_marrow,
    unknown: rules.unknown,
    unlikeness: float(report.unlikeness),
    unlike_above: float(rules.unlike_above),
    stain_far_above: float(rules.stain_far_above),
    notes: [...writeNotes(report, rules, notes.en, lineages.en), notes.en.no_diagnosis],
  };
}

/**
 * Return a number as the JSON writes it, where there is one.
 * @param {number | null | undefined} value
 * @param {number} [digits]
 */
function float(value, digits) {
  return value === null || value === undefined ? null : new Float(value, digits);
}

/**
 * @template Value, Made
 * @param {Record<string, Value>} values
 * @param {(value: Value) => Made} change
 */
function mapValues(values, change) {
  return Object.fromEntries(Object.entries(values).map(([name, value]) => [name, change(value)]));
}
