"""The value that flows through the project: one analysis of one smear image."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from typing import Any

Box = tuple[float, float, float, float]


@dataclass(frozen=True)
class Detection:
    """One nucleated cell as the segmenter found it, before it has a name.

    Attributes:
        box: ``(x0, y0, x1, y1)`` in pixels of the image as uploaded.
        polygon: outline as ``(x, y)`` points in the same pixels, not closed (the last point joins the first).
        area: area inside the outline, in square pixels.
        score: confidence of the segmenter, 0 to 1.
    """

    box: Box
    polygon: tuple[tuple[float, float], ...]
    area: float
    score: float


@dataclass(frozen=True)
class Cell(Detection):
    """A detected cell and the name the classifier gave it.

    Attributes:
        id: number within the analysis, from 1, in order of falling score.
        label: code of the most probable class.
        probability: probability of that class, 0 to 1, after temperature scaling.
        probabilities: probability of every class of the classifier, by code; they add up to 1.
    """

    id: int
    label: str
    probability: float
    probabilities: dict[str, float]


@dataclass(frozen=True)
class ModelInfo:
    """Which weights were used: a Hub id or folder name, and the commit (``None`` for a local folder)."""

    repo: str
    revision: str | None


@dataclass(frozen=True)
class Report:
    """The differential count of one analysis; see :func:`marrow.report.make_report` for the rules.

    Attributes:
        found: number of cells in the analysis.
        total: number of cells in the differential, the denominator of ``percent``.
        uncertain: number of cells whose best probability is below the classifier's ``uncertain_below``.
        counts: number of certain cells by code, for every code of the classifier (0 included).
        percent: share of ``total`` by code, 0 to 100, for every code that belongs in a differential.
        intervals: 95 % Wilson interval of each percentage, ``(low, high)``, 0 to 100.
        lineages: number of cells in the differential by lineage, see :data:`marrow.report.LINEAGES`.
        me_ratio: myeloid to erythroid ratio, ``None`` when no erythroid cell was counted.
        uncertain_below: best probability below which a cell is uncertain, 0 to 1.
        not_from_marrow: codes that the classifier never saw in a real marrow image.
        notes: sentences (English) that a reader of the figures must know.
    """

    found: int
    total: int
    uncertain: int
    counts: dict[str, int]
    percent: dict[str, float]
    intervals: dict[str, tuple[float, float]]
    lineages: dict[str, int]
    me_ratio: float | None
    uncertain_below: float
    not_from_marrow: tuple[str, ...]
    notes: tuple[str, ...]


@dataclass(frozen=True)
class Analysis:
    """Everything known about one image: its size, the models used, the cells and their report.

    Attributes:
        width: image width in pixels.
        height: image height in pixels.
        segmenter: weights that found the cells.
        classifier: weights that named them.
        confidence: segmenter score below which a cell was left out, 0 to 1.
        cells: the cells, by falling score.
        report: the differential count over ``cells``.
    """

    width: int
    height: int
    segmenter: ModelInfo
    classifier: ModelInfo
    confidence: float
    cells: tuple[Cell, ...]
    report: Report = field(repr=False)

    def to_dict(self) -> dict[str, Any]:
        """Give the analysis as plain values, in the layout of the JSON file (see README, "JSON")."""
        return {
            "image": {"width": self.width, "height": self.height},
            "models": {"segmenter": asdict(self.segmenter), "classifier": asdict(self.classifier)},
            "confidence": self.confidence,
            "cells": [_cell_to_dict(cell) for cell in self.cells],
            "report": asdict(self.report),
        }

    def to_json(self) -> str:
        """Give the analysis as an indented JSON text."""
        return json.dumps(self.to_dict(), indent=1)


def _cell_to_dict(cell: Cell) -> dict[str, Any]:
    return {
        "id": cell.id,
        "box": [round(v, 1) for v in cell.box],
        "polygon": [[round(x, 1), round(y, 1)] for x, y in cell.polygon],
        "area": round(cell.area, 1),
        "score": round(cell.score, 4),
        "label": cell.label,
        "probability": round(cell.probability, 4),
        "probabilities": {code: round(p, 4) for code, p in cell.probabilities.items()},
    }
