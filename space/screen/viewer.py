"""The viewer: one component with the picture, its outlines as vectors, and every view of the analysis."""

from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import gradio as gr
import numpy as np
from gradio.data_classes import FileData
from gradio.processing_utils import save_bytes_to_cache
from PIL import Image

from marrow import Analysis, Models
from marrow.drawing import CELL, DASHES, GREY, OTHER_DASHES, PALETTE, UNCERTAIN_DASHES, Colour, edge_of, ink_on
from marrow.export import SUFFIXES
from marrow.flags import MAX_COMMENT
from marrow.report import FLOOR, LINEAGES, NOT_IN_DIFFERENTIAL, TARGET, Z95
from marrow.texts import CLASS_NAMES, NOTES
from screen.words import VIEWER

STATIC = Path(__file__).with_name("static")
SCRIPTS = (
    *("base.js", "count.js", "edits.js", "work.js", "stage.js", "box.js", "overlay.js"),
    *("card.js", "correct.js", "gallery.js", "report.js", "files.js", "case.js", "flag.js"),
    *("choose.js", "acts.js", "saved.js", "leave.js", "viewer.js"),
)
"""Joined in this order into the one function that Gradio runs when the component appears."""

MIN_CONFIDENCE = 0.05
"""Confidence of the one analysis of each image; the viewer filters its cells."""

UNCERTAIN = "?"
"""Group of the uncertain cells in the browser, beside the codes."""

MAX_SHOWN = 2560
"""Longest side in pixels of the picture that is sent to the browser."""


@dataclass(frozen=True)
class Shown:
    """What the viewer shows.

    Attributes:
        image: ``(height, width, 3)`` uint8 RGB, the image that was analyzed.
        analysis: its analysis at ``MIN_CONFIDENCE``.
        key: key of the upload.
        file: name of its file.
    """

    image: np.ndarray
    analysis: Analysis
    key: str
    file: str


class Viewer(gr.HTML):
    """Shows one analysis in several views; filters and counts in the browser.

    Args:
        settings: what :func:`make_settings` gives.
        server_functions: those of :class:`screen.review.Review`, which the viewer calls.
    """

    def __init__(self, settings: dict[str, Any], server_functions: list[Callable[..., Any]], **options: Any) -> None:
        super().__init__(
            html_template='<div class="mv"></div>',
            css_template=(STATIC / "viewer.css").read_text(encoding="utf-8"),
            js_on_load="\n".join((STATIC / name).read_text(encoding="utf-8") for name in SCRIPTS),
            apply_default_css=False,
            server_functions=server_functions,
            settings=settings,
            **options,
        )
        self.settings = settings

    def postprocess(self, value: Shown | None) -> dict[str, Any] | None:
        """Return the browser the picture, smaller where it is large, and the analysis with its exact scores."""
        if value is None:
            return None
        plain = value.analysis.to_dict()
        for cell, row in zip(value.analysis.cells, plain["cells"], strict=True):
            # rounded, a score could lie on the other side of the slider
            row |= {"score": cell.score, "probability": cell.probability, "probabilities": cell.probabilities}
        picture = save_bytes_to_cache(_encode(value.image), "smear.jpg", self.GRADIO_CACHE)
        return {
            "key": value.key,
            "file": value.file,
            "picture": FileData(path=picture, orig_name="smear.jpg").model_dump(),
            **{key: plain[key] for key in ("image", "models", "cells")},
        }

    def api_info(self) -> dict[str, Any]:
        """Describe the value, which is for the screen alone."""
        return {"type": "object"}


def make_settings(models: Models) -> dict[str, Any]:
    """Gather what the viewer must know of the classifier, the rules of the count, and the words.

    Args:
        models: the networks.

    Returns:
        Plain values, the same for every image.
    """
    rules = models.classifier.config.rules
    return {
        "labels": list(rules.labels),
        "uncertain": UNCERTAIN,
        "names": CLASS_NAMES,
        "words": VIEWER,
        "notes": NOTES,
        "looks": {code: _look(PALETTE.get(code, GREY), DASHES.get(code, OTHER_DASHES)) for code in rules.labels}
        | {UNCERTAIN: _look(GREY, UNCERTAIN_DASHES), "cell": _look(CELL, ())},
        "rules": {
            "uncertain_below": rules.uncertain_below,
            "left_out": sorted(NOT_IN_DIFFERENTIAL),
            "lineages": [{"name": name, "codes": list(codes)} for name, codes in LINEAGES.items()],
            "myeloid": LINEAGES["granulocytic"],
            "erythroid": LINEAGES["erythroid"],
            "floor": FLOOR,
            "target": TARGET,
            "z95": Z95,
            "not_from_marrow": rules.not_from_marrow,
            "unknown": rules.unknown,
        },
        "lowest": MIN_CONFIDENCE,
        "confidence": max(MIN_CONFIDENCE, models.segmenter.config.confidence),
        "formats": list(SUFFIXES),
        "max_comment": MAX_COMMENT,
        "crop_reach": 1 + 2 * models.classifier.crop.context,
        "explains": models.classifier.explains,
        "models": model_names(models),
    }


def model_names(models: Models) -> list[str]:
    """Name both models, with the start of their commits where they have one."""
    infos = (models.segmenter.info, models.classifier.info)
    return [f"{i.repo}@{i.revision[:7]}" if i.revision else i.repo for i in infos]


def shown_size(width: int, height: int) -> tuple[int, int]:
    """Return the size in pixels at which an image is sent to the browser."""
    scale = min(1.0, MAX_SHOWN / max(width, height))
    return max(1, round(width * scale)), max(1, round(height * scale))


def _look(colour: Colour, dashes: tuple[int, ...]) -> dict[str, str]:
    """Return a group's colour, the letters on it, the edge of its line, and its ``stroke-dasharray``."""
    colours = {"colour": colour, "ink": ink_on(colour), "edge": edge_of(colour)}
    in_css = {name: "#{:02x}{:02x}{:02x}".format(*value) for name, value in colours.items()}
    return in_css | {"dashes": " ".join(map(str, dashes)) or "none"}


def _encode(image: np.ndarray) -> bytes:
    picture = Image.fromarray(image)
    size = shown_size(*picture.size)
    if size != picture.size:
        picture = picture.resize(size, Image.Resampling.LANCZOS, reducing_gap=2.0)
    file = io.BytesIO()
    picture.save(file, "jpeg", quality=90)
    return file.getvalue()
