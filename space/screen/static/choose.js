// Choosing cells: one in the picture for its card, several in the review to correct them together.

function chosenCells() {
  return work.now.cells.filter((cell) => state.chosen.has(cell.id));
}

function lastChosen() {
  return [...state.chosen].at(-1) ?? null;
}

/** Choose one cell alone, or none. */
function choose(id) {
  chooseAll(id === null ? [] : [id]);
}

/** Choose cells; the last is brought into view. */
function chooseAll(ids) {
  state.chosen = new Set(ids);
  const last = work.now.cells.find((cell) => cell.id === lastChosen());
  if (last) stage.reveal(last.box);
  draw();
}

/** Choose one more cell, or one less. */
function toggle(id) {
  const ids = [...state.chosen].filter((other) => other !== id);
  chooseAll(state.chosen.has(id) ? ids : [...ids, id]);
}

const isOneMore = (event) => state.view === "review" && (state.several || event.ctrlKey || event.metaKey);

function chooseInPicture(id, event) {
  say("");
  if (!isOneMore(event) && !(event.shiftKey && state.view === "review")) choose(id);
  else if (id !== null) toggle(id);
}

function chooseInGallery(id, event) {
  say("");
  if (event.shiftKey && state.chosen.size) {
    const range = galleryRange(work.passing(), lastChosen(), id);
    chooseAll([...state.chosen, ...range].filter((other) => other !== id).concat(id));
  } else if (isOneMore(event)) toggle(id);
  else choose(id);
}

/** Choose a whole group beside what is chosen, or nothing. */
function chooseGroup(ids) {
  say("");
  chooseAll(ids.length ? [...state.chosen, ...ids] : []);
}

/** Go to the next or the previous visible cell; give whether there is one. */
function step(by) {
  const cells = visible();
  const at = cells.findIndex((cell) => cell.id === lastChosen());
  const next = at < 0 ? cells[by > 0 ? 0 : cells.length - 1] : cells[at + by];
  if (next) choose(next.id);
  return Boolean(next);
}

/** Use a key on the picture; give whether it was used. */
function onKey(event) {
  if (event.key === "Tab") return step(event.shiftKey ? -1 : 1);
  if (event.key === "Escape") {
    if (state.chosen.size) choose(null);
    else stage.svg.blur();
    return true;
  }
  if (!event.key.startsWith("Arrow")) return false;
  const from = visible().find((cell) => cell.id === lastChosen());
  const to = from ? neighbour(visible(), from, event.key) : visible()[0];
  if (to) choose(to.id);
  return true;
}
