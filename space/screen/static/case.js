// A case: several images added up to one differential.

class Case {
  constructor() {
    Object.assign(this, { works: [], isSaved: true });
  }

  has(work) {
    return this.works.includes(work);
  }

  add(work) {
    this.works.push(work);
    this.isSaved = false;
    work.keepPicture();
  }

  /** Put another work in the place of one, or of none. */
  replace(old, work) {
    this.works = this.works.flatMap((one) => (one === old ? work || [] : one));
    this.isSaved = false;
    if (work) work.keepPicture();
  }

  report() {
    return countCells(
      this.works.flatMap((work) => work.passing()),
      this.works.flatMap((work) => work.now.removed),
    );
  }
}

/** Tell whether two works are on the same image: half of the cells lie at the very same place. */
function isSameImage(one, other) {
  const [a, b] = [one, other].map(({ now }) => new Set([...now.cells, ...now.removed].map((cell) => cell.box.join())));
  const [{ width, height }, size] = [one.value.image, other.value.image];
  const shared = [...a].filter((box) => b.has(box)).length;
  return width === size.width && height === size.height && shared > 0 && 2 * shared >= Math.min(a.size, b.size);
}

/** Make the strip of the case's images; nothing while there are none. */
function caseStrip(kase, current, isTotal, { onOpen, onAdd, onRemove, onTotal, onNext }) {
  if (!kase.works.length) return null;
  const total = kase.report();
  const join = make(
    "button",
    { type: "button", class: "join", onclick: () => onAdd(current) },
    make("span", { text: `+ ${words.add_this}` }),
  );
  return make(
    "section",
    { class: "strip", "aria-label": words.case },
    make(
      "button",
      { type: "button", class: "sum", "data-view": "case", title: words.case_info, "aria-pressed": String(isTotal), onclick: onTotal },
      icon("case"),
      make("b", { text: words.case }),
      make("span", { class: "n", text: format(words.of_target, { total: number(total.total), target: rules.target }) }),
    ),
    make("div", { class: "works" }, ...kase.works.map((work) => workButton(work, work === current, { onOpen, onRemove }))),
    kase.has(current) ? make("button", { type: "button", class: "join", text: `+ ${words.next_image}`, onclick: onNext }) : join,
  );
}

function workButton(work, isCurrent, { onOpen, onRemove }) {
  const { file, key } = work.value;
  const report = work.report();
  const figures = format(words.n_counted, { n: number(report.total) });
  const waits = !key;
  return make(
    "div",
    { class: waits ? "work waits" : "work", "data-file": file },
    make(
      "button",
      {
        type: "button",
        title: waits ? format(words.waits, { file }) : `${file}: ${figures}`,
        "aria-current": isCurrent ? "true" : null,
        disabled: waits,
        onclick: () => onOpen(work),
      },
      work.small,
      make("span", { class: "file", text: file }),
      make("span", { class: "n", text: figures }),
    ),
    make("button", {
      type: "button",
      class: "quiet",
      text: "×",
      title: format(words.case_remove, { file }),
      "aria-label": format(words.case_remove, { file }),
      onclick: () => onRemove(work),
    }),
  );
}

/** Make the case's own report: the total, image by image, and the ways to take it away. */
function casePanel(kase, { onOpen, onPrint, onSave, onOpenSaved }) {
  const report = kase.report();
  const row = (work) => {
    const own = work.report();
    const cells = [own.found, own.total, own.uncertain, own.edited].map((n) => make("td", { text: number(n) }));
    const name = work.value.key
      ? make("button", { type: "button", class: "quiet link", text: work.value.file, onclick: () => onOpen(work) })
      : work.value.file;
    return make("tr", { "data-file": work.value.file }, make("th", { scope: "row" }, name), ...cells);
  };
  const head = ["", words.found, words.counted, words.uncertain, words.edited].map((text) => make("th", { text, scope: "col" }));
  return make(
    "section",
    { class: "report case" },
    make("h3", { text: format(words.case_total, { n: number(kase.works.length) }) }),
    figures(report),
    progress(report.total),
    make("table", { class: "images" }, make("thead", {}, make("tr", {}, ...head)), make("tbody", {}, ...kase.works.map(row))),
    ...differentialWithNotes(report),
    make(
      "p",
      { class: "files" },
      make("button", { type: "button", "data-case": "print", text: words.format_print, title: words.format_print_info, onclick: onPrint }),
      make("button", { type: "button", "data-case": "json", text: words.save_case, title: words.save_case_info, onclick: onSave }),
      openButton(onOpenSaved),
    ),
  );
}
