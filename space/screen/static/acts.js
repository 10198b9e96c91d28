// What the tools do to the work; new outlines come from the server.

const acts = {
  name: (code) => edit((now, ids) => relabelCells(now, ids, code), format(words.did_name, { n: state.chosen.size, name: nameOf(code) })),
  confirm: () => edit(confirmCells, words.did_confirm),
  reset: () => edit(resetCells, words.did_reset),
  remove: () => edit(deleteCells, words.did_remove),
  merge: () => state.chosen.size > 1 && outline("merge_cells", { cells: chosenCells() }, "merged", [...state.chosen]),
  split: () => state.chosen.size === 1 && outline("split_cell", { cell: chosenCells()[0], parts: 2 }, "split", [...state.chosen]),
  add: () => boxTool.use(!boxTool.active),
  undo: () => go(work.undo(), words.undone),
  redo: () => go(work.redo(), words.redone),
};

function say(text, isWrong = false) {
  message.textContent = text;
  message.classList.toggle("wrong", isWrong);
  if (text) message.scrollIntoView({ block: "nearest" });
}

/** Change the chosen cells; give false when there are none. */
function edit(change, sentence) {
  if (!state.chosen.size) return false;
  work.go(change(work.now, state.chosen));
  return go(true, sentence);
}

function go(isDone, sentence) {
  if (!isDone) return false;
  say(sentence);
  draw();
  return true;
}

function restore(id) {
  work.go(restoreCell(work.now, id));
  state.chosen = new Set([id]);
  go(true, words.did_restore);
}

/** Put the outlines that the server finds in the place of the cells that they are made `from`. */
async function outline(what, values, shape, from = []) {
  if (state.busy) return;
  const mine = work;
  state.busy = true;
  say(words.outlining);
  const { cell, cells = [cell], error } = await ask(what, values);
  state.busy = false;
  if (error) return say(error, true);
  if (!from.every((id) => mine.now.cells.some((other) => other.id === id))) return say(""); // undone meanwhile
  const { next } = mine.now;
  mine.go(putCells(mine.now, cells, shape, from));
  say(words[`did_${shape}`]);
  if (mine === work) chooseAll(cells.map((_, at) => next + at));
}

async function addInBox(box) {
  const done = boxTool.wait();
  await outline("add_cell", { box }, "added");
  done();
}

/** Whether the tools are on the screen: their keys do nothing to somebody who only looks. */
function areToolsShown() {
  return state.view === "review" || (state.isCorrecting && state.chosen.size === 1 && state.view !== "case");
}

/** Use a key anywhere on the viewer; text is typed undisturbed. */
function onToolKey(event) {
  const { target } = event;
  const isTyping = target.closest && target.closest("textarea, input:not([type=range], [type=checkbox])");
  if (!work || !host.offsetParent || isTyping || (target !== document.body && !host.contains(target))) return;
  const key = event.key.toLowerCase();
  let act = null;
  if (event.ctrlKey || event.metaKey) {
    if (key === "z") act = event.shiftKey ? acts.redo : acts.undo;
    if (key === "y") act = acts.redo;
  } else if (!event.altKey && areToolsShown()) {
    const { code, tool } = keyMeaning(event) || {};
    if (code) act = () => acts.name(code);
    if (tool && (tool !== "add" || state.view === "review")) act = acts[tool];
  }
  if (act && act() !== false) event.preventDefault();
}
