"""What a person does to outlines: draw a box around a missed cell, merge two halves, split two that are one.

Masks here are windows of the image at :class:`_Window`'s scale, so that a cell takes the same time and the same
constants at any magnification.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from marrow.analysis import Box, Detection
from marrow.centre_cell import centre_cell_mask
from marrow.errors import MarrowError
from marrow.geometry import (
    box_iou,
    closed,
    contour,
    distance_inside,
    largest_region,
    local_maxima,
    nearest_circle,
    polygon_area,
    polygon_box,
    polygon_mask,
    simplify,
    solidity,
)
from marrow.segmenter import Segmenter
from marrow.stain import nuclear_mask, optical_density

ROOM = 4.0
"""Side of the cut-out that the segmenter is given, in longest sides of the box."""

SMALLEST = 60.0
"""Pixels to which a smaller box is enlarged for the segmenter."""

WEAKEST = 0.02
"""Score from which the segmenter's outlines are considered: a person says that there is a cell."""

FITS = 0.5
"""Overlap (IoU) with the box from which an outline is that of the cell in it."""

SIDE = 160
"""Pixels of a window's longest side within its margin."""

WIDEST_GAP = 0.5
"""Gap between two outlines that can be merged, in diameters of the smaller."""

SMALLEST_PART = 0.12
"""Share of a cell's area that each part of a split must have."""


def outline_in_box(image: np.ndarray, box: Box, segmenter: Segmenter) -> Detection:
    """Outline the cell that a person drew a box around.

    The segmenter is given the box and its surroundings, at a scale that it knows; where it finds nothing that fits the
    box, the cell is grown from its nucleus by colour, and where there is none, its outline is an ellipse.

    Args:
        image: ``(height, width, 3)`` uint8 RGB.
        box: ``(x0, y0, x1, y1)`` in pixels of the image, in any order of corners; what lies outside is cut off.
        segmenter: the network.

    Returns:
        The outline; its score is the segmenter's, 0 where it found none.

    Raises:
        MarrowError: less than three pixels of the box lie in the image.
    """
    box = _inside(box, image)
    found = _segmented(image, box, segmenter)
    best = max(found, key=lambda detection: _overlap(detection.box, box), default=None)
    if best and _overlap(best.box, box) >= FITS:
        return best
    return _by_colour(image, box) or _ellipse(image, box)


def merge_outlines(outlines: Sequence[Detection], size: tuple[int, int]) -> Detection:
    """Draw one outline around several, with the gaps between neighbours closed.

    Args:
        outlines: two or more.
        size: width and height of the image in pixels.

    Returns:
        The outline, with the highest of their scores.

    Raises:
        MarrowError: they lie too far apart to be one cell.
    """
    if len(outlines) < 2:
        raise MarrowError("One cell alone cannot be merged: choose two or more.")
    window = _Window.around(_joined([outline.box for outline in outlines]), size)
    masks = [window.draw(outline) for outline in outlines]
    union = np.maximum.reduce(masks)
    widest = WIDEST_GAP * min(_diameter(mask) for mask in masks)
    for radius in np.arange(2.0, max(widest / 2 + 1, 3.0)):
        bridged = closed(union, radius)
        if cv2.connectedComponents(bridged)[0] == 2:
            return window.outline(bridged, max(outline.score for outline in outlines))
    raise MarrowError("These cells lie too far apart to be one: choose neighbours.")


def split_outline(image: np.ndarray, outline: Detection, parts: int = 2) -> list[Detection]:
    """Part an outline that holds several cells.

    Args:
        image: ``(height, width, 3)`` uint8 RGB.
        outline: of the cells.
        parts: how many, 2 or more.

    Returns:
        Their outlines, which do not overlap, from left to right, each with the score of the whole.

    Raises:
        MarrowError: the outline cannot be parted so.
    """
    window = _Window.around(outline.box, image.shape[1::-1])
    mask = window.draw(outline)
    nuclei = nuclear_mask(optical_density(window.cut(image))) * mask
    cuts = [cut for depth in (_depth(mask), _depth(nuclei)) for cut in [_parted(mask, depth, parts)] if cut]
    if not cuts:
        raise MarrowError(f"This outline cannot be parted into {parts} cells: delete it, and draw a box around each.")
    best = max(cuts, key=_roundness)
    halves = [window.outline(part, outline.score) for part in best]
    return sorted(halves, key=lambda half: half.box)


@dataclass(frozen=True)
class _Window:
    """A part of an image at a scale of its own.

    Attributes:
        left: of the window in the image, in pixels.
        top: of it.
        scale: pixels of the window in one of the image.
        shape: rows and columns of the window.
        limit: width and height of the image.
    """

    left: float
    top: float
    scale: float
    shape: tuple[int, int]
    limit: tuple[int, int]

    @classmethod
    def around(cls, box: Box, limit: tuple[int, int]) -> _Window:
        """Lay a window around a box, with half a side of room at each edge."""
        x0, y0, x1, y1 = box
        scale = SIDE / max(x1 - x0, y1 - y0)
        shape = (round((y1 - y0) * scale) + SIDE, round((x1 - x0) * scale) + SIDE)
        return cls(x0 - SIDE / 2 / scale, y0 - SIDE / 2 / scale, scale, shape, limit)

    def draw(self, outline: Detection) -> np.ndarray:
        """Fill an outline; uint8, 1 inside."""
        points = (np.array(outline.polygon) - (self.left, self.top)) * self.scale
        return polygon_mask(points, self.shape).astype(np.uint8)

    def cut(self, image: np.ndarray) -> np.ndarray:
        """Bring a part of the image into the window."""
        shift = 0.5 * self.scale - 0.5 - np.array([self.left, self.top]) * self.scale
        matrix = np.array([[self.scale, 0, shift[0]], [0, self.scale, shift[1]]])
        size = self.shape[::-1]
        return cv2.warpAffine(image, matrix, size, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)

    def outline(self, mask: np.ndarray, score: float) -> Detection:
        """Outline the largest region of a mask, in pixels of the image."""
        border = contour(mask)
        points = (simplify(border) / self.scale + (self.left, self.top)).clip(0, self.limit)
        area = polygon_area(border) / self.scale**2
        return Detection(polygon_box(points), tuple(map(tuple, points.tolist())), area, score)


def _inside(box: Box, image: np.ndarray) -> Box:
    height, width = image.shape[:2]
    (x0, x1), (y0, y1) = sorted(np.clip(box[::2], 0, width).tolist()), sorted(np.clip(box[1::2], 0, height).tolist())
    if min(x1 - x0, y1 - y0) < 3:
        raise MarrowError("This box is too small to hold a cell: draw it around the whole cell.")
    return x0, y0, x1, y1


def _segmented(image: np.ndarray, box: Box, segmenter: Segmenter) -> list[Detection]:
    """Run the segmenter on the box and its surroundings; outlines in pixels of the image."""
    x0, y0, x1, y1 = box
    side = max(x1 - x0, y1 - y0)
    reach, (x, y) = ROOM * side / 2, ((x0 + x1) / 2, (y0 + y1) / 2)
    left, top = max(0, round(x - reach)), max(0, round(y - reach))
    part = image[top : round(y + reach), left : round(x + reach)]
    scale = max(1.0, SMALLEST / side)
    if scale > 1:
        part = cv2.resize(part, None, fx=scale, fy=scale, interpolation=cv2.INTER_CUBIC)
    return [_moved(detection, 1 / scale, (left, top)) for detection in segmenter(part, WEAKEST)]


def _moved(outline: Detection, scale: float, shift: tuple[float, float]) -> Detection:
    points = np.array([outline.box[:2], outline.box[2:], *outline.polygon]) * scale + shift
    box, polygon = polygon_box(points[:2]), points[2:].tolist()
    return Detection(box, tuple(map(tuple, polygon)), outline.area * scale**2, outline.score)


def _by_colour(image: np.ndarray, box: Box) -> Detection | None:
    window = _Window.around(box, image.shape[1::-1])
    mask = centre_cell_mask(window.cut(image))
    if mask is None:
        return None
    outline = window.outline(mask.astype(np.uint8), 0.0)
    return outline if _overlap(outline.box, box) >= FITS else None


def _ellipse(image: np.ndarray, box: Box) -> Detection:
    (x0, y0, x1, y1), angles = box, np.linspace(0, 2 * np.pi, 64, endpoint=False)
    a, b = (x1 - x0) / 2, (y1 - y0) / 2
    points = np.stack([x0 + a + a * np.cos(angles), y0 + b + b * np.sin(angles)], axis=1)
    return Detection(box, tuple(map(tuple, points.tolist())), float(np.pi * a * b), 0.0)


def _overlap(a: Box, b: Box) -> float:
    return float(box_iou(np.array(a), np.array(b))[0, 0])


def _joined(boxes: Sequence[Box]) -> Box:
    corners = np.array(boxes)
    return (*corners[:, :2].min(axis=0).tolist(), *corners[:, 2:].max(axis=0).tolist())


def _diameter(mask: np.ndarray) -> float:
    return 2 * float(np.sqrt(mask.sum() / np.pi))


def _depth(mask: np.ndarray) -> np.ndarray:
    return cv2.GaussianBlur(distance_inside(mask), (0, 0), 2)


def _parted(mask: np.ndarray, depth: np.ndarray, parts: int) -> list[np.ndarray] | None:
    """Part a mask around the deepest places, each pixel going to the circle in it that is nearest."""
    middles = local_maxima(depth, 9)
    radii = depth[tuple(middles.round().astype(int).T[::-1])]
    order = np.argsort(-radii)[:parts]
    if len(order) < parts:
        return None
    nearest = nearest_circle(middles[order], radii[order], mask.shape)
    cut = [largest_region(mask * (nearest == i)) for i in range(parts)]
    return cut if min(part.sum() for part in cut) >= SMALLEST_PART * mask.sum() else None


def _roundness(cut: Sequence[np.ndarray]) -> float:
    """Return how well the parts of a cut fill their convex hulls, the worst of them; 0 to 1."""
    return min(solidity(part) for part in cut)
