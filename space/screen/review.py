"""What the viewer asks the server for while a person works on an analysis."""

from __future__ import annotations

import base64
import os
import tempfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import gradio as gr
import numpy as np

from marrow import Analysis, MarrowError, Models
from marrow.analysis import filter_cells
from marrow.case import MAX_IMAGES, Case, NamedAnalysis, is_file_name
from marrow.cell import MAX_CELLS, Detection
from marrow.crop import crop_cell
from marrow.drawing import draw_heat
from marrow.editing import merge_outlines, outline_in_box, split_outline
from marrow.export import SUFFIXES, export
from marrow.images import encode_png
from marrow.pipeline import classify_detections
from marrow.print_page import to_page
from marrow.report import make_report
from marrow.schema import cell_to_dict, read_detection, read_stain, stain_to_dict
from marrow.stain import Stain, measure_stain, normalize_stain
from screen.analysis_queue import AnalysisQueue
from screen.flag_box import FlagBox
from screen.language import language_of, say, visitor_of
from screen.uploads import RefusedError, Upload, Uploads
from screen.words import SCREEN

Request = dict[str, Any]
Response = dict[str, Any]

MOST_MERGED = 20
"""Outlines that can be merged at once."""


class Review:
    """The functions that the viewer calls, each with what it asks and the language of the visitor.

    What is asked names the upload with its ``key``; cells and analyses are in the layout of the JSON. Every function
    raises :class:`RefusedError` where it cannot do what is asked; the browser gets its sentence as ``error``.

    Args:
        models: the networks.
        flags: where the flags go.
        uploads: the images that were analyzed.
        queue: in which every request waits.
    """

    def __init__(self, models: Models, flags: FlagBox, uploads: Uploads, queue: AnalysisQueue) -> None:
        self._models, self._flags, self._uploads, self._queue = models, flags, uploads, queue

    def server_functions(self) -> list[Callable[..., Response]]:
        """Return the functions as Gradio calls them."""
        functions = (
            self.explain,
            self.add_cell,
            self.merge_cells,
            self.split_cell,
            self.name_like,
            self.open_saved,
            self.export_file,
            self.print_case,
            self.send_flag,
            self.forget,
        )
        return [self._answering(function) for function in functions]

    def explain(self, asked: Request, language: str) -> Response:
        """Return ``heat``, a PNG (base64) to lay over the crop of ``cell``: what its name rests on."""
        upload, classifier = self._find(asked), self._models.classifier
        (outline,) = _read_outlines(upload, [asked.get("cell")])
        label = asked["cell"].get("label")
        if label not in classifier.labels:
            raise RefusedError("not_an_analysis")
        evidence = classifier.explain(
            crop_cell(self._shown(upload, _reference(asked)), outline.box, classifier.crop), label
        )
        return {"heat": _text_of(encode_png(draw_heat(evidence)))}

    def add_cell(self, asked: Request, language: str) -> Response:
        """Return the ``cell`` in ``box``, outlined and named, without ``id`` and ``edited``."""
        upload = self._find(asked)
        box, image = asked.get("box"), self._uploads.image(upload.path)
        if not (isinstance(box, list) and len(box) == 4 and all(isinstance(v, int | float) and v == v for v in box)):
            raise RefusedError("box_too_small")
        try:
            outline = outline_in_box(image, tuple(box), self._models.segmenter)
        except MarrowError as error:
            raise RefusedError("box_too_small") from error
        return {"cell": self._name(self._shown(upload, _reference(asked)), [outline])[0]}

    def merge_cells(self, asked: Request, language: str) -> Response:
        """Return the one ``cell`` around all ``cells``, without ``id`` and ``edited``."""
        upload = self._find(asked)
        outlines = _read_outlines(upload, asked.get("cells"))
        try:
            outline = merge_outlines(outlines, (upload.analysis.width, upload.analysis.height))
        except MarrowError as error:
            raise RefusedError("not_merged") from error
        return {"cell": self._name(self._shown(upload, _reference(asked)), [outline])[0]}

    def split_cell(self, asked: Request, language: str) -> Response:
        """Return the ``cells``, ``parts`` in number, that ``cell`` is parted into, without ``id`` and ``edited``."""
        upload = self._find(asked)
        (whole,), image = _read_outlines(upload, [asked.get("cell")]), self._uploads.image(upload.path)
        try:
            outlines = split_outline(image, whole, 3 if asked.get("parts") == 3 else 2)
        except MarrowError as error:
            raise RefusedError("not_parted") from error
        return {"cells": self._name(self._shown(upload, _reference(asked)), outlines)}

    def name_like(self, asked: Request, language: str) -> Response:
        """Name ``cells`` in the stain of the upload whose key is ``like``, or in their own where there is none.

        Returns ``cells`` in their order, without ``id`` and ``edited``, and the ``reference`` for what is asked next.
        """
        upload, like = self._find(asked), asked.get("like")
        outlines = _read_outlines(upload, asked.get("cells"), MAX_CELLS)
        reference = None if like is None else _stain_of(self._uploads.image(self._find({"key": like}).path))
        cells = self._name(self._shown(upload, reference), outlines)
        return {"cells": cells, "reference": stain_to_dict(reference)}

    def open_saved(self, asked: Request, language: str) -> Response:
        """Check ``analysis``, the content of a JSON file, against the upload.

        Returns ``value``, the analysis counted anew, and ``remark``, a sentence or ``None``.
        """
        upload = self._find(asked)
        saved = self._read_saved(upload, asked.get("analysis"))
        same = (saved.segmenter, saved.classifier) == (upload.analysis.segmenter, upload.analysis.classifier)
        return {"value": saved.to_dict(), "remark": None if same else SCREEN[language]["other_models"]}

    def export_file(self, asked: Request, language: str) -> Response:
        """Return the ``name`` and the ``content`` (base64) of ``analysis`` in a ``format`` of ``marrow.export``."""
        upload = self._find(asked)
        analysis = self._read(upload, asked.get("analysis"))
        kind = asked.get("format")
        with tempfile.TemporaryDirectory() as folder:
            wanted = [kind if isinstance(kind, str) and kind in SUFFIXES else "json"]
            (file,) = export(
                analysis, self._uploads.image(upload.path), upload.path.name, Path(folder), wanted, language
            )
            return {"name": file.name, "content": _text_of(file.read_bytes())}

    def print_case(self, asked: Request, language: str) -> Response:
        """Return the ``name`` and the ``content`` (base64) of a page to print, or of a JSON for the ``format`` json.

        ``analyses`` are ``{key, analysis}`` each, and may name the ``file``.
        """
        case = self._read_case(asked.get("analyses"))
        if asked.get("format") == "json":
            return {"name": "case.json", "content": _text_of(case.to_json().encode())}
        return {"name": "case.html", "content": _text_of(to_page(case, {}, language).encode())}

    def send_flag(self, asked: Request, language: str) -> Response:
        """Save ``analysis`` with a ``comment``, given ``consent``; return the sentence of ``thanks``."""
        upload = self._find(asked)
        analysis = self._read(upload, asked.get("analysis"))
        self._flags.put(self._uploads.image(upload.path), analysis, asked.get("comment", ""), asked.get("consent"))
        return {"thanks": SCREEN[language]["flagged"]}

    def forget(self, asked: Request, language: str) -> Response:
        """Forget the uploads whose ``keys`` are named, and delete their pictures."""
        keys = asked.get("keys")
        for key in keys if isinstance(keys, list) else ():
            self._uploads.forget(str(key))
        return {}

    def _answering(self, function: Callable[[Request, str], Response]) -> Callable[..., Response]:
        """Return a plain function for a method, which waits for its slot and answers a refusal with its sentence."""

        def answer(asked: Any, request: gr.Request) -> Response:
            try:
                if not isinstance(asked, dict):
                    raise RefusedError("not_an_analysis")
                needed = [asked[name] for name in ("key", "like") if asked.get(name) is not None]
                is_heavy = any(self._find({"key": key}).is_large for key in needed)
                with self._queue.slot(visitor=visitor_of(request, is_live=True), is_heavy=is_heavy):
                    return function(asked, language_of(request))
            except RefusedError as error:
                return {"error": say(error, request), "reason": error.reason}

        answer.__name__ = function.__name__  # by which the browser calls it
        return answer

    def _name(self, image: np.ndarray, outlines: list[Detection]) -> list[dict[str, Any]]:
        rows = [cell_to_dict(cell) for cell in classify_detections(image, outlines, self._models.classifier)]
        return [{key: value for key, value in row.items() if key not in ("id", "edited")} for row in rows]

    def _shown(self, upload: Upload, reference: Stain | None) -> np.ndarray:
        """Return an image as the classifier is shown it: in the stain of a reference, if there is one."""
        image = self._uploads.image(upload.path)
        return normalize_stain(image, _stain_of(image), reference) if reference else image

    def _find(self, asked: Request) -> Upload:
        upload = self._uploads.find(str(asked.get("key")))
        try:
            os.utime(upload.path)  # Gradio deletes by the time of the last change
        except PermissionError:
            pass  # an example of the Space, which nobody deletes
        except OSError as error:
            raise RefusedError("forgotten") from error
        return upload

    def _read(self, upload: Upload, sent: Any) -> Analysis:
        """Read an analysis as the viewer sends it: what it leaves out is that of the upload.

        Cells under its ``confidence`` that nobody touched are dropped.
        """
        if not isinstance(sent, dict):
            raise RefusedError("not_an_analysis")
        analysis = self._read_saved(upload, upload.analysis.to_dict() | sent)
        return filter_cells(analysis, analysis.confidence)

    def _read_case(self, rows: Any) -> Case:
        if not isinstance(rows, list) or not 1 <= len(rows) <= MAX_IMAGES:
            raise RefusedError("not_a_case", images=MAX_IMAGES)
        named = []
        for row in rows:
            if not isinstance(row, dict):
                raise RefusedError("not_an_analysis")
            upload = None if row.get("key") is None else self._find(row)  # of a saved case, not every image may be here
            file = row.get("file")
            if not is_file_name(file):
                file = upload.path.name if upload else "?"
            read = self._read(upload, row.get("analysis")) if upload else self._read_alone(row.get("analysis"))
            named.append(NamedAnalysis(file, read))
        try:
            return Case(tuple(named))
        except MarrowError as error:
            raise RefusedError("twice") from error

    def _read_saved(self, upload: Upload, plain: Any) -> Analysis:
        """Read an analysis that was saved, which must be of the upload's image and of the classifier's classes."""
        analysis = self._read_alone(plain)
        if (analysis.width, analysis.height) != (upload.analysis.width, upload.analysis.height):
            raise RefusedError("other_image", width=analysis.width, height=analysis.height)
        return analysis

    def _read_alone(self, plain: Any) -> Analysis:
        """Read an analysis that was saved, which must be of the classifier's classes; its image may be elsewhere."""
        rules = self._models.classifier.config.rules
        try:
            analysis = Analysis.from_dict(plain)
        except MarrowError as error:
            raise RefusedError("not_an_analysis") from error
        if analysis.report.rules.labels != rules.labels:
            raise RefusedError("other_classes")
        return replace(analysis, report=make_report(analysis.cells, rules, analysis.removed, analysis.stain_distance))


def _stain_of(image: np.ndarray) -> Stain:
    try:
        return measure_stain(image)
    except MarrowError as error:
        raise RefusedError("no_stain") from error


def _reference(asked: Request) -> Stain | None:
    try:
        return read_stain(asked.get("reference"))
    except MarrowError as error:
        raise RefusedError("not_an_analysis") from error


def _read_outlines(upload: Upload, cells: Any, most: int = MOST_MERGED) -> list[Detection]:
    if not isinstance(cells, list) or not 1 <= len(cells) <= most:
        raise RefusedError("not_an_analysis")
    try:
        return [read_detection(cell, upload.analysis.width, upload.analysis.height) for cell in cells]
    except MarrowError as error:
        raise RefusedError("not_an_analysis") from error


def _text_of(content: bytes) -> str:
    return base64.b64encode(content).decode()
