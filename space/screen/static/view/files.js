// Files: those that the server makes, saved or printed by the browser; and the way back in.

import { make } from "./dom.js";

/** @import { Answer } from "../types.d.ts" */
/** @import { Session } from "../control/session.js" */
/** @import { Context } from "./context.js" */

/**
 * Save a file that the server made; return the sentence to show when it did not.
 * @param {Answer} answer
 */
export function saveFile({ name = "", content, error }) {
  if (error || content === undefined) return error || "";
  saveBlob(name, new Blob([bytesOf(content)]));
  return "";
}

/**
 * Save a file of the browser's own.
 * @param {string} name
 * @param {Blob} blob
 */
export function saveBlob(name, blob) {
  const url = URL.createObjectURL(blob);
  make("a", { href: url, download: name }).click();
  setTimeout(() => URL.revokeObjectURL(url), 10000);
}

/**
 * Open a page that the server makes, to be printed; saved where the browser opens no windows.
 * @param {Promise<Answer>} asking
 */
export async function printFile(asking) {
  const sheet = window.open("", "_blank"); // at once, while the click still allows it
  const answer = await asking;
  if (!sheet || answer.content === undefined) {
    sheet?.close();
    return saveFile(answer);
  }
  sheet.location.href = URL.createObjectURL(new Blob([bytesOf(answer.content)], { type: "text/html" }));
  return "";
}

/** @param {string} content base64 */
function bytesOf(content) {
  return Uint8Array.from(atob(content), (character) => character.charCodeAt(0));
}

/**
 * Make the row of what can be taken away, and of the way back in.
 * @param {Context} context
 * @param {Session} session
 */
export function filesRow({ words, settings }, session) {
  const button = (/** @type {string} */ kind) => {
    const title = words[`format_${kind}_info`];
    const attributes = { title, "data-format": kind, onclick: () => session.download(kind) };
    return make("button", attributes, words[`format_${kind}`] || kind.toUpperCase());
  };
  return make("p.files", make("span", words.download), settings.formats.map(button), openButton(words, session));
}

/**
 * Make the button that opens saved work.
 * @param {Record<string, string>} words
 * @param {Session} session
 */
export function openButton(words, session) {
  const input = make("input", { type: "file", accept: ".json,application/json", hidden: true, "data-open": "" });
  input.addEventListener("change", () => {
    if (input.files?.[0]) session.openSaved(input.files[0]);
    input.value = ""; // so that the same file can be chosen again
  });
  const choose = { title: words.open_saved_info, onclick: () => input.click() };
  return make("span", make("button.open", choose, words.open_saved), input);
}
