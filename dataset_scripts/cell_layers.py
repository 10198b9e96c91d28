"""Draws one cell as optical density with its masks."""

from dataclasses import dataclass

import cv2
import numpy as np

from dataset_scripts.cell_recipes import RECIPES, Range, Recipe
from dataset_scripts.cell_shapes import blob, fill, grains, smooth_noise
from dataset_scripts.stains import Stain, add_dye

ARTEFACT = "ART"
_ARTEFACT_DIAMETER = (0.4, 1.2)
_BLOOD_SPREAD = 1.18  # cells lie flatter, so wider against red cells, in thin blood smears
_PATCH = 1.6  # side of the patch in cell diameters


@dataclass(frozen=True)
class CellLayers:
    """One drawn cell before it becomes a picture.

    Attributes:
        density: (H, W, 3) float32 optical density of the cell alone.
        cover: (H, W) float32, how much of what lies below is hidden, 0 to 1, with soft edges.
        mask: (H, W) bool, the whole cell, one connected piece.
        nucleus: (H, W) bool, inside the mask; empty for artefacts.
        red_cell: Red cell diameter at this magnification, in pixels.
    """

    density: np.ndarray
    cover: np.ndarray
    mask: np.ndarray
    nucleus: np.ndarray
    red_cell: float


def relative_diameter(code: str, rng: np.random.Generator, stain: Stain) -> float:
    """Draw the diameter of a cell of this class in red cell diameters."""
    low, high = _ARTEFACT_DIAMETER if code == ARTEFACT else RECIPES[code].diameter
    return rng.triangular(low, (low + high) / 2, high) * (_BLOOD_SPREAD if stain.look == "blood" else 1.0)


def draw_layers(code: str, rng: np.random.Generator, stain: Stain, diameter: float, red_cell: float) -> CellLayers:
    """Draw one cell in the middle of a patch of its own.

    Args:
        code: Class code.
        rng: Random generator.
        stain: Stain of the image.
        diameter: Cell diameter in pixels.
        red_cell: Red cell diameter in pixels, the measure of textures.

    Returns:
        The layers, on a square patch.
    """
    side = int(diameter * _PATCH) + 12
    if code == ARTEFACT:
        density, cover = _draw_artefact(rng, stain, side, diameter, red_cell)
        nucleus = np.zeros_like(cover)
    else:
        density, cover, nucleus = _draw_nucleated(RECIPES[code], rng, stain, side, diameter, red_cell)
    mask = _largest_piece(cover > 0.5)
    return CellLayers(density, cover, mask, (nucleus > 0.5) & mask, red_cell)


def _draw_nucleated(
    recipe: Recipe, rng: np.random.Generator, stain: Stain, side: int, diameter: float, red_cell: float
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Density, cover and soft nucleus of a nucleated cell."""
    middle, radius = side / 2, diameter / 2
    outline = blob(
        rng,
        (middle, middle),
        radius,
        recipe.roughness * rng.uniform(0.7, 2.2),
        _between(rng, recipe.elongation),
        0.01 + recipe.fringe * rng.uniform(0, 1.5) * (rng.random() < 0.5),
    )
    edge = 0.012 * red_cell
    cover = fill([outline], side, side, edge)
    nucleus_radius = float(radius * np.sqrt(_between(rng, recipe.nucleus_share)))
    shift = (radius - nucleus_radius) * _between(rng, recipe.eccentric) * 0.9
    heading = rng.uniform(0, 2 * np.pi)
    away = np.array([np.cos(heading), np.sin(heading)])
    centre = middle + shift * away
    inner = [middle + (outline - middle) * 0.96]
    nucleus = fill(recipe.nucleus(rng, tuple(centre), nucleus_radius), side, side, edge * rng.uniform(0.8, 1.8))
    nucleus *= fill(inner, side, side, edge)

    hof_at = centre - away * nucleus_radius * 0.95
    cytoplasm = _cytoplasm(recipe, rng, cover, hof_at, nucleus_radius, red_cell)
    free = cover * (1 - 0.85 * nucleus)
    density = np.zeros((side, side, 3), np.float32)
    add_dye(density, cytoplasm * _between(rng, recipe.basophil) * free, stain.basophil)
    add_dye(density, (0.4 + 0.6 * cytoplasm) * _between(rng, recipe.neutral) * free, stain.neutral)
    add_dye(density, _chromatin(recipe, rng, nucleus, stain.contrast, red_cell), stain.chromatin)
    for kind in recipe.granules:
        patches = np.clip(1.1 + 0.5 * smooth_noise(cover.shape, 0.35 * red_cell, rng), 0.1, 1.4)
        inside = cover * (1 - (1 - kind.over_nucleus) * nucleus) * np.clip(0.2 + cytoplasm, 0, 1) * patches
        count = _between(rng, kind.count) / 2
        small, large = 0.8 * kind.radius * red_cell, 1.3 * kind.radius * red_cell
        dots = grains(cover.shape, count, small, rng, inside) + grains(cover.shape, count, large, rng, inside)
        add_dye(density, np.minimum(dots, 3) * _between(rng, kind.amount), getattr(stain, kind.dye))
    density *= (1 - _vacuoles(recipe, rng, cover, nucleus, red_cell))[..., None]
    return density, cover, nucleus


def _cytoplasm(
    recipe: Recipe,
    rng: np.random.Generator,
    cover: np.ndarray,
    hof_at: np.ndarray,
    nucleus_radius: float,
    red_cell: float,
) -> np.ndarray:
    """(H, W) factors around 1: mottled, darker at the rim, pale in the hof."""
    amount = 1 + 0.15 * smooth_noise(cover.shape, 0.04 * red_cell, rng)
    amount += 0.12 * smooth_noise(cover.shape, 0.3 * red_cell, rng)
    inward = cv2.GaussianBlur(cover, (0, 0), 0.09 * red_cell)
    amount += 0.9 * np.clip(0.85 - inward, 0, 0.35)
    y, x = np.mgrid[: cover.shape[0], : cover.shape[1]].astype(np.float32)
    hof_x, hof_y = map(float, hof_at)
    distance = ((x - hof_x) ** 2 + (y - hof_y) ** 2) / (2 * (0.5 * nucleus_radius) ** 2)
    return np.clip(amount * (1 - _between(rng, recipe.hof) * np.exp(-distance)), 0.05, 2)


def _chromatin(
    recipe: Recipe, rng: np.random.Generator, nucleus: np.ndarray, contrast: float, red_cell: float
) -> np.ndarray:
    """(H, W) dye units: clumps, fine grain, a membrane, pale clefts and nucleoli."""
    clump = recipe.clump * red_cell
    clumps = smooth_noise(nucleus.shape, clump, rng)
    fine = smooth_noise(nucleus.shape, 0.03 * red_cell, rng)
    texture = 1 + contrast * (recipe.clumping * np.tanh(clumps) + 0.07 * fine)
    texture += 0.06 * contrast * smooth_noise(nucleus.shape, 0.22 * red_cell, rng)
    membrane = np.clip(0.8 - cv2.GaussianBlur(nucleus, (0, 0), 0.035 * red_cell), 0, 0.3)
    texture += 0.4 * membrane * contrast
    gaps = smooth_noise(nucleus.shape, 0.042 * red_cell, rng)
    texture -= 0.45 * contrast * np.clip(gaps - (1.7 - 6 * recipe.clefts), 0, 0.9)
    points = np.argwhere(nucleus > 0.95)
    for _ in range(rng.integers(0, recipe.nucleoli + 1) if len(points) else 0):
        y, x = points[rng.integers(len(points))]
        spot = fill([blob(rng, (float(x), float(y)), 0.11 * red_cell, 0.1)], *nucleus.shape, 0.035 * red_cell)
        texture -= rng.uniform(0.08, 0.22) * spot
    return np.clip(texture, 0.15, 2) * _between(rng, recipe.chromatin) * nucleus


def _vacuoles(
    recipe: Recipe, rng: np.random.Generator, cover: np.ndarray, nucleus: np.ndarray, red_cell: float
) -> np.ndarray:
    """(H, W) paleness, 0 to 1, of round holes; two in three cells have none."""
    points = np.argwhere((cover > 0.95) & (nucleus < 0.1))
    if recipe.vacuoles == 0 or len(points) == 0 or rng.random() < 0.67:
        return np.zeros_like(cover)
    holes = []
    for _ in range(rng.integers(1, recipe.vacuoles + 1)):
        y, x = points[rng.integers(len(points))]
        holes.append(blob(rng, (float(x), float(y)), rng.uniform(0.03, 0.075) * red_cell, 0.03))
    return rng.uniform(0.5, 0.8) * fill(holes, *cover.shape, 0.012 * red_cell)


def _draw_artefact(
    rng: np.random.Generator, stain: Stain, side: int, diameter: float, red_cell: float
) -> tuple[np.ndarray, np.ndarray]:
    """Density and cover of a platelet, a clump of platelets, a smudged nucleus or stain debris."""
    platelets = [0.7, 0.3, 0, 0]  # too small for anything else
    kind = rng.choice(
        ["platelet", "clump", "smudge", "debris"], p=platelets if diameter < red_cell / 2 else [0.45, 0.25, 0.18, 0.12]
    )
    if kind == "smudge":
        return _draw_smudge(rng, stain, side, diameter, red_cell)
    if kind == "debris":
        return _draw_debris(rng, stain, side, diameter, red_cell)
    pieces = 1 if kind == "platelet" else int(rng.integers(3, 8))
    return _draw_platelets(rng, stain, side, diameter, red_cell, pieces)


def _draw_platelets(
    rng: np.random.Generator, stain: Stain, side: int, diameter: float, red_cell: float, pieces: int
) -> tuple[np.ndarray, np.ndarray]:
    """One platelet, or several that stick together: lilac ground, many magenta granules, frayed border."""
    middle, radius = side / 2, diameter / 2
    shape = []
    for k in range(pieces):
        reach, angle = radius * 0.55 * (pieces > 1), 2 * np.pi * k / pieces + rng.normal(0, 0.3)
        centre = (middle + reach * np.cos(angle), middle + reach * np.sin(angle))
        size = radius * (1 if pieces == 1 else rng.uniform(0.45, 0.6))
        shape.append(blob(rng, centre, size, 0.09, rng.uniform(1.0, 1.3), fringe=rng.uniform(0, 0.12)))
    cover = fill(shape, side, side, 0.015 * red_cell)
    core = cv2.GaussianBlur(cover, (0, 0), 0.06 * red_cell) ** 2
    density = np.zeros((side, side, 3), np.float32)
    add_dye(density, cover * rng.uniform(0.7, 1.2), stain.neutral)
    add_dye(density, cover * core * rng.uniform(0.1, 0.4), stain.basophil)
    dots = grains(cover.shape, rng.uniform(30, 60), 0.022 * red_cell, rng, cover * core)
    mottle = np.clip(1 + 0.3 * smooth_noise(cover.shape, 0.12 * red_cell, rng), 0.3, 2)
    add_dye(density, np.minimum(dots, 2) * rng.uniform(0.4, 0.8) * mottle, stain.azurophil)
    add_dye(density, core * mottle * rng.uniform(0.0, 0.22), stain.chromatin)
    return density, cover


def _draw_smudge(
    rng: np.random.Generator, stain: Stain, side: int, diameter: float, red_cell: float
) -> tuple[np.ndarray, np.ndarray]:
    """Draw a burst nucleus: a streaky purple net without cytoplasm."""
    middle = side / 2
    body = blob(rng, (middle, middle), diameter * 0.45, 0.16, rng.uniform(1.1, 1.8), fringe=0.15)
    cover = fill([body], side, side, 0.05 * red_cell)
    streaks = smooth_noise((side, side * 3), 0.2 * red_cell, rng)[:, ::3]
    turn = cv2.getRotationMatrix2D((middle, middle), rng.uniform(0, 360), 1)
    streaks = cv2.warpAffine(np.ascontiguousarray(streaks), turn, (side, side), borderMode=cv2.BORDER_REFLECT)
    amount = cover * np.clip(0.42 + 0.13 * streaks + 0.1 * smooth_noise(cover.shape, 0.1 * red_cell, rng), 0.1, 1)
    density = np.zeros((side, side, 3), np.float32)
    add_dye(density, amount, stain.chromatin)
    return density, cover


def _draw_debris(
    rng: np.random.Generator, stain: Stain, side: int, diameter: float, red_cell: float
) -> tuple[np.ndarray, np.ndarray]:
    """Draw precipitated stain: a ragged heap of dark grains."""
    middle = side / 2
    body = blob(rng, (middle, middle), diameter * 0.42, 0.2, rng.uniform(1.0, 1.6), fringe=0.1)
    cover = fill([body], side, side, 0.04 * red_cell)
    dots = grains(cover.shape, rng.uniform(20, 45), rng.uniform(0.03, 0.05) * red_cell, rng, cover)
    density = np.zeros((side, side, 3), np.float32)
    add_dye(density, np.minimum(dots, 2) * rng.uniform(0.5, 0.9), stain.azurophil)
    add_dye(density, np.minimum(dots, 2) * cover * rng.uniform(0.2, 0.5), stain.chromatin)
    return density, cover


def _largest_piece(mask: np.ndarray) -> np.ndarray:
    """Keep the largest connected piece (8 neighbours)."""
    count, labels, stats, _ = cv2.connectedComponentsWithStats(mask.astype(np.uint8))
    return labels == 1 + int(np.argmax(stats[1:, cv2.CC_STAT_AREA])) if count > 1 else mask


def _between(rng: np.random.Generator, limits: Range) -> float:
    return rng.uniform(*limits)
