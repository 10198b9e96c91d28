"""Composing one smear field of cells and background, with the visible part of every nucleated cell outlined."""

from collections.abc import Callable
from dataclasses import replace
from functools import partial

import cv2
import numpy as np
from scipy.ndimage import find_objects

from dataset_scripts.drawing.pictures import CODES
from dataset_scripts.drawing.shapes import meeting
from dataset_scripts.fields.artefacts import padded, random_padding, with_droplets, with_haze
from dataset_scripts.fields.field import Field
from dataset_scripts.fields.pale_cells import faded, nucleus_of, plasma_cell, random_dye
from dataset_scripts.fields.patch_bank import PatchBank
from dataset_scripts.fields.patches import (
    NOT_NUCLEATED,
    Background,
    Patch,
    drawn_background,
    drawn_patch,
    match_background,
    tile_background,
)
from marrow.geometry import largest_region

DIAMETERS = (30.0, 250.0)  # of a composed cell in pixels; the larger end only in fields that hold two such cells
MOST_CELLS = 120
TRIES = 12
SMALLEST = 40  # pixels of a cell that must be seen for it to be outlined
CLUSTERING = (0.0, 0.5, 0.9)  # share of cells that are put beside another: scattered, in groups, in clusters
# shares of the fields with these, and of the cells in such a field
DRAWN_FIELDS, PLASMA_FIELDS, PLASMA_CELLS, FADED_FIELDS = 0.15, 0.25, 0.4, 0.25
PADDED, WITH_DROPLETS = 0.12, 0.2
FADED = (0.25, 0.8)  # of the cytoplasm's optical density that is left


def compose_field(
    bank: PatchBank,
    size: int,
    rng: np.random.Generator,
    *,
    overlap: float = 0.3,
    empty: bool = False,
    mixed: bool = True,
    varied: bool = True,
    diameters: tuple[float, float] = DIAMETERS,
    cells: int | None = None,
) -> Field:
    """Compose one field.

    What is no nucleated cell is pasted without an outline: platelets and their clumps, stain deposits, and smudges,
    which stay out of a differential count.

    Args:
        bank: cells and backgrounds to use.
        size: side of the field in pixels.
        rng: source of randomness.
        overlap: most of any cell that may lie under others, 0 to 1; each field has its own limit up to that.
        empty: leave the nucleated cells out: red cells, platelets and background only.
        mixed: mix in what is drawn or altered: cells, artefacts, plasma cells, haze, fat droplets, padding.
        varied: vary light, stain and focus of the whole field, on ground of any kind; otherwise the cells look as they
            were photographed, on ground of their own source where it has some.
        diameters: of the cells in pixels.
        cells: how many to paste, as far as there is room; a share of the field is drawn when ``None``.

    Returns:
        A field of one source's cells on real or drawn background. The typical diameter of its cells is drawn
        log-uniformly from ``diameters``, up to 0.45 of the field; within a field the cells keep their proportions.
    """
    sources = sorted(bank.patches)
    weights = np.sqrt([len(bank.patches[source]) for source in sources])
    source = str(rng.choice(sources, p=weights / weights.sum()))
    patches = bank.patches[source]
    smallest, largest = diameters[0], max(diameters[0], min(diameters[1], 0.45 * size))
    diameter = float(np.exp(rng.uniform(np.log(smallest), np.log(largest))))
    scale = diameter / float(np.median([patch.diameter for patch in patches]))
    padding = random_padding(size, rng) if mixed and rng.random() < PADDED else (0, 0, 0, 0)
    height, width = size - sum(padding[:2]), size - sum(padding[2:])
    own = bank.backgrounds[source]
    ground = own if own and (not varied or rng.random() < 0.5) else []
    background = _background(ground, height, width, scale, diameter, mixed, rng)
    cover = 0.0 if empty else rng.uniform(0.03, 0.8)
    number = 0 if empty else min(MOST_CELLS, 1 + round(cover * height * width / (np.pi * diameter**2 / 4)))
    number = number if cells is None else cells
    chosen = _artefacts(patches, number, mixed, rng) + _cells(patches, number, mixed, rng)
    rng.shuffle(chosen)
    canvas = _Canvas(background, overlap * rng.random(), float(rng.choice(CLUSTERING)))
    for patch in chosen:
        zoom = scale * np.exp(rng.normal(0, 0.06))
        if patch.code not in NOT_NUCLEATED:
            zoom = np.clip(patch.diameter * zoom, smallest, largest) / patch.diameter
        canvas.paste(patch, float(zoom), rng)
    field = canvas.field(partial(_photograph, diameter=diameter, rng=rng) if varied else _as_pixels)
    if not any(padding):
        return field
    image, labels = padded(field.image, field.labels, padding, rng)
    return replace(field, image=image, labels=labels)


def _cells(patches: list[Patch], number: int, mixed: bool, rng: np.random.Generator) -> list[Patch]:
    """Choose the cells of a field, some of them drawn, with plasma cells' cytoplasm, or faded."""
    drawn, plasma, pale = (mixed and rng.random() < share for share in (DRAWN_FIELDS, PLASMA_FIELDS, FADED_FIELDS))
    dye, strength = random_dye(rng), rng.uniform(*FADED) if pale else 1.0
    chosen = []
    for _ in range(number):
        patch = patches[rng.integers(len(patches))]
        if drawn and rng.random() < 0.5:
            patch = drawn_patch(rng, CODES)
        elif plasma and rng.random() < PLASMA_CELLS:
            patch = _plasma_cell(patches, dye, rng)
        chosen.append(faded(patch, strength) if pale else patch)
    return chosen


def _plasma_cell(patches: list[Patch], dye: np.ndarray, rng: np.random.Generator) -> Patch:
    """Draw a plasma cell around the nucleus of one of the patches, or wholly where none has a round one."""
    for _ in range(TRIES):
        patch = patches[rng.integers(len(patches))]
        if patch.code not in NOT_NUCLEATED and (nucleus := nucleus_of(patch)) is not None:
            return plasma_cell(patch, nucleus, dye, rng)
    return drawn_patch(rng, ["PLM"])


def _artefacts(patches: list[Patch], cells: int, mixed: bool, rng: np.random.Generator) -> list[Patch]:
    """Choose what lies among the cells without being one; more of it where there are no cells."""
    real = [patch for patch in patches if patch.code in NOT_NUCLEATED]
    found = [real[rng.integers(len(real))] for _ in range(int(rng.integers(0, 9)) if real and not cells else 0)]
    if mixed:
        found += [drawn_patch(rng, ["ART"]) for _ in range(rng.poisson(0.6 + 0.05 * cells + 2 * (not cells)))]
    return found


def _background(
    backgrounds: list[Background],
    height: int,
    width: int,
    scale: float,
    diameter: float,
    mixed: bool,
    rng: np.random.Generator,
) -> np.ndarray:
    if backgrounds:
        background = tile_background(backgrounds, height, width, scale, rng)
        if mixed and rng.random() < 0.6:
            background = with_haze(background, diameter, rng)
    else:
        background = drawn_background(height, width, 0.8 * diameter, rng)
    return with_droplets(background, diameter, rng) if mixed and rng.random() < WITH_DROPLETS else background


class _Canvas:
    """A field while it is composed: later cells hide earlier ones.

    Args:
        background: ``(height, width, 3)`` RGB to start from.
        overlap: most of a cell that may be hidden.
        clustering: share of the cells that are put beside another.
    """

    def __init__(self, background: np.ndarray, overlap: float, clustering: float) -> None:
        self._image = background.astype(np.float32)
        self._colour = np.percentile(background[::4, ::4].reshape(-1, 3), 85, axis=0)
        self._labels = np.zeros(background.shape[:2], np.int32)
        self._codes = [""]
        self._areas = [0]  # of each cell inside the field, as if nothing lay on it
        self._seen = [0]  # of each cell, what is visible
        self._overlap = overlap
        self._clustering = clustering
        self._discs: list[tuple[float, float, float]] = []  # row, column and radius of each cell

    def paste(self, patch: Patch, scale: float, rng: np.random.Generator) -> None:
        """Paste a patch where it hides no more of any cell than allowed; gives up after some tries."""
        piece, alpha, cells = _turned(patch, scale, self._colour, rng)
        height, width = cells.shape
        whole = (cells > 0).sum()
        radius = patch.diameter * scale / 2
        for _ in range(TRIES):
            y, x = self._corner(cells.shape, radius, rng)
            met = meeting(self._labels.shape, cells.shape, y, x)
            if not met:
                continue
            place, cut = met
            new = cells[cut]
            under = self._labels[place]
            covered = np.bincount(under[new > 0], minlength=len(self._areas))
            if (new > 0).sum() >= 0.25 * whole and self._allowed(covered, (new > 0).sum()):
                self._seen = [seen - hidden for seen, hidden in zip(self._seen, covered, strict=True)]
                region = self._image[place]
                region += alpha[cut][..., None] * (piece[cut] - region)
                self._label(under, new, patch.code)
                if patch.code not in NOT_NUCLEATED:
                    self._discs.append((y + height / 2, x + width / 2, radius))
                return

    def _corner(self, shape: tuple[int, int], radius: float, rng: np.random.Generator) -> tuple[int, int]:
        """Choose the row and column of a piece's corner: anywhere, or so that its cell touches another."""
        if self._discs and rng.random() < self._clustering:
            row, column, other = self._discs[rng.integers(len(self._discs))]
            way, far = rng.uniform(0, 2 * np.pi), (radius + other) * rng.uniform(0.8, 1.1)
            return (
                int(np.clip(row + far * np.sin(way), 0, self._labels.shape[0]) - shape[0] / 2),
                int(np.clip(column + far * np.cos(way), 0, self._labels.shape[1]) - shape[1] / 2),
            )
        y, x = (
            int(rng.integers(-side // 2, limit - side // 2))
            for side, limit in zip(shape, self._labels.shape, strict=True)
        )
        return y, x

    def _allowed(self, covered: np.ndarray, new_area: int) -> bool:
        covered = covered.copy()
        covered[0] = 0
        areas = np.array(self._areas)
        hidden = areas - np.array(self._seen) + covered
        touched = covered > 0
        return bool(
            (hidden[touched] <= self._overlap * areas[touched]).all() and covered.sum() <= self._overlap * new_area
        )

    def _label(self, under: np.ndarray, new: np.ndarray, code: str) -> None:
        if code in NOT_NUCLEATED:
            under[new > 0] = 0
            return
        for cell in np.unique(new[new > 0]):
            under[new == cell] = len(self._areas)
            self._codes.append(code if cell == 1 else "")
            area = int((new == cell).sum())
            self._areas.append(area)
            self._seen.append(area)

    def field(self, photograph: Callable[[np.ndarray], np.ndarray]) -> Field:
        """Photograph what was composed."""
        labels = np.zeros_like(self._labels)
        hidden, codes = [], []
        for cell, place in enumerate(find_objects(self._labels), start=1):
            if place is None:
                continue
            region = largest_region(self._labels[place] == cell)
            area = int(region.sum())
            if area >= SMALLEST:
                hidden.append(1 - area / self._areas[cell])
                codes.append(self._codes[cell])
                labels[place][region > 0] = len(hidden)
        return Field(photograph(self._image), labels, np.array(hidden), tuple(codes))


def _turned(
    patch: Patch, scale: float, background: np.ndarray, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Scale, turn and mirror a patch; gives float32 RGB, its opacity 0 to 1, and its labels."""
    image, labels = match_background(patch.image, patch.background, background), patch.labels
    if rng.random() < 0.5:
        image, labels = image[:, ::-1], labels[:, ::-1]
    height, width = labels.shape
    side = int(np.ceil(np.hypot(height, width) * scale)) + 4
    matrix = cv2.getRotationMatrix2D((width / 2, height / 2), rng.uniform(0, 360), scale)
    matrix[:, 2] += side / 2 - np.array([width / 2, height / 2])
    if scale < 0.7:  # bilinear sampling alone would skip pixels
        image = cv2.GaussianBlur(np.ascontiguousarray(image), (0, 0), 0.4 / scale)
    image = cv2.warpAffine(np.ascontiguousarray(image), matrix, (side, side), borderMode=cv2.BORDER_REPLICATE)
    cells = np.zeros((side, side), np.int32)
    covered = np.zeros((side, side), np.float32)
    for number in range(1, labels.max() + 1):
        mask = cv2.warpAffine((labels == number).astype(np.float32), matrix, (side, side))
        cells[mask > 0.5] = number
        covered += mask
    return image.astype(np.float32), cv2.GaussianBlur(covered.clip(0, 1), (0, 0), 0.8), cells


def _photograph(image: np.ndarray, diameter: float, rng: np.random.Generator) -> np.ndarray:
    """Vary light, stain and focus of a whole field; ``(h, w, 3)`` uint8."""
    height, width = image.shape[:2]
    slope = rng.normal(0, 0.05, 2)
    rows = np.linspace(-1, 1, height, dtype=np.float32)[:, None]
    light = np.exp(slope[0] * rows + slope[1] * np.linspace(-1, 1, width) + rng.normal(0, 0.1)).astype(np.float32)
    stain = np.exp(rng.normal(0, 0.2) + rng.normal(0, 0.08, 3)).astype(np.float32)
    image = 256 * ((image.clip(0, 255) + 1) / 256) ** stain * light[..., None] - 1
    if rng.random() < 0.5:
        image = cv2.GaussianBlur(image, (0, 0), rng.uniform(0.3, 1.2 + 0.01 * diameter))
    image += rng.uniform(0, 5) * rng.standard_normal(image.shape, np.float32)
    return _as_pixels(image)


def _as_pixels(image: np.ndarray) -> np.ndarray:
    return image.clip(0, 255).astype(np.uint8)
