"""From an image to an analysis: segment, crop, classify, report."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from marrow.analysis import Analysis, Cell, Detection
from marrow.classifier import Classifier
from marrow.report import make_report
from marrow.segmenter import Segmenter


@dataclass(frozen=True)
class Models:
    """The two networks of an analysis."""

    segmenter: Segmenter
    classifier: Classifier

    @classmethod
    def from_pretrained(cls, segmenter: str, classifier: str) -> Models:
        """Load both from model references (a Hub id, ``id@revision``, or a local folder)."""
        return cls(Segmenter.from_pretrained(segmenter), Classifier.from_pretrained(classifier))


def analyze(image: np.ndarray, models: Models, confidence: float | None = None) -> Analysis:
    """Find, outline, name and count the nucleated cells of one image.

    Args:
        image: ``(height, width, 3)`` uint8 RGB, any size.
        models: the networks to use.
        confidence: lowest segmenter score to keep, 0 to 1; the segmenter's default when ``None``.

    Returns:
        The analysis, in pixels of ``image``.
    """
    cells = classify_detections(image, models.segmenter(image, confidence), models.classifier)
    return Analysis(
        width=image.shape[1],
        height=image.shape[0],
        segmenter=models.segmenter.info,
        classifier=models.classifier.info,
        confidence=models.segmenter.config.confidence if confidence is None else confidence,
        cells=cells,
        report=make_report(cells, models.classifier.config.rules),
    )


def classify_detections(image: np.ndarray, detections: Sequence[Detection], classifier: Classifier) -> tuple[Cell, ...]:
    """Name detected cells of one image, and number them from 1.

    Args:
        image: ``(height, width, 3)`` uint8 RGB.
        detections: the cells, in pixels of ``image``.
        classifier: the network that names them.
    """
    rows = classifier(image, [detection.box for detection in detections])
    return tuple(
        _name(number, detection, row, classifier.labels)
        for number, (detection, row) in enumerate(zip(detections, rows, strict=True), start=1)
    )


def _name(number: int, detection: Detection, row: np.ndarray, labels: tuple[str, ...]) -> Cell:
    best = int(row.argmax())
    return Cell(
        box=detection.box,
        polygon=detection.polygon,
        area=detection.area,
        score=detection.score,
        id=number,
        label=labels[best],
        probability=float(row[best]),
        probabilities=dict(zip(labels, row.tolist(), strict=True)),
    )
