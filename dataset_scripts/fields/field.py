"""A smear field with its cells: what is composed, read, and written."""

from dataclasses import dataclass, field

import numpy as np


@dataclass(frozen=True)
class Field:
    """A smear field and its cells.

    Attributes:
        image: ``(height, width, 3)`` uint8 RGB.
        labels: ``(height, width)`` int32, 0 for background, ``i`` for the visible part of cell ``i``.
        hidden: ``(cells,)`` share of each cell that lies under others, 0 to 1; empty where it is not known.
        codes: class code of each cell, ``""`` for a neighbour that was pasted with another; empty where none is known.
    """

    image: np.ndarray
    labels: np.ndarray
    hidden: np.ndarray = field(default_factory=lambda: np.zeros(0))
    codes: tuple[str, ...] = ()
