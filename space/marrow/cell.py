"""A cell of an analysis: where it lies, what it is called, and what a person made of it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Annotated

from pydantic import AfterValidator, FailFast, Field, StringConstraints

MAX_CELLS = 20_000
"""Most cells of an analysis, removed ones included; a segmenter gives at most one for each of its 8,400 anchors."""

MAX_POINTS = 10_000
"""Most points of one outline."""

MAX_ID = 65_535
"""Highest id of a cell, so that a 16-bit mask holds it."""

MAX_NAME = 100
"""Longest name of a reviewer, in characters."""


def _one_line(text: str) -> str:
    if not text.isprintable():
        raise ValueError("is not one line of text")
    return text


def _moment(text: str) -> str:
    if datetime.fromisoformat(text).tzinfo is None:
        raise ValueError("is no time with a zone, as 2026-11-23T12:00:00Z")
    return text


# The types say what a saved cell may hold, which :mod:`marrow.schema` checks; a program that makes a cell is trusted.
Line = Annotated[
    str,
    StringConstraints(strict=True, strip_whitespace=True, min_length=1, max_length=1000),
    AfterValidator(_one_line),
]
Share = Annotated[float, Field(strict=True, ge=0, le=1)]
Id = Annotated[int, Field(strict=True, ge=1, le=MAX_ID)]
_Pixels = Annotated[float, Field(strict=True, allow_inf_nan=False)]
_Outline = Annotated[tuple[tuple[_Pixels, _Pixels], ...], Field(min_length=3, max_length=MAX_POINTS), FailFast()]
_Parents = Annotated[tuple[Id, ...], Field(alias="from", max_length=MAX_CELLS), FailFast()]

Box = tuple[_Pixels, _Pixels, _Pixels, _Pixels]

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
    polygon: _Outline
    area: Annotated[float, Field(strict=True, ge=0, allow_inf_nan=False)]
    score: Share


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

    at: Annotated[Line, AfterValidator(_moment)]
    by: Annotated[Line, Field(max_length=MAX_NAME)] | None = None
    label: str | None = None
    shape: str | None = None
    parent_ids: _Parents = ()


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
        unlikeness: how unlike it is to the cells that the classifier was trained on, 0 to 2, see
            :meth:`marrow.classifier.Classifier.name`; ``None`` where the classifier does not say.
        edited: what a person made of it; ``None`` when nothing.
    """

    id: Id
    label: str
    probability: Share
    probabilities: dict[str, Share]
    unlikeness: Annotated[float, Field(strict=True, ge=0, le=2)] | None = None
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
