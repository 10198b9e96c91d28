// The viewer as a whole: what is looked at, and who shows it.

const STAY = 150; // milliseconds on a cell before the server is asked about it
const VIEWS = ["segmentation", "annotations", "report", "review"];

const state = {
  view: "annotations",
  hidden: new Set(), // groups
  chosen: new Set(), // ids, the last one chosen last
  several: false, // whether a click chooses one more
  isCorrecting: false, // whether the card's tools are unfolded
  busy: false, // whether the server looks for an outline
  pending: null, // a saved file that waits for its image
};
const kase = new Case();
let work = null; // on the image that is shown
let thumbnails = new WeakMap(); // crops by the cell's box
let heats = new WeakMap(); // what the names rest on, by cell: {}, then {image} or {error}
const forms = new WeakMap(); // of the flag, by work, kept while one looks at other views

const host = element.querySelector(".mv");
const button = (name, act, kind) => make("button", { type: "button", class: kind, "data-view": name, text: words[name], onclick: act });
const tabs = [...VIEWS, "flag"].map((name) => button(name, () => open(name), name === "flag" ? "flagging" : null));
const slider = make("input", { type: "range", min: settings.lowest, max: 0.95, step: 0.01 });
const shownConfidence = make("output");
const panel = make("div", { class: "panel" });
const message = make("p", { class: "message", role: "status" });
const strip = make("div", { class: "case-strip" });
const stage = new Stage({
  onKey,
  onClick: (target, event) => chooseInPicture(overlay.idOf(target), event),
  onHover: (target, event) => overlay.hint(target, event, dress()),
  onZoom: (unit) => overlay.place(unit),
});
const overlay = new Overlay(stage);
const boxTool = new BoxTool(stage, addInBox, () => draw());
const tool = (name, keys) => {
  const title = `${words[`${name}_info`]} (${keys})`;
  return make("button", { type: "button", "data-act": name, title, "aria-label": title, onclick: acts[name] }, icon(name));
};
const editTools = { undo: tool("undo", words.undo_keys), redo: tool("redo", words.redo_keys), add: tool("add", "A") };
editTools.add.append(make("span", { text: words.add }));
const several = make("button", {
  type: "button",
  class: "several",
  text: words.several,
  title: words.several_info,
  onclick: () => {
    state.several = !state.several;
    draw();
  },
});
const reviewerInput = make("input", { name: "reviewer", value: reviewer(), maxlength: 100, placeholder: words.optional, autocomplete: "name" });
reviewerInput.addEventListener("input", () => rememberReviewer(reviewerInput.value.trim()));

host.replaceChildren(
  make(
    "div",
    { class: "tools" },
    make("nav", { "aria-label": words.views }, ...tabs),
    make("button", { type: "button", class: "quiet restart", text: words.new_image, onclick: restart }),
  ),
  strip,
  make(
    "div",
    { class: "body" },
    make(
      "div",
      { class: "look" },
      stage.element,
      make(
        "div",
        { class: "under" },
        make(
          "label",
          { class: "confidence", title: words.confidence_info },
          make("span", { text: words.confidence }),
          slider,
          shownConfidence,
        ),
        make("div", { class: "edits" }, ...Object.values(editTools)),
        stage.buttons,
      ),
      message,
    ),
    panel,
  ),
);

slider.addEventListener("input", () => {
  work.confidence = Number(slider.value);
  draw();
});
// a file dropped on the viewer is taken; without this the browser would leave the page for it
host.addEventListener("dragover", (event) => event.preventDefault());
host.addEventListener("drop", (event) => {
  event.preventDefault();
  takeFiles([...event.dataTransfer.files]);
});
document.addEventListener("keydown", onToolKey);
document.addEventListener("marrow-saved", (event) => (state.pending = event.detail)); // dropped before its image
window.addEventListener("beforeunload", (event) => {
  if (isAnythingUnsaved()) event.preventDefault();
});
let taken = null; // key of the last analysis from the server
watch("value", load);
load();

/** Take up another analysis; without one, the work on the screen stays, for who comes back to it. */
function load() {
  const value = props.value;
  if (!value || value.key === taken) return; // Gradio may tell of the same value twice
  taken = value.key;
  Object.assign(state, { hidden: new Set(), view: "annotations" });
  const mine = new Work(value);
  mine.picture.addEventListener("load", () => {
    thumbnails = new WeakMap();
    draw();
  });
  say("");
  show(mine);
  resume(mine);
}

/** Show the work on an image. */
function show(mine) {
  work = mine;
  state.chosen = new Set();
  slider.min = work.lowest;
  slider.value = work.confidence;
  const { width, height } = work.value.image;
  stage.open(work.picture.src, width, height);
  draw();
}

function restart() {
  if (mayLeave()) trigger("restart");
}

/** Give those of the cells that the legend shows. */
function visible() {
  const all = ["segmentation", "review"].includes(state.view);
  return work.passing().filter((cell) => all || !state.hidden.has(groupOf(cell)));
}

/** Give the look of the outlines: report, review and flag stand beside the annotations. */
function dress() {
  return state.view === "segmentation" ? "segmentation" : "annotations";
}

function open(view) {
  state.view = view;
  say("");
  if (view !== "review" && boxTool.active) boxTool.use(false);
  if (view !== "review" && state.chosen.size > 1) state.chosen = new Set();
  draw();
}

/** Ask the server something about this image. */
async function ask(what, values) {
  try {
    return await server[what]({ key: work.value.key, ...values });
  } catch {
    return { error: words.failed };
  }
}

/** Give the heat map of a cell, which is asked for where one stays on the cell. */
function heatOf(cell) {
  if (!settings.explains) return null;
  if (!heats.has(cell)) {
    heats.set(cell, {});
    setTimeout(async () => {
      if (lastChosen() !== cell.id) return heats.delete(cell);
      heats.set(cell, await loadHeat(await ask("explain", { cell })));
      draw();
    }, STAY);
  }
  return heats.get(cell);
}

/** Show the state: everything on the screen follows from it. */
function draw() {
  if (!work) return;
  const cells = work.passing();
  const shown = new Set(visible().map((cell) => cell.id));
  state.chosen = new Set([...state.chosen].filter((id) => shown.has(id)));
  for (const tab of tabs) tab.setAttribute("aria-pressed", String(tab.dataset.view === state.view));
  shownConfidence.textContent = number(work.confidence, 2);
  slider.style.setProperty("--share", `${(100 * (work.confidence - slider.min)) / (slider.max - slider.min)}%`);
  host.dataset.view = state.view;
  overlay.open(work.now.cells);
  overlay.draw(dress(), (cell) => shown.has(cell.id), state.chosen);
  drawTools();
  renew(strip, [drawStrip()]);
  renew(panel, contents(cells, work.report()));
}

function drawTools() {
  const { undo, redo, add } = editTools;
  undo.disabled = !work.past.length;
  redo.disabled = !work.future.length;
  add.hidden = state.view !== "review";
  add.setAttribute("aria-pressed", String(boxTool.active));
  several.setAttribute("aria-pressed", String(state.several));
  undo.parentElement.hidden = add.hidden && undo.disabled && redo.disabled;
}

/** Put new children into a part of the screen; the control with the focus keeps it. */
function renew(part, children) {
  const focused = part.contains(document.activeElement) ? keyOf(document.activeElement) : null;
  part.replaceChildren(...children.filter(Boolean));
  const again = focused && [...part.querySelectorAll("button, textarea, input, summary")].find((node) => keyOf(node) === focused);
  if (again) again.focus({ preventScroll: true });
}

/** Tell controls apart, so that the one with the focus keeps it when they are made anew. */
function keyOf(node) {
  const { group, id, name, act, all } = node.dataset;
  return group || id || name || act || all || node.title || node.name || node.textContent;
}

function thumbnail(cell) {
  if (!thumbnails.has(cell.box)) thumbnails.set(cell.box, crop(work, cell, 64));
  return thumbnails.get(cell.box);
}

function card() {
  const [cell] = chosenCells();
  if (!cell) return null;
  const tools = foldedTools([cell], acts, state.isCorrecting, (isOpen) => {
    if (state.isCorrecting === isOpen) return;
    state.isCorrecting = isOpen;
    draw();
  });
  return cellCard(work, cell, heatOf(cell), tools, { onClose: () => choose(null), onStep: step });
}

function drawStrip() {
  return caseStrip(kase, work, state.view === "case", {
    onOpen: show,
    onAdd: addToCase,
    onRemove: removeFromCase,
    onTotal: () => open("case"),
    onNext: restart,
  });
}

function addToCase() {
  if (kase.works.some((one) => isSameImage(one, work))) return say(words.twice, true);
  kase.add(work);
  draw();
}

function removeFromCase(one) {
  if (one !== work && one.isUnsaved && !confirm(words.leave)) return;
  kase.replace(one, null);
  if (state.view === "case" && !kase.works.length) state.view = "report";
  draw();
}

function contents(cells, report) {
  if (state.view === "review") return review(cells);
  if (state.view === "case") {
    const [onPrint, onSave] = [() => takeCase("print"), () => takeCase("json")];
    return [card(), casePanel(kase, { onOpen: show, onPrint, onSave, onOpenSaved: openSaved })];
  }
  if (state.view === "report") {
    const onAdd = kase.has(work) ? null : addToCase;
    return [card(), reportPanel(report, { onDownload: download, onOpenSaved: openSaved, onAdd })];
  }
  if (state.view === "flag") return [card(), flagForm()];
  const hint = state.chosen.size ? null : make("p", { class: "small hint", text: matchMedia("(hover: none)").matches ? words.hint_touch : words.hint });
  if (state.view === "segmentation") return [card(), figures(report), hint];
  return [card(), figures(report), legend(report, state.hidden, { onToggle: toggleGroup, onAll: hideGroups }), hint];
}

function toggleGroup(group) {
  if (!state.hidden.delete(group)) state.hidden.add(group);
  draw();
}

function hideGroups(groups) {
  state.hidden = new Set(groups);
  draw();
}

function flagForm() {
  const mine = work;
  if (!forms.has(mine)) forms.set(mine, flagPanel((what, values) => ask(what, { ...values, analysis: mine.analysis() })));
  return forms.get(mine);
}

function review(cells) {
  const deleted = work.now.removed.filter((cell) => cell.edited.shape === "deleted");
  return [
    bench(work, chosenCells(), acts, { onClose: () => choose(null), onStep: step }),
    make("div", { class: "reviewer" }, several, make("label", {}, make("span", { text: words.reviewer }), reviewerInput)),
    galleryPanel(cells, deleted, state.chosen, thumbnail, { onChoose: chooseInGallery, onGroup: chooseGroup, onRestore: restore }),
    filesRow(download, openSaved),
  ];
}
