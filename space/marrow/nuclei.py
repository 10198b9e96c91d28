"""Where a picture is stained like nuclei, and which outlines hold one.

What may be nucleus is judged more kindly here than by :func:`marrow.stain.nuclear_mask`, which tells a cell's nucleus
from its cytoplasm.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from marrow.cell import Box
from marrow.stain import nuclear_colour, optical_density, thinned

THUMBNAIL = 2048
"""Longest side of the picture, in pixels, in which nuclei are looked for."""

DARKEST = 0.001
"""Share of a picture's pixels that are taken for its darkest nuclei: a white cell in a field of red ones has more."""

PALE = 0.12
"""Of the colour of the darkest nuclei, the share from which on a pixel may be nucleus, pale ones included."""

FAINT = 0.01
"""What is less of that colour is not stained, see :func:`marrow.stain.nuclear_colour`."""

NUCLEUS = 6
"""Pixels of the thumbnail's nuclei from which a tile may hold a cell."""

INNER, NUCLEAR = 0.8, 0.05
"""Share of a cell's box, around its middle, and share of that part that is nucleus at least.

Chosen, as :data:`PALE`, on BCCD without its test part, a third of Raabin-WBC and composed fields: of 1,817 true cells
four have less, in composed fields of two stains, and of 918 outlines around red cells 838. In the other 333 fields of
Raabin-WBC 1,809 of 1,900 have less, and no white cell. Without the purity the same loss leaves out 817 of the 918;
Otsu's threshold fails where a field holds a single nucleus."""


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
        colour = nuclear_colour(optical_density(thinned(image, THUMBNAIL)))
        place = int((1 - DARKEST) * (colour.size - 1))
        darkest = float(np.partition(colour.ravel(), place)[place])
        nuclei = colour >= max(PALE * darkest, FAINT)
        return cls(cv2.integral(nuclei.astype(np.uint8)), min(1.0, THUMBNAIL / max(image.shape[:2])))

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
