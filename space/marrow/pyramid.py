"""The image pyramid: at which scales, and in which tiles, a picture of any size is looked at.

Scales are powers of a half, whatever the size of the picture, so that the same cells look the same to the network alone
and in a large picture. SAHI and supervision's slicer cut one scale, and everywhere; here a tile is looked at only where
the next coarser scale left something to find.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

OVERLAP = 128
"""Pixels of the network's input that two tiles share: a cell of this size, less two margins, lies whole in one."""

MARGIN = 8.0
"""Pixels of the network's input from a border that runs through the picture within which a cell may be cut."""

OWN = OVERLAP / 2 - MARGIN
"""Pixels of the network's input from such a border within which the centre of a cell is the neighbouring tile's, which
sees more of what is around it; a little less than half the overlap, since two tiles place a cell a little apart."""


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
