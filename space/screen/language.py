"""Speaking to a visitor in their language."""

from __future__ import annotations

import gradio as gr

from screen.uploads import RefusedError
from screen.words import SCREEN, choose_language


def language_of(request: gr.Request) -> str:
    """Choose the language of a request: ``"en"`` or ``"fr"``."""
    return choose_language(request.headers.get("accept-language"))


def say(error: RefusedError, request: gr.Request) -> str:
    """Return the sentence of a refusal in the language of the request."""
    return SCREEN[language_of(request)][error.reason].format(**error.values)
