"""Chromatin, granules, cytoplasm and vacuoles of drawn cells, as maps of dye amounts."""

from collections.abc import Callable

import cv2
import numpy as np

from dataset_scripts.drawing.recipes import Chromatin, Granules, Range
from dataset_scripts.drawing.shapes import blob, fill

_SUBPIXEL_BITS = 4


def smooth_noise(shape: tuple[int, int], grain: float, rng: np.random.Generator) -> np.ndarray:
    """(H, W) float32 noise with mean 0 and deviation near 1 that varies over about `grain` pixels."""
    grain = max(grain, 1.0)
    rows, columns = int(shape[0] / grain) + 2, int(shape[1] / grain) + 2
    coarse = rng.standard_normal((rows, columns), dtype=np.float32)
    fine = cv2.resize(coarse, (int(columns * grain) + 1, int(rows * grain) + 1), interpolation=cv2.INTER_CUBIC)
    top, left = rng.integers(0, int(grain) + 1, 2)
    return fine[top : top + shape[0], left : left + shape[1]] * 1.3


def specks(
    shape: tuple[int, int], count: float, radius: float, rng: np.random.Generator, inside: np.ndarray
) -> np.ndarray:
    """Scatter soft specks at random, touching or not; for dust, stain and platelets.

    Args:
        shape: (H, W) of the result.
        count: Expected number of specks per square of 10 x 10 radii.
        radius: Speck radius in pixels.
        rng: Random generator.
        inside: (H, W) weights, 0 to 1, of where specks may lie.

    Returns:
        (H, W) float32, about 1 at the centre of a speck.
    """
    sigma = max(radius * 0.7, 0.45)
    chance = count / (100 * radius * radius) * inside
    hit = rng.random(shape, dtype=np.float32)
    points = np.where(hit < chance, 0.5 + hit / np.maximum(chance, 1e-6), 0).astype(np.float32)
    return cv2.GaussianBlur(points, (0, 0), sigma) * (2 * np.pi * sigma * sigma)


def granules(kind: Granules, rng: np.random.Generator, inside: np.ndarray, red_cell: float) -> np.ndarray:
    """Draw round granules that lie side by side, as bodies in a cell do.

    Args:
        kind: Size, number and look of the granules.
        rng: Random generator.
        inside: (H, W) chance, 0 to 1, that a place for a granule is taken.
        red_cell: Red cell diameter in pixels.

    Returns:
        (H, W) float32, 0 to 1: how strongly a granule stains there; refractile ones have a bright spot.
    """
    height, width = inside.shape
    radius = max(kind.radius * red_cell, 0.5)
    places = _scattered(height, width, 2 * radius / np.sqrt(rng.uniform(*kind.packing) + 1e-3), kind.disorder, rng)
    places = places[rng.random(len(places)) < inside[places[:, 1].astype(int), places[:, 0].astype(int)]]
    bodies, glints = np.zeros((2, height, width), np.uint8)
    unit = 1 << _SUBPIXEL_BITS
    for (x, y), size, strength in zip(
        (places * unit).astype(int),
        (radius * unit * rng.uniform(0.75, 1.25, len(places))).astype(int),
        rng.integers(150, 256, len(places)),
        strict=True,
    ):
        at, strength = (int(x), int(y)), int(strength)
        cv2.circle(bodies, at, int(size), strength, -1, cv2.LINE_AA, _SUBPIXEL_BITS)
        if kind.refractile:
            shift = int(size) // 4
            glint = (at[0] - shift, at[1] - shift)
            cv2.circle(glints, glint, int(size) // 2, strength, -1, cv2.LINE_AA, _SUBPIXEL_BITS)
    return (bodies - kind.refractile * glints).astype(np.float32) / 255


def chromatin(
    recipe: Chromatin, rng: np.random.Generator, nucleus: np.ndarray, contrast: float, red_cell: float
) -> tuple[np.ndarray, np.ndarray]:
    """Draw the inside of a nucleus: chromatin pattern, membrane, folds and nucleoli.

    Args:
        recipe: How the chromatin is drawn.
        rng: Random generator.
        nucleus: (H, W) float32 coverage, 0 to 1.
        contrast: Strength of the texture, 1 is average.
        red_cell: Red cell diameter in pixels.

    Returns:
        (H, W) units of chromatin dye, and (H, W) coverage of the nucleoli, 0 to 1.
    """
    amount, nucleoli = np.zeros_like(nucleus), np.zeros_like(nucleus)
    rows, columns = np.flatnonzero(nucleus.any(1)), np.flatnonzero(nucleus.any(0))
    if not len(rows):
        return amount, nucleoli
    box = slice(rows[0], rows[-1] + 1), slice(columns[0], columns[-1] + 1)
    inside = nucleus[box]
    texture = recipe.clumping * _PATTERNS[recipe.pattern](inside, recipe.clump * red_cell, rng)
    texture += 0.05 * smooth_noise(inside.shape, 0.03 * red_cell, rng)
    texture += 0.06 * smooth_noise(inside.shape, 0.22 * red_cell, rng)
    texture += 0.5 * np.clip(0.8 - cv2.GaussianBlur(inside, (0, 0), 0.03 * red_cell), 0, 0.3)  # the membrane
    for _ in range(rng.integers(0, recipe.folds + 1)):
        texture += _fold(inside, red_cell, rng)
    texture = 1 + contrast * texture
    for _ in range(rng.integers(recipe.nucleoli[0], recipe.nucleoli[1] + 1)):
        spot, rim = _nucleolus(inside, red_cell, rng)
        texture += 0.2 * rim - rng.uniform(0.36, 0.52) * spot
        nucleoli[box] = np.maximum(nucleoli[box], spot * inside)
    amount[box] = np.clip(texture, 0.15, 2) * rng.uniform(*recipe.amount) * inside
    return amount, nucleoli


def cytoplasm(
    hof: Range, rng: np.random.Generator, cover: np.ndarray, hof_at: np.ndarray, nucleus_radius: float, red_cell: float
) -> np.ndarray:
    """(H, W) dye factors around 1: mottled, darker at the rim, pale in the hof beside the nucleus at x, y `hof_at`."""
    amount = 1 + 0.08 * smooth_noise(cover.shape, 0.045 * red_cell, rng)
    amount += 0.12 * smooth_noise(cover.shape, 0.3 * red_cell, rng)
    inward = cv2.GaussianBlur(cover, (0, 0), 0.09 * red_cell)
    amount += 0.9 * np.clip(0.85 - inward, 0, 0.35)
    y = np.arange(cover.shape[0], dtype=np.float32)[:, None] - np.float32(hof_at[1])
    x = np.arange(cover.shape[1], dtype=np.float32)[None] - np.float32(hof_at[0])
    spread = np.float32(-0.5 / (0.5 * nucleus_radius) ** 2)
    return np.clip(amount * (1 - rng.uniform(*hof) * np.exp(spread * x * x) * np.exp(spread * y * y)), 0.05, 2)


def vacuoles(
    most: int, rng: np.random.Generator, cover: np.ndarray, nucleus: np.ndarray, red_cell: float
) -> np.ndarray:
    """(H, W) paleness, 0 to 1, of one to `most` round holes in the cytoplasm."""
    points = np.argwhere((cover > 0.95) & (nucleus < 0.1))
    if len(points) == 0:
        return np.zeros_like(cover)
    holes = []
    for _ in range(rng.integers(1, most + 1)):
        y, x = points[rng.integers(len(points))]
        holes.append(blob(rng, (float(x), float(y)), rng.uniform(0.03, 0.07) * red_cell, 0.03))
    return rng.uniform(0.55, 0.85) * fill(holes, *cover.shape, 0.012 * red_cell)


def _scattered(height: int, width: int, pitch: float, jitter: float, rng: np.random.Generator) -> np.ndarray:
    """(N, 2) x, y of a hexagonal grid of `pitch` pixels, each point moved by up to `jitter` pitches."""
    rows = np.arange(rng.uniform(0, pitch), height, pitch * 0.87)
    columns = np.arange(rng.uniform(0, pitch), width, pitch)
    x, y = np.meshgrid(columns, rows)
    x[1::2] += pitch / 2
    points = np.stack([x, y], -1).reshape(-1, 2)
    points += rng.uniform(-jitter, jitter, points.shape) * pitch
    return np.clip(points, 0, (width - 1, height - 1))


def _fine(inside: np.ndarray, grain: float, rng: np.random.Generator) -> np.ndarray:
    """Evenly stippled, open chromatin."""
    return 0.8 * smooth_noise(inside.shape, grain, rng) + 0.5 * smooth_noise(inside.shape, 2.5 * grain, rng)


def _lacy(inside: np.ndarray, grain: float, rng: np.random.Generator) -> np.ndarray:
    """Strands with pale meshes between them."""
    strands = 0.8 - np.abs(smooth_noise(inside.shape, 1.3 * grain, rng))
    return 0.9 * strands + 0.4 * smooth_noise(inside.shape, 3 * grain, rng)


def _clumped(inside: np.ndarray, size: float, rng: np.random.Generator) -> np.ndarray:
    """Clumps of about `size` pixels, many of them fused, with pale clefts here and there between them."""
    height, width = inside.shape
    size = max(size, 2.0)
    seeds = np.ones((height, width), np.uint8)
    places = _scattered(height, width, size, 0.6, rng).astype(int)
    seeds[places[:, 1], places[:, 0]] = 0
    nearest = cv2.distanceTransformWithLabels(seeds, cv2.DIST_L2, 3, labelType=cv2.DIST_LABEL_PIXEL)[1]
    borders = np.zeros((height, width), np.float32)  # of the Voronoi cells of the places
    borders[:-1] = nearest[1:] != nearest[:-1]
    borders[:, :-1] += nearest[:, 1:] != nearest[:, :-1]
    spread = max(0.19 * size, 0.6)
    clefts = cv2.GaussianBlur(np.minimum(borders, 1), (0, 0), spread) * 2.5 * spread
    clefts *= np.clip(0.25 + 0.5 * smooth_noise((height, width), 0.8 * size, rng), 0, 1.1)
    darkness = rng.uniform(-0.6, 0.9, nearest.max() + 1).astype(np.float32)[nearest]
    return 0.2 + 1.2 * cv2.GaussianBlur(darkness, (0, 0), 0.24 * size) - 1.4 * clefts


def _clock_face(inside: np.ndarray, size: float, rng: np.random.Generator) -> np.ndarray:
    """Blocks along the border of a round nucleus and one or two in the middle, like the figures of a clock."""
    rows, columns = np.nonzero(inside > 0.5)
    if not len(rows):
        return np.zeros_like(inside)
    x, y, radius = columns.mean(), rows.mean(), np.sqrt(len(rows) / np.pi)
    number = int(rng.integers(6, 9))
    angles = np.linspace(0, 2 * np.pi, number, endpoint=False) + rng.normal(0, 0.17, number) + rng.uniform(0, 6.3)
    reach = radius * rng.uniform(0.74, 0.92, number)
    blocks = [
        blob(rng, (x + r * np.cos(a), y + r * np.sin(a)), radius * rng.uniform(0.18, 0.34), 0.16, rng.uniform(1, 1.4))
        for a, r in zip(angles, reach, strict=True)
    ]
    for _ in range(rng.integers(1, 3)):
        at = (x + radius * rng.normal(0, 0.2), y + radius * rng.normal(0, 0.2))
        blocks.append(blob(rng, at, radius * rng.uniform(0.14, 0.25), 0.16, rng.uniform(1, 1.6)))
    return 1.5 * fill(blocks, *inside.shape, 0.3 * size) - 0.75 + 0.4 * _clumped(inside, size, rng)


_PATTERNS: dict[str, Callable[[np.ndarray, float, np.random.Generator], np.ndarray]] = {
    "fine": _fine,
    "lacy": _lacy,
    "clumped": _clumped,
    "clock-face": _clock_face,
}


def _fold(inside: np.ndarray, red_cell: float, rng: np.random.Generator) -> np.ndarray:
    """Draw a crease from the border inwards: a pale line beside a dark one."""
    height, width = inside.shape
    start, turn = rng.uniform(0, 2 * np.pi), rng.normal(0, 0.5)
    t = np.linspace(0.95, rng.uniform(-0.3, 0.3), 12)
    angle = start + turn * (1 - t)
    line = np.stack([width / 2 * (1 + t * np.cos(angle)), height / 2 * (1 + t * np.sin(angle))], 1)
    canvas = np.zeros((height, width), np.uint8)
    points = [np.round(line * (1 << _SUBPIXEL_BITS)).astype(np.int32)]
    cv2.polylines(canvas, points, False, 255, max(1, round(0.035 * red_cell)), cv2.LINE_AA, _SUBPIXEL_BITS)
    crease = cv2.GaussianBlur(canvas.astype(np.float32) / 255, (0, 0), max(0.015 * red_cell, 0.4))
    return 0.22 * np.roll(crease, max(1, round(0.04 * red_cell)), (0, 1)) - 0.3 * crease


def _nucleolus(inside: np.ndarray, red_cell: float, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """(H, W) coverage of a nucleolus away from the border, and of the chromatin condensed around it."""
    deep = cv2.GaussianBlur(inside, (0, 0), 0.12 * red_cell)
    points = np.argwhere(deep > 0.85 * deep.max())
    y, x = points[rng.integers(len(points))]
    body = blob(rng, (float(x), float(y)), rng.uniform(0.1, 0.155) * red_cell, 0.08, rng.uniform(1, 1.35))
    spot = fill([body], *inside.shape, 0.02 * red_cell)
    return spot, np.clip(cv2.GaussianBlur(spot, (0, 0), 0.05 * red_cell) * 2 - 1.6 * spot, 0, 1)
