"""The value that flows through the project: one analysis of one smear image."""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Self

from marrow.cell import Cell
from marrow.hub import ModelInfo
from marrow.report import CountingRules, Report, make_report
from marrow.schema import read_fields, write_fields
from marrow.stain import Stain
from marrow.supervision_adapter import from_supervision, to_supervision

if TYPE_CHECKING:
    import supervision as sv

ELSEWHERE = ModelInfo("supervision", None)
"""Which weights found or named cells that another program made."""


@dataclass(frozen=True)
class Analysis:
    """Everything known about one image: its size, the models used, the cells and their report.

    Attributes:
        width: image width in pixels.
        height: image height in pixels.
        segmenter: weights that found the cells.
        classifier: weights that named them.
        confidence: segmenter score below which a cell was left out, 0 to 1.
        cells: the cells, by falling score; those that a person made come last.
        report: the differential count over ``cells``.
        removed: what a person deleted, merged or split, each with its ``edited``, so that nothing found is lost.
        reference: stain to which the colours were changed before the cells were named, if any.
        stain_distance: how far the colours are from those that the classifier was trained on, see
            :meth:`marrow.classifier.ClassifierConfig.stain_distance`; ``None`` where it does not say, and with a
            reference, for which a person vouches.
    """

    width: int
    height: int
    segmenter: ModelInfo
    classifier: ModelInfo
    confidence: float
    cells: tuple[Cell, ...]
    report: Report = field(repr=False)
    removed: tuple[Cell, ...] = ()
    reference: Stain | None = None
    stain_distance: float | None = None

    def is_uncertain(self, cell: Cell) -> bool:
        """Tell whether the name of one of the cells is too doubtful to count."""
        return cell.is_uncertain(self.report.uncertain_below)

    @classmethod
    def from_dict(cls, plain: Any, rules: CountingRules | None = None) -> Self:
        """Read back what :meth:`to_dict` gives, or gave before there were edits; nothing in it is believed unseen.

        Args:
            plain: the plain values.
            rules: to count by; those that the values themselves name when ``None``.

        Returns:
            The analysis, equal to the one that was saved to the rounding of the JSON, counted anew.

        Raises:
            MarrowError: it is not an analysis; the message says what is wrong.
        """
        return cls(**read_fields(plain, rules))

    def to_dict(self) -> dict[str, Any]:
        """Return the analysis as plain values, in the layout of the JSON file (see ``docs/developer.md``)."""
        return write_fields(vars(self))

    def to_json(self) -> str:
        """Return the analysis as an indented JSON text."""
        return json.dumps(self.to_dict(), indent=1)

    @classmethod
    def from_supervision(
        cls,
        detections: sv.Detections,
        size: tuple[int, int],
        rules: CountingRules,
        *,
        segmenter: ModelInfo = ELSEWHERE,
        classifier: ModelInfo = ELSEWHERE,
        confidence: float = 0.0,
    ) -> Self:
        """Count detections as an analysis; see :func:`marrow.supervision_adapter.from_supervision`.

        Args:
            detections: of one image.
            size: width and height of the image in pixels.
            rules: to count by, as those of ``classifier.config`` or of the ``report`` of another analysis.
            segmenter: weights that found the cells.
            classifier: weights that named them.
            confidence: score below which cells were left out, 0 to 1.

        Raises:
            MarrowError: a detection has no name, one that is none of the rules', an empty box, or a mask of another
                size.
        """
        cells = from_supervision(detections, size, rules.labels)
        return cls(*size, segmenter, classifier, confidence, cells, make_report(cells, rules))

    def to_supervision(self) -> sv.Detections:
        """Return the cells as detections of ``supervision``; see :func:`marrow.supervision_adapter.to_supervision`.

        Raises:
            MarrowError: supervision is not installed.
        """
        labels, below = tuple(self.report.counts), self.report.uncertain_below
        return to_supervision(self.cells, (self.width, self.height), labels, below)


def filter_cells(analysis: Analysis, confidence: float) -> Analysis:
    """Keep the cells whose segmenter score is at least ``confidence`` (0 to 1), and count them anew.

    A cell that a person has seen stays whatever its score. No model runs: non-maximum suppression lets the higher score
    win, so without edits this equals an analysis made at ``confidence``, as long as the one given was made at a lower
    one.
    """
    cells = tuple(cell for cell in analysis.cells if cell.score >= confidence or cell.edited)
    report = make_report(cells, analysis.report.rules, analysis.removed, analysis.stain_distance)
    return replace(analysis, confidence=confidence, cells=cells, report=report)
