"""The image input: Gradio's own, but it returns the file."""

from __future__ import annotations

import gradio as gr
from gradio.data_classes import ImageData


class ImageFile(gr.Image):
    """Return the path of the file as uploaded, so that an unreadable one ends in a sentence of ours."""

    is_template = True  # for the browser it is the image that Gradio knows

    def preprocess(self, payload: ImageData | None) -> str | None:
        """Return the path, ``None`` without a file."""
        return payload.path if payload else None
