"""Fields of a known number of cells, composed of held-out ones, each of another size."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from benchmarks.stacks import NamedCell
from dataset_scripts.fields.compose import compose_field
from dataset_scripts.fields.patch_bank import PatchBank, make_patch_bank
from marrow.geometry import box_iou

CELLS = {1: (80.0, 200.0), 14: (60.0, 110.0), 30: (50.0, 80.0), 120: (32.0, 40.0)}
"""Numbers of cells, and their diameters in pixels, so that there is room for them."""

SIDES = (480, 640)
"""Sides of the fields in pixels."""

FOUND = 0.5
"""Intersection over union from which a box is that of a true cell."""


@dataclass(frozen=True)
class TimedField:
    """A picture, ``(height, width, 3)`` uint8 RGB, and the ``(n, 4)`` boxes of its cells in pixels."""

    image: np.ndarray
    boxes: np.ndarray


def cut_out(data: str, segmenter: str, limit: int = 300) -> PatchBank:
    """Cut held-out cells out of a data set; see :func:`dataset_scripts.fields.patch_bank.make_patch_bank`."""
    return make_patch_bank(data, "test", limit, segmenter)


def compose(bank: PatchBank, cells: int, number: int, seed: int = 0) -> list[TimedField]:
    """Compose fields.

    Args:
        bank: what to compose of.
        cells: nucleated cells in each field, as far as there is room.
        number: how many fields.
        seed: of the random choices.
    """
    fields = []
    for index in range(number):
        rng = np.random.default_rng((seed, cells, index))
        side = int(rng.integers(*SIDES, endpoint=True))
        field = compose_field(bank, side, rng, mixed=False, diameters=CELLS[cells], cells=cells)
        places = [np.argwhere(field.labels == i + 1) for i in range(field.labels.max())]
        boxes = [[*(one.min(axis=0)[::-1]), *(one.max(axis=0)[::-1] + 1)] for one in places]
        fields.append(TimedField(field.image, np.array(boxes, float).reshape(-1, 4)))
    return fields


def recall(fields: list[TimedField], found: list[list[NamedCell]]) -> float:
    """Return the share of the true cells whose box one was found in, or 0 without any."""
    hits = total = 0
    for field, cells in zip(fields, found, strict=True):
        overlaps = box_iou(field.boxes, np.array([cell.box for cell in cells]).reshape(-1, 4))
        hits += int((overlaps.max(axis=1, initial=0) >= FOUND).sum())
        total += len(field.boxes)
    return hits / max(total, 1)
