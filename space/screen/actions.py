"""What happens when something is pressed, on the screen or by a program."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import gradio as gr
import numpy as np

from marrow import Analysis, Models, Report, analyze
from marrow.analysis import filter_cells
from marrow.drawing import draw_annotations, draw_segmentation
from marrow.export import export
from marrow.report import write_notes
from marrow.texts import CLASS_NAMES
from screen.analysis_queue import AnalysisQueue
from screen.language import language_of, say
from screen.review import Review, share
from screen.uploads import RefusedError, Upload, Uploads, open_upload
from screen.viewer import MIN_CONFIDENCE, Shown, save_picture, shown_size
from screen.words import SCREEN


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
        self.queue = AnalysisQueue()
        self.review = Review(models, flags, self.uploads, self.queue)

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
            with self.queue.slot(tell):
                step(0.1, words["reading"])
                image, remark = open_upload(path)
                step(0.4, words["analyzing"])
                analysis = analyze(image, self.models, MIN_CONFIDENCE)
        except RefusedError as error:
            gr.Warning(say(error, request))
            return None
        if remark:
            gr.Info(words[remark])
        height, width = image.shape[:2]
        if shown_size(width, height) != (width, height):
            size = dict(zip(("width", "height"), shown_size(width, height), strict=True))
            gr.Info(words["shown_smaller"].format(**size))
        picture = save_picture(image)
        return Shown(analysis, picture, self.uploads.keep(Upload(Path(path), analysis, picture)), Path(path))

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
        """Return the differential count of a bone-marrow smear image. For research and teaching; not for diagnosis.

        Args:
            image: the smear, JPEG, PNG or TIFF.
            confidence: segmenter score, 0 to 1, below which a cell is left out.
            request: the caller's, which chooses the language.

        Returns:
            The report as Markdown, the analysis as a JSON file, and its cells as a CSV file.
        """
        pixels, analysis = self._open(image, confidence, request)
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
        pixels, analysis = self._open(image, confidence, request)
        try:
            share(self.flags, pixels, analysis, comment, consent)
        except RefusedError as error:
            raise gr.Error(say(error, request), print_exception=False) from error
        return SCREEN[language_of(request)]["flagged"]

    def _open(self, path: str | None, confidence: float, request: gr.Request) -> tuple[np.ndarray, Analysis]:
        try:
            with self.queue.slot():
                image, _ = open_upload(path)
                analysis = analyze(image, self.models, MIN_CONFIDENCE)
        except RefusedError as error:
            raise gr.Error(say(error, request), print_exception=False) from error
        return image, filter_cells(analysis, confidence)

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


def cache() -> str:
    """Return Gradio's own folder, which ``delete_cache`` clears."""
    folder = gr.utils.get_upload_folder()
    Path(folder).mkdir(parents=True, exist_ok=True)
    return folder
