// Saved work: which dropped file is what, and whether a JSON can be an analysis or a case at all.

const LARGEST = 50e6; // bytes of a JSON

const isSavedFile = ({ name, type }) => type === "application/json" || /\.json$/i.test(name);

/** Read a saved file: the analyses in it, each with its file's name if it has one; or the `error` to show. */
async function readSaved(file) {
  try {
    if (file.size > LARGEST) return { error: words.not_saved_work };
    const plain = JSON.parse(await file.text());
    const isCase = Array.isArray(plain.case);
    const analyses = isCase ? plain.case : [plain];
    return analyses.length && analyses.every(isAnalysis) ? { analyses, isCase } : { error: words.not_saved_work };
  } catch {
    return { error: words.not_saved_work };
  }
}

/** Tell whether a value can be shown and counted; the server looks closer once its image is there. */
function isAnalysis(plain) {
  const isSize = (value) => Number.isInteger(value) && value > 0;
  const isCell = ({ id, box, score, probability, label, probabilities, edited }) =>
    isSize(id) &&
    Array.isArray(box) &&
    [...box, score, probability].every(Number.isFinite) &&
    settings.labels.includes(label) &&
    Object.values(probabilities).every(Number.isFinite) &&
    (!edited || (Array.isArray(edited.from) && Number.isFinite(Date.parse(edited.at))));
  return (
    isSize(plain.image.width) &&
    isSize(plain.image.height) &&
    Number.isFinite(plain.confidence) &&
    [...plain.cells, ...(plain.removed || [])].every(isCell)
  );
}

/** Tell whether a saved analysis can be that of a value: the same size, and the same name where it names a file. */
function fits(plain, value) {
  const { width, height } = value.image;
  return plain.image.width === width && plain.image.height === height && (!plain.file || stem(plain.file) === stem(value.file));
}

function stem(name) {
  return name.replace(/\.[^.]*$/, "");
}
