"""What happens when something is pressed, on the screen or by a program."""

from __future__ import annotations

import base64
import os
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import gradio as gr
import numpy as np

from marrow import Analysis, MarrowError, Models, Report, analyze
from marrow.analysis import Detection
from marrow.crop import crop_cell
from marrow.drawing import draw_annotations, draw_heat, draw_segmentation
from marrow.export import SUFFIXES, encode_png, export
from marrow.flags import MAX_COMMENT, save_flag
from marrow.report import filter_cells, make_report, write_notes
from marrow.saved import read_detection
from marrow.texts import CLASS_NAMES
from screen.line import Line
from screen.uploads import RefusedError, Upload, Uploads, open_upload
from screen.viewer import LOWEST, Shown, shown_size
from screen.words import SCREEN, choose_language


class Actions:
    """Everything that the screen and its endpoints do.

    Args:
        models: the networks.
        flags: folder for the flags.
    """

    def __init__(self, models: Models, flags: Path) -> None:
        self.models = models
        self.flags = flags
        self.uploads = Uploads()
        self.line = Line()

    def show(self, path: str | None, request: gr.Request, progress: gr.Progress) -> Shown | None:
        """Analyze an upload for the viewer; ``None``, and a sentence on the screen, when that cannot be."""
        words = SCREEN[language_of(request)]
        if not path:
            return None

        def step(share: float, text: str) -> None:
            progress(share, desc=f"{text}\n")  # Gradio adds "- 40.0%", which page.css leaves out with the second line

        def tell(before: int, seconds: float) -> None:
            wait = words["wait"].format(seconds=round(seconds)) if seconds >= 1 else ""
            step(0, words["waiting"].format(before=before) + wait)

        try:
            with self.line.turn(tell):
                step(0.1, words["reading"])
                image, remark = open_upload(path)
                step(0.4, words["analyzing"])
                analysis = analyze(image, self.models, LOWEST)
        except RefusedError as error:
            gr.Warning(say(error, request))
            return None
        if remark:
            gr.Info(words[remark])
        height, width = image.shape[:2]
        if shown_size(width, height) != (width, height):
            size = dict(zip(("width", "height"), shown_size(width, height), strict=True))
            gr.Info(words["shown_smaller"].format(**size))
        return Shown(image, analysis, self.uploads.keep(Upload(Path(path), analysis)), Path(path).name)

    def analyze(self, image: str | None, confidence: float, request: gr.Request) -> dict[str, Any]:
        """Find, outline, name and count every nucleated cell of a bone-marrow smear image.

        Args:
            image: the smear, JPEG, PNG or TIFF.
            confidence: segmenter score, 0 to 1, below which a cell is left out.
            request: the caller's, which chooses the language.

        Returns:
            The whole analysis: image size, models, cells (box, polygon, class, probabilities) and differential count.
        """
        return self._open(image, confidence, request)[1].to_dict()

    def segmentation(self, image: str | None, confidence: float, request: gr.Request) -> np.ndarray:
        """Draw the outline and the score of every nucleated cell on a bone-marrow smear image.

        Args:
            image: the smear, JPEG, PNG or TIFF.
            confidence: segmenter score, 0 to 1, below which a cell is left out.
            request: the caller's, which chooses the language.

        Returns:
            The picture.
        """
        return draw_segmentation(*self._open(image, confidence, request))

    def annotations(self, image: str | None, confidence: float, request: gr.Request) -> np.ndarray:
        """Draw every nucleated cell with the code of its class on a bone-marrow smear image.

        Args:
            image: the smear, JPEG, PNG or TIFF.
            confidence: segmenter score, 0 to 1, below which a cell is left out.
            request: the caller's, which chooses the language.

        Returns:
            The picture.
        """
        return draw_annotations(*self._open(image, confidence, request))

    def report(self, image: str | None, confidence: float, request: gr.Request) -> tuple[str, str, str]:
        """Give the differential count of a bone-marrow smear image. For research and teaching; not for diagnosis.

        Args:
            image: the smear, JPEG, PNG or TIFF.
            confidence: segmenter score, 0 to 1, below which a cell is left out.
            request: the caller's, which chooses the language.

        Returns:
            The report as Markdown, the analysis as a JSON file, and its cells as a CSV file.
        """
        pixels, analysis = self._open(image, confidence, request)
        folder = Path(tempfile.mkdtemp(dir=cache()))
        files = export(analysis, pixels, Path(image or "").name, folder, ["json", "csv"])
        return self._markdown(analysis.report, language_of(request)), *map(str, files)

    def flag(self, image: str | None, confidence: float, comment: str, consent: bool, request: gr.Request) -> str:
        """Share an image whose analysis is wrong, with a comment, for the next training.

        Args:
            image: the smear, JPEG, PNG or TIFF; its metadata is not kept.
            confidence: segmenter score, 0 to 1, below which a cell is left out.
            comment: what is wrong.
            consent: true when the image may be shared, shows nothing that identifies a person, and may be used to
                train models; nothing is saved otherwise.
            request: the caller's, which chooses the language.

        Returns:
            A sentence of thanks.
        """
        pixels, analysis = self._open(image, confidence, request)
        try:
            self._save_flag(pixels, analysis, comment, consent)
        except RefusedError as error:
            raise gr.Error(say(error, request), print_exception=False) from error
        return SCREEN[language_of(request)]["flagged"]

    def explain(self, asked: dict[str, Any], request: gr.Request) -> dict[str, str]:
        """Give the viewer's card the picture of what the name of a cell rests on.

        Args:
            asked: ``key`` of the upload, and the ``cell`` as the viewer has it.
            request: the caller's, which chooses the language.

        Returns:
            ``heat``, a PNG (base64) to lay over the crop, or the ``error`` to show.
        """
        try:
            upload = self._find(asked)
            (cell,) = self._read_outlines(upload, [asked.get("cell")])
            classifier, label = self.models.classifier, asked["cell"].get("label")
            if label not in classifier.labels:
                raise RefusedError("not_an_analysis")
            heat = draw_heat(classifier.explain(crop_cell(upload.image(), cell.box, classifier.crop), label))
            return {"heat": base64.b64encode(encode_png(heat)).decode()}
        except RefusedError as error:
            return {"error": say(error, request)}

    def export_file(self, asked: dict[str, Any], request: gr.Request) -> dict[str, str]:
        """Give the viewer a file to save.

        Args:
            asked: ``key`` of the upload, the ``analysis`` as the person left it, and ``format``, a key of
                ``marrow.export.SUFFIXES``.
            request: the caller's, which chooses the language.

        Returns:
            ``name`` and ``content`` (base64) of the file, or the ``error`` to show.
        """
        try:
            upload = self._find(asked)
            analysis = self._read(upload, asked.get("analysis"))
            kind = asked["format"] if str(asked["format"]) in SUFFIXES else "json"
            with tempfile.TemporaryDirectory() as folder:
                (file,) = export(analysis, upload.image(), upload.path.name, Path(folder), [kind])
                return {"name": file.name, "content": base64.b64encode(file.read_bytes()).decode()}
        except RefusedError as error:
            return {"error": say(error, request)}

    def send_flag(self, asked: dict[str, Any], request: gr.Request) -> dict[str, str]:
        """Save the flag of the viewer's form.

        Args:
            asked: ``key`` of the upload, the ``analysis`` as the person left it, ``comment`` and ``consent``.
            request: the caller's, which chooses the language.

        Returns:
            The sentence of ``thanks``, or the ``error`` to show.
        """
        try:
            upload = self._find(asked)
            analysis = self._read(upload, asked.get("analysis"))
            self._save_flag(upload.image(), analysis, str(asked["comment"]), asked["consent"] is True)
        except RefusedError as error:
            return {"error": say(error, request)}
        return {"thanks": SCREEN[language_of(request)]["flagged"]}

    def open_saved(self, asked: dict[str, Any], request: gr.Request) -> dict[str, Any]:
        """Open a saved analysis beside its image.

        Args:
            asked: ``key`` of the upload, and the ``analysis``, the content of a JSON file.
            request: the caller's, which chooses the language.

        Returns:
            ``value``, the analysis in the layout of the JSON, counted anew, and ``remark``, a sentence or ``None``; or
            the ``error`` to show.
        """
        try:
            upload = self._find(asked)
            saved = self._read_saved(upload, asked.get("analysis"))
        except RefusedError as error:
            return {"error": say(error, request)}
        same = (saved.segmenter, saved.classifier) == (upload.analysis.segmenter, upload.analysis.classifier)
        return {"value": saved.to_dict(), "remark": None if same else SCREEN[language_of(request)]["other_models"]}

    def _open(self, path: str | None, confidence: float, request: gr.Request) -> tuple[np.ndarray, Analysis]:
        try:
            with self.line.turn():
                image, _ = open_upload(path)
                analysis = analyze(image, self.models, LOWEST)
        except RefusedError as error:
            raise gr.Error(say(error, request), print_exception=False) from error
        return image, filter_cells(analysis, confidence)

    def _find(self, asked: dict[str, Any]) -> Upload:
        upload = self.uploads.find(str(asked.get("key")))
        try:
            os.utime(upload.path)  # Gradio deletes by the time of the last change
        except OSError as error:
            raise RefusedError("forgotten") from error
        return upload

    def _read(self, upload: Upload, sent: Any) -> Analysis:
        """Read an analysis as the viewer sends it: what it leaves out is that of the upload."""
        if not isinstance(sent, dict):
            raise RefusedError("not_an_analysis")
        return self._read_saved(upload, upload.analysis.to_dict() | {"removed": []} | sent)

    def _read_outlines(self, upload: Upload, cells: list[Any]) -> list[Detection]:
        """Read the outlines of cells as the viewer sends them."""
        try:
            return [read_detection(cell, upload.analysis.width, upload.analysis.height) for cell in cells]
        except MarrowError as error:
            raise RefusedError("not_an_analysis") from error

    def _read_saved(self, upload: Upload, plain: Any) -> Analysis:
        """Read an analysis that was saved, which must be of the upload's image and of the classifier's classes."""
        rules = self.models.classifier.config.rules
        try:
            analysis = Analysis.from_dict(plain)
        except MarrowError as error:
            raise RefusedError("not_an_analysis") from error
        if (analysis.width, analysis.height) != (upload.analysis.width, upload.analysis.height):
            raise RefusedError("other_image", width=analysis.width, height=analysis.height)
        if analysis.report.rules.labels != rules.labels:
            raise RefusedError("other_classes")
        return replace(analysis, report=make_report(analysis.cells, rules, analysis.removed))

    def _save_flag(self, image: np.ndarray, analysis: Analysis, comment: str, consent: bool) -> None:
        if not consent:
            raise RefusedError("no_consent")
        if len(comment) > MAX_COMMENT:
            raise RefusedError("comment_too_long", characters=MAX_COMMENT)
        try:
            save_flag(self.flags, image, analysis, comment)
        except MarrowError as error:
            raise RefusedError("not_saved") from error

    def _markdown(self, report: Report, language: str) -> str:
        words, names = SCREEN[language], CLASS_NAMES[language]

        def decimal(value: float) -> str:
            return f"{value:.1f}".replace(".", "," if language == "fr" else ".")

        ratio = "–" if report.me_ratio is None else decimal(report.me_ratio)
        rows = [words["headers"], "-|-|-:|-:|-:"]
        for code, n in report.counts.items():
            share = "–|–"
            if code in report.percent and report.total:
                low, high = report.intervals[code]
                share = f"{decimal(report.percent[code])}|{low:.0f}–{high:.0f}"
            rows.append(f"{names.get(code, code)}|{code}|{n}|{share}")
        figures = {name: getattr(report, name) for name in ("found", "total", "uncertain")}
        notes = write_notes(report, language)
        head = words["summary"].format(**figures, me_ratio=ratio)
        return "\n".join([head, "", *(f"|{row}|" for row in rows), "", *(f"- {note}" for note in notes)])


def language_of(request: gr.Request) -> str:
    """Choose the language of a request: ``"en"`` or ``"fr"``."""
    return choose_language(request.headers.get("accept-language"))


def say(error: RefusedError, request: gr.Request) -> str:
    """Give the sentence of a refusal in the language of the request."""
    return SCREEN[language_of(request)][error.reason].format(**error.values)


def cache() -> str:
    """Gradio's own folder, which ``delete_cache`` clears."""
    folder = gr.utils.get_upload_folder()
    Path(folder).mkdir(parents=True, exist_ok=True)
    return folder
