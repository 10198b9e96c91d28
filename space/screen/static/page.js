// The page around the viewer: a pasted picture is the next image, and Gradio's icons get names in the visitor's language.

const language = (navigator.language || "en").toLowerCase().startsWith("fr") ? "fr" : "en";

document.addEventListener("paste", (event) => {
  const [file] = event.clipboardData.files;
  if (!file) return;
  if (!choose(file)) {
    const carried = new DataTransfer();
    carried.items.add(file);
    const drop = new DragEvent("drop", { dataTransfer: carried, bubbles: true, cancelable: true });
    document.querySelector("#viewer .mv")?.dispatchEvent(drop);
  }
});

// saved work dropped before its image waits for it; Gradio's input would refuse it as no image
document.addEventListener(
  "drop",
  (event) => {
    const start = document.querySelector("#start");
    const files = [...(event.dataTransfer?.files || [])];
    const saved = files.find(({ name, type }) => type === "application/json" || /\.json$/i.test(name));
    if (!saved || !start || !start.contains(event.target)) return;
    event.preventDefault();
    event.stopImmediatePropagation();
    document.dispatchEvent(new CustomEvent("marrow-saved", { detail: saved }));
    const image = files.find((file) => file !== saved);
    if (image) choose(image);
    else tellThatItWaits(start);
  },
  true,
);

function tellThatItWaits(start) {
  start.querySelector(".waits")?.remove();
  const sentence = document.createElement("p");
  sentence.className = "waits";
  sentence.role = "status";
  sentence.textContent = words[language].saved_waits;
  start.prepend(sentence);
}

/** Choose an image as if it had been picked. */
function choose(file) {
  const carried = new DataTransfer();
  carried.items.add(file);
  const input = document.querySelector("#image input[type=file]");
  if (!input) return false;
  input.files = carried.files;
  input.dispatchEvent(new Event("change", { bubbles: true }));
  return true;
}

/** Name what Gradio leaves in English, or without a word at all. */
function name() {
  const image = document.querySelector("#image");
  if (!image) return;
  for (const button of image.querySelectorAll("button[aria-label]")) {
    const text = words[language][button.ariaLabel];
    if (text) button.title = button.ariaLabel = text;
  }
  document.querySelectorAll("#examples .gallery-item").forEach((button, number) => {
    button.ariaLabel = `${words[language].Example} ${number + 1}`;
  });
  const texts = document.createTreeWalker(image, NodeFilter.SHOW_TEXT);
  while (texts.nextNode()) {
    const text = words[language][texts.currentNode.nodeValue.trim()];
    if (text) texts.currentNode.nodeValue = text;
  }
}

new MutationObserver(name).observe(document.body, { childList: true, subtree: true });
name();
