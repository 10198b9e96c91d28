"""The viewer: one component with the picture, its outlines as vectors, and every view of the analysis."""

from __future__ import annotations

import io
import mimetypes
from collections.abc import Callable
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

import cv2
import gradio as gr
import numpy as np
from gradio.data_classes import FileData
from gradio.processing_utils import save_bytes_to_cache
from gradio.utils import get_upload_folder
from PIL import Image
from starlette.routing import Mount
from starlette.staticfiles import StaticFiles

from marrow import Analysis, Models
from marrow.drawing import CELL, DASHES, GREY, OTHER_DASHES, PALETTE, UNCERTAIN_DASHES, Colour, edge_of, ink_on
from marrow.export import SUFFIXES
from marrow.flags import MAX_COMMENT
from marrow.report import DOUBTFUL, FEW, FLOOR, KNOWN_SIZES, LINEAGES, NOT_IN_DIFFERENTIAL, TARGET, Z95
from marrow.texts import CLASS_NAMES, LINEAGE_NAMES, NOTES
from screen.uploads import KEPT
from screen.words import IMAGE, VIEWER

STATIC = Path(__file__).with_name("static")


def digest_of(folder: Path) -> str:
    """Return twelve hexadecimal digits that name the state of all files in a folder, by their names and contents."""
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    states = [path.relative_to(folder).as_posix() + sha256(path.read_bytes()).hexdigest() for path in files]
    return sha256("".join(states).encode()).hexdigest()[:12]


MODULES = f"/viewer/{digest_of(STATIC)}"
"""Path of :data:`STATIC` on the server: another one after every change, so that no browser mixes old and new files."""

MOUNT = f"""
const root = (window.gradio_config?.root || location.origin).replace(/[/]$/, "");
const events = {{ dropped: (data) => trigger("dropped", data), restart: (data) => trigger("restart", data) }};
import(root + "{MODULES}/gradio.js").then(({{ mount }}) => mount({{ element, props, server, upload, watch, events }}));
"""
"""What Gradio runs when the component appears; it reads the names of the events here."""

MIN_CONFIDENCE = 0.05
"""Confidence of the one analysis of each image; the viewer filters its cells."""

UNCERTAIN = "?"
"""Group of the uncertain cells in the browser (``model/count.js``), beside the codes."""

MAX_SHOWN = 2560
"""Longest side in pixels of the picture that is sent to the browser."""


@dataclass(frozen=True)
class Shown:
    """What the viewer shows.

    Attributes:
        analysis: of the image, at ``MIN_CONFIDENCE``.
        picture: file of the image as it is shown, smaller where it is large.
        key: key of the upload.
        path: file of the image itself.
    """

    analysis: Analysis
    picture: Path
    key: str
    path: Path


class Viewer(gr.HTML):
    """Shows one analysis in several views; filters and counts in the browser.

    Args:
        settings: what :func:`make_settings` returns.
        server_functions: those of :class:`screen.review.Review`, which the viewer calls.
    """

    def __init__(self, settings: dict[str, Any], server_functions: list[Callable[..., Any]], **options: Any) -> None:
        super().__init__(
            html_template='<div class="marrow-viewer"></div>',
            css_template=(STATIC / "viewer.css").read_text(encoding="utf-8"),
            js_on_load=MOUNT,
            apply_default_css=False,
            server_functions=server_functions,
            settings=settings,
            page_words=IMAGE,
            **options,
        )
        self.settings = settings

    def postprocess(self, value: Shown | None) -> dict[str, Any] | None:  # type: ignore[override]
        """Return what the browser gets: the picture, and the analysis with exact scores."""
        if value is None:
            return None
        plain = value.analysis.to_dict()
        for cell, row in zip(value.analysis.cells, plain["cells"], strict=True):
            # rounded, a score could lie on the other side of the slider
            row |= {key: getattr(cell, key) for key in ("score", "probability", "probabilities", "unlikeness")}
        return {
            "key": value.key,
            "file": value.path.name,
            "digest": sha256(value.path.read_bytes()).hexdigest(),
            "picture": FileData(path=str(value.picture)).model_dump(),
            "original": FileData(path=str(value.path)).model_dump(),
            **{key: plain[key] for key in ("image", "models", "cells")},
        }

    def api_info(self) -> dict[str, Any]:
        """Describe the value, which is for the screen alone."""
        return {"type": "object"}


def serve_modules() -> Mount:
    """Return the route under which the server gives the browser the files of the viewer."""
    mimetypes.add_type("text/javascript", ".js")  # Windows may know them by another, which no browser runs
    return Mount(MODULES, StaticFiles(directory=STATIC))


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
        "names": CLASS_NAMES,
        "words": VIEWER,
        "notes": NOTES,
        "lineage_names": LINEAGE_NAMES,
        "styles": {code: _cell_style(PALETTE.get(code, GREY), DASHES.get(code, OTHER_DASHES)) for code in rules.labels}
        | {UNCERTAIN: _cell_style(GREY, UNCERTAIN_DASHES), "cell": _cell_style(CELL, ())},
        "rules": {
            "uncertain_below": rules.uncertain_below,
            "left_out": sorted(NOT_IN_DIFFERENTIAL),
            "lineages": [{"name": name, "codes": list(codes)} for name, codes in LINEAGES.items()],
            "myeloid": LINEAGES["granulocytic"],
            "erythroid": LINEAGES["erythroid"],
            "floor": FLOOR,
            "target": TARGET,
            "z95": Z95,
            "doubtful": DOUBTFUL,
            "few": FEW,
            "known_sizes": list(KNOWN_SIZES),
            "not_from_marrow": rules.not_from_marrow,
            "unknown": rules.unknown,
            "unlike_above": rules.unlike_above,
            "stain_far_above": rules.stain_far_above,
        },
        "trained_on": models.classifier.config.trained_on,
        "min_confidence": MIN_CONFIDENCE,
        "confidence": max(MIN_CONFIDENCE, models.segmenter.config.confidence),
        "formats": list(SUFFIXES),
        "max_comment": MAX_COMMENT,
        "crop_scale": 1 + 2 * models.classifier.crop.context,
        "explains": models.classifier.explains,
        "models": model_names(models),
        "server_keeps": KEPT // 60,
    }


def model_names(models: Models) -> list[str]:
    """Name both models, with the start of their commits where they have one."""
    infos = (models.segmenter.info, models.classifier.info)
    return [f"{i.repo}@{i.revision[:7]}" if i.revision else i.repo for i in infos]


def shown_size(width: int, height: int) -> tuple[int, int]:
    """Return the size in pixels at which an image is sent to the browser."""
    scale = min(1.0, MAX_SHOWN / max(width, height))
    return max(1, round(width * scale)), max(1, round(height * scale))


def _cell_style(colour: Colour, dashes: tuple[int, ...]) -> dict[str, str]:
    """Return a group's colour, the letters on it, the edge of its line, and its ``stroke-dasharray``."""
    colours = {"colour": colour, "ink": ink_on(colour), "edge": edge_of(colour)}
    in_css = {name: "#{:02x}{:02x}{:02x}".format(*value) for name, value in colours.items()}
    return in_css | {"dashes": " ".join(map(str, dashes)) or "none"}


def encode_shown(image: np.ndarray) -> bytes:
    """Return the JPEG that is sent to the browser, smaller than the image where that is large."""
    size = shown_size(image.shape[1], image.shape[0])
    if size != image.shape[1::-1]:
        image = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
    file = io.BytesIO()
    Image.fromarray(image).save(file, "jpeg", quality=90)
    return file.getvalue()


def save_shown(picture: bytes) -> Path:
    """Save what :func:`encode_shown` returns in Gradio's own folder, which ``delete_cache`` clears."""
    return Path(save_bytes_to_cache(picture, "smear.jpg", get_upload_folder()))
