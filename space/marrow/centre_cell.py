"""Finding the cell in the middle of a single-cell image by its nucleus, with OpenCV alone.

The nucleus is what stains darkest in red and green; nuclei that touch are told apart on the distance transform.
:mod:`marrow.star_outline` grows the cell from its nucleus and decides which lobes are one cell's.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from marrow.cell import Box
from marrow.geometry import distance_inside, local_maxima, mask_box, nearest_circle
from marrow.stain import nuclear_mask, optical_density
from marrow.star_outline import Colours, Outline, colour_features, grow

WORK_SIZE = 128  # all lengths below are in pixels of an image scaled to this longest side
NECK = 0.55  # of the smaller radius; two lobes with less between them are parted
FAR = 5.0  # radii of the smaller lobe; two lobes with more room between them are of two cells
MOST_TRIES = 5
JOIN_MARGIN = 1.05


def find_centre_cell(image: np.ndarray) -> Box:
    """Return the box of the cell in the middle of a single-cell image.

    Args:
        image: ``(height, width, 3)`` uint8 RGB, with one cell near its middle.

    Returns:
        ``(x0, y0, x1, y1)`` in pixels; the middle half of the image when nothing there looks like a nucleus.
    """
    mask = centre_cell_mask(image)
    height, width = image.shape[:2]
    if mask is None:
        return width / 4, height / 4, width * 3 / 4, height * 3 / 4
    return mask_box(mask)


def centre_cell_mask(image: np.ndarray) -> np.ndarray | None:
    """Outline the cell in the middle of a single-cell image, nucleus and cytoplasm.

    Args:
        image: ``(height, width, 3)`` uint8 RGB, with one cell near its middle.

    Returns:
        ``(height, width)`` bool, one connected region; ``None`` when no nucleus was found.
    """
    density = _small_density(image)
    lobes = _lobes(nuclear_mask(density))
    if len(lobes.points) == 0:
        return None
    outline, _ = _grow_cell(colour_features(density), lobes, _most_central(lobes), set())
    return _enlarged(outline.mask, image)


def outline_cells(image: np.ndarray) -> list[np.ndarray]:
    """Outline every nucleated cell in a single-cell image.

    Args:
        image: ``(height, width, 3)`` uint8 RGB, with one cell near its middle.

    Returns:
        ``(height, width)`` bool for each cell, without overlaps: first the centre cell, as
        :func:`centre_cell_mask` gives it, then its neighbours, the largest nucleus first. Empty when no nucleus was
        found. What stains like a nucleus but is too small to be one counts as a cell too.
    """
    density = _small_density(image)
    lobes = _lobes(nuclear_mask(density))
    colours = colour_features(density)
    free = np.ones(image.shape[:2], bool)
    masks: list[np.ndarray] = []
    taken: set[int] = set()
    while len(taken) < len(lobes.radii):
        left = [i for i in np.argsort(-lobes.radii).tolist() if i not in taken]
        outline, members = _grow_cell(colours, lobes, left[0] if masks else _most_central(lobes), taken)
        mask = _enlarged(outline.mask, image) & free
        masks.append(mask)
        free &= ~mask
        taken |= members
    return masks


def _small_density(image: np.ndarray) -> np.ndarray:
    """Optical density of the image scaled to ``WORK_SIZE``."""
    height, width = image.shape[:2]
    scale = WORK_SIZE / max(height, width)
    size = max(1, round(width * scale)), max(1, round(height * scale))
    return optical_density(cv2.resize(image, size, interpolation=cv2.INTER_AREA))


def _enlarged(mask: np.ndarray, image: np.ndarray) -> np.ndarray:
    """Bring a mask of the scaled image to the size of the image; bool."""
    return cv2.resize(mask * 255, image.shape[1::-1], interpolation=cv2.INTER_LINEAR) > 127


def _most_central(lobes: Lobes) -> int:
    height, width = lobes.parts.shape
    return int((np.hypot(*(lobes.points - (width / 2, height / 2)).T) - lobes.radii / 2).argmin())


@dataclass(frozen=True)
class Lobes:
    """The nuclei of an image in round parts, told apart on the distance transform.

    Attributes:
        parts: ``(h, w)`` int, 0 outside nuclei, ``i + 1`` in part ``i``.
        points: ``(n, 2)`` x and y of their middles.
        radii: ``(n,)`` of the largest circle in each.
        gaps: ``(n, n)`` room between two, in radii of the smaller.
        joined: ``(n, n)`` bool, whether one reaches the other without passing a neck, as two touching nuclei have.
    """

    parts: np.ndarray
    points: np.ndarray
    radii: np.ndarray
    gaps: np.ndarray
    joined: np.ndarray


def _lobes(nuclei: np.ndarray) -> Lobes:
    depth = distance_inside(nuclei)
    points = local_maxima(cv2.GaussianBlur(depth, (0, 0), 2), 13)
    radii = depth[tuple(points.round().astype(int).T[::-1])]
    smaller = np.minimum(radii[:, None], radii)
    gaps = (np.hypot(*(points[:, None] - points).T) - radii[:, None] - radii) / smaller
    lines = np.linspace(points[:, None], points[None], 24).round().astype(int)
    joined = depth[lines[..., 1], lines[..., 0]].min(axis=0) >= NECK * smaller
    for middle in range(len(points)):
        joined |= joined[:, [middle]] & joined[middle]
    parts = nearest_circle(points, radii, nuclei.shape) + 1 if len(points) else 0
    return Lobes(parts * nuclei, points, radii, gaps, joined)


def _grow_cell(colours: Colours, lobes: Lobes, start: int, taken: set[int]) -> tuple[Outline, set[int]]:
    """Grow the cell that lobe ``start`` belongs to; return it and its lobes.

    A lobe near by that no neck parts from the cell is the cell's; any other is where its outline, drawn around both,
    looks more like a cell than without it, as with the lobes of a granulocyte. Of three lobes two may look worse than
    one, and all of them better, so that the nearest are added one after the other, whatever each of them brings.
    """

    def outline(members: set[int], rounds: int = 1) -> Outline:
        mine = np.isin(lobes.parts, [i + 1 for i in members]).astype(np.uint8)
        return grow(colours, mine, ((lobes.parts > 0) & (mine == 0)).astype(np.uint8), rounds)

    members = set(lobes.joined[start].nonzero()[0].tolist()) - taken
    best = outline(members)
    gaps = lobes.gaps[list(members)].min(axis=0)
    near = [i for i in np.argsort(gaps, kind="stable").tolist() if i not in members | taken and gaps[i] < FAR]
    tried = members
    for other in near[:MOST_TRIES]:
        if other in tried:
            continue
        tried = tried | set(lobes.joined[other].nonzero()[0].tolist()) - taken
        joined = outline(tried)
        if joined.score > best.score * JOIN_MARGIN:
            members, best = tried, joined
    return outline(members, rounds=3), members
