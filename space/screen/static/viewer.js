// The viewer as a whole: what is looked at, and who shows it.

const STAY = 150; // milliseconds on a cell before the server is asked about it
const VIEWS = ["segmentation", "annotations", "report", "review"];

const state = { view: "annotations", confidence: settings.confidence, hidden: new Set(), selected: null };
const picture = new Image();
const host = element.querySelector(".mv");
const button = (name, act, kind) => make("button", { type: "button", class: kind, "data-view": name, text: words[name], onclick: act });
const tabs = [...VIEWS, "flag"].map((name) => button(name, () => open(name), name === "flag" ? "flagging" : null));
const slider = make("input", { type: "range", min: settings.lowest, max: 0.95, step: 0.01, value: state.confidence });
const shownConfidence = make("output");
const panel = make("div", { class: "panel" });
const message = make("p", { class: "message", role: "status" });
const stage = new Stage({
  onKey,
  onClick: (target) => select(overlay.idOf(target)),
  onHover: (target, event) => overlay.hint(target, event, dress()),
  onZoom: (unit) => overlay.place(unit),
});
const overlay = new Overlay(stage);
let thumbnails = new Map(); // crops of the review by cell
let heats = new Map(); // what the names rest on, by cell: {}, then {image} or {error}
let form = null; // of the flag, kept while one looks at other views

host.replaceChildren(
  make(
    "div",
    { class: "tools" },
    make("nav", { "aria-label": words.views }, ...tabs),
    make("button", { type: "button", class: "quiet restart", text: words.new_image, onclick: () => trigger("restart") }),
  ),
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
        stage.buttons,
      ),
    ),
    panel,
  ),
);

slider.addEventListener("input", () => {
  state.confidence = Number(slider.value);
  draw();
});
// a file dropped on the viewer is the next image; without this the browser would leave the page for it
host.addEventListener("dragover", (event) => event.preventDefault());
host.addEventListener("drop", async (event) => {
  event.preventDefault();
  const file = event.dataTransfer.files[0];
  if (file) trigger("dropped", { path: (await upload(file)).path });
});
picture.addEventListener("load", () => {
  thumbnails.clear();
  draw();
});
watch("value", load);
load();

/** Take up another analysis, or none. */
function load() {
  const value = props.value;
  if (!value || value.key === state.key) return; // Gradio may tell of the same value twice
  Object.assign(state, { key: value.key, selected: null, hidden: new Set(), confidence: settings.confidence, view: "annotations" });
  slider.value = state.confidence;
  [thumbnails, heats] = [new Map(), new Map()];
  form = flagPanel((what, values) => ask(what, { ...values, analysis: analysis() }));
  picture.src = value.picture.url;
  stage.open(value.picture.url, value.image.width, value.image.height);
  overlay.open(value.cells);
  draw();
}

/** Give the cells at the slider's confidence, by falling score. */
function passing() {
  return props.value.cells.filter((cell) => cell.score >= state.confidence);
}

/** Give those of them that the legend shows. */
function visible() {
  return passing().filter((cell) => !state.hidden.has(groupOf(cell)) || state.view === "segmentation");
}

/** Give the look of the outlines: report, review and flag stand beside the annotations. */
function dress() {
  return state.view === "segmentation" ? "segmentation" : "annotations";
}

function open(view) {
  state.view = view;
  draw();
}

function select(id) {
  state.selected = id;
  const cell = props.value.cells.find((other) => other.id === id);
  if (cell) stage.reveal(cell.box);
  draw();
}

/** Go to the next or the previous visible cell; give whether there is one. */
function step(by) {
  const cells = visible();
  const at = cells.findIndex((cell) => cell.id === state.selected);
  const next = at < 0 ? cells[by > 0 ? 0 : cells.length - 1] : cells[at + by];
  if (next) select(next.id);
  return Boolean(next);
}

function onKey(event) {
  if (event.key === "Tab") return step(event.shiftKey ? -1 : 1);
  if (event.key === "Escape") {
    if (state.selected === null) stage.svg.blur();
    else select(null);
    return true;
  }
  if (!event.key.startsWith("Arrow")) return false;
  const from = visible().find((cell) => cell.id === state.selected);
  const to = from ? neighbour(visible(), from, event.key) : visible()[0];
  if (to) select(to.id);
  return true;
}

/** Ask the server something about this image. */
async function ask(what, values) {
  try {
    return await server[what]({ key: props.value.key, ...values });
  } catch {
    return { error: words.failed };
  }
}

/** Give the heat map of a cell, which is asked for where one stays on the cell. */
function heatOf(cell) {
  if (!settings.explains) return null;
  if (!heats.has(cell.id)) {
    const mine = heats.set(cell.id, {});
    setTimeout(async () => {
      if (state.selected !== cell.id) return mine.delete(cell.id);
      mine.set(cell.id, await loadHeat(await ask("explain", { cell })));
      if (mine === heats) draw();
    }, STAY);
  }
  return heats.get(cell.id);
}

/** Give the analysis as it is looked at, in the layout of the JSON; the server knows the rest. */
function analysis() {
  return { confidence: state.confidence, cells: passing(), removed: [] };
}

async function download(kind) {
  message.textContent = saveFile(await ask("export_file", { format: kind, analysis: analysis() }));
}

/** Show the state: everything on the screen follows from it. */
function draw() {
  if (!props.value) return;
  const cells = passing();
  const shown = new Set(visible().map((cell) => cell.id));
  const report = countCells(cells);
  if (!shown.has(state.selected)) state.selected = null;
  for (const tab of tabs) tab.setAttribute("aria-pressed", String(tab.dataset.view === state.view));
  shownConfidence.textContent = number(state.confidence, 2);
  slider.style.setProperty("--share", `${(100 * (state.confidence - slider.min)) / (slider.max - slider.min)}%`);
  host.dataset.view = state.view;
  overlay.draw(dress(), (cell) => shown.has(cell.id), state.selected);
  const focused = panel.contains(document.activeElement) ? keyOf(document.activeElement) : null;
  panel.replaceChildren(...[card(), ...contents(cells, report), message].filter(Boolean));
  const again = focused && [...panel.querySelectorAll("button, textarea, input")].find((node) => keyOf(node) === focused);
  if (again) again.focus({ preventScroll: true });
}

/** Tell the panel's controls apart, so that the one with the focus keeps it when they are made anew. */
function keyOf(node) {
  return node.dataset.group || node.dataset.id || node.title || node.name || node.textContent;
}

function thumbnail(cell) {
  if (!thumbnails.has(cell.id)) thumbnails.set(cell.id, crop(picture, props.value, cell, 64));
  return thumbnails.get(cell.id);
}

function card() {
  const cell = props.value.cells.find((other) => other.id === state.selected);
  return cell && cellCard(picture, props.value, cell, heatOf(cell), { onClose: () => select(null), onStep: step });
}

function contents(cells, report) {
  const toggle = (group) => {
    if (!state.hidden.delete(group)) state.hidden.add(group);
    draw();
  };
  const all = (groups) => {
    state.hidden = new Set(groups);
    draw();
  };
  if (state.view === "report") return [reportPanel(report, { onDownload: download })];
  if (state.view === "review") return [reviewPanel(cells, state.selected, thumbnail, select)];
  if (state.view === "flag") return [form];
  const hint = state.selected === null ? make("p", { class: "small hint", text: matchMedia("(hover: none)").matches ? words.hint_touch : words.hint }) : null;
  if (state.view === "segmentation") return [figures(report), hint];
  return [figures(report), legend(report, state.hidden, { onToggle: toggle, onAll: all }), hint];
}
