// The gallery: crops in groups, the uncertain ones first, the least certain first in each group.

/** Sort cells into groups, in the order of the gallery; empty ones are left out. */
function gallery(cells) {
  const groups = new Map([UNCERTAIN, ...ORDERED].map((group) => [group, []]));
  const certainty = (cell) => (isNamed(cell) ? 2 : cell.probability); // a person's word is the last to be looked at
  for (const cell of [...cells].sort((a, b) => certainty(a) - certainty(b))) groups.get(groupOf(cell)).push(cell);
  return [...groups].filter(([, members]) => members.length);
}

/** Give the ids from one cell of the gallery to another. */
function galleryRange(cells, from, to) {
  const ids = gallery(cells).flatMap(([, members]) => members.map((cell) => cell.id));
  const [first, last] = [ids.indexOf(from), ids.indexOf(to)].sort((a, b) => a - b);
  return first < 0 ? [to] : ids.slice(first, last + 1);
}

/** Make the gallery of the cells, and of the deleted ones; `thumbnail` gives the crop of one. */
function galleryPanel(cells, deleted, chosen, thumbnail, { onChoose, onGroup, onRestore }) {
  const groups = gallery(cells);
  const makeGroup = ([group, members]) => {
    const ids = members.map((cell) => cell.id);
    const isWhole = ids.every((id) => chosen.has(id));
    const head = make(
      "button",
      {
        type: "button",
        class: "head",
        "data-all": group,
        title: format(words.choose_group, { name: nameOf(group) }),
        "aria-pressed": String(isWhole),
        onclick: () => onGroup(isWhole ? [] : ids),
      },
      chip(group),
      make("span", { text: capital(nameOf(group)) }),
      make("span", { class: "n", text: number(members.length) }),
    );
    const crops = members.map((cell) => cropButton(cell, chosen.has(cell.id), thumbnail, onChoose));
    return make("div", { class: "group", "data-group": group }, make("h3", {}, head), make("div", { class: "crops" }, ...crops));
  };
  return make(
    "section",
    { class: "review" },
    groups.length ? null : make("p", { class: "empty", text: words.none }),
    ...groups.map(makeGroup),
    deleted.length ? deletedGroup(deleted, thumbnail, onRestore) : null,
  );
}

function cropButton(cell, isChosen, thumbnail, onChoose) {
  const share = isNamed(cell) ? words.by_hand : percent(cell.probability);
  const name = `${words.cell} ${cell.id}, ${nameOf(cell.label)} ${share}`;
  return make(
    "button",
    {
      type: "button",
      "data-id": cell.id,
      title: cell.edited ? `${name}. ${writeEdit(cell)}` : name,
      "aria-label": name,
      "aria-pressed": String(isChosen),
      onclick: (event) => onChoose(cell.id, event),
    },
    thumbnail(cell),
    make(
      "span",
      {},
      cell.edited ? icon("pen") : null,
      isUncertain(cell) ? `${cell.label} ${share}` : isNamed(cell) ? cell.label : share,
    ),
  );
}

function deletedGroup(deleted, thumbnail, onRestore) {
  const button = (cell) => {
    const name = `${format(words.restore, { id: cell.id })}. ${writeEdit(cell)}`;
    return make(
      "button",
      { type: "button", "data-restore": cell.id, title: name, "aria-label": name, onclick: () => onRestore(cell.id) },
      thumbnail(cell),
      make("span", { text: `↶ ${cell.label}` }),
    );
  };
  return make(
    "div",
    { class: "group deleted", "data-group": "deleted" },
    make("h3", {}, make("span", { text: words.deleted }), make("span", { class: "n", text: number(deleted.length) })),
    make("div", { class: "crops" }, ...deleted.map(button)),
  );
}
