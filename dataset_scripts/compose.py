"""Composing one smear field of cells and ground, with the visible part of every nucleated cell outlined."""

from __future__ import annotations

from dataclasses import dataclass, field

import cv2
import numpy as np
from scipy.ndimage import find_objects

from dataset_scripts.cell_patches import Ground, Patch, drawn_ground, drawn_patch, match_ground, quilted_ground
from dataset_scripts.synthetic_cells import CODES

NOT_NUCLEATED = {"ART"}
DIAMETERS = (30.0, 250.0)  # of a composed cell in pixels; the larger end only in fields that hold two such cells
MOST_CELLS = 120
TRIES = 12
SMALLEST = 40  # pixels of a cell that must be seen for it to be outlined


@dataclass(frozen=True)
class Field:
    """A smear field and its cells.

    Attributes:
        image: ``(height, width, 3)`` uint8 RGB.
        labels: ``(height, width)`` int32, 0 for ground, ``i`` for the visible part of cell ``i``.
        hidden: ``(cells,)`` share of each cell that lies under others, 0 to 1; empty where it is not known.
    """

    image: np.ndarray
    labels: np.ndarray
    hidden: np.ndarray = field(default_factory=lambda: np.zeros(0))


@dataclass(frozen=True)
class Stock:
    """What fields of one split are made from, by source: cells to paste, and ground to paste them on."""

    patches: dict[str, list[Patch]]
    grounds: dict[str, list[Ground]]


def compose_field(
    stock: Stock,
    size: int,
    rng: np.random.Generator,
    *,
    overlap: float = 0.3,
    empty: bool = False,
    drawn_share: float = 0.15,
) -> Field:
    """Compose one field.

    Args:
        stock: cells and grounds to use.
        size: side of the field in pixels.
        rng: source of randomness.
        overlap: most of any cell that may lie under others, 0 to 1; each field has its own limit up to that.
        empty: leave the nucleated cells out: red cells, platelets and ground only.
        drawn_share: share of fields with drawn cells.

    Returns:
        A field of one source's cells on real or drawn ground. The typical diameter of its cells is drawn
        log-uniformly from ``DIAMETERS``, up to 0.45 of the field; within a field the cells keep their proportions.
    """
    sources = sorted(stock.patches)
    weights = np.sqrt([len(stock.patches[source]) for source in sources])
    source = str(rng.choice(sources, p=weights / weights.sum()))
    patches = stock.patches[source]
    smallest, largest = DIAMETERS[0], max(DIAMETERS[0], min(DIAMETERS[1], 0.45 * size))
    diameter = float(np.exp(rng.uniform(np.log(smallest), np.log(largest))))
    scale = diameter / float(np.median([patch.diameter for patch in patches]))
    canvas = _ground(stock.grounds[source], size, scale, diameter, rng)
    cover = 0.0 if empty else rng.uniform(0.03, 0.8)
    number = 0 if empty else min(MOST_CELLS, 1 + round(cover * size**2 / (np.pi * diameter**2 / 4)))
    drawn = rng.random() < drawn_share
    chosen = [
        drawn_patch(rng, CODES) if drawn and rng.random() < 0.5 else patches[rng.integers(len(patches))]
        for _ in range(number)
    ]
    if empty:
        artefacts = [patch for patch in patches if patch.code in NOT_NUCLEATED]
        chosen = [artefacts[rng.integers(len(artefacts))] for _ in range(int(rng.integers(0, 9))) if artefacts]
    canvas = _Canvas(canvas, overlap * rng.random())
    for patch in chosen:
        zoom = np.clip(patch.diameter * scale * np.exp(rng.normal(0, 0.06)), smallest, largest) / patch.diameter
        canvas.paste(patch, float(zoom), rng)
    return canvas.field(diameter, rng)


def _ground(grounds: list[Ground], size: int, scale: float, diameter: float, rng: np.random.Generator) -> np.ndarray:
    if grounds and rng.random() < 0.5:
        return quilted_ground(grounds, size, size, scale, rng)
    return drawn_ground(size, size, 0.8 * diameter, rng)


class _Canvas:
    """A field while it is composed: later cells hide earlier ones.

    Args:
        ground: ``(height, width, 3)`` RGB to start from.
        overlap: most of a cell that may be hidden.
    """

    def __init__(self, ground: np.ndarray, overlap: float) -> None:
        self._image = ground.astype(np.float32)
        self._colour = np.percentile(ground[::4, ::4].reshape(-1, 3), 85, axis=0)
        self._labels = np.zeros(ground.shape[:2], np.int32)
        self._areas = [0]  # of each cell inside the field, as if nothing lay on it
        self._seen = [0]  # of each cell, what is visible
        self._overlap = overlap

    def paste(self, patch: Patch, scale: float, rng: np.random.Generator) -> None:
        """Paste a patch where it hides no more of any cell than allowed; gives up after some tries."""
        piece, alpha, cells = _turned(patch, scale, self._colour, rng)
        height, width = cells.shape
        size = self._labels.shape
        whole = (cells > 0).sum()
        for _ in range(TRIES):
            y, x = (
                int(rng.integers(-side // 2, limit - side // 2)) for side, limit in zip(cells.shape, size, strict=True)
            )
            place = np.s_[max(0, y) : max(0, min(size[0], y + height)), max(0, x) : max(0, min(size[1], x + width))]
            cut = np.s_[
                max(0, -y) : max(0, -y) + place[0].stop - place[0].start,
                max(0, -x) : max(0, -x) + place[1].stop - place[1].start,
            ]
            new = cells[cut]
            under = self._labels[place]
            covered = np.bincount(under[new > 0], minlength=len(self._areas))
            if (new > 0).sum() >= 0.25 * whole and self._allowed(covered, (new > 0).sum()):
                self._seen = [seen - hidden for seen, hidden in zip(self._seen, covered, strict=True)]
                region = self._image[place]
                region += alpha[cut][..., None] * (piece[cut] - region)
                self._label(under, new, patch.code in NOT_NUCLEATED)
                return

    def _allowed(self, covered: np.ndarray, new_area: int) -> bool:
        covered = covered.copy()
        covered[0] = 0
        areas = np.array(self._areas)
        hidden = areas - np.array(self._seen) + covered
        touched = covered > 0
        return bool(
            (hidden[touched] <= self._overlap * areas[touched]).all() and covered.sum() <= self._overlap * new_area
        )

    def _label(self, under: np.ndarray, new: np.ndarray, artefact: bool) -> None:
        if artefact:
            under[new > 0] = 0
            return
        for cell in np.unique(new[new > 0]):
            under[new == cell] = len(self._areas)
            area = int((new == cell).sum())
            self._areas.append(area)
            self._seen.append(area)

    def field(self, diameter: float, rng: np.random.Generator) -> Field:
        """Photograph what was composed."""
        labels = np.zeros_like(self._labels)
        hidden = []
        for cell, place in enumerate(find_objects(self._labels), start=1):
            if place is None:
                continue
            _, regions, stats, _ = cv2.connectedComponentsWithStats((self._labels[place] == cell).astype(np.uint8))
            largest = 1 + stats[1:, cv2.CC_STAT_AREA].argmax()
            area = stats[largest, cv2.CC_STAT_AREA]
            if area >= SMALLEST:
                hidden.append(1 - area / self._areas[cell])
                labels[place][regions == largest] = len(hidden)
        return Field(_photograph(self._image, diameter, rng), labels, np.array(hidden))


def _turned(
    patch: Patch, scale: float, ground: np.ndarray, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Scale, turn and mirror a patch; gives float32 RGB, its opacity 0 to 1, and its labels."""
    image, labels = match_ground(patch.image, patch.ground, ground), patch.labels
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
    return image.clip(0, 255).astype(np.uint8)
