"""Draws one cell as optical density with its masks."""

from dataclasses import dataclass

import cv2
import numpy as np

from dataset_scripts.drawing.recipes import RECIPES, Range, Recipe
from dataset_scripts.drawing.shapes import blob, fill
from dataset_scripts.drawing.stains import Stain, add_dye
from dataset_scripts.drawing.textures import chromatin, cytoplasm, granules, smooth_noise, specks, vacuoles

ARTEFACT = "ART"
_ARTEFACT_DIAMETER = (0.35, 1.4)
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
    stages = [recipe.outline.diameter for recipe in RECIPES if recipe.code == code] or [_ARTEFACT_DIAMETER]
    low, high = min(low for low, _ in stages), max(high for _, high in stages)
    return rng.triangular(low, (low + high) / 2, high) * _spread(stain)


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
        recipe = _stage(code, diameter / red_cell / _spread(stain))
        density, cover, nucleus = _draw_nucleated(recipe, rng, stain, side, diameter, red_cell)
    mask = _largest_piece(cover > 0.5)
    return CellLayers(density, cover, mask, (nucleus > 0.5) & mask, red_cell)


def _spread(stain: Stain) -> float:
    return _BLOOD_SPREAD if stain.look == "blood" else 1.0


def _stage(code: str, diameter: float) -> Recipe:
    """Return the stage of maturation that has this diameter, in red cell diameters."""
    stages = [recipe for recipe in RECIPES if recipe.code == code]
    return min(stages, key=lambda recipe: abs(sum(recipe.outline.diameter) / 2 - diameter))


def _draw_nucleated(
    recipe: Recipe, rng: np.random.Generator, stain: Stain, side: int, diameter: float, red_cell: float
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Density, cover and soft nucleus of a nucleated cell."""
    middle, radius = side / 2, diameter / 2
    outline = blob(
        rng,
        (middle, middle),
        radius,
        recipe.outline.roughness * rng.uniform(0.7, 2.2),
        _between(rng, recipe.outline.elongation),
        0.01 + recipe.outline.fringe * rng.uniform(0, 1.5) * (rng.random() < 0.5),
    )
    edge = 0.012 * red_cell
    cover = fill([outline], side, side, edge)
    nucleus_radius = float(radius * np.sqrt(_between(rng, recipe.nucleus.share)))
    shift = (radius - nucleus_radius) * _between(rng, recipe.nucleus.eccentric) * 0.9
    heading = rng.uniform(0, 2 * np.pi)
    away = np.array([np.cos(heading), np.sin(heading)])
    centre = middle + shift * away
    inner = [middle + (outline - middle) * 0.96]
    nucleus = fill(recipe.nucleus.shape(rng, tuple(centre), nucleus_radius), side, side, edge * rng.uniform(0.8, 1.8))
    nucleus *= fill(inner, side, side, edge)

    hof_at = centre - away * nucleus_radius * 0.95
    plasm = cytoplasm(recipe.cytoplasm.hof, rng, cover, hof_at, nucleus_radius, red_cell)
    free = cover * (1 - 0.85 * nucleus)
    dark, nucleoli = chromatin(recipe.chromatin, rng, nucleus, stain.contrast, red_cell)
    density = np.zeros((side, side, 3), np.float32)
    add_dye(density, plasm * _between(rng, recipe.cytoplasm.basophil) * free + 0.35 * nucleoli, stain.basophil)
    pink = (0.4 + 0.6 * plasm) * free
    add_dye(density, pink * _between(rng, recipe.cytoplasm.neutral), stain.neutral)
    if recipe.cytoplasm.haemoglobin[1]:
        add_dye(density, pink * _between(rng, recipe.cytoplasm.haemoglobin), stain.haemoglobin)
    add_dye(density, dark, stain.chromatin)
    for kind in recipe.cytoplasm.granules:
        patches = np.clip(1.1 + 0.3 * smooth_noise(cover.shape, 0.35 * red_cell, rng), 0.4, 1.4)
        inside = cover * (1 - (1 - kind.over_nucleus) * nucleus) * np.clip(0.3 + plasm, 0, 1) * patches
        dots = granules(kind, rng, inside, red_cell) * cover
        add_dye(density, dots * _between(rng, kind.amount), getattr(stain, kind.dye))
    if rng.random() < recipe.cytoplasm.vacuolated:
        density *= (1 - vacuoles(recipe.cytoplasm.vacuoles, rng, cover, nucleus, red_cell))[..., None]
    return density, cover, nucleus


def _draw_artefact(
    rng: np.random.Generator, stain: Stain, side: int, diameter: float, red_cell: float
) -> tuple[np.ndarray, np.ndarray]:
    """Density and cover of a platelet, a clump of platelets, a smudged nucleus or stain debris."""
    small = diameter < 0.75 * red_cell  # too small for a burst nucleus
    shares = [0.65, 0.2, 0, 0.15] if small else [0.05, 0.45, 0.35, 0.15]
    kind = rng.choice(["platelet", "clump", "smudge", "debris"], p=shares)
    if kind == "smudge":
        return _draw_smudge(rng, stain, side, diameter, red_cell)
    if kind == "debris":
        return _draw_debris(rng, stain, side, diameter, red_cell)
    pieces = 1 if kind == "platelet" else int(rng.integers(3, 8))
    return _draw_platelets(rng, stain, side, diameter, red_cell, pieces)


def _draw_platelets(
    rng: np.random.Generator, stain: Stain, side: int, diameter: float, red_cell: float, pieces: int
) -> tuple[np.ndarray, np.ndarray]:
    """One platelet, or several that stick together: lilac body, many magenta granules, frayed border."""
    middle, radius = side / 2, diameter / 2
    shape = []
    for k in range(pieces):
        reach = radius * rng.uniform(0.3, 0.65) * (pieces > 1)
        angle = 2 * np.pi * k / pieces + rng.normal(0, 0.4)
        centre = (middle + reach * np.cos(angle), middle + reach * np.sin(angle))
        size = radius * (1 if pieces == 1 else rng.uniform(0.45, 0.6))
        shape.append(blob(rng, centre, size, 0.09, rng.uniform(1.0, 1.3), fringe=rng.uniform(0, 0.12)))
    cover = fill(shape, side, side, 0.015 * red_cell)
    core = cv2.GaussianBlur(cover, (0, 0), 0.07 * red_cell) ** 3
    density = np.zeros((side, side, 3), np.float32)
    add_dye(density, cover * rng.uniform(0.7, 1.2), stain.neutral)
    add_dye(density, cover * core * rng.uniform(0.1, 0.4), stain.basophil)
    dots = specks(cover.shape, rng.uniform(30, 60), 0.022 * red_cell, rng, cover * core)
    mottle = np.clip(1 + 0.3 * smooth_noise(cover.shape, 0.12 * red_cell, rng), 0.3, 2)
    add_dye(density, np.minimum(dots, 2) * rng.uniform(0.35, 0.65) * mottle, stain.azurophil)
    add_dye(density, core * mottle * rng.uniform(0.0, 0.22), stain.chromatin)
    return density, cover


def _draw_smudge(
    rng: np.random.Generator, stain: Stain, side: int, diameter: float, red_cell: float
) -> tuple[np.ndarray, np.ndarray]:
    """Draw a burst nucleus: a streaky purple net without cytoplasm."""
    middle = side / 2
    body = blob(rng, (middle, middle), diameter * 0.45, 0.16, rng.uniform(1.1, 1.8), fringe=0.15)
    cover = fill([body], side, side, 0.05 * red_cell)
    streaks = smooth_noise((side, side * 3), 0.28 * red_cell, rng)[:, ::3]
    turn = cv2.getRotationMatrix2D((middle, middle), rng.uniform(0, 360), 1)
    streaks = cv2.warpAffine(np.ascontiguousarray(streaks), turn, (side, side), borderMode=cv2.BORDER_REFLECT)
    amount = cover * np.clip(0.42 + 0.09 * streaks + 0.06 * smooth_noise(cover.shape, 0.1 * red_cell, rng), 0.1, 1)
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
    dots = specks(cover.shape, rng.uniform(20, 45), rng.uniform(0.03, 0.05) * red_cell, rng, cover)
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
