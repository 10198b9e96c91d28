"""The value that flows through the project: one analysis of one smear image."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from typing import Any

Box = tuple[float, float, float, float]

ORIGINS = ("bone_marrow", "blood", "drawn", "unknown")
"""Where the cells of an image come from; kept as data, never guessed from the name of a file or a data set."""


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
class Edit:
    """What a person made of a cell.

    Attributes:
        at: when, UTC, ISO 8601, as ``"2026-11-23T12:00:00Z"``.
        by: name of the reviewer; ``None`` when none was given.
        label: the code that the person gave or confirmed; ``None`` when they left the name to the model.
        shape: how the outline came about, ``"added"``, ``"merged"`` or ``"split"``; ``None`` when it is the model's.
            Of a removed cell, how it went: ``"deleted"``, ``"merged"`` or ``"split"``.
        parent_ids: ids of the removed cells that it was merged or split from.
    """

    at: str
    by: str | None = None
    label: str | None = None
    shape: str | None = None
    parent_ids: tuple[int, ...] = ()


@dataclass(frozen=True)
class Cell(Detection):
    """A detected cell and its name.

    Attributes:
        id: number within the analysis, from 1, in order of falling score; those of cells that a person made go on
            after the highest ever used.
        label: the name that counts: the code that a person gave, otherwise that of the most probable class.
        probability: what the classifier gave to ``label``, 0 to 1, after temperature scaling.
        probabilities: what it gave to every class, by code, whatever a person says; they add up to 1, or to less where
            none of the classes fits.
        edited: what a person made of it; ``None`` when nothing.
    """

    id: int
    label: str
    probability: float
    probabilities: dict[str, float]
    edited: Edit | None = None

    @property
    def model_label(self) -> str:
        """The code that the classifier finds most probable."""
        return max(self.probabilities, key=self.probabilities.__getitem__)

    @property
    def is_human_labelled(self) -> bool:
        """Whether a person gave or confirmed the name."""
        return self.edited is not None and self.edited.label is not None

    def is_uncertain(self, below: float) -> bool:
        """Tell whether the name is too doubtful to count: a probability under ``below``, and no person's word."""
        return self.probability < below and not self.is_human_labelled


@dataclass(frozen=True)
class ModelInfo:
    """Which weights were used: a Hub id or folder name, and the commit (``None`` for a local folder)."""

    repo: str
    revision: str | None


@dataclass(frozen=True)
class CountingRules:
    """What a count must know of the classifier that named the cells.

    Attributes:
        labels: its codes, in the order of its outputs.
        uncertain_below: best probability below which a cell is uncertain, 0 to 1.
        not_from_marrow: codes that it never saw in a real marrow image.
        unknown: codes of which it never saw an image at all.
    """

    labels: tuple[str, ...]
    uncertain_below: float
    not_from_marrow: tuple[str, ...]
    unknown: tuple[str, ...]


@dataclass(frozen=True)
class Report:
    """A differential count; see :func:`marrow.report.make_report` for the rules.

    Attributes:
        found: number of cells in the analysis.
        edited: number of cells that a person changed, confirmed, made or removed.
        total: number of cells in the differential, the denominator of ``percent``.
        uncertain: number of cells that no person named and whose probability is below ``uncertain_below``.
        counts: number of certain cells by code, for every code of the classifier (0 included).
        by_model: how many of these no person named.
        percent: share of ``total`` by code, 0 to 100, for every code that belongs in a differential.
        intervals: 95 % Wilson interval of each percentage, ``(low, high)``, 0 to 100.
        lineages: number of cells in the differential by lineage, see :data:`marrow.report.LINEAGES`.
        me_ratio: myeloid to erythroid ratio, ``None`` when no erythroid cell was counted.
        uncertain_below: best probability below which a cell is uncertain, 0 to 1.
        not_from_marrow: codes that the classifier never saw in a real marrow image.
        unknown: codes of which it never saw an image at all.
        notes: sentences (English) that a reader of the figures must know.
    """

    found: int
    edited: int
    total: int
    uncertain: int
    counts: dict[str, int]
    by_model: dict[str, int]
    percent: dict[str, float]
    intervals: dict[str, tuple[float, float]]
    lineages: dict[str, int]
    me_ratio: float | None
    uncertain_below: float
    not_from_marrow: tuple[str, ...]
    unknown: tuple[str, ...]
    notes: tuple[str, ...]

    @property
    def rules(self) -> CountingRules:
        """The rules that were counted by."""
        return CountingRules(tuple(self.counts), self.uncertain_below, self.not_from_marrow, self.unknown)


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
    """

    width: int
    height: int
    segmenter: ModelInfo
    classifier: ModelInfo
    confidence: float
    cells: tuple[Cell, ...]
    report: Report = field(repr=False)
    removed: tuple[Cell, ...] = ()

    def is_uncertain(self, cell: Cell) -> bool:
        """Tell whether the name of one of the cells is too doubtful to count."""
        return cell.is_uncertain(self.report.uncertain_below)

    def to_dict(self) -> dict[str, Any]:
        """Return the analysis as plain values, in the layout of the JSON file (see ``docs/developer.md``)."""
        return {
            "image": {"width": self.width, "height": self.height},
            "models": {"segmenter": asdict(self.segmenter), "classifier": asdict(self.classifier)},
            "confidence": self.confidence,
            "cells": [cell_to_dict(cell) for cell in self.cells],
            "removed": [cell_to_dict(cell) for cell in self.removed],
            "report": asdict(self.report),
        }

    def to_json(self) -> str:
        """Return the analysis as an indented JSON text."""
        return json.dumps(self.to_dict(), indent=1)


def cell_to_dict(cell: Cell) -> dict[str, Any]:
    """Return a cell as plain values, in the layout of the JSON file."""
    return {
        "id": cell.id,
        "box": [round(v, 1) for v in cell.box],
        "polygon": [[round(x, 1), round(y, 1)] for x, y in cell.polygon],
        "area": round(cell.area, 1),
        "score": round(cell.score, 4),
        "label": cell.label,
        "probability": round(cell.probability, 4),
        "probabilities": {code: round(p, 4) for code, p in cell.probabilities.items()},
        "edited": _edit_to_dict(cell.edited) if cell.edited else None,
    }


def _edit_to_dict(edit: Edit) -> dict[str, Any]:
    plain = asdict(edit)
    return plain | {"from": list(plain.pop("parent_ids"))}
