// The review: crops in groups, the uncertain ones first, the least certain first in each group.

/** Make the gallery of the cells; `thumbnail` gives the crop of one. */
function reviewPanel(cells, selected, thumbnail, onSelect) {
  const groups = new Map([UNCERTAIN, ...settings.labels].map((group) => [group, []]));
  for (const cell of [...cells].sort((a, b) => a.probability - b.probability)) groups.get(groupOf(cell)).push(cell);
  const filled = [...groups].filter(([, members]) => members.length);
  if (!filled.length) return make("p", { class: "empty", text: words.none });
  return make(
    "section",
    { class: "review" },
    make("p", { class: "small", text: words.review_info }),
    ...filled.map(([group, members]) =>
      make(
        "div",
        { class: "group", "data-group": group },
        make("h3", {}, chip(group), ` ${capital(nameOf(group))} `, make("span", { class: "n", text: number(members.length) })),
        make("div", { class: "crops" }, ...members.map((cell) => cropButton(cell, selected, thumbnail, onSelect))),
      ),
    ),
  );
}

function cropButton(cell, selected, thumbnail, onSelect) {
  const name = `${words.cell} ${cell.id}, ${nameOf(cell.label)} ${percent(cell.probability)}`;
  return make(
    "button",
    {
      type: "button",
      "data-id": cell.id,
      title: name,
      "aria-label": name,
      "aria-pressed": String(cell.id === selected),
      onclick: () => onSelect(cell.id),
    },
    thumbnail(cell),
    make("span", { text: isUncertain(cell) ? `${cell.label} ${percent(cell.probability)}` : percent(cell.probability) }),
  );
}
