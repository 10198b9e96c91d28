// The differential count, as marrow/report.py makes it: the same rules, so that it follows the slider at once.

/** @import { Cell, Report, Rules, Words } from "../types.d.ts" */

/** Group of the uncertain cells, beside the codes. */
export const UNCERTAIN = "?";

/**
 * Tell whether a person gave or confirmed the name.
 * @param {Cell} cell
 */
export function isHumanLabelled(cell) {
  return Boolean(cell.edited?.label);
}

/**
 * Tell whether a name is too doubtful to count; a person's word is not.
 * @param {Cell} cell
 * @param {Rules} rules
 */
export function isUncertain(cell, rules) {
  return cell.probability < rules.uncertain_below && !isHumanLabelled(cell);
}

/**
 * Return the legend's group of a cell: its code, or UNCERTAIN.
 * @param {Cell} cell
 * @param {Rules} rules
 */
export function groupOf(cell, rules) {
  return isUncertain(cell, rules) ? UNCERTAIN : cell.label;
}

/**
 * Count cells, and those that a person took away as edits.
 * @param {Cell[]} cells
 * @param {Cell[]} removed
 * @param {{labels: string[], rules: Rules}} settings
 * @param {number | null} [stainDistance] of the picture to those of the training, where it is known
 * @returns {Report}
 */
export function countCells(cells, removed, { labels, rules }, stainDistance = null) {
  const unlikeness = median(cells.map((cell) => cell.unlikeness));
  const size = median(cells.map(({ box: [x0, y0, x1, y1] }) => Math.max(x1 - x0, y1 - y0)));
  const isDoubtful = (/** @type {Cell} */ cell) => isUncertain(cell, rules);
  const warnings = findWarnings(cells, size, unlikeness, stainDistance, rules);
  const isSmear = !warnings.includes("no_smear");
  const doubtful = isSmear ? cells.filter(isDoubtful) : cells;
  const counts = Object.fromEntries(labels.map((code) => [code, 0]));
  const byModel = { ...counts };
  for (const cell of cells) {
    if (!isSmear || isDoubtful(cell)) continue;
    counts[cell.label] += 1;
    if (!isHumanLabelled(cell)) byModel[cell.label] += 1;
  }
  const sum = (/** @type {string[]} */ codes) => codes.reduce((all, code) => all + (counts[code] || 0), 0);
  const counted = labels.filter((code) => !rules.left_out.includes(code));
  const total = sum(counted);
  const shown = warnings.length ? [] : counted;
  const erythroid = warnings.length ? 0 : sum(rules.erythroid);
  const lineages = warnings.length ? [] : rules.lineages;
  return {
    found: cells.length,
    edited: cells.filter((cell) => cell.edited).length + removed.length,
    total,
    uncertain: doubtful.length,
    counts,
    by_model: byModel,
    percent: Object.fromEntries(shown.map((code) => [code, total ? (100 * counts[code]) / total : 0])),
    intervals: Object.fromEntries(shown.map((code) => [code, wilson(counts[code], total, rules.z95)])),
    lineages: Object.fromEntries(lineages.map(({ name, codes }) => [name, sum(codes)])),
    stage_uncertain: isSmear ? countStages(doubtful, rules) : {},
    me_ratio: erythroid ? sum(rules.myeloid) / erythroid : null,
    warnings,
    cell_size: size,
    unlikeness,
  };
}

/**
 * Return the codes of the reasons for which there are counts alone; none where a person named half of the cells.
 * @param {Cell[]} cells
 * @param {number | null} size median of the longest sides of their boxes, in pixels
 * @param {number | null} unlikeness median of theirs
 * @param {number | null} stainDistance
 * @param {Rules} rules
 */
function findWarnings(cells, size, unlikeness, stainDistance, rules) {
  if (cells.length && 2 * cells.filter(isHumanLabelled).length >= cells.length) return [];
  const isUnlike = exceeds(unlikeness, rules.unlike_above);
  const isFar = exceeds(stainDistance, rules.stain_far_above);
  if (isFar && (isUnlike || !cells.length)) return ["no_smear"];
  const uncertain = cells.filter((cell) => isUncertain(cell, rules)).length;
  const [low, high] = rules.known_sizes;
  const signs = {
    unlike_training: isUnlike,
    stain_far: isFar,
    small_cells: size !== null && size < low,
    large_cells: size !== null && size > high,
    mostly_uncertain: cells.length >= rules.few && uncertain > rules.doubtful * cells.length,
  };
  return Object.entries(signs).flatMap(([code, isThere]) => (isThere ? code : []));
}

/**
 * @param {number | null} value
 * @param {number | null} bound
 */
function exceeds(value, bound) {
  return value !== null && bound !== null && value > bound;
}

/**
 * Return the median of the values that are known.
 * @param {(number | null | undefined)[]} values
 */
export function median(values) {
  const known = values.filter((value) => value !== null && value !== undefined).sort((a, b) => a - b);
  const middle = known.length >> 1;
  if (!known.length) return null;
  return known.length % 2 ? known[middle] : (known[middle - 1] + known[middle]) / 2;
}

/**
 * Return the lineage that a doubtful cell is surely of, where it has several stages; none where that is in doubt too.
 * @param {Cell} cell
 * @param {Rules} rules
 */
export function sureLineage(cell, rules) {
  const share = (/** @type {string[]} */ codes) =>
    codes.reduce((all, code) => all + (cell.probabilities[code] || 0), 0);
  return rules.lineages.find(({ codes }) => codes.length > 1 && share(codes) >= rules.uncertain_below)?.name;
}

/**
 * Count the doubtful cells whose lineage is not in doubt.
 * @param {Cell[]} doubtful
 * @param {Rules} rules
 */
function countStages(doubtful, rules) {
  const kin = doubtful.map((cell) => sureLineage(cell, rules));
  const counts = rules.lineages.map(({ name }) => [name, kin.filter((one) => one === name).length]);
  return Object.fromEntries(counts.filter(([, n]) => n));
}

/**
 * Return the score interval of a proportion, in percent (Wilson 1927).
 * @param {number} count
 * @param {number} total
 * @param {number} z two-sided quantile of the normal distribution
 * @returns {[number, number]}
 */
export function wilson(count, total, z) {
  if (!total) return [0, 100];
  const share = count / total;
  const z2 = z * z;
  const centre = (share + z2 / (2 * total)) / (1 + z2 / total);
  const half = (z / (1 + z2 / total)) * Math.sqrt((share * (1 - share)) / total + z2 / (4 * total ** 2));
  return [count === 0 ? 0 : 100 * (centre - half), count === total ? 100 : 100 * (centre + half)];
}

/**
 * Return the codes counted by the model's word that it never saw in a marrow image.
 * @param {Report} report
 * @param {Rules} rules
 */
function fromElsewhere(report, rules) {
  return rules.not_from_marrow.filter((code) => report.by_model[code]);
}

/**
 * Return those of them that the M:E ratio rests on.
 * @param {Report} report
 * @param {Rules} rules
 */
export function ratioRestsOn(report, rules) {
  const inRatio = [...rules.myeloid, ...rules.erythroid];
  return fromElsewhere(report, rules).filter((code) => inRatio.includes(code));
}

/**
 * Say what a reader of the figures must know; that they are no diagnosis stands above the viewer.
 * @param {Report} report
 * @param {Rules} rules
 * @param {Words} text the notes in one language
 * @param {Words} lineageNames in it
 */
export function writeNotes(report, rules, text, lineageNames) {
  if (report.warnings.includes("no_smear")) return [text.no_smear];
  const { floor, target } = rules;
  const elsewhere = fromElsewhere(report, rules).filter((code) => !rules.unknown.includes(code));
  const ratioCodes = ratioRestsOn(report, rules);
  const notes = report.warnings.map((code) => warningText(code, report, rules, text));
  if (!report.found) notes.push(text.nothing_found);
  if (report.total < floor) notes.push(format(text.below_count, { total: report.total, floor, target }));
  else if (report.total < target) notes.push(format(text.below_target, { total: report.total, target }));
  const stages = Object.entries(report.stage_uncertain).map(([name, n]) => `${lineageNames[name]} ${n}`);
  if (stages.length) notes.push(format(text.stage_uncertain, { lineages: stages.join(", ") }));
  if (report.me_ratio !== null && ratioCodes.length)
    notes.push(format(text.me_ratio, { codes: ratioCodes.join(", ") }));
  if (elsewhere.length) notes.push(format(text.not_from_marrow, { codes: elsewhere.join(", ") }));
  if (rules.unknown.length) notes.push(format(text.unknown, { codes: rules.unknown.join(", ") }));
  return notes;
}

/**
 * Say a warning.
 * @param {string} code
 * @param {Report} report
 * @param {Rules} rules
 * @param {Words} text the notes in one language
 */
export function warningText(code, report, rules, text) {
  const [low, high] = rules.known_sizes;
  return format(text[code], { size: report.cell_size === null ? "" : roundHalfEven(report.cell_size), low, high });
}

/**
 * Round to a whole number as Python writes it: a half to the even one.
 * @param {number} value
 */
function roundHalfEven(value) {
  const floor = Math.floor(value);
  return value - floor === 0.5 ? floor + (floor % 2) : Math.round(value);
}

/**
 * Put values in the place of their {names}.
 * @param {string} text
 * @param {Record<string, string | number>} values
 */
export function format(text, values) {
  return text.replace(/{(\w+)}/g, (_, name) => String(values[name]));
}
