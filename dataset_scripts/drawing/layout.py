"""Where the cells of a drawn picture lie: which, how large, how close, and who hides whom."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from dataset_scripts.drawing.background import Disc, background_density, paste
from dataset_scripts.drawing.cell import ARTEFACT, CellLayers, draw_layers, relative_diameter
from dataset_scripts.drawing.stains import Stain

# Share of each class among the nucleated cells of a field; roughly a normal marrow, the rare ones raised.
_FIELD_MIX = {
    "BLA": 0.06, "EBO": 0.18, "EOS": 0.05, "LYT": 0.14, "MMZ": 0.09, "MON": 0.05,
    "MYB": 0.09, "NGB": 0.10, "NGS": 0.13, "PLM": 0.05, "PMO": 0.06,
}  # fmt: skip
_OPACITY = 0.92  # of nucleated cells over red cells
_MOST_COVER = 0.6  # share of a field that cells may fill; sets the largest magnification
_TYPICAL_DIAMETER = 1.65  # of a nucleated cell, in red cells


@dataclass(frozen=True)
class Placed:
    """A drawn cell and where its middle lies.

    Attributes:
        code: Class code.
        x: Column in the picture, in pixels; may lie outside.
        y: Row likewise.
        layers: The drawn cell.
    """

    code: str
    x: int
    y: int
    layers: CellLayers


def mixed_codes(number: int, rng: np.random.Generator) -> list[str]:
    """Draw the codes of `number` nucleated cells of a marrow, and of some artefacts besides."""
    shares = np.array(list(_FIELD_MIX.values()))
    codes = rng.choice(list(_FIELD_MIX), size=number, p=shares / shares.sum())
    return [*map(str, codes), *[ARTEFACT] * rng.poisson(0.08 * number)]


def magnification(height: int, width: int, number: int, rng: np.random.Generator) -> float:
    """Red cell diameter in pixels: cells of 30 to 250 px in 640, fewer pixels where many cells have to fit."""
    scale = max(height, width) / 640
    room = 2 * np.sqrt(_MOST_COVER * height * width / (np.pi * max(number, 1)))
    low, high = 20 * scale, max(min(140 * scale, room / _TYPICAL_DIAMETER), 21 * scale)
    return float(np.exp(rng.uniform(np.log(low), np.log(high))))


def place(code: str, x: int, y: int, rng: np.random.Generator, stain: Stain, red_cell: float) -> Placed:
    """Draw a cell of this class around x, y, where a red cell is `red_cell` pixels across."""
    diameter = relative_diameter(code, rng, stain) * red_cell
    return Placed(code, x, y, draw_layers(code, rng, stain, diameter, red_cell))


def _radius(cell: Placed) -> float:
    return float(np.sqrt(cell.layers.mask.sum() / np.pi))


def neighbour(centre: Placed, rng: np.random.Generator, stain: Stain, red_cell: float) -> Placed:
    """Draw a cell that touches the centre cell or lies a little off it."""
    cell = place(mixed_codes(1, rng)[0], 0, 0, rng, stain, red_cell)
    distance = (_radius(centre) + _radius(cell)) * rng.uniform(1.02, 1.5)
    angle = rng.uniform(0, 2 * np.pi)
    x, y = centre.x + distance * np.cos(angle), centre.y + distance * np.sin(angle)
    return Placed(cell.code, int(x), int(y), cell.layers)


def scatter(
    codes: Sequence[str], height: int, width: int, rng: np.random.Generator, stain: Stain, red_cell: float
) -> list[Placed]:
    """Place cells so that few overlap much; clustered fields pull each cell towards an earlier one."""
    clustered = rng.uniform(0, 0.7)
    placed: list[Placed] = []
    for code in sorted(codes, key=lambda code: code != ARTEFACT):  # artefacts lie below the cells
        cell = place(code, 0, 0, rng, stain, red_cell)
        spots = []
        for _ in range(30):
            if placed and rng.random() < clustered:
                partner = placed[rng.integers(len(placed))]
                distance = (_radius(partner) + _radius(cell)) * rng.uniform(0.88, 1.1)
                angle = rng.uniform(0, 2 * np.pi)
                x, y = partner.x + distance * np.cos(angle), partner.y + distance * np.sin(angle)
            else:
                x, y = rng.uniform(0, width), rng.uniform(0, height)
            if 0 <= x < width and 0 <= y < height:
                spots.append((_crowding(x, y, _radius(cell), placed), int(x), int(y)))
        _, x, y = min(spots, key=lambda spot: spot[0], default=(0, width // 2, height // 2))
        placed.append(Placed(code, x, y, cell.layers))
    return placed


def _crowding(x: float, y: float, radius: float, placed: Sequence[Placed]) -> float:
    """Deepest overlap with a placed cell as a share of the smaller diameter; a tenth and less counts as none."""
    deepest = 0.0
    for other in placed:
        depth = radius + _radius(other) - np.hypot(x - other.x, y - other.y)
        deepest = max(deepest, depth / (2 * min(radius, _radius(other))))
    return max(deepest, 0.1)


def compose(
    height: int, width: int, cells: Sequence[Placed], rng: np.random.Generator, stain: Stain, red_cell: float
) -> tuple[np.ndarray, np.ndarray]:
    """Background, then cells in order: (H, W, 3) density and (H, W) int32, i on what is seen of the i-th cell."""
    discs: list[Disc] = [(cell.x, cell.y, _radius(cell)) for cell in cells]
    density = background_density(height, width, rng, stain, red_cell, discs)
    labels = np.zeros((height, width), np.int32)
    for number, cell in enumerate(cells, start=1):
        met = paste(density, cell.layers, cell.x, cell.y, _OPACITY)
        if met:
            at, part = met
            labels[at][cell.layers.mask[part]] = number
    return density, labels


def visible_cells(labels: np.ndarray, placed: Sequence[Placed]) -> tuple[np.ndarray, tuple[str, ...]]:
    """Number the nucleated cells of which something is left to see from 1 on, without gaps.

    Args:
        labels: (H, W) int32, i on what is seen of the i-th placed cell, 0 elsewhere.
        placed: The cells.

    Returns:
        (H, W) int32 with the new numbers, and the class code of each numbered cell.
    """
    seen = np.bincount(labels.ravel(), minlength=len(placed) + 1)[1:]
    whole = np.array([cell.layers.mask.sum() for cell in placed])
    kept = [k for k, cell in enumerate(placed) if cell.code != ARTEFACT and seen[k] > 0.05 * whole[k]]
    renumber = np.zeros(len(placed) + 1, np.int32)
    renumber[np.array(kept, int) + 1] = np.arange(1, len(kept) + 1)
    return renumber[labels], tuple(placed[k].code for k in kept)
