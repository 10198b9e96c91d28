"""What happens when something is pressed, on the screen or by a program."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import cv2
import gradio as gr
import numpy as np

from marrow import Analysis, Models, Report, analyze
from marrow.analysis import filter_cells
from marrow.drawing import draw_annotations, draw_segmentation
from marrow.export import export
from marrow.report import write_notes
from marrow.texts import CLASS_NAMES
from screen.analysis_queue import AnalysisQueue
from screen.flag_box import FlagBox
from screen.language import language_of, say, visitor_of
from screen.limits import Limits
from screen.review import Review
from screen.uploads import LARGE, RefusedError, Upload, Uploads
from screen.viewer import MIN_CONFIDENCE, Shown, encode_shown, save_shown, shown_size
from screen.words import SCREEN


class Actions:
    """Everything that the screen and its endpoints do.

    Args:
        models: the networks.
        flags: folder for the flags.
        limits: what visitors get at most.
    """

    def __init__(self, models: Models, flags: Path, limits: Limits | None = None) -> None:
        self.models = models
        self.limits = limits or Limits()
        self.flags = FlagBox(flags, self.limits.flags)
        self.uploads = Uploads(self.limits)
        self.queue = AnalysisQueue(self.limits)
        self.review = Review(models, self.flags, self.uploads, self.queue)

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
            header = self.uploads.header(path)
            with self.queue.slot(tell, visitor_of(request), header.pixels > LARGE) as check:
                step(0.1, words["reading"])
                image = self.uploads.image(path)
                check()

                def looked(share: float) -> None:
                    check()
                    step(0.3 + 0.6 * share, words["analyzing"])

                looked(0)
                analysis = analyze(image, self.models, MIN_CONFIDENCE, progress=looked)
                check()
                picture = encode_shown(image)
        except RefusedError as error:
            if error.reason != "left":  # who cancels needs no warning
                gr.Warning(say(error, request))
            return None
        for remark, applies in (("cmyk", header.is_cmyk), ("deep", header.is_deep)):
            if applies:
                gr.Info(words[remark])
        width, height = shown_size(analysis.width, analysis.height)
        if (width, height) != (analysis.width, analysis.height):
            gr.Info(words["shown_smaller"].format(width=width, height=height))
        saved = save_shown(picture)
        return Shown(analysis, saved, self.uploads.keep(Upload(Path(path), analysis, saved)), Path(path))

    def analyze(self, image: str | None, confidence: float, request: gr.Request) -> dict[str, Any]:
        """Find, outline, name and count every nucleated cell of a bone-marrow smear image.

        Args:
            image: the smear, JPEG, PNG or TIFF.
            confidence: segmenter score, 0 to 1, below which a cell is left out.
            request: the caller's, which chooses the language.

        Returns:
            The whole analysis: image size, models, cells (box, polygon, class, probabilities) and differential count.
        """
        with self._opened(image, confidence, request) as (_, analysis):
            return analysis.to_dict()

    def segmentation(self, image: str | None, confidence: float, request: gr.Request) -> str:
        """Draw the outline and the score of every nucleated cell on a bone-marrow smear image.

        Args:
            image: the smear, JPEG, PNG or TIFF.
            confidence: segmenter score, 0 to 1, below which a cell is left out.
            request: the caller's, which chooses the language.

        Returns:
            The picture.
        """
        with self._opened(image, confidence, request) as (pixels, analysis):
            return _save_picture(draw_segmentation(pixels, analysis))

    def annotations(self, image: str | None, confidence: float, request: gr.Request) -> str:
        """Draw every nucleated cell with the code of its class on a bone-marrow smear image.

        Args:
            image: the smear, JPEG, PNG or TIFF.
            confidence: segmenter score, 0 to 1, below which a cell is left out.
            request: the caller's, which chooses the language.

        Returns:
            The picture.
        """
        with self._opened(image, confidence, request) as (pixels, analysis):
            return _save_picture(draw_annotations(pixels, analysis))

    def report(self, image: str | None, confidence: float, request: gr.Request) -> tuple[str, str, str]:
        """Return the differential count of a bone-marrow smear image. For research and teaching; not for diagnosis.

        Args:
            image: the smear, JPEG, PNG or TIFF.
            confidence: segmenter score, 0 to 1, below which a cell is left out.
            request: the caller's, which chooses the language.

        Returns:
            The report as Markdown, the analysis as a JSON file, and its cells as a CSV file.
        """
        with self._opened(image, confidence, request) as (pixels, analysis):
            folder = Path(tempfile.mkdtemp(dir=cache()))
            as_json, as_csv = export(analysis, pixels, Path(image or "").name, folder, ["json", "csv"])
            return self._markdown(analysis.report, language_of(request)), str(as_json), str(as_csv)

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
        with self._opened(image, confidence, request) as (pixels, analysis):
            self.flags.put(pixels, analysis, comment, consent)
        return SCREEN[language_of(request)]["flagged"]

    @contextmanager
    def _opened(
        self, path: str | None, confidence: float, request: gr.Request
    ) -> Iterator[tuple[np.ndarray, Analysis]]:
        """Hold a slot of the queue for an image and its analysis; what is refused is said as Gradio says it."""
        try:
            if isinstance(confidence, bool) or not isinstance(confidence, int | float) or not 0 <= confidence <= 1:
                raise RefusedError("no_confidence")
            header = self.uploads.header(path)
            with self.queue.slot(visitor=visitor_of(request), is_heavy=header.pixels > LARGE) as check:
                image = self.uploads.image(path or "")
                check()
                analysis = analyze(image, self.models, MIN_CONFIDENCE, progress=lambda _: check())
                yield image, filter_cells(analysis, confidence)
        except RefusedError as error:
            raise gr.Error(say(error, request), print_exception=False) from error

    def _markdown(self, report: Report, language: str) -> str:
        words, names = SCREEN[language], CLASS_NAMES[language]
        notes = [f"- {note}" for note in write_notes(report, language)]
        if not report.is_smear:
            return "\n".join(notes)

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
        head = words["summary"].format(**figures, me_ratio=ratio)
        return "\n".join([head, "", *(f"|{row}|" for row in rows), "", *notes])


def _save_picture(picture: np.ndarray) -> str:
    """Write a picture of our own as JPEG where Gradio serves it, and return its path."""
    path = Path(tempfile.mkdtemp(dir=cache())) / "picture.jpg"
    cv2.imwrite(str(path), cv2.cvtColor(picture, cv2.COLOR_RGB2BGR, dst=picture), [cv2.IMWRITE_JPEG_QUALITY, 90])
    return str(path)


def cache() -> str:
    """Return Gradio's own folder, which ``delete_cache`` clears."""
    folder = gr.utils.get_upload_folder()
    Path(folder).mkdir(parents=True, exist_ok=True)
    return folder
