// The classification report: figures, table with bars and intervals, notes, and files to take away.

/** Make the report of a count. */
function reportPanel(report, { onDownload, onOpenSaved, onAdd }) {
  return make(
    "section",
    { class: "report" },
    figures(report),
    progress(report.total),
    onAdd ? make("p", {}, make("button", { type: "button", class: "join", text: `+ ${words.add_to_case}`, title: words.case_info, onclick: onAdd })) : null,
    ...differentialWithNotes(report),
    filesRow(onDownload, onOpenSaved),
    make("p", { class: "small", text: format(words.models, { names: settings.models.join(" · ") }) }),
  );
}

/** Make the table and all that explains it. */
function differentialWithNotes(report) {
  return [
    differential(report),
    make("p", { class: "small", text: words.bars }),
    make("p", { class: "small definition", text: meDefinition() }),
    make("ul", { class: "notes" }, ...writeNotes(report).map((text) => make("li", { text }))),
    rules.not_from_marrow.length ? make("p", { class: "small", text: words.not_from_marrow }) : null,
  ];
}

/** Make the four figures that stand first. */
function figures(report) {
  const ratio = report.me_ratio === null ? "–" : number(report.me_ratio, 1);
  const shaky = report.me_ratio !== null && ratioRestsOn(report).length > 0;
  const all = [
    ["found", number(report.found), words.found],
    ["total", number(report.total), words.counted],
    ["uncertain", number(report.uncertain), words.uncertain],
    ["me_ratio", ratio, words.me_ratio],
  ];
  return make(
    "div",
    { class: "figures" },
    ...all.map(([name, value, label]) =>
      make(
        "div",
        { "data-figure": name },
        make("b", { text: value }),
        make("span", { text: label }, name === "me_ratio" && shaky ? make("i", { class: "shaky", text: words.unreliable }) : null),
      ),
    ),
  );
}

function progress(total) {
  const { floor, target } = rules;
  const share = (n) => `${Math.min(100, (100 * n) / target)}%`;
  return make(
    "div",
    { class: "progress" },
    make("div", { class: "bar" }, make("i", { style: `width:${share(total)}` }), make("u", { style: `left:${share(floor)}` })),
    make("span", { class: "small", text: format(words.of_floor, { total: number(total), floor, target }) }),
  );
}

function differential(report) {
  const most = Math.max(1, ...Object.values(report.intervals).map(([, high]) => (report.total ? high : 1)));
  const body = [];
  for (const { name, codes } of rules.lineages) {
    const here = codes.filter((code) => settings.labels.includes(code));
    if (!here.length) continue;
    const n = report.lineages[name];
    body.push(lineageRow(name, n, report.total));
    for (const code of here) body.push(classRow(code, report, most));
  }
  for (const code of rules.left_out.filter((left) => settings.labels.includes(left))) body.push(classRow(code, report, most));
  const head = ["", "", "n", "%", words.interval].map((text, at) =>
    make("th", { text, scope: "col", title: at === 4 ? words.interval_long : null }),
  );
  return make(
    "table",
    {},
    make("thead", {}, make("tr", {}, ...head)),
    make("tbody", {}, ...body),
  );
}

function lineageRow(name, n, total) {
  const [low, high] = wilson(n, total);
  return make(
    "tr",
    { class: "lineage", "data-lineage": name },
    make("th", { colspan: 2, scope: "rowgroup", text: capital(words[name]) }),
    make("td", { text: number(n) }),
    make("td", { text: total ? number((100 * n) / total, 1) : "–" }),
    make("td", { text: total ? `${number(low)}–${number(high)}` : "–" }),
  );
}

function classRow(code, report, most) {
  const n = report.counts[code];
  const inCount = code in report.percent && report.total;
  const [low, high] = inCount ? report.intervals[code] : [0, 0];
  const star = rules.not_from_marrow.includes(code) ? "*" : "";
  const share = (value) => `${(100 * value) / most}%`;
  const bar = make(
    "div",
    { class: "bar wide" },
    make("i", { style: `width:${share(report.percent[code])};background:${lookOf(code).colour}` }),
    make("s", { style: `left:${share(low)};width:${share(high - low)}` }),
  );
  return make(
    "tr",
    { "data-code": code, class: n ? null : "zero" },
    make("th", { scope: "row" }, chip(code), make("span", { text: ` ${nameOf(code)}${star}` })),
    make("td", { class: "bars" }, inCount ? bar : make("span", { class: "small", text: code in report.percent ? "" : words.left_out })),
    make("td", { text: number(n) }),
    make("td", { text: inCount ? number(report.percent[code], 1) : "–" }),
    make("td", { text: inCount ? `${number(low)}–${number(high)}` : "–" }),
  );
}

function meDefinition() {
  const of = (codes) => codes.filter((code) => settings.labels.includes(code)).join(" + ");
  return format(words.me_definition, { myeloid: of(rules.myeloid), erythroid: of(rules.erythroid) });
}
