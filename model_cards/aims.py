"""What was aimed at in ``BENCHMARKS.md``, and how far the figures are from it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from model_cards.scale_tables import NOT_LEARNED
from training.common.markdown import table

FORMER_ANSWERS = 2.3
"""Answers per second of the Space of 24 November 2026, of which three times as many are aimed at."""

OURS = "this project"
SAME = "stock, same weights"
STOCK, ORIGINAL = (f"{stack}, release of 24 November 2026" for stack in ("stock", "original"))
NETWORKS = ("the segmenter's network", "the classifier's network")


@dataclass(frozen=True)
class Aim:
    """A bound, and the figure that is to keep it.

    Attributes:
        what: is measured.
        bound: that it should reach, or keep below.
        figure: the worst that was measured.
        at_most: whether the figure should be below the bound.
    """

    what: str
    bound: float
    figure: float
    at_most: bool = False

    @property
    def holds(self) -> bool:
        """Whether the bound is kept."""
        return self.figure <= self.bound if self.at_most else self.figure >= self.bound


def aims_table(found: Mapping[str, Any]) -> str:
    """Return every aim of the measured parts, what was measured, and by how much it is missed.

    Args:
        found: ``benchmarks/results.json``.
    """
    aims = [aim for part, read in AIMS.items() if part in found for aim in read(found[part])]
    rows = [
        [
            aim.what,
            f"{'≤' if aim.at_most else '≥'} {aim.bound:,g}",
            _text(aim.figure),
            "yes" if aim.holds else f"no, by {_text(abs(aim.figure - aim.bound))}",
        ]
        for aim in aims
    ]
    return table(["what", "aim", "measured, the worst row", "holds"], rows)


def _speed_aims(found: Mapping[str, Any]) -> Iterator[Aim]:
    for cells in sorted({row["cells"] for row in found["rows"]}):
        yield Aim(f"times faster than stock with the same weights, cells: {cells}", 1.5, _times(found, SAME, cells))
    for cells, bound in ((1, 2.0), (30, 2.5), (120, 2.0)):
        yield Aim(
            f"times faster than stock with the former release, cells: {cells}", bound, _times(found, STOCK, cells)
        )
    yield Aim("times faster than the original, cells: 30", 20, _times(found, ORIGINAL, 30))
    as_needed = [row for row in found["same"] if row["looks"] == "as many as needed"]
    for key, what, bound in (
        ("kept", "cells of the slow path that are found", 0.99),
        ("known", "cells found that the slow path finds too", 0.99),
        ("iou", "their mean IoU", 0.98),
        ("name", "of the same name", 0.99),
    ):
        yield Aim(what, bound, min(row[key] for row in as_needed))
    for program, bound in (("marrow analyze", 1.5), ("the Space", 5)):
        yield Aim(f"seconds from start to answer, {program}", bound, found["starts"][program], at_most=True)
    for program, most in (("marrow analyze", 500), ("the Space", 800)):
        held = [row["mb"] for row in found["memory"] if row["what"] == program and row["answers"] == 300]
        yield Aim(f"MB held after 300 answers, {program}", most, max(held), at_most=True)
    for row in found["users"]:
        yield Aim(f"answers per second, visitors: {row['users']}", 3 * FORMER_ANSWERS, row["per_second"])
    others = [row["share"] for row in found["stages"] if row["stage"] not in NETWORKS]
    yield Aim("largest share of the time but the networks'", 0.1, max(others), at_most=True)


def _scale_aims(found: Mapping[str, Any]) -> Iterator[Aim]:
    learned = [row for row in found["sizes"] if row["pixels"] not in NOT_LEARNED]
    kinds = ("mosaic", found["mosaics"], "in mosaics"), ("pixels", learned, "by size of cell, 30 to 250 px")
    for kind, rows, what in kinds:
        yield Aim(f"cells found alone that are found, {what}", 0.97, min(_pooled(rows, kind, "together")))
        yield Aim(f"cells found besides, {what}", 0.02, max(_pooled(rows, kind, "more")), at_most=True)
    yield Aim("cells that the tiles do not change", 0.99, min(_pooled(found["shifted"], "mosaic", "same")))
    hundred = [row["peak_mb"] for row in found["large"] if 90 <= row["megapixels"] <= 110]
    if hundred:
        yield Aim("MB for 100 megapixels", 1500, max(hundred), at_most=True)


def _pooled(rows: Sequence[Mapping[str, Any]], kind: str, share: str) -> list[float]:
    """Return a share of the cells of each kind of picture, those of all sources together."""
    pooled = []
    for one in dict.fromkeys(row[kind] for row in rows):
        of_kind = [row for row in rows if row[kind] == one]
        if cells := sum(row["cells"] for row in of_kind):
            pooled.append(sum(row["cells"] * row[share] for row in of_kind) / cells)
    return pooled


def _times(found: Mapping[str, Any], stack: str, cells: int) -> float:
    """Return how many times as long a stack takes; of none that is not there."""
    return next((r["times_ours"] for r in found["rows"] if r["stack"] == stack and r["cells"] == cells), float("nan"))


def _text(figure: float) -> str:
    return f"{figure:,.0f}" if figure >= 100 else f"{figure:.3g}"


AIMS: dict[str, Callable[[Mapping[str, Any]], Iterator[Aim]]] = {"speed": _speed_aims, "scale": _scale_aims}
"""The aims of each part of ``python -m benchmarks``."""
