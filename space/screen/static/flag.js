// The flag: a comment and a consent, sent with the image and its cells.

/** Make the form; `ask` sends a request about this image to the server. */
function flagPanel(ask) {
  const comment = make("textarea", { name: "comment", rows: 4, maxlength: settings.max_comment });
  const consent = make("input", { type: "checkbox", name: "consent" });
  const answer = make("p", { class: "answer", role: "status" });
  const send = make("button", { type: "submit", class: "primary", text: words.send });
  const submit = async (event) => {
    event.preventDefault();
    send.disabled = true;
    const result = await ask("send_flag", { comment: comment.value, consent: consent.checked });
    send.disabled = false;
    answer.textContent = result.thanks || result.error;
    answer.classList.toggle("wrong", !result.thanks);
    if (result.thanks) [comment.value, consent.checked] = ["", false];
  };
  return make(
    "form",
    { class: "flag", onsubmit: submit },
    make("p", { class: "small", text: words.flag_info }),
    make("label", {}, make("span", { text: words.comment }), comment),
    make("label", { class: "tick" }, consent, make("span", { text: words.consent })),
    send,
    answer,
  );
}
