// What a person can do to the cells: pure functions from one state {cells, removed, next} to the next, where `next` is
// the number of the next new cell. A cell is never changed, only replaced, and keeps what the model said of it.

const REVIEWER = "marrow-reviewer"; // key in the browser's storage

/** Give the reviewer's name, or "". */
function reviewer() {
  try {
    return localStorage.getItem(REVIEWER) || "";
  } catch {
    return ""; // a browser that stores nothing for this page
  }
}

function rememberReviewer(name) {
  try {
    localStorage.setItem(REVIEWER, name);
  } catch {
    // then it is asked for again next time
  }
}

/** Give the state in which an analysis is opened. */
function openState(cells, removed = []) {
  return { cells, removed, next: 1 + Math.max(0, ...[...cells, ...removed].map((cell) => cell.id)) };
}

/** Give the class that the model found most probable. */
function modelLabel(cell) {
  return Object.entries(cell.probabilities).reduce((best, other) => (other[1] > best[1] ? other : best))[0];
}

function isNamed(cell) {
  return Boolean(cell.edited && cell.edited.label);
}

/** Note who changed a cell, when, and what. */
function noteEdit(cell, changes) {
  const before = cell.edited || { label: null, shape: null, from: [] };
  const at = `${new Date().toISOString().slice(0, 19)}Z`;
  return { ...cell, edited: { ...before, at, by: reviewer() || null, ...changes } };
}

function called(cell, code) {
  return { ...cell, label: code, probability: cell.probabilities[code] || 0 };
}

function replace(state, ids, change) {
  return { ...state, cells: state.cells.map((cell) => (ids.has(cell.id) ? change(cell) : cell)) };
}

/** Give cells a name. */
function relabelCells(state, ids, code) {
  return replace(state, ids, (cell) => noteEdit(called(cell, code), { label: code }));
}

/** Say that the names of cells are right. */
function confirmCells(state, ids) {
  return replace(state, ids, (cell) => noteEdit(cell, { label: cell.label }));
}

/** Give cells the model's name again. */
function resetCells(state, ids) {
  return replace(state, ids, (cell) => {
    const plain = called(cell, modelLabel(cell));
    return cell.edited && cell.edited.shape ? noteEdit(plain, { label: null }) : { ...plain, edited: null };
  });
}

/** Take cells away; one that a person drew leaves no trace. */
function deleteCells(state, ids) {
  return takeAway(state, ids, "deleted", (cell) => !cell.edited || cell.edited.shape !== "added");
}

function takeAway(state, ids, shape, isKept = () => true) {
  const gone = state.cells.filter((cell) => ids.has(cell.id) && isKept(cell));
  return {
    ...state,
    cells: state.cells.filter((cell) => !ids.has(cell.id)),
    removed: [...state.removed, ...gone.map((cell) => noteEdit(cell, { shape }))],
  };
}

/** Bring a deleted cell back as it was. */
function restoreCell(state, id) {
  const cell = state.removed.find((other) => other.id === id);
  const { from } = cell.edited;
  const shape = from.length > 1 ? "merged" : from.length ? "split" : null;
  const back = shape || cell.edited.label ? { ...cell, edited: { ...cell.edited, shape } } : { ...cell, edited: null };
  return {
    ...state,
    cells: [...state.cells, back].sort((a, b) => a.id - b.id),
    removed: state.removed.filter((other) => other !== cell),
  };
}

/** Put new cells in the place of those that they were made `from`; `shape` says how. */
function putCells(state, cells, shape, from = []) {
  const rest = takeAway(state, new Set(from), shape);
  const made = cells.map((cell, at) => noteEdit({ ...cell, id: state.next + at, edited: null }, { shape, from }));
  return { ...rest, cells: [...rest.cells, ...made], next: state.next + made.length };
}
