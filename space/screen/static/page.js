// The page around the viewer: a pasted picture is the next image, and Gradio's icons get names in the visitor's language.

const language = (navigator.language || "en").toLowerCase().startsWith("fr") ? "fr" : "en";

document.addEventListener("paste", (event) => {
  const [file] = event.clipboardData.files;
  if (!file) return;
  const carried = new DataTransfer();
  carried.items.add(file);
  const input = document.querySelector("#image input[type=file]");
  if (input) {
    input.files = carried.files;
    input.dispatchEvent(new Event("change", { bubbles: true }));
  } else {
    const drop = new DragEvent("drop", { dataTransfer: carried, bubbles: true, cancelable: true });
    document.querySelector("#viewer .mv")?.dispatchEvent(drop);
  }
});

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
