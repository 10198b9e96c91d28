"""Drawn pictures: a cell, a background, a single-cell image, a field with its masks, and a plate of all classes."""

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from dataset_scripts.drawing.background import background_density
from dataset_scripts.drawing.cell import draw_layers, relative_diameter
from dataset_scripts.drawing.layout import compose, magnification, mixed_codes, neighbour, place, scatter, visible_cells
from dataset_scripts.drawing.stains import LOOKS, Stain, develop, random_stain

NAMES = {
    "ART": "artefact", "BLA": "blast", "EBO": "erythroblast", "EOS": "eosinophil", "LYT": "lymphocyte",
    "MMZ": "metamyelocyte", "MON": "monocyte", "MYB": "myelocyte", "NGB": "band neutrophil",
    "NGS": "segmented neutrophil", "PLM": "plasma cell", "PMO": "promyelocyte",
}  # fmt: skip
CODES = tuple(NAMES)

# Left column of the plate: how a blast ripens to a neutrophil; right column: the other cells.
_PLATE = (("BLA", "PMO", "MYB", "MMZ", "NGB", "NGS"), ("EOS", "MON", "LYT", "PLM", "EBO", "ART"))


@dataclass(frozen=True)
class DrawnCell:
    """One cell on a patch.

    Attributes:
        image: (H, W, 3) uint8 RGB; empty glass outside the mask.
        mask: (H, W) bool, the whole cell, one connected piece.
        nucleus: (H, W) bool, inside the mask; empty for `ART`.
        code: Class code.
    """

    image: np.ndarray
    mask: np.ndarray
    nucleus: np.ndarray
    code: str


@dataclass(frozen=True)
class DrawnField:
    """One microscope field.

    Attributes:
        image: (H, W, 3) uint8 RGB.
        labels: (H, W) int32, 0 where there is no nucleated cell, i on the visible part of cell i.
        codes: Class code of cell i at index i - 1.
    """

    image: np.ndarray
    labels: np.ndarray
    codes: tuple[str, ...]


def draw_cell(
    code: str, rng: np.random.Generator, diameter: float | None = None, stain: Stain | None = None
) -> DrawnCell:
    """Draw one cell.

    Args:
        code: One of `CODES`.
        rng: Random generator.
        diameter: Cell diameter in pixels; None takes the size it has in single-cell images.
        stain: Stain of the image; None draws one.

    Returns:
        The cell in the middle of a square patch about 1.6 diameters wide.

    Raises:
        ValueError: On an unknown code.
    """
    _check_codes([code])
    stain = stain or random_stain(rng)
    relative = relative_diameter(code, rng, stain)
    red_cell = stain.red_cell if diameter is None else diameter / relative
    layers = draw_layers(code, rng, stain, relative * red_cell, red_cell)
    return DrawnCell(develop(layers.density, stain, red_cell, rng), layers.mask, layers.nucleus, code)


def draw_background(
    height: int, width: int, rng: np.random.Generator, red_cell_diameter: float = 60.0, stain: Stain | None = None
) -> np.ndarray:
    """Draw a smear without nucleated cells: haze, red cells, a few platelets, uneven light.

    Args:
        height: Rows.
        width: Columns.
        rng: Random generator.
        red_cell_diameter: In pixels.
        stain: Stain of the image; None draws one.

    Returns:
        (height, width, 3) uint8 RGB.
    """
    stain = stain or random_stain(rng)
    density = background_density(height, width, rng, stain, red_cell_diameter)
    return develop(density, stain, red_cell_diameter, rng)


def draw_single(code: str, rng: np.random.Generator, size: int = 250, stain: Stain | None = None) -> np.ndarray:
    """Draw a single-cell image as in the source data: the cell in the middle, sometimes neighbours.

    Args:
        code: One of `CODES`.
        rng: Random generator.
        size: Side in pixels; at 250 the cell has the size of the source data.
        stain: Stain of the image; None draws one.

    Returns:
        (size, size, 3) uint8 RGB.

    Raises:
        ValueError: On an unknown code.
    """
    _check_codes([code])
    stain = stain or random_stain(rng)
    red_cell = stain.red_cell * size / 250
    x, y = (int(size / 2 + rng.normal(0, 0.015 * size)) for _ in range(2))
    centre = place(code, x, y, rng, stain, red_cell)
    crowd = rng.poisson(1.6) if stain.look == "marrow" else int(rng.random() < 0.08)
    neighbours = [neighbour(centre, rng, stain, red_cell) for _ in range(crowd)]
    density = compose(size, size, [*neighbours, centre], rng, stain, red_cell)[0]
    return develop(density, stain, red_cell, rng)


def draw_field(
    rng: np.random.Generator,
    height: int = 480,
    width: int = 640,
    cells: Sequence[str] | int = 12,
    red_cell_diameter: float | None = None,
    stain: Stain | None = None,
) -> DrawnField:
    """Draw a microscope field of several cells, some touching or partly hidden, with a mask for each.

    Args:
        rng: Random generator.
        height: Rows.
        width: Columns.
        cells: Codes of the cells to draw, or how many to draw of a marrow's mix of classes.
        red_cell_diameter: In pixels; None draws a magnification at which the cells fit.
        stain: Stain of the image; None draws one.

    Returns:
        The field. `ART` is drawn but gets no label, and so does a cell of which hardly anything is left to see.

    Raises:
        ValueError: On an unknown code.
    """
    codes = mixed_codes(cells, rng) if isinstance(cells, int) else list(cells)
    _check_codes(codes)
    stain = stain or random_stain(rng)
    red_cell = red_cell_diameter or magnification(height, width, len(codes), rng)
    placed = scatter(codes, height, width, rng, stain, red_cell)
    density, labels = compose(height, width, placed, rng, stain, red_cell)
    image = develop(density, stain, red_cell, rng)
    return DrawnField(image, *visible_cells(labels, placed))


def draw_plate(rng: np.random.Generator, columns: int = 5, size: int = 120) -> np.ndarray:
    """Draw a plate of all classes in two columns, each class a row of cells under its code and name.

    Args:
        rng: Random generator.
        columns: Cells per class; marrow looks first, then blood looks.
        size: Side of one cell image in pixels, all at the same magnification.

    Returns:
        (H, W, 3) uint8 RGB; a row is `size` and a title high, a column is `columns * size` and a margin wide.
    """
    halves = [np.vstack([_plate_row(code, rng, columns, size) for code in codes]) for codes in _PLATE]
    gap = size // 8
    return cv2.copyMakeBorder(
        np.hstack([halves[0], np.full((len(halves[0]), 2 * gap, 3), 255, np.uint8), halves[1]]),
        *(0, gap, gap, gap),
        cv2.BORDER_CONSTANT,
        value=(255, 255, 255),
    )


def _plate_row(code: str, rng: np.random.Generator, columns: int, size: int) -> np.ndarray:
    title = np.full((size // 3, columns * size, 3), 255, np.uint8)
    scale, line = size / 190, title.shape[0] - size // 12
    cv2.putText(title, code, (0, line), cv2.FONT_HERSHEY_SIMPLEX, scale, (30, 30, 30), 2, cv2.LINE_AA)
    name_at = (int(0.5 * size), line)
    cv2.putText(title, NAMES[code], name_at, cv2.FONT_HERSHEY_SIMPLEX, scale, (110, 110, 110), 1, cv2.LINE_AA)
    cells = []
    for k in range(columns):
        image = draw_single(code, rng, 250, random_stain(rng, LOOKS[int(k >= (columns + 1) // 2)]))
        small = cv2.resize(image, (size - 4, size - 4), interpolation=cv2.INTER_AREA)
        cells.append(cv2.copyMakeBorder(small, 0, 4, 0, 4, cv2.BORDER_CONSTANT, value=(255, 255, 255)))
    return np.vstack([title, np.hstack(cells)])


def _check_codes(codes: Sequence[str]) -> None:
    for code in codes:
        if code not in CODES:
            raise ValueError(f"unknown class code {code!r}: use one of {' '.join(CODES)}")
