// What is kept where, as the screen says it: beside the files of a work, and at the start for who comes back.

import { format } from "../model/count.js";
import { countEdits } from "../model/kept.js";
import { make } from "./dom.js";

/** @import { Viewer } from "../control/viewer.js" */

/**
 * Say what is kept of the case on the screen, with the ways to keep more of it, or nothing.
 * @param {Viewer} viewer
 */
export function keptPanel({ context, keeper, session }) {
  const { words, settings } = context;
  const { state, keepsPictures } = keeper;
  const here = state === "kept" ? words[keepsPictures ? "kept_pictures" : "kept_edits"] : words[`kept_${state}`];
  const there = settings.server_keeps && format(words.kept_server, { minutes: settings.server_keeps });
  const tick = make("input", { type: "checkbox", name: "keep-pictures", checked: keepsPictures });
  tick.addEventListener("change", () => keeper.keepPictures(tick.checked));
  const forget = { title: words.forget_info, "data-forget": "", onclick: () => session.forget() };
  return make(
    "section.kept",
    make("p.small", `${here} ${there || ""}`),
    make("label.tick", tick, make("span", words.keep_pictures)),
    make("button.quiet", forget, words.forget),
  );
}

/**
 * List what is kept, for the start of a page; nothing while there is none.
 * @param {Viewer} viewer
 */
export function keptNotice({ context, keeper }) {
  const { words } = context;
  const { found } = keeper;
  if (!found.length) return null;
  const rows = found.map((kept) => {
    const values = { file: kept.file, n: context.number(countEdits(kept)), time: context.timeOf(kept.at) };
    return make("li", { "data-file": kept.file }, format(words.kept_row, values));
  });
  const onclick = () => keeper.forgetKept(found.map(({ digest }) => digest));
  return make(
    "section.kept-notice",
    { role: "status" },
    make("p", words.kept_list),
    make("ul", rows),
    make("button", { "data-forget": "all", onclick }, words.forget_all),
  );
}
