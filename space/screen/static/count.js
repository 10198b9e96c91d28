// The differential count, as marrow/report.py makes it: the same rules, so that it follows the slider at once.

const rules = settings.rules;

/** A doubtful name counts nowhere, unless a person gave or confirmed it. */
function isUncertain(cell) {
  return cell.probability < rules.uncertain_below && !isNamed(cell);
}

/** Give the legend's group of a cell: its code, or UNCERTAIN. */
function groupOf(cell) {
  return isUncertain(cell) ? UNCERTAIN : cell.label;
}

/** Count cells, and those that a person took away as edits; the result has the keys of the JSON's "report". */
function countCells(cells, removed) {
  const counts = Object.fromEntries(settings.labels.map((code) => [code, 0]));
  const byModel = { ...counts };
  for (const cell of cells) {
    if (isUncertain(cell)) continue;
    counts[cell.label] += 1;
    if (!isNamed(cell)) byModel[cell.label] += 1;
  }
  const sum = (codes) => codes.reduce((all, code) => all + (counts[code] || 0), 0);
  const counted = settings.labels.filter((code) => !rules.left_out.includes(code));
  const total = sum(counted);
  const erythroid = sum(rules.erythroid);
  return {
    found: cells.length,
    edited: cells.filter((cell) => cell.edited).length + removed.length,
    total,
    uncertain: cells.filter(isUncertain).length,
    counts,
    by_model: byModel,
    percent: Object.fromEntries(counted.map((code) => [code, total ? (100 * counts[code]) / total : 0])),
    intervals: Object.fromEntries(counted.map((code) => [code, wilson(counts[code], total)])),
    lineages: Object.fromEntries(rules.lineages.map(({ name, codes }) => [name, sum(codes)])),
    me_ratio: erythroid ? sum(rules.myeloid) / erythroid : null,
  };
}

/** Give the 95 % score interval of a proportion, in percent (Wilson 1927). */
function wilson(count, total) {
  if (!total) return [0, 100];
  const share = count / total;
  const z2 = rules.z95 ** 2;
  const centre = (share + z2 / (2 * total)) / (1 + z2 / total);
  const half =
    (rules.z95 / (1 + z2 / total)) * Math.sqrt((share * (1 - share)) / total + z2 / (4 * total ** 2));
  return [count === 0 ? 0 : 100 * (centre - half), count === total ? 100 : 100 * (centre + half)];
}

/** Give the codes counted by the model's word that it never saw in a marrow image. */
function fromElsewhere(report) {
  return rules.not_from_marrow.filter((code) => report.by_model[code]);
}

/** Give those of them that the M:E ratio rests on. */
function ratioRestsOn(report) {
  const inRatio = [...rules.myeloid, ...rules.erythroid];
  return fromElsewhere(report).filter((code) => inRatio.includes(code));
}

/** Say what a reader of the figures must know; that they are no diagnosis stands above the viewer. */
function writeNotes(report) {
  const text = settings.notes[language];
  const { floor, target } = rules;
  const elsewhere = fromElsewhere(report).filter((code) => !rules.unknown.includes(code));
  const shaky = ratioRestsOn(report);
  const notes = [];
  if (report.total < floor) notes.push(format(text.below_count, { total: report.total, floor, target }));
  else if (report.total < target) notes.push(format(text.below_target, { total: report.total, target }));
  if (report.me_ratio !== null && shaky.length) notes.push(format(text.me_ratio, { codes: shaky.join(", ") }));
  if (elsewhere.length) notes.push(format(text.not_from_marrow, { codes: elsewhere.join(", ") }));
  if (rules.unknown.length) notes.push(format(text.unknown, { codes: rules.unknown.join(", ") }));
  return notes;
}
