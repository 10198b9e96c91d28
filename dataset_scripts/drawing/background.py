"""The background of a drawn smear as optical density: plasma haze, stain specks, red cells and platelets."""

import numpy as np

from dataset_scripts.drawing.cell import ARTEFACT, CellLayers, draw_layers
from dataset_scripts.drawing.shapes import Place, blob, fill, meeting
from dataset_scripts.drawing.stains import Stain, add_dye
from dataset_scripts.drawing.textures import smooth_noise, specks

Disc = tuple[float, float, float]
"""x, y, radius in pixels."""


def background_density(
    height: int, width: int, rng: np.random.Generator, stain: Stain, red_cell: float, avoid: list[Disc] | None = None
) -> np.ndarray:
    """Draw everything that lies behind the nucleated cells.

    Args:
        height: Rows.
        width: Columns.
        rng: Random generator.
        stain: Stain of the image.
        red_cell: Red cell diameter in pixels.
        avoid: Where nucleated cells will lie; most red cells keep out of there.

    Returns:
        (H, W, 3) float32 optical density.
    """
    density = np.zeros((height, width, 3), np.float32)
    _add_haze(density, rng, stain, red_cell)
    _add_red_cells(density, rng, stain, red_cell, avoid or [])
    for _ in range(rng.poisson(0.25 * height * width / (4 * red_cell) ** 2 + 0.2)):
        diameter = red_cell * rng.uniform(0.2, 0.4)
        platelet = draw_layers(ARTEFACT, rng, stain, diameter, red_cell)
        paste(density, platelet, int(rng.integers(width)), int(rng.integers(height)))
    return density


def paste(density: np.ndarray, cell: CellLayers, x: int, y: int, opacity: float = 1.0) -> tuple[Place, Place] | None:
    """Lay a cell over a density map, in place, its patch centred at x, y and cut at the borders.

    Args:
        density: (H, W, 3) float32 optical density.
        cell: What to lay over it.
        x: Column of the centre.
        y: Row of the centre.
        opacity: How much the cell hides of what lies below it.

    Returns:
        Where they met, as :func:`dataset_scripts.drawing.shapes.meeting` returns it.
    """
    side = cell.mask.shape[0]
    met = meeting(density.shape, cell.mask.shape, y - side // 2, x - side // 2)
    if met:
        at, part = met
        density[at] *= 1 - opacity * cell.cover[part][..., None]
        density[at] += cell.density[part]
    return met


def _add_haze(density: np.ndarray, rng: np.random.Generator, stain: Stain, red_cell: float) -> None:
    shape = density.shape[:2]
    cloud = np.clip(0.35 + 0.3 * smooth_noise(shape, 1.4 * red_cell, rng), 0, 1)
    cloud *= 1 + 0.25 * smooth_noise(shape, 0.12 * red_cell, rng)
    add_dye(density, cloud * stain.haze * 0.28, stain.basophil)
    plasma = np.clip(0.5 + 0.5 * smooth_noise(shape, 2.5 * red_cell, rng), 0, 1.5)
    add_dye(density, plasma * stain.haze * 0.3, stain.neutral)
    for radius in (0.015, 0.03, 0.06):
        dust = specks(shape, 0.25 * stain.haze, radius * red_cell, rng, cloud)
        add_dye(density, np.minimum(dust, 1.5) * rng.uniform(0.1, 0.5), stain.azurophil)


def _add_red_cells(
    density: np.ndarray, rng: np.random.Generator, stain: Stain, red_cell: float, avoid: list[Disc]
) -> None:
    """Scatter red cells, alone or in rouleaux, until they cover the stain's share of the picture."""
    height, width = density.shape[:2]
    wanted = stain.red_cover * (height + red_cell) * (width + red_cell) / (0.7 * red_cell**2)
    rouleaux = rng.random() < 0.45
    crenated = rng.random() < 0.15
    drawn = 0
    while drawn < wanted:
        chain = int(rng.integers(2, 8)) if rouleaux and rng.random() < 0.4 else 1
        x, y = rng.uniform(-red_cell / 2, width + red_cell / 2), rng.uniform(-red_cell / 2, height + red_cell / 2)
        heading = rng.uniform(0, 2 * np.pi)
        for _ in range(chain):
            drawn += 1
            if _is_free(x, y, red_cell, avoid) or rng.random() < 0.1:
                _add_red_cell(density, rng, stain, red_cell * rng.normal(1, 0.07), x, y, crenated)
            step = red_cell * rng.uniform(0.4, 0.75)
            x, y, heading = x + step * np.cos(heading), y + step * np.sin(heading), heading + rng.normal(0, 0.25)


def _is_free(x: float, y: float, red_cell: float, avoid: list[Disc]) -> bool:
    return all(np.hypot(x - ax, y - ay) > radius + 0.4 * red_cell for ax, ay, radius in avoid)


def _add_red_cell(
    density: np.ndarray, rng: np.random.Generator, stain: Stain, diameter: float, x: float, y: float, crenated: bool
) -> None:
    side = int(diameter * 1.5) + 6
    top, left = int(y - side / 2), int(x - side / 2)
    met = meeting(density.shape, (side, side), top, left)
    if not met:
        return
    at, part = met
    middle = (side / 2, side / 2)
    outline = blob(rng, middle, diameter / 2, rng.uniform(0.02, 0.07), rng.uniform(1, 1.3))
    if crenated:
        wave = 1 + 0.05 * np.cos(np.linspace(0, 2 * np.pi * rng.integers(10, 15), len(outline), endpoint=False))
        outline = side / 2 + (outline - side / 2) * wave[:, None]
    disc = fill([outline], side, side, 0.015 * diameter)
    inner = side / 2 + (outline - side / 2) * rng.uniform(0.4, 0.55) + rng.normal(0, 0.03 * diameter, 2)
    centre = fill([inner], side, side, 0.07 * diameter)
    amount = disc * (1 - stain.pallor * rng.uniform(0.4, 1.2) * centre) * rng.uniform(0.75, 1.3)
    od = amount[part][..., None] * np.asarray(stain.haemoglobin, np.float32)
    below = density[at]
    density[at] = np.maximum(below, od) + 0.25 * np.minimum(below, od)  # overlaps darken, less than fully
