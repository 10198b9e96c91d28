"""Where a slide is looked at: areas as large as a field of a microscope, read at the scale that the network knows."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import ceil

import numpy as np

from marrow.slide.reader import IntBox, Slide

PIXEL_UM = 0.15
"""µm per pixel at which a slide is read, where it is as fine: a marrow cell of 8 to 20 µm is then 53 to 133 px large,
in the middle of :data:`marrow.report.KNOWN_SIZES`, and as large as the classifier's crops."""

NEARLY = 0.8
"""Share of :data:`PIXEL_UM` from which a slide is read as it is, since scaling it would smooth it for nothing."""

CORE = 896
"""Side of an area in pixels as read: 134 µm at :data:`PIXEL_UM`, 224 µm at 0.25. With margins it fills four tiles of
the pyramid."""

MARGIN = 128
"""Pixels, as read, that are looked at around an area, so that a cell on its border is seen whole."""

SLACK = 8
"""Pixels, as read, by which two areas may place the centre of a cell apart."""


KINDS = ("countable", "too_thick", "out_of_focus", "empty", "unreadable")
"""What an area can be; only what is countable is counted."""


@dataclass(frozen=True)
class Place:
    """Where a picture of an area lies.

    Attributes:
        box: in pixels of level 0.
        width: of the picture in pixels.
        height: of the picture in pixels.
    """

    box: IntBox
    width: int
    height: int

    @property
    def scale(self) -> np.ndarray:
        """Pixels of level 0 in one of the picture, in x and y, ``(2,)``."""
        left, top, right, bottom = self.box
        return np.array([(right - left) / self.width, (bottom - top) / self.height])

    def to_slide(self, points: np.ndarray | Sequence[Sequence[float]]) -> np.ndarray:
        """Bring ``(n, 2)`` points of the picture to level 0."""
        return np.asarray(points, float).reshape(-1, 2) * self.scale + self.box[:2]


@dataclass(frozen=True)
class Area:
    """An area of a slide, and whether it can be counted.

    Attributes:
        row: from the top, from 0.
        column: from the left, from 0.
        core: the area, in pixels of level 0; no two overlap.
        kind: one of :data:`KINDS`.
        score: how good it is for counting, 0 to 1; 0 where it cannot be counted.
        stained: share of it that is stained, 0 to 1.
        density: mean optical density, summed over the channels.
        crowded: share of its parts in which cells lie upon each other, 0 to 1.
        filled: share of its parts that hold anything, 0 to 1.
        gaps: share of it that is empty ground, 0 to 1; ``None`` where nobody looked closely, as for the next two.
        nuclei: share that is stained like nuclei.
        blur_um: width of the sharpest edges (standard deviation), in µm.
    """

    row: int
    column: int
    core: IntBox
    kind: str = "countable"
    score: float = 0.0
    stained: float = 0.0
    density: float = 0.0
    crowded: float = 0.0
    filled: float = 0.0
    gaps: float | None = None
    nuclei: float | None = None
    blur_um: float | None = None

    @property
    def name(self) -> str:
        """The same for the same place of a slide."""
        return f"r{self.row:04d}c{self.column:04d}"


class Grid:
    """How a slide is cut.

    Args:
        slide: the slide.

    Attributes:
        factor: pixels of level 0 in one as read, 1 or more.
        pixel_um: µm per pixel as read.
        level: that is read from.
    """

    def __init__(self, slide: Slide) -> None:
        self.size = slide.width, slide.height
        self.factor = 1.0 if slide.pixel_um >= NEARLY * PIXEL_UM else PIXEL_UM / slide.pixel_um
        self.pixel_um = slide.pixel_um * self.factor
        self.level = slide.level_for(self.factor)
        self._step, self._margin = round(CORE * self.factor), round(MARGIN * self.factor)

    def __iter__(self) -> Iterator[Area]:
        """List the areas, row by row."""
        width, height = self.size
        for row in range(ceil(height / self._step)):
            for column in range(ceil(width / self._step)):
                left, top = column * self._step, row * self._step
                yield Area(row, column, (left, top, min(left + self._step, width), min(top + self._step, height)))

    def place(self, core: IntBox) -> Place:
        """Return the picture in which an area is looked at: with its margins, as far as there is slide."""
        left, top, right, bottom = core
        box = (
            *(max(left - self._margin, 0), max(top - self._margin, 0)),
            *(min(right + self._margin, self.size[0]), min(bottom + self._margin, self.size[1])),
        )
        width, height = (max(1, round((box[2 + axis] - box[axis]) / self.factor)) for axis in (0, 1))
        return Place(box, width, height)

    def holds(self, core: IntBox, centres: np.ndarray) -> np.ndarray:
        """Tell which centres, ``(n, 2)`` in pixels of level 0, lie in an area or within :data:`SLACK` of it."""
        reach = SLACK * self.factor
        first, last = np.array(core[:2]) - reach, np.array(core[2:]) + reach
        return np.all((centres >= first) & (centres < last), axis=1)
