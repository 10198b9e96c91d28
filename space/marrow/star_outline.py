"""Growing a cell from its nucleus as a star-shaped outline: one radius in every direction, seen from the middle.

The radii are chosen together, by dynamic programming, where the colours change from those of this cell to those
around it. A smooth closed outline cannot leak through a small gap, which keeps pale cytoplasm from running into a
red cell or a neighbour.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np

from marrow.geometry import convex_hull, distance_to, fill, fill_holes, largest_region, polygon_mask, solidity

BINS = 16  # of each channel in a colour histogram
DENSITY_RANGE = 0.6  # optical density that colours are compared up to, so that pale cytoplasm stands out
PLAIN = 0.12  # total optical density below which there is nothing but smear
DIRECTIONS = 48
STEEPEST = 2  # pixels that the outline may move in or out from one direction to the next
ROUNDS = 3
OUTWARDS = 0.9  # pixels; colours fall off steepest a little inside the edge that people draw
SMALL_CELL = 0.16  # radius as a share of the image side; what is smaller is rather a lobe than a cell
REGION_WEIGHT, EDGE_WEIGHT, EDGE_HALF, BEND_COST = 0.35, 2.0, 0.05, 0.04


@dataclass(frozen=True)
class Colours:
    """What the outline follows, computed once for an image.

    Attributes:
        bins: ``(h, w)`` int, the colour of each pixel as a number of a histogram bin.
        plain: ``(h, w)`` bool, empty smear.
        red_cells: ``(h, w)`` bool, haemoglobin, which absorbs blue about as much as green.
        slopes: ``(h, w, 6)`` float32, change of the three densities by x, then by y.
    """

    bins: np.ndarray
    plain: np.ndarray
    red_cells: np.ndarray
    slopes: np.ndarray


@dataclass(frozen=True)
class Outline:
    """A grown cell: its mask, ``(h, w)`` uint8, and how much it looks like one, 0 to 1."""

    mask: np.ndarray
    score: float


def colour_features(density: np.ndarray) -> Colours:
    """Prepare an optical density image, ``(h, w, 3)`` float32 RGB, for :func:`grow`."""
    density = density.clip(0, None)
    fine = cv2.GaussianBlur(density, (0, 0), 0.7)
    levels = (np.sqrt(fine.clip(0, 0.999 * DENSITY_RANGE) / DENSITY_RANGE) * BINS).astype(np.int32)
    smooth = cv2.GaussianBlur(density, (0, 0), 1.5)
    plain = smooth.sum(axis=2) < PLAIN
    red_cells = ~plain & (smooth[..., 2] > 0.62 * smooth[..., 1]) & (smooth[..., 1] < 0.45)
    visible = cv2.GaussianBlur(density.clip(0, 2 * DENSITY_RANGE), (0, 0), 1)
    slopes = np.dstack([cv2.Sobel(visible, cv2.CV_32F, *order, ksize=3) / 8 for order in ((1, 0), (0, 1))])
    return Colours((levels[..., 0] * BINS + levels[..., 1]) * BINS + levels[..., 2], plain, red_cells, slopes)


def grow(colours: Colours, nucleus: np.ndarray, others: np.ndarray, rounds: int = ROUNDS) -> Outline:
    """Grow a cell from its nucleus.

    Args:
        colours: the image.
        nucleus: ``(h, w)`` uint8, 1 in the nucleus, with all its lobes.
        others: ``(h, w)`` uint8, 1 in the nuclei of other cells.
        rounds: how often the colours of cell and surroundings are taken anew from the outline of the round before;
            in the first they are those near to and far from the nucleus.

    Returns:
        The cell, nucleus and cytoplasm, as one region without holes.
    """
    radius = max(float(np.sqrt(nucleus.sum() / np.pi)), 6)
    reach = float(np.clip(0.9 * radius, 11, 30))
    distance = distance_to_hull(nucleus)
    others = cv2.dilate(others, np.ones((3, 3), np.uint8)) * (1 - nucleus)
    known, mask = others == 0, nucleus
    inside = (distance < 0.3 * reach) & ~colours.plain
    outside = (distance > reach) | colours.plain
    for _ in range(rounds):
        evidence = _evidence(colours.bins, inside & known & ~colours.red_cells, (outside | colours.red_cells) & known)
        evidence[nucleus > 0] = 2
        evidence[(others > 0) | (distance > 1.5 * reach)] = -2
        outline = _star(evidence, colours, mask, nucleus)
        mask = outline.mask
        inside, outside = mask > 0, (mask == 0) & (distance < 2.5 * reach)
    return outline


def distance_to_hull(mask: np.ndarray) -> np.ndarray:
    """Return the distance of every pixel to the convex hull of a mask, 0 inside it."""
    return distance_to(polygon_mask(convex_hull(mask), mask.shape))


def _evidence(bins: np.ndarray, inside: np.ndarray, outside: np.ndarray) -> np.ndarray:
    """Log ratio of each pixel's colour in the cell to that around it, -2 to 2, from smoothed histograms."""
    shares = []
    for part in (inside, outside):
        counts: np.ndarray = np.bincount(bins[part], minlength=BINS**3).reshape(BINS, BINS, BINS).astype(np.float32)
        for _ in range(3):  # each axis in turn
            padded = np.pad(counts, ((1, 1), (0, 0), (0, 0)), mode="edge")
            counts = np.moveaxis((padded[:-2] + 2 * padded[1:-1] + padded[2:]) / 4, 0, 2)
        shares.append(counts.ravel() / max(counts.sum(), 1) + 1e-3)
    return np.log(shares[0] / shares[1]).clip(-2, 2)[bins].astype(np.float32)


def _star(evidence: np.ndarray, colours: Colours, start: np.ndarray, nucleus: np.ndarray) -> Outline:
    """Find the best closed outline around the middle of ``start`` that holds the nucleus."""
    moments = cv2.moments(convex_hull(start))
    if moments["m00"] <= 0:
        return Outline(nucleus, 0.0)
    middle = np.array([moments["m10"], moments["m01"]]) / moments["m00"]
    angles = np.arange(DIRECTIONS) * (2 * np.pi / DIRECTIONS)
    ways = np.stack([np.cos(angles), np.sin(angles)], axis=1)
    radii = np.arange(1, 0.75 * max(nucleus.shape))
    no_second_map: Any = None  # the first holds x and y
    rays = (middle + ways[:, None] * radii[:, None] - 0.5).astype(np.float32)  # OpenCV counts from centres of pixels

    def along(values: np.ndarray) -> np.ndarray:
        return cv2.remap(values, rays, no_second_map, cv2.INTER_LINEAR, borderMode=cv2.BORDER_CONSTANT)

    slopes = colours.slopes
    fall = -np.concatenate([along(slopes[..., :3]), along(slopes[..., 3:])], axis=2)
    fall = fall[..., :3] * ways[:, None, :1] + fall[..., 3:] * ways[:, None, 1:]
    strength = np.linalg.norm(fall.clip(0, None), axis=2) - 0.5 * np.linalg.norm(fall.clip(None, 0), axis=2)
    edge = strength / (np.abs(strength) + EDGE_HALF)
    score = np.cumsum(along(evidence) * (radii / 40), axis=1) * REGION_WEIGHT + EDGE_WEIGHT * edge
    mine = along(nucleus.astype(np.float32)) > 0.5
    least = np.where(mine.any(axis=1), radii.size - mine[:, ::-1].argmax(axis=1), 1)
    score[radii < least[:, None]] -= 30
    path = _best_path(score)
    points = middle + ways * (radii[path][:, None] + OUTWARDS)
    mask = fill_holes(largest_region(fill(nucleus.copy(), points), nucleus))
    beyond = np.floor(middle + ways * (radii[path] + 4)[:, None]).astype(int)
    beyond = beyond.clip(0, np.array(nucleus.shape[::-1]) - 1)
    bare = (colours.plain | colours.red_cells)[beyond[:, 1], beyond[:, 0]].mean()
    return Outline(mask, _cell_likeness(mask, edge[np.arange(DIRECTIONS), path], points) * (1 + bare) / 2)


def _cell_likeness(mask: np.ndarray, edge: np.ndarray, points: np.ndarray) -> float:
    """A cell's outline is sharp, convex, round and not too small: the product of the four, 0 to 1."""
    height, width = mask.shape
    within = ((points > 1.5) & (points < (width - 1.5, height - 1.5))).all(axis=1)
    (_, sides, _) = cv2.minAreaRect(convex_hull(mask))
    sharp = float(edge[within].clip(0, None).mean()) if within.any() else 0.0
    size = min(1.0, float(np.sqrt(mask.sum() / np.pi)) / (SMALL_CELL * max(mask.shape)))
    return sharp * min(solidity(mask), 1) ** 2 * (min(sides) + 1) / (max(sides) + 1) * size


def _best_path(score: np.ndarray) -> np.ndarray:
    """Find the closed path of highest score, one column for each row; ``(rows,)`` int.

    The rows are walked twice and the middle of the walk is kept, so that both ends meet.
    """
    rows, columns = score.shape
    moves = np.arange(-STEEPEST, STEEPEST + 1)
    padded = np.full(columns + 2 * STEEPEST, -np.inf)
    total = padded[STEEPEST:-STEEPEST]
    total[:] = 0
    reachable = np.lib.stride_tricks.sliding_window_view(padded, moves.size)
    cost, here = BEND_COST * moves**2, np.arange(columns)
    back = np.empty((2 * rows, columns), np.int64)
    for step in range(2 * rows):
        reached = reachable - cost
        best = reached.argmax(axis=1)
        back[step] = here + moves[best]
        total[:] = reached[here, best] + score[step % rows]
    path = np.empty(2 * rows, np.int64)
    path[-1] = total.argmax()
    for step in range(2 * rows - 1, 0, -1):
        path[step - 1] = back[step, path[step]]
    return np.roll(path[rows // 2 : rows // 2 + rows], rows // 2)
