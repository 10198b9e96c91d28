"""Finding the cell in the middle of a single-cell image by its nucleus, with OpenCV alone.

The nucleus is what stains darkest in red and green; nuclei that touch are told apart on the distance
transform; GrabCut then grows the cell from its nucleus, with a soft prior that the cell lies in the middle.
"""

from __future__ import annotations

import cv2
import numpy as np

from marrow.analysis import Box

WORK_SIZE = 128  # all lengths below are in pixels of an image scaled to this longest side
DENSITY_RANGE = 0.5  # optical density seen by GrabCut; clipping it lets pale cytoplasm stand out
CENTRE = 0.2 * WORK_SIZE  # nuclei nearer to the middle belong to the centre cell
FAR = 0.24 * WORK_SIZE  # nuclei farther away do not


def find_centre_cell(image: np.ndarray) -> Box:
    """Give the box of the cell in the middle of a single-cell image.

    Args:
        image: ``(height, width, 3)`` uint8 RGB, with one cell near its middle.

    Returns:
        ``(x0, y0, x1, y1)`` in pixels; the middle half of the image when nothing there looks like a nucleus.
    """
    mask = centre_cell_mask(image)
    height, width = image.shape[:2]
    if mask is None:
        return width / 4, height / 4, width * 3 / 4, height * 3 / 4
    x, y, w, h = cv2.boundingRect(mask.astype(np.uint8))
    return float(x), float(y), float(x + w), float(y + h)


def centre_cell_mask(image: np.ndarray) -> np.ndarray | None:
    """Outline the cell in the middle of a single-cell image, nucleus and cytoplasm.

    Args:
        image: ``(height, width, 3)`` uint8 RGB, with one cell near its middle.

    Returns:
        ``(height, width)`` bool, one connected region; ``None`` when no nucleus was found.
    """
    height, width = image.shape[:2]
    scale = WORK_SIZE / max(height, width)
    small_size = max(1, round(width * scale)), max(1, round(height * scale))
    density = optical_density(cv2.resize(image, small_size, interpolation=cv2.INTER_AREA))
    nucleus, others = _centre_nucleus(nuclear_mask(density))
    if not nucleus.any():
        return None
    mask = _grow(density, nucleus, others)
    return cv2.resize(mask * 255, (width, height), interpolation=cv2.INTER_LINEAR) > 127


def optical_density(image: np.ndarray) -> np.ndarray:
    """Give ``-ln(I / I0)`` per channel, ``(h, w, 3)`` float32; ``I0`` is the median of the brightest 15 %."""
    values = image.astype(np.float32) + 4
    brightness = values.sum(axis=2)
    ground = np.median(values[brightness >= np.percentile(brightness, 85)], axis=0)
    return -np.log(values / ground)


def nuclear_mask(density: np.ndarray) -> np.ndarray:
    """Mark nuclei, which absorb red and green much more than blue, in an optical density image.

    Args:
        density: ``(h, w, 3)`` from :func:`optical_density`.

    Returns:
        ``(h, w)`` uint8, 1 inside nuclei. Otsu's threshold is taken twice: stain against ground, then nucleus
        against cytoplasm.
    """
    density = density.clip(0, None)
    purple = density[..., 0] + density[..., 1] - 0.9 * density[..., 2]
    purple = (cv2.GaussianBlur(purple, (0, 0), 1).clip(0, 2.5) * 100).astype(np.uint8)
    stained, _ = cv2.threshold(purple, 0, 255, cv2.THRESH_OTSU)
    inside = purple[purple > 0.6 * stained]
    if inside.size == 0:
        return np.zeros_like(purple)
    threshold, _ = cv2.threshold(inside[:, None], 0, 255, cv2.THRESH_OTSU)
    mask = (purple > threshold).astype(np.uint8)
    mask = cv2.morphologyEx(mask, cv2.MORPH_OPEN, _disc(3))
    return cv2.morphologyEx(mask, cv2.MORPH_CLOSE, _disc(7))


def _centre_nucleus(nuclei: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Split a nuclear mask into the centre cell's nucleus (with its lobes) and those of other cells."""
    depth = cv2.distanceTransform(nuclei, cv2.DIST_L2, 5)
    smooth = cv2.GaussianBlur(depth, (0, 0), 2)
    peaks = (smooth >= cv2.dilate(smooth, np.ones((13, 13))) - 1e-6) & (smooth > 2)
    points = cv2.connectedComponentsWithStats(peaks.astype(np.uint8))[3][1:]
    if len(points) == 0:
        return np.zeros_like(nuclei), np.zeros_like(nuclei)
    height, width = nuclei.shape
    rows, columns = np.mgrid[:height, :width]
    radii = depth[tuple(points.round().astype(int).T[::-1])]
    distances = np.hypot(points[:, 0] - width / 2, points[:, 1] - height / 2)
    owner = np.argmin([np.hypot(columns - x, rows - y) - r for (x, y), r in zip(points, radii, strict=True)], axis=0)
    mine = _joined(int((distances - radii / 2).argmin()), points, radii, depth)
    mine |= set(np.flatnonzero(distances < CENTRE).tolist())
    far = set(np.flatnonzero(distances - 0.3 * radii > FAR).tolist()) - mine
    away = np.hypot(columns - width / 2, rows - height / 2) > 0.15 * WORK_SIZE
    nucleus = nuclei * np.isin(owner, list(mine))
    return nucleus.astype(np.uint8), (nuclei * np.isin(owner, list(far)) * away).astype(np.uint8)


def _joined(start: int, points: np.ndarray, radii: np.ndarray, depth: np.ndarray) -> set[int]:
    """Peaks that are reached from ``start`` without passing a neck, as two touching nuclei have."""
    joined, to_visit = {start}, [start]
    while to_visit:
        here = to_visit.pop()
        for other in set(range(len(points))) - joined:
            line = np.linspace(points[here], points[other], 24).round().astype(int)
            if depth[line[:, 1], line[:, 0]].min() >= 0.55 * min(radii[here], radii[other]):
                joined.add(other)
                to_visit.append(other)
    return joined


def _grow(density: np.ndarray, nucleus: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Grow the cell from its nucleus by GrabCut; ``(h, w)`` uint8, 1 inside."""
    radius = max(float(np.sqrt(nucleus.sum() / np.pi)), 6)
    reach = float(np.clip(0.9 * radius, 11, 24))
    # an eccentric nucleus points to cytoplasm on the other side of the middle
    distance = np.minimum(_distance_to_hull(nucleus), _distance_to_hull(nucleus | nucleus[::-1, ::-1]))
    plain = cv2.GaussianBlur(density.clip(0, None).sum(axis=2), (0, 0), 1.5) < 0.12
    labels = np.full(nucleus.shape, cv2.GC_BGD, np.uint8)
    labels[distance < reach] = cv2.GC_PR_BGD
    labels[(distance < 0.4 * reach) & ~plain] = cv2.GC_PR_FGD
    labels[others > 0] = cv2.GC_BGD
    labels[nucleus > 0] = cv2.GC_FGD
    visible = cv2.GaussianBlur(density.clip(0, None), (0, 0), 0.7).clip(0, DENSITY_RANGE)
    visible = (visible * (255 / DENSITY_RANGE)).astype(np.uint8)
    cv2.setRNGSeed(0)
    if (labels == cv2.GC_BGD).any() and (labels != cv2.GC_FGD).any():
        cv2.grabCut(visible, labels, None, np.zeros((1, 65)), np.zeros((1, 65)), 4, cv2.GC_INIT_WITH_MASK)
    mask = np.isin(labels, (cv2.GC_FGD, cv2.GC_PR_FGD)).astype(np.uint8)
    width = int(0.3 * np.sqrt(mask.sum() / np.pi)) * 2 + 1  # cuts leaks into neighbouring red cells
    mask = cv2.morphologyEx(mask, cv2.MORPH_OPEN, _disc(max(width, 5))) | nucleus
    return _largest_filled(cv2.morphologyEx(mask, cv2.MORPH_CLOSE, _disc(5)), nucleus)


def _distance_to_hull(mask: np.ndarray) -> np.ndarray:
    hull = np.ones_like(mask)
    cv2.fillConvexPoly(hull, cv2.convexHull(cv2.findNonZero(np.ascontiguousarray(mask))), 0)
    return cv2.distanceTransform(hull, cv2.DIST_L2, 5)


def _largest_filled(mask: np.ndarray, core: np.ndarray) -> np.ndarray:
    """Keep the region with most of ``core`` in it, without holes."""
    _, regions = cv2.connectedComponents(mask)
    shares = np.bincount(regions[core > 0])
    shares[0] = 0
    region = (regions == shares.argmax()).astype(np.uint8)
    contours, _ = cv2.findContours(region, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    return cv2.drawContours(region, contours, -1, 1, cv2.FILLED)


def _disc(width: int) -> np.ndarray:
    return cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (width, width))
