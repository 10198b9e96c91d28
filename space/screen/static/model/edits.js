// What a person can do to the cells: pure functions from one state to the next. A cell is never changed, only replaced,
// and keeps what the model said of it.

/** @import { Cell, Edit, NewCell, Stain, Stamp } from "../types.d.ts" */

/**
 * @typedef {object} State
 * @property {Cell[]} cells
 * @property {Cell[]} removed
 * @property {Stain | null} reference in whose colours the cells were named; none for those of their picture
 * @property {number} next number of the next new cell
 */

/**
 * Return the state in which an analysis is opened.
 * @param {Cell[]} cells
 * @param {Cell[]} removed
 * @param {Stain | null} reference
 * @returns {State}
 */
export function openState(cells, removed = [], reference = null) {
  return { cells, removed, reference, next: 1 + Math.max(0, ...[...cells, ...removed].map((cell) => cell.id)) };
}

/**
 * Return the class that the model found most probable.
 * @param {NewCell} cell
 */
export function modelLabel(cell) {
  return Object.entries(cell.probabilities).reduce((best, other) => (other[1] > best[1] ? other : best))[0];
}

/**
 * Note who changed a cell, when, and what.
 * @param {Cell} cell
 * @param {Stamp} stamp
 * @param {Partial<Edit>} changes
 * @returns {Cell}
 */
function noteEdit(cell, stamp, changes) {
  const before = cell.edited || { label: null, shape: null, from: [] };
  return { ...cell, edited: { ...before, ...stamp, ...changes } };
}

/**
 * @param {Cell} cell
 * @param {string} code
 * @returns {Cell}
 */
function withLabel(cell, code) {
  return { ...cell, label: code, probability: cell.probabilities[code] || 0 };
}

/**
 * @param {State} state
 * @param {Set<number>} ids
 * @param {(cell: Cell) => Cell} change
 * @returns {State}
 */
function replace(state, ids, change) {
  return { ...state, cells: state.cells.map((cell) => (ids.has(cell.id) ? change(cell) : cell)) };
}

/**
 * Name cells by hand.
 * @param {State} state
 * @param {Set<number>} ids
 * @param {Stamp} stamp
 * @param {string} code
 */
export function relabelCells(state, ids, stamp, code) {
  return replace(state, ids, (cell) => noteEdit(withLabel(cell, code), stamp, { label: code }));
}

/**
 * Take over what the model says of all cells in other colours; what a person named keeps its name.
 * @param {State} state
 * @param {NewCell[]} named the same cells in their order
 * @param {Stain | null} reference
 * @returns {State}
 */
export function renameCells(state, named, reference) {
  const cells = state.cells.map((cell, at) => {
    const { probabilities } = named[at];
    return withLabel({ ...cell, probabilities }, cell.edited?.label || modelLabel(named[at]));
  });
  return { ...state, cells, reference };
}

/**
 * Say that the names of cells are right.
 * @param {State} state
 * @param {Set<number>} ids
 * @param {Stamp} stamp
 */
export function confirmCells(state, ids, stamp) {
  return replace(state, ids, (cell) => noteEdit(cell, stamp, { label: cell.label }));
}

/**
 * Go back to the model's names.
 * @param {State} state
 * @param {Set<number>} ids
 * @param {Stamp} stamp
 */
export function resetCells(state, ids, stamp) {
  return replace(state, ids, (cell) => {
    const plain = withLabel(cell, modelLabel(cell));
    return cell.edited?.shape ? noteEdit(plain, stamp, { label: null }) : { ...plain, edited: null };
  });
}

/**
 * Take cells away; one that a person drew leaves no trace.
 * @param {State} state
 * @param {Set<number>} ids
 * @param {Stamp} stamp
 */
export function deleteCells(state, ids, stamp) {
  return takeAway(state, ids, stamp, "deleted", (cell) => cell.edited?.shape !== "added");
}

/**
 * @param {State} state
 * @param {Set<number>} ids
 * @param {Stamp} stamp
 * @param {string} shape
 * @param {(cell: Cell) => boolean} isKept
 * @returns {State}
 */
function takeAway(state, ids, stamp, shape, isKept = () => true) {
  const gone = state.cells.filter((cell) => ids.has(cell.id) && isKept(cell));
  return {
    ...state,
    cells: state.cells.filter((cell) => !ids.has(cell.id)),
    removed: [...state.removed, ...gone.map((cell) => noteEdit(cell, stamp, { shape }))],
  };
}

/**
 * Bring a deleted cell back as it was.
 * @param {State} state
 * @param {number} id
 * @returns {State}
 */
export function restoreCell(state, id) {
  const cell = state.removed.find((other) => other.id === id);
  if (!cell?.edited) return state;
  const { from, label } = cell.edited;
  const shape = from.length > 1 ? "merged" : from.length ? "split" : null;
  const back = shape || label ? { ...cell, edited: { ...cell.edited, shape } } : { ...cell, edited: null };
  return {
    ...state,
    cells: [...state.cells, back].sort((a, b) => a.id - b.id),
    removed: state.removed.filter((other) => other !== cell),
  };
}

/**
 * Put new cells in the place of those that they were made `from`; `shape` says how.
 * @param {State} state
 * @param {NewCell[]} cells
 * @param {Stamp} stamp
 * @param {string} shape
 * @param {number[]} from
 * @returns {State}
 */
export function putCells(state, cells, stamp, shape, from = []) {
  const rest = takeAway(state, new Set(from), stamp, shape);
  const made = cells.map((cell, at) =>
    noteEdit({ ...cell, id: state.next + at, edited: null }, stamp, { shape, from }),
  );
  return { ...rest, cells: [...rest.cells, ...made], next: state.next + made.length };
}
