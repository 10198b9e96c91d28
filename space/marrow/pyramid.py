"""The image pyramid: at which scales, and in which tiles, a picture of any size is looked at.

Scales are powers of a half, whatever the size of the picture, so that the same cells look the same to the network alone
and in a large picture. SAHI and supervision's slicer cut one scale, and everywhere; here a tile is looked at only where
the next coarser scale left something to find.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import cv2
import numpy as np

from marrow.cell import Box
from marrow.stain import nuclear_mask, optical_density, thinned

OVERLAP = 128
"""Pixels of the network's input that two tiles share: a cell of this size, less two margins, lies whole in one."""

MARGIN = 8.0
"""Pixels of the network's input from a border that runs through the picture within which a cell may be cut."""

OWN = OVERLAP / 2 - MARGIN
"""Pixels of the network's input from such a border within which the centre of a cell is the neighbouring tile's, which
sees more of what is around it; a little less than half the overlap, since two tiles place a cell a little apart."""

THUMBNAIL = 2048
"""Longest side of the picture, in pixels, in which nuclei are looked for."""

PALE = 0.9
"""Strictness with which they are looked for, since pale nuclei lie beside dark ones."""

NUCLEUS = 6
"""Pixels of the thumbnail's nuclei from which a tile may hold a cell."""

INNER, NUCLEAR = 0.8, 0.01
"""Share of a cell's box, around its middle, and share of that part that is nucleus at least.

Chosen on BCCD, Raabin-WBC and composed fields: no true cell of 1,817 has less, and of 918 outlines around red cells
of Raabin-WBC 779 have."""


@dataclass(frozen=True)
class Tile:
    """A part of a picture at one scale.

    Attributes:
        box: left, top, right and bottom in pixels of the picture.
        scale: size at which it is shown to the network, 1 or less.
        cut: whether the left, top, right and bottom border runs through the picture.
    """

    box: tuple[int, int, int, int]
    scale: float
    cut: tuple[bool, bool, bool, bool] = (False,) * 4

    @property
    def is_whole(self) -> bool:
        """Whether it is the whole picture."""
        return not any(self.cut)

    def part_of(self, image: np.ndarray) -> np.ndarray:
        """Return the tile's pixels, not yet scaled."""
        left, top, right, bottom = self.box
        return image[top:bottom, left:right]

    def holds(self, boxes: np.ndarray) -> np.ndarray:
        """Tell which boxes, ``(n, 4)`` in pixels of the picture, this tile shows, and no neighbour better.

        No border of the tile cuts them nor comes near, and the centres of those that a neighbour shows whole too, since
        they are no larger than the overlap, do not lie on its side of the overlap.
        """
        within = self._inside(boxes[:, :2], boxes[:, 2:], MARGIN)
        centres = (boxes[:, :2] + boxes[:, 2:]) / 2
        large = (boxes[:, 2:] - boxes[:, :2]).max(axis=1, initial=0) * self.scale > OVERLAP - 2 * MARGIN
        return within & (large | self._inside(centres, centres, OWN))

    def _inside(self, first: np.ndarray, last: np.ndarray, margin: float) -> np.ndarray:
        """Tell which boxes, from ``first`` to ``last`` ``(n, 2)``, keep a margin, in pixels of the input."""
        left, top, right, bottom = np.where(self.cut, self.box, (-np.inf, -np.inf, np.inf, np.inf))
        reach = margin / self.scale
        (x0, y0), (x1, y1) = first.T, last.T
        return (x0 > left + reach) & (y0 > top + reach) & (x1 < right - reach) & (y1 < bottom - reach)


def scales(width: int, height: int, side: int) -> list[float]:
    """List the scales of a picture, the coarsest first: from half of the one at which it fits to its own size.

    Args:
        width: of the picture in pixels.
        height: of the picture in pixels.
        side: of the network's input in pixels.
    """
    fits = 0
    while max(width, height) > side * 2**fits:
        fits += 1
    return [2.0**-step for step in range(fits + 1, -1, -1)]


def tiles(width: int, height: int, side: int, scale: float, shift: float = 0.0) -> Iterator[Tile]:
    """Cut a picture into tiles that share :data:`OVERLAP` with their neighbours; one alone where the picture fits.

    Args:
        width: of the picture in pixels.
        height: of the picture in pixels.
        side: of the network's input in pixels.
        scale: a power of a half.
        shift: where the first tile begins outside of the picture, as a share of a tile.
    """
    step = round(1 / scale)
    columns, rows = (_spans(length, side * step, OVERLAP * step, shift, step) for length in (width, height))
    for top, bottom in rows:
        for left, right in columns:
            cut = left > 0, top > 0, right < width, bottom < height
            yield Tile((left, top, right, bottom), scale, cut)


def _spans(length: int, side: int, overlap: int, shift: float, step: int) -> list[tuple[int, int]]:
    if length <= side and not shift:
        return [(0, length)]
    first = -round(shift * (side - overlap) / step) * step  # on whole pixels of the scale
    starts = range(first, max(length - overlap, 1), side - overlap)
    return [(max(start, 0), min(start + side, length)) for start in starts]


@dataclass(frozen=True)
class Nuclei:
    """Where a picture is stained like nuclei.

    Attributes:
        counts: sums over all pixels above and to the left of each place, ``(height + 1, width + 1)`` of the thumbnail.
        scale: of the thumbnail.
    """

    counts: np.ndarray
    scale: float

    @classmethod
    def of(cls, image: np.ndarray) -> Nuclei:
        """Look for nuclei in a picture, ``(height, width, 3)`` uint8 RGB."""
        nuclei = nuclear_mask(optical_density(thinned(image, THUMBNAIL)), PALE)
        return cls(cv2.integral(nuclei), min(1.0, THUMBNAIL / max(image.shape[:2])))

    def are_in(self, box: Box) -> bool:
        """Tell whether there may be a nucleus in a box, in pixels of the picture."""
        return self._count(box)[0] >= NUCLEUS

    def make_a_cell_of(self, box: Box | np.ndarray) -> bool:
        """Tell whether what a box encloses, in pixels of the picture, has a nucleus, as no red cell has.

        A picture that is not stained, and shows none anywhere, cannot tell: there every box may.
        """
        corners = np.array(box).reshape(2, 2)
        inner = corners.mean(axis=0) + (corners - corners.mean(axis=0)) * INNER
        count, pixels = self._count(inner)
        return bool(count >= NUCLEAR * pixels or self.counts[-1, -1] == 0)

    def _count(self, box: Box | np.ndarray) -> tuple[int, int]:
        """Return how many pixels of the thumbnail are nucleus in a box, and how many there are."""
        limits = np.array(self.counts.shape[::-1]) - 1
        corners = np.array(box).reshape(2, 2) * self.scale
        left, top = np.floor(corners[0]).clip(0, limits).astype(int).tolist()
        right, bottom = np.ceil(corners[1]).clip(0, limits).astype(int).tolist()
        table = self.counts
        inside = table[bottom, right] - table[top, right] - table[bottom, left] + table[top, left]
        return int(inside), (right - left) * (bottom - top)
