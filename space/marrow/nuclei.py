"""Where a picture is stained like nuclei, and which outlines hold one.

What may be nucleus is judged more kindly here than by :func:`marrow.stain.nuclear_mask`, which tells a cell's nucleus
from its cytoplasm.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from marrow.cell import Box
from marrow.stain import nuclear_colour, optical_density, thinned

THUMBNAIL, THINNED = 2048, 0.5
"""Most pixels of the longest side of the picture in which nuclei are looked for, and its scale where that allows it;
at full size the same outlines are left out (of 3,819 on real and composed fields)."""

DARKEST = 0.001
"""Share of a picture's pixels that are taken for its darkest nuclei: a white cell in a field of red ones has more."""

PALE = 0.1
"""Of the colour of the darkest nuclei, the share from which on a pixel may be nucleus, pale ones included."""

FAINT = 0.01
"""What is less of that colour is not stained, see :func:`marrow.stain.nuclear_colour`."""

NUCLEUS = 6
"""Pixels of the thumbnail's nuclei from which a tile may hold a cell."""

INNER, NUCLEAR = 0.8, 0.05
"""Share of a cell's box, around its middle, and the share of that part whose colour stands for its nucleus."""

GAP, MOST_PALE = 2.5, 0.25
"""By how much paler than all others outlines of one picture are no cells, if none of them has more than the second.

Chosen, as :data:`PALE`, on BCCD without its test part, a third of Raabin-WBC, and composed fields: of 3,094 true cells
seven are left out, and of 918 outlines around red cells 906; the gap may be 2 to 3. Without the purity of the colour
817 are left out at the same loss, without the gap 787; Otsu's threshold fails where a field holds a single nucleus.
In the other 333 fields of Raabin-WBC 1,878 of 1,900 are left out, and no white cell.
Plasma cells of SegPC-2021 have .38 at least, and red cells of Raabin-WBC .31 at most (99 %). Where two stains meet in
one picture, as in composed fields, the paler cells can be taken for red ones: 25 of 40 in one such field."""


@dataclass(frozen=True)
class Nuclei:
    """Where a picture is stained like nuclei.

    Attributes:
        colour: of the thumbnail, ``(height, width)`` float32, see :func:`marrow.stain.nuclear_colour`.
        darkest: that of the darkest nuclei; less than :data:`FAINT` where nothing is stained.
        scale: of the thumbnail.
    """

    colour: np.ndarray
    darkest: float
    scale: float

    @classmethod
    def of(cls, image: np.ndarray) -> Nuclei:
        """Look for nuclei in a picture, ``(height, width, 3)`` uint8 RGB."""
        longest = max(image.shape[:2])
        scale = min(THINNED, THUMBNAIL / longest)
        colour = nuclear_colour(optical_density(thinned(image, scale * longest)))
        return cls(colour, _exceeded_by(DARKEST, colour), scale)

    def are_in(self, box: Box) -> bool:
        """Tell whether there may be a nucleus in a box, in pixels of the picture."""
        return int(np.count_nonzero(self._part(box) >= max(PALE * self.darkest, FAINT))) >= NUCLEUS

    def shares(self, boxes: np.ndarray) -> np.ndarray:
        """Say how much of the colour of the darkest nuclei the nuclei of outlines have.

        Args:
            boxes: ``(n, 4)`` in pixels of the picture.

        Returns:
            ``(n,)``, 1 for the darkest, and for all where nothing is stained: there no outline tells more than another.
        """
        if self.darkest < FAINT:
            return np.ones(len(boxes))
        middles, halves = (boxes[:, :2] + boxes[:, 2:]) / 2, (boxes[:, 2:] - boxes[:, :2]) / 2 * INNER
        parts = map(self._part, np.hstack([middles - halves, middles + halves]))
        return np.array([_exceeded_by(NUCLEAR, part) / self.darkest for part in parts])

    def _part(self, box: Box | np.ndarray) -> np.ndarray:
        limits = np.array(self.colour.shape[::-1])
        corners = np.array(box).reshape(2, 2) * self.scale
        left, top = np.floor(corners[0]).clip(0, limits).astype(int)
        right, bottom = np.ceil(corners[1]).clip(0, limits).astype(int)
        return self.colour[top:bottom, left:right]


def least_share(shares: np.ndarray) -> float:
    """Return the share from which on outlines of a picture are cells.

    Args:
        shares: ``(n,)`` of :meth:`Nuclei.shares`, of those that are sure otherwise.
    """
    falling = np.sort(shares)[::-1]
    darker, paler = falling[:-1], falling[1:]
    no_cells = paler[(darker >= GAP * paler) & (paler < MOST_PALE)]
    return max(PALE, float(np.nextafter(no_cells.max(initial=0), 1)))


def _exceeded_by(share: float, colour: np.ndarray) -> float:
    """Return what a share of the pixels exceed; 0 where there are none."""
    place = int((1 - share) * (colour.size - 1))
    return float(np.partition(colour.ravel(), place)[place]) if colour.size else 0.0
