"""Whether a cell that is found alone is found in a large picture: mosaics of windows of real fields.

A mosaic is a grid of blocks, and a block of scale s a grid of windows, each cut anywhere from a field that is shown at
that scale, turned and mirrored by lot. Nothing is padded, so the picture looks like one smear with seams.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import ceil

import cv2
import numpy as np
from scipy.optimize import linear_sum_assignment

from marrow.geometry import box_iou
from marrow.segmenter import Segmenter

BLOCK = 360
"""Side of a block in pixels; no field has a shorter side."""

SAME = 0.5
"""Intersection over union of the boxes of one cell, alone and in the mosaic."""

SHIFTED, NEAR = 0.7, 0.03
"""The same of one cell in two layouts of tiles, and how near to the bound a score may lie for a cell not to count."""

SEAM = 8
"""Pixels from the border of a window within which a cell may be cut, so that it does not count."""

SIZES = (16, 30, 45, 64, 90, 128, 180, 250, 400)
"""Bounds of the rows by the longest side of a cell's box in pixels; 30 to 250 is what the network learned."""


@dataclass(frozen=True)
class Window:
    """A part of a field in a mosaic: its pixels, and the column and row where it begins."""

    image: np.ndarray
    left: int
    top: int

    @property
    def box(self) -> tuple[int, int, int, int]:
        """Where it lies in the mosaic."""
        height, width = self.image.shape[:2]
        return self.left, self.top, self.left + width, self.top + height

    def part_of(self, image: np.ndarray) -> np.ndarray:
        """Return the part of a picture of the mosaic's size that lies there; writing to it writes to the picture."""
        left, top, right, bottom = self.box
        return image[top:bottom, left:right]


@dataclass(frozen=True)
class Mosaic:
    """A picture and the windows that it was made of."""

    image: np.ndarray
    windows: tuple[Window, ...]


def make_mosaic(
    fields: Sequence[np.ndarray], columns: int, rows: int, scales: Sequence[float], rng: np.random.Generator
) -> Mosaic:
    """Lay windows of different fields side by side.

    Args:
        fields: ``(height, width, 3)`` uint8 RGB, no side shorter than :data:`BLOCK`; as many as there are come before
            one comes again.
        columns: of blocks.
        rows: of blocks.
        scales: at which the fields are shown; each block has one of them by lot.
        rng: draws.
    """
    image = np.empty((rows * BLOCK, columns * BLOCK, 3), np.uint8)
    shuffled, windows = _endless(fields, rng), []
    for top in range(0, rows * BLOCK, BLOCK):
        for left in range(0, columns * BLOCK, BLOCK):
            for window in _block(shuffled, float(rng.choice(scales)), left, top, rng):
                window.part_of(image)[:] = window.image
                windows.append(window)
    return Mosaic(image, tuple(windows))


def _endless(fields: Sequence[np.ndarray], rng: np.random.Generator) -> Iterator[np.ndarray]:
    while True:
        for index in rng.permutation(len(fields)):
            yield fields[index]


def _block(
    fields: Iterator[np.ndarray], scale: float, left: int, top: int, rng: np.random.Generator
) -> Iterator[Window]:
    edges = np.linspace(0, BLOCK, ceil(1 / scale) + 1).round().astype(int) if scale < 1 else np.array([0, BLOCK])
    for y0, y1 in pairwise(edges.tolist()):
        for x0, x1 in pairwise(edges.tolist()):
            field = np.rot90(next(fields), int(rng.integers(4)))
            field = field[:, ::-1] if rng.random() < 0.5 else field
            yield Window(_cut(field, x1 - x0, y1 - y0, scale, rng), left + x0, top + y0)


def _cut(field: np.ndarray, width: int, height: int, scale: float, rng: np.random.Generator) -> np.ndarray:
    """Cut a window of some size anywhere from a field that is shown at a scale."""
    wide, high = min(round(width / scale), field.shape[1]), min(round(height / scale), field.shape[0])
    left, top = int(rng.integers(field.shape[1] - wide + 1)), int(rng.integers(field.shape[0] - high + 1))
    part = np.ascontiguousarray(field[top : top + high, left : left + wide])
    return cv2.resize(part, (width, height), interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC)


@dataclass(frozen=True)
class Found:
    """The cells of a mosaic.

    Attributes:
        sizes: ``(n,)`` longest side, in pixels, of the cells that are found alone and that no seam cuts.
        again: ``(n,)`` bool, which of them are found in the mosaic.
        extra: ``(m,)`` longest side of the cells of the mosaic that lie in one window and are not found there alone.
    """

    sizes: np.ndarray
    again: np.ndarray
    extra: np.ndarray

    def __add__(self, other: Found) -> Found:
        """Join the cells of two mosaics."""
        pairs = zip(vars(self).values(), vars(other).values(), strict=True)
        return Found(*(np.concatenate(pair) for pair in pairs))

    def between(self, low: float, high: float) -> Found:
        """Return the cells whose longest side is at least ``low`` and less than ``high``."""
        chosen, more = ((sides >= low) & (sides < high) for sides in (self.sizes, self.extra))
        return Found(self.sizes[chosen], self.again[chosen], self.extra[more])

    def figures(self) -> dict[str, float | int]:
        """Return how many ``cells`` are found alone, the share found ``together``, and the share of ``more``."""
        n = len(self.sizes)
        return {"cells": n, "together": float(self.again.mean()) if n else 0.0, "more": len(self.extra) / max(n, 1)}


Look = Callable[[np.ndarray], np.ndarray]
"""Finds cells in ``(height, width, 3)`` uint8 RGB; returns their boxes, ``(n, 4)`` in pixels."""


def boxes_by(segmenter: Segmenter) -> Look:
    """Return how a segmenter looks."""
    return lambda image: np.array([cell.box for cell in segmenter(image)], float).reshape(-1, 4)


def compare(mosaic: Mosaic, look: Look) -> Found:
    """Look at each window of a mosaic alone, and last at the mosaic, and compare what is found."""
    alone, whole = [np.zeros((0, 4))], [np.zeros(0, bool)]
    for window in mosaic.windows:
        boxes = look(window.image) + np.tile([window.left, window.top], 2)
        alone.append(boxes)
        whole.append(_lie_in(boxes, window))
    before, asked = np.concatenate(alone), np.concatenate(whole)
    after = look(mosaic.image)
    overlaps = box_iou(before, after)
    rows, columns = linear_sum_assignment(overlaps, maximize=True)
    same = overlaps[rows, columns] >= SAME
    again = np.zeros(len(before), bool)
    again[rows[same]] = True
    new = np.ones(len(after), bool)
    new[columns[same]] = False
    inside = np.any([_lie_in(after, window) for window in mosaic.windows], axis=0)
    return Found(_longest(before[asked]), again[asked], _longest(after[new & inside]))


def matched_when_shifted(mosaic: Mosaic, segmenter: Segmenter) -> tuple[int, int]:
    """Look at a mosaic twice, the second time in tiles that begin half a tile before it.

    Args:
        mosaic: whose cells count that no seam cuts.
        segmenter: looks.

    Returns:
        How many cells both looks found, counting one found twice as two, and how many there were; those whose score is
        near the bound do not count.
    """
    looks = [segmenter(mosaic.image)]
    segmenter.shift = 0.5
    looks.append(segmenter(mosaic.image))
    segmenter.shift = 0.0
    places = [np.array([one.box for one in found]).reshape(-1, 4) for found in looks]
    overlaps = box_iou(*places)
    pairs = linear_sum_assignment(overlaps, maximize=True)
    same = overlaps[pairs] >= SHIFTED
    bound = segmenter.config.confidence + NEAR
    total = found = 0
    for cells, boxes, matched in zip(looks, places, pairs, strict=True):
        whole = np.any([_lie_in(boxes, window) for window in mosaic.windows], axis=0)
        sure = whole & (np.array([cell.score for cell in cells]) >= bound)
        total, found = total + int(sure.sum()), found + int(sure[matched[same]].sum())
    return found, total


def _lie_in(boxes: np.ndarray, window: Window) -> np.ndarray:
    left, top, right, bottom = window.box
    starts = (boxes[:, 0] >= left + SEAM) & (boxes[:, 1] >= top + SEAM)
    return starts & (boxes[:, 2] <= right - SEAM) & (boxes[:, 3] <= bottom - SEAM)


def _longest(boxes: np.ndarray) -> np.ndarray:
    return (boxes[:, 2:] - boxes[:, :2]).max(axis=1, initial=0)
