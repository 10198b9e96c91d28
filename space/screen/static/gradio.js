// The one file that knows Gradio: it mounts the viewer in a `gr.HTML`, brings in what is pasted or dropped beside it, and
// names what Gradio leaves in English, or without a word at all.

import { Viewer } from "./control/viewer.js";
import { isSavedFile } from "./model/saved.js";
import { fill, make } from "./view/dom.js";
import { keptNotice } from "./view/kept.js";

/** @import { Answer, Settings, Value, Words } from "./types.d.ts" */

/**
 * What Gradio hands to the script of a component.
 * @typedef {object} Component
 * @property {HTMLElement} element
 * @property {{value: Value | null, settings: Settings, page_words: Record<string, Words>}} props
 * @property {Record<string, (asked: object) => Promise<Answer>>} server
 * @property {(file: File) => Promise<{path: string}>} upload
 * @property {(name: string, act: () => void) => void} watch
 * @property {{dropped: (file: {path: string}) => void, restart: (data: {canReturn: boolean}) => void}} events that the app listens to
 */

/** @param {Component} component */
export function mount({ element, props, server, upload, watch, events }) {
  const host = /** @type {HTMLElement} */ (element.querySelector(".marrow-viewer"));
  const viewer = new Viewer(host, props.settings, {
    ask: (name, values) => server[name](values),
    analyze: async (image) => events.dropped({ path: (await upload(image)).path }),
    restart: (canReturn) => events.restart({ canReturn }),
    onKept: () => showKept(viewer),
  });
  /** @type {string | null} key of the last analysis from the server */
  let taken = null;
  const load = () => {
    const { value } = props; // without one, the work on the screen stays, for who comes back to it
    if (!value || value.key === taken) return; // Gradio may tell of the same value twice
    taken = value.key;
    viewer.open(value);
  };
  watch("value", load);
  load();
  const words = props.page_words[viewer.context.language];
  document.addEventListener("paste", (event) => takePasted(event, viewer));
  document.addEventListener("drop", (event) => takeDropped(event, viewer, words), true);
  const renew = () => {
    nameControls(words);
    if (!document.querySelector("#start .kept-notice")) showKept(viewer);
  };
  new MutationObserver(renew).observe(document.body, { childList: true, subtree: true });
  nameControls(words);
}

/**
 * Take a pasted picture as the next image.
 * @param {ClipboardEvent} event
 * @param {Viewer} viewer
 */
function takePasted(event, viewer) {
  const file = event.clipboardData?.files[0];
  if (file && !chooseImage(file)) viewer.session.takeFiles([file]);
}

/**
 * Keep saved work that is dropped before its image; Gradio's input would refuse it as no image.
 * @param {DragEvent} event
 * @param {Viewer} viewer
 * @param {Words} words
 */
function takeDropped(event, viewer, words) {
  const start = document.querySelector("#start");
  const files = [...(event.dataTransfer?.files || [])];
  const saved = files.find(isSavedFile);
  if (!saved || !(event.target instanceof Node) || !start?.contains(event.target)) return;
  event.preventDefault();
  event.stopImmediatePropagation();
  viewer.session.pending = saved;
  const image = files.find((file) => file !== saved);
  if (image) chooseImage(image);
  else tellThatItWaits(start, words);
}

/**
 * Say at the start what the browser keeps.
 * @param {Viewer} viewer
 */
function showKept(viewer) {
  const notice = keptNotice(viewer);
  document.querySelector("#start .kept-notice")?.remove();
  if (notice) document.querySelector("#start")?.prepend(notice);
}

/**
 * @param {Element} start
 * @param {Words} words
 */
function tellThatItWaits(start, words) {
  start.querySelector(".waits")?.remove();
  start.prepend(make("p.waits", { role: "status" }, words.saved_waits));
}

/**
 * Choose an image as if it had been picked; return whether there is an input for it.
 * @param {File} file
 */
function chooseImage(file) {
  const carried = new DataTransfer();
  carried.items.add(file);
  const input = document.querySelector("#image input[type=file]");
  if (!(input instanceof HTMLInputElement)) return false;
  input.files = carried.files;
  input.dispatchEvent(new Event("change", { bubbles: true }));
  return true;
}

/** @param {Words} words for Gradio's own, by those */
function nameControls(words) {
  const image = document.querySelector("#image");
  if (!image) return;
  for (const button of image.querySelectorAll("button[aria-label]")) {
    const text = words[button.ariaLabel || ""];
    if (text) fill(button, { title: text, "aria-label": text });
  }
  document.querySelectorAll("#examples .gallery-item").forEach((button, number) => {
    button.ariaLabel = `${words.Example} ${number + 1}`;
  });
  const texts = document.createTreeWalker(image, NodeFilter.SHOW_TEXT);
  while (texts.nextNode()) {
    const text = words[texts.currentNode.nodeValue?.trim() || ""];
    if (text) texts.currentNode.nodeValue = text;
  }
}
