"""From an image to an analysis: segment, crop, classify, report."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from huggingface_hub import CommitInfo

from marrow.analysis import Analysis
from marrow.cell import Cell, Detection
from marrow.classifier import BATCH, Classifier
from marrow.crop import crop_cell
from marrow.report import make_report
from marrow.segmenter import Progress, Segmenter
from marrow.stain import Stain, measure_stain, normalize_stain

TOGETHER_PIXELS = 16_000_000
"""Of images whose cells wait for a batch to fill."""


@dataclass(frozen=True)
class Models:
    """The two networks of an analysis."""

    segmenter: Segmenter
    classifier: Classifier

    @classmethod
    def from_pretrained(
        cls,
        segmenter: str,
        classifier: str,
        *,
        revision: str | None = None,
        token: str | bool | None = None,
        cache_dir: str | Path | None = None,
        local_files_only: bool = False,
    ) -> Models:
        """Load both from model references: a Hub id, ``id@revision``, or a local folder.

        Args:
            segmenter: reference of the segmenter.
            classifier: reference of the classifier.
            revision: branch, tag or commit of both; ``id@revision`` names one for each.
            token: see :meth:`marrow.pretrained.Pretrained.from_pretrained`, as for the others; used for both.
            cache_dir: folder to keep what is pulled in.
            local_files_only: use the cache alone and never ask the Hub.

        Raises:
            MarrowError: one of them cannot be found, pulled or read.
        """
        options: dict[str, Any] = {"revision": revision, "token": token, "cache_dir": cache_dir}
        options["local_files_only"] = local_files_only
        # one after the other: two threads whose first inference it is can wait for each other in OpenVINO forever
        return cls(Segmenter.from_pretrained(segmenter, **options), Classifier.from_pretrained(classifier, **options))

    def save_pretrained(self, segmenter: str | Path, classifier: str | Path) -> list[Path]:
        """Copy the files of both, each to its folder; see :meth:`marrow.pretrained.Pretrained.save_pretrained`."""
        return [*self.segmenter.save_pretrained(segmenter), *self.classifier.save_pretrained(classifier)]

    def push_to_hub(self, segmenter: str, classifier: str, **options: Any) -> tuple[CommitInfo, CommitInfo]:
        """Upload both, each to its repo of the Hub.

        Args:
            segmenter: ``namespace/name`` for the segmenter.
            classifier: ``namespace/name`` for the classifier.
            options: those of :meth:`marrow.pretrained.Pretrained.push_to_hub`, for both.

        Returns:
            The two commits.

        Raises:
            MarrowError: the Hub refuses or is away.
        """
        return self.segmenter.push_to_hub(segmenter, **options), self.classifier.push_to_hub(classifier, **options)


def analyze(
    image: np.ndarray,
    models: Models,
    confidence: float | None = None,
    reference: Stain | None = None,
    progress: Progress | None = None,
) -> Analysis:
    """Find, outline, name and count the nucleated cells of one image.

    Args:
        image: ``(height, width, 3)`` uint8 RGB, any size.
        models: the networks to use.
        confidence: lowest segmenter score to keep, 0 to 1; the segmenter's default when ``None``.
        reference: stain to which the colours are changed before cells are named; none are changed when ``None``.
        progress: as for :class:`marrow.segmenter.Segmenter`.

    Returns:
        The analysis, in pixels of ``image``.

    Raises:
        MarrowError: there is a reference, and the stain of the image cannot be measured.
    """
    shown = normalize_stain(image, measure_stain(image), reference) if reference else image
    cells = classify_detections(shown, models.segmenter(image, confidence, progress), models.classifier)
    return _analysis(image, cells, models, confidence, reference)


def analyze_together(
    images: Iterable[np.ndarray], models: Models, confidence: float | None = None
) -> Iterator[Analysis]:
    """Analyze several images, each as :func:`analyze` does; their cells share the batches of the classifier.

    Args:
        images: ``(height, width, 3)`` uint8 RGB each, any size; no more are kept at a time than fill a batch, or have
            :data:`TOGETHER_PIXELS`.
        models: the networks to use.
        confidence: as for :func:`analyze`.

    Yields:
        An analysis of each image, in their order.
    """
    found: list[tuple[np.ndarray, list[Detection]]] = []
    for image in images:
        found.append((image, models.segmenter(image, confidence)))
        pixels = sum(one.shape[0] * one.shape[1] for one, _ in found)
        if pixels >= TOGETHER_PIXELS or sum(len(detections) for _, detections in found) >= BATCH:
            yield from _named_together(found, models, confidence)
            found = []
    yield from _named_together(found, models, confidence)


def _named_together(
    found: Sequence[tuple[np.ndarray, list[Detection]]], models: Models, confidence: float | None
) -> Iterator[Analysis]:
    named = _name_all(found, models.classifier)
    for (image, _), cells in zip(found, named, strict=True):
        yield _analysis(image, cells, models, confidence)


def _analysis(
    image: np.ndarray,
    cells: tuple[Cell, ...],
    models: Models,
    confidence: float | None,
    reference: Stain | None = None,
) -> Analysis:
    config = models.classifier.config
    distance = None if reference else config.stain_distance(image)
    return Analysis(
        width=image.shape[1],
        height=image.shape[0],
        segmenter=models.segmenter.info,
        classifier=models.classifier.info,
        confidence=models.segmenter.config.confidence if confidence is None else confidence,
        cells=cells,
        report=make_report(cells, config.rules, stain_distance=distance),
        reference=reference,
        stain_distance=distance,
    )


def classify_detections(image: np.ndarray, detections: Sequence[Detection], classifier: Classifier) -> tuple[Cell, ...]:
    """Name detected cells of one image, and number them from 1.

    Args:
        image: ``(height, width, 3)`` uint8 RGB.
        detections: the cells, in pixels of ``image``.
        classifier: the network that names them.
    """
    (cells,) = _name_all([(image, detections)], classifier)
    return cells


def _name_all(
    found: Sequence[tuple[np.ndarray, Sequence[Detection]]], classifier: Classifier
) -> list[tuple[Cell, ...]]:
    """Name the cells detected in each image, and number them from 1."""
    crops = (crop_cell(image, one.box, classifier.crop) for image, detections in found for one in detections)
    rows, unlikeness = classifier.name_crops(crops)
    unlike = [None] * len(rows) if unlikeness is None else unlikeness.clip(0, 2).tolist()
    named = zip(rows, unlike, strict=True)
    return [
        tuple(_name(number, one, *next(named), classifier.labels) for number, one in enumerate(detections, start=1))
        for _, detections in found
    ]


def _name(number: int, detection: Detection, row: np.ndarray, far: float | None, labels: tuple[str, ...]) -> Cell:
    best = int(row.argmax())
    return Cell(
        **vars(detection),
        id=number,
        label=labels[best],
        probability=float(row[best]),
        probabilities=dict(zip(labels, row.tolist(), strict=True)),
        unlikeness=far,
    )
