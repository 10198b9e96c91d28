// The card of the selected cell, and the legend.

const CROP = 104; // side in pixels

/**
 * Make the card of a cell: crop, three best classes, size, what its name rests on, which `heat` gives or will, and the
 * `tools` to correct it.
 */
function cellCard(work, cell, heat, tools, listeners) {
  const best = bestClasses(cell);
  return make(
    "section",
    { class: "card", "data-id": cell.id },
    cardHead(cell, listeners),
    make(
      "div",
      { class: "facts" },
      crop(work, cell, CROP),
      make("div", { class: "classes" }, ...best.map(([code, share]) => classBar(code, share))),
    ),
    tools,
    make(
      "div",
      { class: "facts" },
      heat ? heatOver(crop(work, cell, CROP), heat) : null,
      make(
        "div",
        { class: "why" },
        cell.edited ? make("p", { class: "edit" }, icon("pen"), make("span", { text: writeEdit(cell) })) : null,
        make("p", { text: explain(cell, best) }),
        heat ? make("p", { class: "small", text: heat.error || format(words.why_heat, { name: nameOf(cell.label) }) }) : null,
      ),
    ),
    make(
      "dl",
      {},
      make("dt", { text: words.size }),
      make("dd", {
        text: format(words.size_value, {
          diameter: number(2 * Math.sqrt(cell.area / Math.PI)),
          area: number(cell.area),
        }),
      }),
      make("dt", { text: words.score }),
      make("dd", { text: number(cell.score, 2) }),
    ),
  );
}

/** Make the card's head: number, name, and the ways to other cells. */
function cardHead(cell, { onClose, onStep }) {
  const button = (text, title, act) =>
    make("button", { type: "button", class: "quiet", text, title, "aria-label": title, onclick: act });
  return make(
    "header",
    {},
    make("h3", { text: `${words.cell} ${cell.id}` }),
    chip(groupOf(cell), cell.label + (isUncertain(cell) ? "?" : "")),
    make("span", { class: "space" }),
    button("‹", words.previous, () => onStep(-1)),
    button("›", words.next, () => onStep(1)),
    button("×", words.close, onClose),
  );
}

/** Give the model's three best classes with their probabilities. */
function bestClasses(cell) {
  return Object.entries(cell.probabilities)
    .sort((a, b) => b[1] - a[1])
    .slice(0, 3);
}

/** Say who did what to a cell, when, and what the model says. */
function writeEdit(cell) {
  const { edited, probabilities } = cell;
  const at = timeFormat.format(new Date(edited.at));
  const model = modelLabel(cell);
  const what = [edited.label && words.named, edited.shape && words[`${edited.shape}_by_hand`]].filter(Boolean).join(", ");
  const who = [what, edited.by, at].filter(Boolean).join(" · ");
  const values = { name: nameOf(model), share: percent(probabilities[model]) };
  return `${capital(who)}. ${format(words.model_said, values)}`;
}

/** Lay the heat map over a crop; the disc is what the classifier saw. */
function heatOver(canvas, { image }) {
  fill(canvas, { class: "heat", role: "img", "aria-label": words.heat, title: words.heat, "data-ready": Boolean(image) }, []);
  if (image) canvas.getContext("2d").drawImage(image, 0, 0, canvas.width, canvas.height);
  return canvas;
}

/** Read the server's answer: `{image}`, or `{error}` as it came. */
async function loadHeat({ heat, error }) {
  if (error) return { error };
  const image = new Image();
  image.src = `data:image/png;base64,${heat}`;
  await image.decode();
  return { image };
}

function classBar(code, share) {
  return make(
    "div",
    { class: "class" },
    make("span", { text: nameOf(code), title: code }),
    make("b", { text: percent(share) }),
    make("div", { class: "bar" }, make("i", { style: `width:${100 * share}%;background:${lookOf(code).colour}` })),
  );
}

/** Say in sentences what the name of a cell rests on. */
function explain(cell, best) {
  const [[code, share], [second, next]] = best;
  const sentences = [];
  if (isUncertain(cell)) sentences.push(format(words.why_uncertain, { bound: percent(rules.uncertain_below) }));
  else if (next < 0.01) sentences.push(words.why_alone);
  else {
    const times = number(share / next, share / next < 10 ? 1 : 0);
    sentences.push(format(words.why_certain, { first: capital(nameOf(code)), second: nameOf(second), times }));
  }
  if (rules.left_out.includes(code)) sentences.push(words.why_left_out);
  if (rules.not_from_marrow.includes(code)) sentences.push(words.why_not_marrow);
  return sentences.join(" ");
}

function capital(text) {
  return text.charAt(0).toUpperCase() + text.slice(1);
}

/** Make the legend: a switch for each class that is there, and for the uncertain cells. */
function legend(report, hidden, { onToggle, onAll }) {
  const groups = settings.labels.filter((code) => report.counts[code]);
  if (report.uncertain) groups.push(UNCERTAIN);
  if (!groups.length) return make("p", { class: "empty", text: words.none });
  const anyHidden = groups.some((group) => hidden.has(group));
  const row = (group) =>
    make(
      "button",
      {
        type: "button",
        "data-group": group,
        "aria-pressed": String(!hidden.has(group)),
        onclick: () => onToggle(group),
      },
      swatch(group),
      make("b", { text: group }),
      make("span", { text: nameOf(group) + (rules.not_from_marrow.includes(group) ? "*" : "") }),
      make("span", { class: "n", text: number(group === UNCERTAIN ? report.uncertain : report.counts[group]) }),
    );
  return make(
    "section",
    { class: "legend" },
    make(
      "header",
      {},
      make("h3", { text: words.classes }),
      make("button", {
        type: "button",
        class: "quiet all",
        text: anyHidden ? words.show_all : words.hide_all,
        onclick: () => onAll(anyHidden ? [] : groups),
      }),
    ),
    ...groups.map(row),
    groups.some((group) => rules.not_from_marrow.includes(group))
      ? make("p", { class: "small", text: words.not_from_marrow })
      : null,
  );
}
