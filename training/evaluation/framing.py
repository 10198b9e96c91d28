"""Whether a cell keeps its name however the picture around it is framed.

Each picture is analysed as it is, and again through an eyepiece, half empty, and cut down to one cell; each of its
cells is also named alone, as ``marrow classify`` does.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence

import numpy as np

from marrow.cell import Box, Cell
from marrow.crop import cut_square, disc, find_centre_cell
from marrow.geometry import box_iou
from marrow.pipeline import Models, analyze
from marrow.stain import background_colour
from training.common.metrics_schema import FramedShare

SAME_CELL = 0.7
"""Intersection over union of the boxes of one cell in two pictures."""

AROUND = 3.0
"""Side of the field around one cell, as a multiple of the longer side of its box."""

Framed = tuple[np.ndarray, tuple[float, float]]
"""A picture, and where the left upper corner of the original lies in it, ``x, y`` in pixels."""


def through_eyepiece(image: np.ndarray) -> Framed:
    """Return a picture as through an eyepiece: black outside the largest circle within it."""
    height, width = image.shape[:2]
    side = min(height, width)
    top, left = (height - side) // 2, (width - side) // 2
    seen = np.zeros((height, width), bool)
    seen[top : top + side, left : left + side] = disc(side)
    return np.where(seen[..., None], image, np.uint8(0)), (0.0, 0.0)


def half_empty(image: np.ndarray) -> Framed:
    """Return a picture of twice the width, of which the left half is bare ground."""
    ground = np.empty_like(image)
    ground[:] = background_colour(image).round().astype(np.uint8)
    return np.hstack([ground, image]), (float(image.shape[1]), 0.0)


FRAMES: Mapping[str, Callable[[np.ndarray], Framed]] = {"eyepiece": through_eyepiece, "half_empty": half_empty}


def measure_framing(models: Models, pictures: Iterable[np.ndarray]) -> dict[str, FramedShare]:
    """Measure how many cells keep their name in other framings.

    Args:
        models: the segmenter and the classifier.
        pictures: smears, each ``(height, width, 3)`` uint8 RGB.

    Returns:
        By ``eyepiece``, ``half_empty``, ``one_cell`` (a field of one cell and what surrounds it) and ``single`` (one
        cell alone, cut out by the contour of its nucleus); without those that no cell lies in.
    """
    pairs: dict[str, list[tuple[Cell, str | None]]] = {name: [] for name in (*FRAMES, "one_cell", "single")}
    for image in pictures:
        cells = analyze(image, models).cells
        for name, frame in FRAMES.items():
            framed, corner = frame(image)
            whole = [cell for cell in cells if _is_whole(cell.box, image, framed, corner)]
            pairs[name] += zip(whole, _names(whole, framed, corner, models), strict=True)
        for cell in cells:
            pairs["one_cell"].append((cell, _name_of_one(image, cell, models)))
            pairs["single"].append((cell, _name_alone(image, cell, models)))
    bound = models.classifier.config.uncertain_below
    return {name: _share(found, bound) for name, found in pairs.items() if found}


def _is_whole(box: Box, image: np.ndarray, framed: np.ndarray, corner: tuple[float, float]) -> bool:
    """Whether nothing of a cell is hidden by the frame."""
    x0, y0, x1, y1 = (round(side) for side in box)
    left, top = (round(side) for side in corner)
    before = image[y0:y1, x0:x1]
    return bool((framed[top + y0 : top + y1, left + x0 : left + x1] == before).all())


def _names(cells: Sequence[Cell], framed: np.ndarray, corner: tuple[float, float], models: Models) -> list[str | None]:
    """Return what cells are called in a framed picture; ``None`` where they are not found."""
    found = analyze(framed, models).cells
    if not found or not cells:
        return [None] * len(cells)
    moved = np.array([cell.box for cell in cells]) + np.tile(corner, 2)
    overlaps = box_iou(moved, np.array([cell.box for cell in found]))
    best = overlaps.argmax(axis=1)
    return [found[one].label if row[one] >= SAME_CELL else None for one, row in zip(best, overlaps, strict=True)]


def _name_of_one(image: np.ndarray, cell: Cell, models: Models) -> str | None:
    x0, y0, x1, y1 = cell.box
    side = AROUND * max(x1 - x0, y1 - y0)
    left, top = (max(round(middle - side / 2), 0) for middle in ((x0 + x1) / 2, (y0 + y1) / 2))
    field = image[top : top + round(side), left : left + round(side)]
    return _names([cell], field, (-float(left), -float(top)), models)[0]


def _name_alone(image: np.ndarray, cell: Cell, models: Models) -> str:
    x0, y0, x1, y1 = cell.box
    side = AROUND / 2 * max(x1 - x0, y1 - y0)
    alone = cut_square(image, cell.box, side, round(side), background_colour(image).tolist())
    given = models.classifier(alone, [find_centre_cell(alone)])[0]
    return models.classifier.labels[int(given.argmax())]


def _share(pairs: Sequence[tuple[Cell, str | None]], uncertain_below: float) -> FramedShare:
    found = [(cell, cell.label == name) for cell, name in pairs if name is not None]
    counted = [same for cell, same in found if not cell.is_uncertain(uncertain_below)]
    return FramedShare(
        n=len(pairs),
        found=len(found) / len(pairs),
        same=float(np.mean([same for _, same in found])) if found else 0.0,
        same_counted=float(np.mean(counted)) if counted else None,
    )
