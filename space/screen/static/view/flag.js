// The flag: a comment and a consent, sent with the image and its cells.

import { make } from "./dom.js";

/** @import { Answer } from "../types.d.ts" */
/** @import { Context } from "./context.js" */

/**
 * Make the form.
 * @param {Context} context
 * @param {(flag: {comment: string, consent: boolean}) => Promise<Answer>} onSend
 */
export function flagPanel({ words, settings }, onSend) {
  const comment = make("textarea", { name: "comment", rows: 4, maxlength: settings.max_comment });
  const consent = make("input", { type: "checkbox", name: "consent" });
  const answer = make("p.answer", { role: "status" });
  const send = make("button.primary", { type: "submit" }, words.send);
  const onsubmit = async (/** @type {Event} */ event) => {
    event.preventDefault();
    send.disabled = true;
    const { thanks, error } = await onSend({ comment: comment.value, consent: consent.checked });
    send.disabled = false;
    answer.textContent = thanks || error || "";
    answer.classList.toggle("wrong", !thanks);
    if (thanks) [comment.value, consent.checked] = ["", false];
  };
  return make(
    "form.flag",
    { onsubmit },
    make("p.small", words.flag_info),
    make("label", make("span", words.comment), comment),
    make("label.tick", consent, make("span", words.consent)),
    send,
    answer,
  );
}
