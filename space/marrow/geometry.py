"""Masks and the polygons around them: the one place that fills polygons and follows contours.

Coordinates are continuous: pixel ``[i, j]`` covers ``j`` to ``j + 1`` in x and ``i`` to ``i + 1`` in y, and its centre
lies at ``(j + 0.5, i + 0.5)``. A pixel belongs to a polygon when its centre lies inside or on the border. So
filling the contour of a mask gives the mask again, and the area within the contour is the number of its pixels.

Masks are ``(height, width)`` arrays, of bool or uint8, that are not 0 inside; polygons are ``(n, 2)`` points ``x, y``,
not closed (the last point joins the first).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import cv2
import numpy as np

from marrow.cell import Box

Polygon = np.ndarray | Sequence[Sequence[float]]

TOLERANCE = 0.35
"""Pixels by which :func:`simplify` moves an outline; no centre of a pixel is as near to it (``sqrt(1 / 8)``)."""

ROUNDING = 1e-9
"""Pixels by which a centre on the border may seem to lie outside."""

MOST_CROSSINGS = 4_000_000
"""Edges times rows that :func:`fill` holds in memory."""

Comparison = Callable[[np.ndarray, np.ndarray], np.ndarray]


def fill(target: np.ndarray, polygon: Polygon, value: float | Sequence[float] = 1) -> np.ndarray:
    """Set the pixels in a polygon; where it crosses itself, those that it goes around an odd number of times.

    Args:
        target: ``(height, width)`` or ``(height, width, channels)`` to draw into.
        polygon: in pixels of ``target``; what lies outside is cut off.
        value: for the pixels inside.

    Returns:
        The target.
    """
    points = np.asarray(polygon, float).reshape(-1, 2) - 0.5  # centres of pixels at whole numbers
    if len(points) == 0:
        return target
    limits = np.array(target.shape[1::-1]) - 1
    left, top = np.ceil(points.min(axis=0) - ROUNDING).clip(0).astype(int).tolist()
    right, bottom = np.floor(points.max(axis=0) + ROUNDING).clip(None, limits).astype(int).tolist()
    if right < left:
        return target
    step = max(1, MOST_CROSSINGS // len(points))
    for first in range(top, bottom + 1, step):
        rows = np.arange(first, min(first + step, bottom + 1))
        inside = _inside(points - (left, 0), rows, right + 1 - left)
        target[rows[0] : rows[-1] + 1, left : right + 1][inside] = value
    return target


def polygon_mask(polygon: Polygon, shape: tuple[int, ...]) -> np.ndarray:
    """Return the pixels in a polygon, ``(height, width)`` bool; ``shape`` begins with height and width."""
    return fill(np.zeros(shape[:2], bool), polygon, True)


def _inside(points: np.ndarray, rows: np.ndarray, width: int) -> np.ndarray:
    """Return the whole numbers inside or on a polygon, ``(len(rows), width)`` bool."""
    changes = np.zeros((len(rows), width + 1), np.int32)
    # an edge holds its upper end, then its lower one: a border that lies in a row is found by one of the two
    for above, below in ((np.less_equal, np.less), (np.less, np.less_equal)):
        line, start, stop = _spans(points, rows, above, below)
        first = np.ceil(start - ROUNDING).clip(0, width).astype(int)
        last = np.floor(stop + ROUNDING).clip(-1, width - 1).astype(int)
        np.add.at(changes, (line, first), 1)
        np.add.at(changes, (line, last + 1), -1)
    return changes.cumsum(axis=1)[:, :-1] > 0


def _spans(
    points: np.ndarray, rows: np.ndarray, above: Comparison, below: Comparison
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return where rows run inside a polygon: indices of rows, and where each span starts and stops."""
    (x0, y0), (x1, y1) = points.T, np.roll(points, -1, axis=0).T
    low, high = np.minimum(y0, y1)[:, None], np.maximum(y0, y1)[:, None]
    edge, line = np.nonzero(above(low, rows) & below(rows, high))
    share = (rows[line] - y0[edge]) / (y1[edge] - y0[edge])
    crossings = x0[edge] + share * (x1[edge] - x0[edge])
    order = np.lexsort((crossings, line))
    return line[order][::2], crossings[order][::2], crossings[order][1::2]


def border_pixels(mask: np.ndarray) -> np.ndarray:
    """Return the outermost pixels of the largest region of a mask in order, as columns and rows.

    Args:
        mask: ``(height, width)``.

    Returns:
        ``(n, 2)`` int, one at each bend; empty for an empty mask.
    """
    contours, _ = cv2.findContours(_as_bytes(mask), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)
    # a region of one pixel, or of one row, has no area between the centres of its pixels
    largest = max(contours, key=lambda contour: (cv2.contourArea(contour), len(contour)), default=None)
    return np.zeros((0, 2), int) if largest is None else largest[:, 0].astype(int)


def contour(mask: np.ndarray) -> np.ndarray:
    """Follow the edges of the outermost pixels of the largest region of a mask; holes are not seen.

    Returns:
        ``(n, 2)`` float, a corner at each bend; empty for an empty mask.
    """
    mask = _as_bytes(mask)
    x, y, width, height = cv2.boundingRect(mask)
    # each quarter of a pixel lies at a corner of its own
    quarters = mask[y : y + height, x : x + width].repeat(2, axis=0).repeat(2, axis=1)
    corners = (border_pixels(quarters) + 1) // 2
    kept = (corners != np.roll(corners, 1, axis=0)).any(axis=1)
    return corners[kept] + np.array([x, y], float)


def simplify(corners: np.ndarray) -> np.ndarray:
    """Smooth the steps of a contour: fewer points, with the same pixels inside.

    Args:
        corners: as :func:`contour` gives them.

    Returns:
        ``(n, 2)`` float, a line through the middles of the pixels' edges.
    """
    if len(corners) == 0:
        return corners
    sides = np.roll(corners, -1, axis=0) - corners
    half = sides / np.abs(sides).max(axis=1, keepdims=True) / 2
    middles = np.stack([corners + half, corners + sides - half], axis=1)
    kept = cv2.approxPolyDP(middles.reshape(-1, 1, 2).astype(np.float32), TOLERANCE, True)
    return kept[:, 0].astype(float)


def polygon_area(polygon: Polygon) -> float:
    """Return the area inside a polygon, in square pixels."""
    x, y = np.asarray(polygon, float).reshape(-1, 2).T
    return float(abs(np.dot(x, np.roll(y, -1)) - np.dot(y, np.roll(x, -1))) / 2)


def polygon_box(polygon: Polygon) -> Box:
    """Return the box around a polygon, ``(x0, y0, x1, y1)``."""
    points = np.asarray(polygon, float)
    (x0, y0), (x1, y1) = points.min(axis=0).tolist(), points.max(axis=0).tolist()
    return x0, y0, x1, y1


def mask_box(mask: np.ndarray) -> Box:
    """Return the box around a mask, ``(x0, y0, x1, y1)`` in whole pixels; all 0 for an empty one."""
    x, y, width, height = cv2.boundingRect(_as_bytes(mask))
    return float(x), float(y), float(x + width), float(y + height)


def box_intersections(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Return the area that each of ``(n, 4)`` boxes has in common with each of ``(m, 4)``: ``(n, m)``."""
    a, b = np.reshape(a, (-1, 1, 4)), np.reshape(b, (1, -1, 4))
    sides = np.minimum(a[..., 2:], b[..., 2:]) - np.maximum(a[..., :2], b[..., :2])
    return sides.clip(0).prod(axis=2)


def box_areas(boxes: np.ndarray) -> np.ndarray:
    """Return the areas of ``(n, 4)`` boxes ``x0, y0, x1, y1``: ``(n,)``."""
    boxes = np.reshape(boxes, (-1, 4))
    return (boxes[:, 2:] - boxes[:, :2]).prod(axis=1)


def box_iou(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Return the intersection over union of each of ``(n, 4)`` boxes with each of ``(m, 4)``: ``(n, m)``, 0 to 1."""
    common = box_intersections(a, b)
    union = box_areas(a)[:, None] + box_areas(b) - common
    return common / np.maximum(union, 1e-9)


def largest_region(mask: np.ndarray, within: np.ndarray | None = None) -> np.ndarray:
    """Keep the connected region of a mask that has the most pixels.

    Args:
        mask: ``(height, width)``.
        within: ``(height, width)``; only pixels that are set here too are counted.

    Returns:
        ``(height, width)`` uint8, empty where nothing is counted.
    """
    _, regions = cv2.connectedComponents(_as_bytes(mask))
    sizes = np.bincount(regions.ravel() if within is None else regions[within > 0], minlength=1)
    sizes[0] = 0
    return (regions == sizes.argmax()).astype(np.uint8) if sizes.any() else np.zeros(mask.shape, np.uint8)


def fill_holes(mask: np.ndarray) -> np.ndarray:
    """Fill the holes of a mask, ``(height, width)`` uint8."""
    contours, _ = cv2.findContours(_as_bytes(mask), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    return cv2.drawContours(np.zeros(mask.shape, np.uint8), contours, -1, 1, cv2.FILLED)


def opened(mask: np.ndarray, radius: float) -> np.ndarray:
    """Open a mask with a disc, by distances: as fast for a wide disc as for a narrow one; ``(height, width)`` uint8."""
    mask = _as_bytes(mask)
    core = distance_inside(mask) > radius
    return mask & (distance_to(core) <= radius) if core.any() else np.zeros_like(mask)


def closed(mask: np.ndarray, radius: float) -> np.ndarray:
    """Close a mask with a disc, by distances; ``(height, width)`` uint8."""
    mask = _as_bytes(mask)
    return mask | (distance_inside(distance_to(mask) <= radius) > radius)


def distance_inside(mask: np.ndarray) -> np.ndarray:
    """Return how far each pixel of a mask lies from the nearest one outside, ``(height, width)`` float32."""
    return cv2.distanceTransform(_as_bytes(mask), cv2.DIST_L2, 5)


def distance_to(mask: np.ndarray) -> np.ndarray:
    """Return how far each pixel lies from the nearest one of a mask, ``(height, width)`` float32, 0 in it."""
    return cv2.distanceTransform(1 - _as_bytes(mask), cv2.DIST_L2, 5)


def convex_hull(mask: np.ndarray) -> np.ndarray:
    """Return the convex hull of the centres of a mask's pixels, ``(n, 2)`` float32; the mask must not be empty."""
    inside = mask > 0  # of each row its two ends alone can be corners
    rows = np.flatnonzero(inside.any(axis=1))
    first, last = inside[rows].argmax(axis=1), mask.shape[1] - 1 - inside[rows, ::-1].argmax(axis=1)
    ends = np.concatenate([np.stack([columns, rows], axis=1) for columns in (first, last)])
    return cv2.convexHull(ends.astype(np.int32))[:, 0].astype(np.float32) + np.float32(0.5)


def solidity(mask: np.ndarray) -> float:
    """Return how well a mask fills its :func:`convex_hull`: about 1, or a little more, where it has no dents."""
    return int(np.count_nonzero(mask)) / max(polygon_area(convex_hull(mask)), 1)


def local_maxima(depth: np.ndarray, side: int, above: float = 2) -> np.ndarray:
    """Find the deepest places of a map of distances.

    Args:
        depth: ``(height, width)`` float, smooth.
        side: of the square, in pixels, in which nothing else is deeper.
        above: depth that a place must exceed.

    Returns:
        ``(n, 2)`` float, columns and rows.
    """
    peaks = (depth >= cv2.dilate(depth, np.ones((side, side))) - 1e-6) & (depth > above)
    return cv2.connectedComponentsWithStats(_as_bytes(peaks))[3][1:]


def nearest_circle(middles: np.ndarray, radii: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """Return for each pixel the index of the circle whose border is nearest or in which it lies deepest.

    Args:
        middles: ``(n, 2)`` columns and rows, at least one.
        radii: ``(n,)``.
        shape: height and width.

    Returns:
        ``(height, width)`` int.
    """
    y, x = np.mgrid[: shape[0], : shape[1]]
    gaps = [np.hypot(x - column, y - row) - radius for (column, row), radius in zip(middles, radii, strict=True)]
    return np.argmin(gaps, axis=0)


def _as_bytes(mask: np.ndarray) -> np.ndarray:
    """Return a mask as OpenCV takes it: contiguous uint8, 0 and 1."""
    return np.ascontiguousarray(mask != 0, np.uint8)
