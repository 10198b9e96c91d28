"""Gradio's blocks, which answer what they cannot read with a sentence in the visitor's language."""

from __future__ import annotations

from contextvars import ContextVar
from typing import Any

import gradio as gr

from screen.language import language_of
from screen.words import SCREEN

_language: ContextVar[str] = ContextVar("language", default="en")


class Blocks(gr.Blocks):
    """Blocks whose own refusal of a request (a value out of range, a file never uploaded) is a sentence of ours."""

    async def process_api(self, *arguments: Any, **more: Any) -> dict[str, Any]:
        """Process a call as Gradio does, knowing the language of its ``request``."""
        _language.set(language_of(more["request"]) if more.get("request") else "en")
        return await super().process_api(*arguments, **more)

    async def preprocess_data(self, *arguments: Any, **more: Any) -> list[Any]:
        """Read what was sent.

        Raises:
            gr.Error: it is not what the function takes.
        """
        try:
            return await super().preprocess_data(*arguments, **more)
        except Exception as error:  # pydantic's, Gradio's own, and what unexpected types raise in between
            raise gr.Error(SCREEN[_language.get()]["not_a_request"], print_exception=False) from error
