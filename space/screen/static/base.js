// Small things that every part of the viewer uses: elements, words and numbers in the visitor's language.

const settings = props.settings;
const language = (navigator.language || "en").toLowerCase().startsWith("fr") ? "fr" : "en";
const words = settings.words[language];
const UNCERTAIN = settings.uncertain; // group of the uncertain cells, beside the codes

/** Make an element: attributes, `text`, and `on…` listeners by name; then its children. */
function make(tag, attributes = {}, ...children) {
  return fill(document.createElement(tag), attributes, children);
}

/** Make an SVG element in the same way. */
function vector(tag, attributes = {}, ...children) {
  return fill(document.createElementNS("http://www.w3.org/2000/svg", tag), attributes, children);
}

function fill(node, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue;
    if (name === "text") node.textContent = String(value).replace(/ (?=[;:?!%»])|(?<=«) /g, "\u00a0"); // as French wants it
    else if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else node.setAttribute(name, value === true ? "" : value);
  }
  node.append(...children.filter((child) => child !== null && child !== undefined));
  return node;
}

// made once: toLocaleString makes one at every call, which hundreds of cells would feel
const numberFormats = [0, 1, 2].map((n) => new Intl.NumberFormat(language, { minimumFractionDigits: n, maximumFractionDigits: n }));
const percentFormat = new Intl.NumberFormat(language, { style: "percent", maximumFractionDigits: 0 });
const timeFormat = new Intl.DateTimeFormat(navigator.language, { dateStyle: "medium", timeStyle: "short" });

/** Write a number as the language does, with up to two decimals, always that many. */
function number(value, decimals = 0) {
  return numberFormats[decimals].format(value);
}

/** Write a probability as a percentage; none is nought or certain. */
function percent(probability) {
  const write = (share) => percentFormat.format(share);
  if (probability < 0.01) return `< ${write(0.01)}`;
  return probability > 0.99 ? `> ${write(0.99)}` : write(probability);
}

/** Put values in the place of their {names}. */
function format(text, values) {
  return text.replace(/{(\w+)}/g, (_, name) => values[name]);
}

/** Name a class, or the group of the uncertain cells. */
function nameOf(code) {
  return code === UNCERTAIN ? words.uncertain : settings.names[language][code] || code;
}

/** Give the colour, ink, edge and dashes of a class, of the uncertain cells, or of a "cell" without a name. */
function lookOf(group) {
  return settings.looks[group] || settings.looks[UNCERTAIN];
}

/** Draw a class's sign: a piece of its line. */
function swatch(group) {
  const { colour, edge, dashes } = lookOf(group);
  const line = { x1: 1, y1: 7, x2: 25, y2: 7, "stroke-dasharray": dashes };
  return vector(
    "svg",
    { class: "swatch", viewBox: "0 0 26 14", "aria-hidden": "true" },
    vector("line", { ...line, stroke: edge, class: "halo" }),
    vector("line", { ...line, stroke: colour }),
  );
}

/** Write a code on its colour. */
function chip(group, text = group) {
  const { colour, ink } = lookOf(group);
  return make("span", { class: "chip", style: `background:${colour};color:${ink}`, text });
}

const ICONS = {
  pen: "M3 13l1-4 7-7 3 3-7 7zM10 3l3 3",
  undo: "M6 3L2 7l4 4M2 7h8a4 4 0 0 1 0 7H6",
  redo: "M10 3l4 4-4 4M14 7H6a4 4 0 0 0 0 7h4",
  add: "M2 5V2h3M11 2h3v3M14 11v3h-3M5 14H2v-3M8 5v6M5 8h6",
  case: "M2 5h8v9H2zM5 5V2h9v9h-4",
};

/** Draw a sign that needs no words of its own. */
function icon(name) {
  return vector("svg", { class: "icon", viewBox: "0 0 16 16", "aria-hidden": "true" }, vector("path", { d: ICONS[name] }));
}

/** Cut the square that the classifier sees around a cell out of the picture. */
function crop({ picture, value }, cell, side) {
  const [x0, y0, x1, y1] = cell.box;
  const scale = picture.naturalWidth / value.image.width;
  const reach = Math.max(x1 - x0, y1 - y0, 1) * settings.crop_reach;
  const canvas = make("canvas", { width: 2 * side, height: 2 * side, style: `width:${side}px;height:${side}px` });
  const pen = canvas.getContext("2d");
  pen.imageSmoothingQuality = "high";
  const [left, top] = [(x0 + x1 - reach) / 2, (y0 + y1 - reach) / 2];
  pen.drawImage(picture, left * scale, top * scale, reach * scale, reach * scale, 0, 0, 2 * side, 2 * side);
  return canvas;
}
