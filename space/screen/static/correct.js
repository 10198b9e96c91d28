// The tools to correct the chosen cells: a button for each class, confirm, merge, split, delete.

/** Codes in the order of a differential: lineage by lineage, by maturation. */
const ORDERED = [
  ...new Set([...rules.lineages.flatMap(({ codes }) => codes).filter((code) => settings.labels.includes(code)), ...settings.labels]),
];
const TOOL_KEYS = { c: "confirm", m: "merge", s: "split", a: "add", Delete: "remove", Backspace: "remove" };
const CLASS_KEYS = classKeys();

/** Give each class a key: digits first, then a letter of its code. */
function classKeys() {
  const keys = new Map();
  ORDERED.forEach((code, at) => {
    const own = at < 9 ? String(at + 1) : [...code.toLowerCase()].find((letter) => !keys.has(letter) && !TOOL_KEYS[letter]);
    if (own) keys.set(own, code);
  });
  return keys;
}

/** Give the class or the tool that a key stands for: {code} or {tool}, or null. */
function keyMeaning(event) {
  const digit = /^Digit([1-9])$/.exec(event.code); // also where digits want Shift, as on French keyboards
  const key = event.key.length === 1 ? event.key.toLowerCase() : event.key;
  const code = CLASS_KEYS.get(key) || (digit && CLASS_KEYS.get(digit[1]));
  if (code) return { code };
  return TOOL_KEYS[key] ? { tool: TOOL_KEYS[key] } : null;
}

/** Make the tools for cells; `acts` holds name, confirm, merge, split, remove and reset. */
function correctionTools(cells, acts) {
  const keys = new Map([...CLASS_KEYS].map(([key, code]) => [code, key.toUpperCase()]));
  const own = cells.length && cells.every((cell) => cell.label === cells[0].label && !isUncertain(cell)) ? cells[0].label : null;
  const classButton = (code) =>
    make(
      "button",
      {
        type: "button",
        "data-name": code,
        title: `${capital(nameOf(code))}${keys.has(code) ? ` (${keys.get(code)})` : ""}`,
        "aria-pressed": String(code === own),
        disabled: !cells.length,
        onclick: () => acts.name(code),
      },
      chip(code),
      make("kbd", { text: keys.get(code) || "", "aria-hidden": "true" }),
    );
  const tool = (name, key, isUsable) =>
    make("button", {
      type: "button",
      "data-act": name,
      text: words[name],
      title: `${words[`${name}_info`]}${key ? ` (${key})` : ""}`,
      disabled: !isUsable,
      onclick: acts[name],
    });
  return make(
    "div",
    { class: "correct" },
    make("div", { class: "pad", role: "group", "aria-label": words.correct }, ...ORDERED.map(classButton)),
    make(
      "div",
      { class: "acts" },
      tool("confirm", "C", cells.some((cell) => !isNamed(cell))),
      tool("merge", "M", cells.length > 1),
      tool("split", "S", cells.length === 1),
      tool("remove", words.delete_key, cells.length > 0),
      tool("reset", "", cells.some(isNamed)),
    ),
  );
}

/** Make the tools as they stand in a card: folded, until somebody wants to correct. */
function foldedTools(cells, acts, isOpen, onToggle) {
  return make(
    "details",
    { class: "folded", open: isOpen, ontoggle: (event) => onToggle(event.target.open) },
    make("summary", { text: words.correct }),
    isOpen ? correctionTools(cells, acts) : null,
  );
}

/** Make the review's bench: what is chosen, and the tools for it. */
function bench(work, cells, acts, listeners) {
  const facts = cells.length === 1 ? oneChosen(work, cells[0], listeners) : manyChosen(cells, listeners);
  return make("section", { class: "bench" }, facts, correctionTools(cells, acts));
}

function oneChosen(work, cell, listeners) {
  const lines = bestClasses(cell).map(([code, share]) => `${code} ${percent(share)}`);
  return make(
    "div",
    { class: "chosen" },
    crop(work, cell, 64),
    make(
      "div",
      {},
      cardHead(cell, listeners),
      cell.edited
        ? make("p", { class: "edit small" }, icon("pen"), make("span", { text: writeEdit(cell) }))
        : make("p", { class: "small", text: format(words.model_says, { classes: lines.join(" · ") }) }),
    ),
  );
}

function manyChosen(cells, { onClose }) {
  const counts = new Map();
  for (const cell of cells) counts.set(groupOf(cell), (counts.get(groupOf(cell)) || 0) + 1);
  const parts = [...counts].map(([group, n]) => `${group === UNCERTAIN ? words.uncertain : group} ${number(n)}`);
  const close = make("button", { type: "button", class: "quiet", text: "×", title: words.close, "aria-label": words.close, onclick: onClose });
  return make(
    "div",
    { class: "chosen" },
    make(
      "div",
      {},
      make(
        "header",
        {},
        make("h3", { text: cells.length ? format(words.chosen, { n: number(cells.length) }) : words.none_chosen }),
        make("span", { class: "space" }),
        cells.length ? close : null,
      ),
      make("p", { class: "small", text: cells.length ? parts.join(" · ") : words.review_info }),
    ),
  );
}
