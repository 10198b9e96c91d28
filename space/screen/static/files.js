// Files: those that the server makes, saved or printed by the browser.

/** Save a file that the server made; give the sentence to show when it did not. */
function saveFile({ name, content, error }) {
  if (error) return error;
  const url = fileUrl(content);
  make("a", { href: url, download: name }).click();
  setTimeout(() => URL.revokeObjectURL(url), 10000);
  return "";
}

/** Open a page that the server makes, to be printed; saved where the browser opens no windows. */
async function printFile(asking) {
  const sheet = window.open("", "_blank"); // at once, while the click still allows it
  const result = await asking;
  if (!sheet || result.error) {
    if (sheet) sheet.close();
    return saveFile(result);
  }
  sheet.location.href = fileUrl(result.content, "text/html");
  return "";
}

function fileUrl(content, type = "application/octet-stream") {
  const bytes = Uint8Array.from(atob(content), (character) => character.charCodeAt(0));
  return URL.createObjectURL(new Blob([bytes], { type }));
}

/** Make the row of what can be taken away, and of the way back in. */
function filesRow(onDownload, onOpen) {
  const button = (kind) =>
    make("button", {
      type: "button",
      text: words[`format_${kind}`] || kind.toUpperCase(),
      title: words[`format_${kind}_info`],
      "data-format": kind,
      onclick: () => onDownload(kind),
    });
  return make(
    "p",
    { class: "files" },
    make("span", { text: words.download }),
    ...settings.formats.map(button),
    openButton(onOpen),
  );
}

/** Make the button that opens saved work. */
function openButton(onOpen) {
  const input = make("input", { type: "file", accept: ".json,application/json", hidden: true, "data-open": "" });
  input.addEventListener("change", () => {
    if (input.files[0]) onOpen(input.files[0]);
    input.value = ""; // so that the same file can be chosen again
  });
  const choose = make("button", { type: "button", class: "open", text: words.open_saved, title: words.open_saved_info, onclick: () => input.click() });
  return make("span", {}, choose, input);
}
