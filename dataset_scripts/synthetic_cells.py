"""Draws look-alike stained blood and marrow cells of twelve classes, with masks.

For trying the whole chain, and for tests and demonstrations, where there are no images of patients. Drawn cells
resemble Wright or May-Grünwald-Giemsa stained cells in size, colour, nucleus shape and texture; they prove nothing
about how well a model works on real ones.

    python dataset_scripts/synthetic_cells.py --out DIR --per-class 60 --fields 10
    python dataset_scripts/synthetic_cells.py --plate plate.png
"""

import argparse
import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

if not __package__:
    sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from dataset_scripts.cell_layers import ARTEFACT, CellLayers, draw_layers, relative_diameter
from dataset_scripts.smear_background import Disc, background_density, paste
from dataset_scripts.stains import LOOKS, Stain, develop, random_stain

__all__ = [
    "CODES",
    "DrawnCell",
    "DrawnField",
    "Stain",
    "draw_background",
    "draw_cell",
    "draw_field",
    "draw_plate",
    "draw_single",
    "random_stain",
]

CODES = ("ART", "BLA", "EBO", "EOS", "LYT", "MMZ", "MON", "MYB", "NGB", "NGS", "PLM", "PMO")
"""Artefact, blast, erythroblast, eosinophil, lymphocyte, metamyelocyte, monocyte, myelocyte, band neutrophil,
segmented neutrophil, plasma cell, promyelocyte."""

# Share of each class among the nucleated cells of a field; roughly a normal marrow, the rare ones raised.
_FIELD_MIX = {
    "BLA": 0.06, "EBO": 0.18, "EOS": 0.05, "LYT": 0.14, "MMZ": 0.09, "MON": 0.05,
    "MYB": 0.09, "NGB": 0.10, "NGS": 0.13, "PLM": 0.05, "PMO": 0.06,
}  # fmt: skip
_OPACITY = 0.92  # of nucleated cells over red cells
_MOST_COVER = 0.6  # share of a field that cells may fill; sets the largest magnification
_TYPICAL_DIAMETER = 1.65  # of a nucleated cell, in red cells
_JPEG_QUALITY = 92


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


@dataclass(frozen=True)
class _Placed:
    code: str
    x: int
    y: int
    layers: CellLayers


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
    """Draw a smear without nucleated cells: ground, red cells, a few platelets, uneven light.

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
    centre = _placed(code, x, y, rng, stain, red_cell)
    crowd = rng.poisson(1.6) if stain.look == "marrow" else int(rng.random() < 0.08)
    neighbours = [_neighbour(centre, rng, stain, red_cell) for _ in range(crowd)]
    density = _compose(size, size, [*neighbours, centre], rng, stain, red_cell)[0]
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
    codes = _mixed_codes(cells, rng) if isinstance(cells, int) else list(cells)
    _check_codes(codes)
    stain = stain or random_stain(rng)
    red_cell = red_cell_diameter or _magnification(height, width, len(codes), rng)
    placed = _scatter(codes, height, width, rng, stain, red_cell)
    density, labels = _compose(height, width, placed, rng, stain, red_cell)
    image = develop(density, stain, red_cell, rng)
    return DrawnField(image, *_visible_cells(labels, placed))


def draw_plate(rng: np.random.Generator, columns: int = 8, size: int = 128) -> np.ndarray:
    """Draw a plate with one labelled row per class, half of it in each stain look.

    Args:
        rng: Random generator.
        columns: Cells per class.
        size: Side of one cell image in pixels.

    Returns:
        (12 * size, margin + columns * size, 3) uint8 RGB.
    """
    rows = []
    for code in CODES:
        margin = np.full((size, 64, 3), 255, np.uint8)
        cv2.putText(margin, code, (6, size // 2 + 6), cv2.FONT_HERSHEY_SIMPLEX, 0.7, (40, 40, 40), 2, cv2.LINE_AA)
        looks = [LOOKS[2 * k // columns] for k in range(columns)]
        images = [draw_single(code, rng, 250, random_stain(rng, look)) for look in looks]
        rows.append(np.hstack([margin, *(cv2.resize(i, (size, size), interpolation=cv2.INTER_AREA) for i in images)]))
    return np.vstack(rows)


def _check_codes(codes: Sequence[str]) -> None:
    for code in codes:
        if code not in CODES:
            raise ValueError(f"unknown class code {code!r}: use one of {' '.join(CODES)}")


def _mixed_codes(number: int, rng: np.random.Generator) -> list[str]:
    shares = np.array(list(_FIELD_MIX.values()))
    codes = rng.choice(list(_FIELD_MIX), size=number, p=shares / shares.sum())
    return [*map(str, codes), *[ARTEFACT] * rng.poisson(0.08 * number)]


def _magnification(height: int, width: int, number: int, rng: np.random.Generator) -> float:
    """Red cell diameter in pixels: cells of 30 to 250 px in 640, fewer pixels where many cells have to fit."""
    scale = max(height, width) / 640
    room = 2 * np.sqrt(_MOST_COVER * height * width / (np.pi * max(number, 1)))
    low, high = 20 * scale, max(min(140 * scale, room / _TYPICAL_DIAMETER), 21 * scale)
    return float(np.exp(rng.uniform(np.log(low), np.log(high))))


def _placed(code: str, x: int, y: int, rng: np.random.Generator, stain: Stain, red_cell: float) -> _Placed:
    diameter = relative_diameter(code, rng, stain) * red_cell
    return _Placed(code, x, y, draw_layers(code, rng, stain, diameter, red_cell))


def _radius(cell: _Placed) -> float:
    return float(np.sqrt(cell.layers.mask.sum() / np.pi))


def _neighbour(centre: _Placed, rng: np.random.Generator, stain: Stain, red_cell: float) -> _Placed:
    """Draw a cell that touches the centre cell or lies a little off it."""
    cell = _placed(_mixed_codes(1, rng)[0], 0, 0, rng, stain, red_cell)
    distance = (_radius(centre) + _radius(cell)) * rng.uniform(1.02, 1.5)
    angle = rng.uniform(0, 2 * np.pi)
    x, y = centre.x + distance * np.cos(angle), centre.y + distance * np.sin(angle)
    return _Placed(cell.code, int(x), int(y), cell.layers)


def _scatter(
    codes: Sequence[str], height: int, width: int, rng: np.random.Generator, stain: Stain, red_cell: float
) -> list[_Placed]:
    """Place cells so that few overlap much; clustered fields pull each cell towards an earlier one."""
    clustered = rng.uniform(0, 0.7)
    placed: list[_Placed] = []
    for code in sorted(codes, key=lambda code: code != ARTEFACT):  # artefacts lie below the cells
        cell = _placed(code, 0, 0, rng, stain, red_cell)
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
        placed.append(_Placed(code, x, y, cell.layers))
    return placed


def _crowding(x: float, y: float, radius: float, placed: Sequence[_Placed]) -> float:
    """Deepest overlap with a placed cell as a share of the smaller diameter; a tenth and less counts as none."""
    deepest = 0.0
    for other in placed:
        depth = radius + _radius(other) - np.hypot(x - other.x, y - other.y)
        deepest = max(deepest, depth / (2 * min(radius, _radius(other))))
    return max(deepest, 0.1)


def _compose(
    height: int, width: int, cells: Sequence[_Placed], rng: np.random.Generator, stain: Stain, red_cell: float
) -> tuple[np.ndarray, np.ndarray]:
    """Background, then cells in order: (H, W, 3) density and (H, W) int32, i on what is seen of the i-th cell."""
    discs: list[Disc] = [(cell.x, cell.y, _radius(cell)) for cell in cells]
    density = background_density(height, width, rng, stain, red_cell, discs)
    labels = np.zeros((height, width), np.int32)
    for number, cell in enumerate(cells, start=1):
        met = paste(density, cell.layers, cell.x, cell.y, _OPACITY)
        if met:
            rows, columns, from_rows, from_columns = met
            labels[rows, columns][cell.layers.mask[from_rows, from_columns]] = number
    return density, labels


def _visible_cells(labels: np.ndarray, placed: Sequence[_Placed]) -> tuple[np.ndarray, tuple[str, ...]]:
    """Number the nucleated cells of which something is left to see from 1 on, without gaps."""
    seen = np.bincount(labels.ravel(), minlength=len(placed) + 1)[1:]
    whole = np.array([cell.layers.mask.sum() for cell in placed])
    kept = [k for k, cell in enumerate(placed) if cell.code != ARTEFACT and seen[k] > 0.05 * whole[k]]
    renumber = np.zeros(len(placed) + 1, np.int32)
    renumber[np.array(kept, int) + 1] = np.arange(1, len(kept) + 1)
    return renumber[labels], tuple(placed[k].code for k in kept)


def _write_image(path: Path, image: np.ndarray) -> None:
    """Write a picture (RGB, or 16-bit grey) whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = cv2.cvtColor(image, cv2.COLOR_RGB2BGR) if image.ndim == 3 else image
    options = [] if path.suffix.lower() == ".png" else [cv2.IMWRITE_JPEG_QUALITY, _JPEG_QUALITY]
    _, data = cv2.imencode(path.suffix, pixels, options)
    beside = path.with_name(f".{path.name}.part")
    beside.write_bytes(data.tobytes())
    os.replace(beside, path)


def write_set(out: Path, per_class: int, fields: int, seed: int, codes: Sequence[str] = CODES) -> None:
    """Write `CODE/CODE_00001.jpg` and so on, and `fields/images/*.jpg` with `fields/labels/*.png` (16-bit ids).

    Every picture has a random generator of its own, so that a larger set contains the smaller one.
    """
    for class_number, code in enumerate(CODES):
        if code not in codes:
            continue
        for k in range(1, per_class + 1):
            rng = np.random.default_rng([seed, class_number, k])
            _write_image(out / code / f"{code}_{k:05d}.jpg", draw_single(code, rng))
    for k in range(1, fields + 1):
        rng = np.random.default_rng([seed, len(CODES), k])
        field = draw_field(rng, cells=int(rng.integers(3, 31)))
        _write_image(out / "fields" / "images" / f"field_{k:05d}.jpg", field.image)
        _write_image(out / "fields" / "labels" / f"field_{k:05d}.png", field.labels.astype(np.uint16))


def _not_negative(text: str) -> int:
    number = int(text)
    if number < 0:
        raise argparse.ArgumentTypeError("give a number that is 0 or larger")
    return number


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; returns the exit code, 2 when the arguments or the target are no good."""
    parser = argparse.ArgumentParser(description="Draw look-alike marrow cells of twelve classes, with masks.")
    parser.add_argument("--out", type=Path, help="folder to write CODE/CODE_00001.jpg and fields/ to")
    parser.add_argument("--per-class", type=_not_negative, default=60, help="single-cell images per class")
    parser.add_argument("--classes", nargs="+", choices=CODES, default=CODES, metavar="CODE", help="classes to draw")
    parser.add_argument("--fields", type=_not_negative, default=0, help="microscope fields with masks")
    parser.add_argument("--seed", type=_not_negative, default=0, help="same seed, same files")
    parser.add_argument("--plate", type=Path, help="write a labelled plate of all classes to this .png or .jpg")
    options = parser.parse_args(arguments)
    if not options.out and not options.plate:
        parser.error("give --out DIR, --plate FILE, or both")
    if options.plate and options.plate.suffix.lower() not in (".png", ".jpg", ".jpeg"):
        parser.error(f"--plate {options.plate}: end the file name in .png or .jpg")
    try:
        if options.out:
            write_set(options.out, options.per_class, options.fields, options.seed, options.classes)
        if options.plate:
            _write_image(options.plate, draw_plate(np.random.default_rng(options.seed)))
    except OSError as error:
        parser.error(f"cannot write {error.filename}: {error.strerror}; choose another place")
    return 0


if __name__ == "__main__":
    sys.exit(main())
