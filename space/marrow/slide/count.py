"""Counting a slide area by area: the best first where a number of cells is asked for, and each cell once."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from marrow.batch.workers import Outcome
from marrow.cell import Cell
from marrow.geometry import box_areas, box_intersections, polygon_area
from marrow.report import NOT_IN_DIFFERENTIAL, CountingRules
from marrow.slide.grid import Area, Grid, Place

BANDS = 5
"""Classes of areas by their score; in which order those of one class are counted is left to the seed."""

SAME_CELL = 0.5
"""Share of the smaller box in the other from which on two areas found the same cell."""


@dataclass(frozen=True)
class CountedArea:
    """An area that was looked at, and the cells that are its own.

    Attributes:
        area: the area.
        place: the picture in which it was looked at.
        cells: in pixels of that picture, numbered through the slide; none that an area before it has.
        error: the sentence that says why it could not be read.
        stain_distance: of the picture, see :class:`marrow.analysis.Analysis`.
    """

    area: Area
    place: Place
    cells: tuple[Cell, ...] = ()
    error: str | None = None
    stain_distance: float | None = None

    def on_slide(self) -> tuple[Cell, ...]:
        """Return the cells in pixels of level 0."""
        return tuple(_on_slide(cell, self.place) for cell in self.cells)


def order_areas(areas: Iterable[Area], best_first: bool, seed: int) -> list[Area]:
    """List the countable areas in the order in which they are counted.

    Args:
        areas: of a slide, row by row.
        best_first: by falling score, in :data:`BANDS`; otherwise row by row.
        seed: decides on the order in a band.
    """
    countable = [area for area in areas if area.kind == "countable"]
    if not best_first:
        return countable
    shuffled = [countable[at] for at in np.random.default_rng(seed).permutation(len(countable))]
    return sorted(shuffled, key=lambda area: -min(int(area.score * BANDS), BANDS - 1))


def is_counted(cell: Cell, rules: CountingRules) -> bool:
    """Tell whether a cell is in the differential: its name is certain, and belongs there."""
    return not cell.is_uncertain(rules.uncertain_below) and cell.label not in NOT_IN_DIFFERENTIAL


def count_areas(
    areas: Sequence[Area], grid: Grid, look: Callable[[Area], Outcome], rules: CountingRules, wanted: int | None
) -> Iterator[CountedArea]:
    """Count areas one after the other.

    Args:
        areas: in their order.
        grid: that they are of.
        look: finds the cells of an area.
        rules: that decide which cells count.
        wanted: number of cells in the differential after which no further area is counted; all areas when ``None``.
    """
    seen = _Seen()
    found = counted = 0
    for area in areas:
        outcome, place = look(area), grid.place(area.core)
        if outcome.analysis is None:
            yield CountedArea(area, place, error=outcome.error)
            continue
        own = seen.keep_new(area, outcome.analysis.cells, place, grid)
        cells = tuple(replace(cell, id=found + number) for number, cell in enumerate(own, start=1))
        yield CountedArea(area, place, cells, stain_distance=outcome.analysis.stain_distance)
        found += len(cells)
        counted += sum(is_counted(cell, rules) for cell in cells)
        if wanted is not None and counted >= wanted:
            return


class _Seen:
    """The boxes of the cells that were found, by area."""

    def __init__(self) -> None:
        self._boxes: dict[tuple[int, int], np.ndarray] = {}

    def keep_new(self, area: Area, cells: Sequence[Cell], place: Place, grid: Grid) -> list[Cell]:
        """Return the cells of an area that lie in it, but those that a neighbour has, and note them."""
        boxes = place.to_slide(np.array([cell.box for cell in cells]).reshape(-1, 2)).reshape(-1, 4)
        near = [self._boxes.get((area.row + down, area.column + right)) for down in (-1, 0, 1) for right in (-1, 0, 1)]
        others = np.concatenate([np.zeros((0, 4)), *(one for one in near if one is not None)])
        common = box_intersections(boxes, others)
        smaller = np.minimum(box_areas(boxes)[:, None], box_areas(others))
        is_known = (common > SAME_CELL * smaller).any(axis=1)
        is_own = grid.holds(area.core, (boxes[:, :2] + boxes[:, 2:]) / 2) & ~is_known
        self._boxes[area.row, area.column] = boxes[is_own]
        return [cell for cell, own in zip(cells, is_own, strict=True) if own]


def _on_slide(cell: Cell, place: Place) -> Cell:
    x0, y0, x1, y1 = place.to_slide(np.reshape(cell.box, (2, 2))).round(1).ravel().tolist()
    points = place.to_slide(cell.polygon).round(1)
    polygon = tuple((x, y) for x, y in points.tolist())
    return replace(cell, box=(x0, y0, x1, y1), polygon=polygon, area=polygon_area(points))
