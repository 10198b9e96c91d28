"""Speaking to a visitor in their language."""

from __future__ import annotations

import gradio as gr

from screen.uploads import RefusedError
from screen.words import SCREEN


def language_of(request: gr.Request) -> str:
    """Choose the language of a request: ``"fr"`` when its browser asks for French first, else ``"en"``."""
    accepted = request.headers.get("accept-language") or ""
    return "fr" if accepted.strip().lower().startswith("fr") else "en"


def say(error: RefusedError, request: gr.Request) -> str:
    """Return the sentence of a refusal in the language of the request."""
    return SCREEN[language_of(request)][error.reason].format(**error.values)
