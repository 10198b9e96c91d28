"""Fields whose cells are known: composed ones with their masks, and the real ones kept for measuring."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import cv2
import numpy as np
from pycocotools import mask as coco_mask

from dataset_scripts.fields.splits import split_boxed
from marrow.errors import MarrowError
from marrow.images import read_image
from training.evaluation.matching import RLE, encode_rle

INPUT = 640  # pixels; the input size that diameters are given at


@dataclass(frozen=True)
class GroundTruth:
    """A field and the truth about it.

    Attributes:
        name: file name as in COCO, or the stem of a benchmark's file.
        file: the image.
        cells: masks of the true cells; empty where only boxes are known.
        hidden: ``(cells,)`` share of each that lies under others, 0 to 1; ``nan`` where it is not known.
        boxes: ``(n, 4)`` x0, y0, x1, y1 in pixels, where boxes are the truth.
    """

    name: str
    file: Path
    cells: list[RLE] = field(default_factory=list)
    hidden: np.ndarray = field(default_factory=lambda: np.zeros(0))
    boxes: np.ndarray = field(default_factory=lambda: np.zeros((0, 4)))

    @property
    def composed(self) -> bool:
        """Whether ``smear_fields.py`` composed it, rather than a photograph."""
        return Path(self.name).name.startswith("composed_")

    def image(self) -> np.ndarray:
        """Read the image: ``(height, width, 3)`` uint8 RGB."""
        return read_image(self.file)

    def diameters(self) -> np.ndarray:
        """Diameters, ``(cells,)``, of the discs with the cells' visible areas, in pixels at a 640 px input.

        Like the runtime, this scales large fields down and never enlarges small ones.
        """
        areas = np.array([coco_mask.area(cell) for cell in self.cells], float)
        scale = min(1, INPUT / max(self.cells[0]["size"])) if self.cells else 1
        return scale * np.sqrt(4 * areas / np.pi)


def annotation_file(data: Path, split: str) -> Path:
    """Return the COCO file of one split of a folder that ``smear_fields.py`` wrote.

    Raises:
        MarrowError: there is none.
    """
    path = data / "annotations" / f"instances_{split}.json"
    if not path.is_file():
        raise MarrowError(f"There is no {path}: compose {split} fields with dataset_scripts/smear_fields.py.")
    return path


def coco_fields(data: Path, split: str) -> list[GroundTruth]:
    """List the fields of one split.

    Raises:
        MarrowError: there are none.
    """
    path = annotation_file(data, split)
    content = json.loads(path.read_text(encoding="utf-8"))
    cells: dict[int, list[tuple[RLE, float]]] = {entry["id"]: [] for entry in content["images"]}
    for entry in content["annotations"]:
        cells[entry["image_id"]].append((entry["segmentation"], entry.get("hidden", np.nan)))
    if not cells:
        raise MarrowError(f"There are no {split} fields in {data}: compose some with dataset_scripts/smear_fields.py.")
    return [
        GroundTruth(
            entry["file_name"],
            data / "images" / entry["file_name"],
            [mask for mask, _ in cells[entry["id"]]],
            np.array([hidden for _, hidden in cells[entry["id"]]], float),
        )
        for entry in content["images"]
    ]


def segpc_fields(folder: Path) -> Iterator[GroundTruth]:
    """Read SegPC-2021: a mask for every plasma cell, and none for any other cell."""
    for file in sorted((folder / "images").glob("*.jpg")):
        labels = _read_labels(folder / "labels" / f"{file.stem}.png")
        cells = [encode_rle(labels == cell) for cell in np.unique(labels[labels > 0])]
        yield GroundTruth(file.stem, file, cells, np.full(len(cells), np.nan))


def bccd_fields(folder: Path, part: str = "test") -> Iterator[GroundTruth]:
    """Read the boxed fields of one part of BCCD, split as ``smear_fields.py`` splits them."""
    files = sorted((folder / "images").glob("*.jpg"))
    for split, name, file in split_boxed([(file.stem, file) for file in files]):
        if split == part:
            height, width = read_image(file).shape[:2]
            text = (folder / "labels" / f"{name}.txt").read_text(encoding="utf-8")
            rows = np.array([line.split()[1:5] for line in text.splitlines() if line.strip()], float).reshape(-1, 4)
            corners = np.hstack([rows[:, :2] - rows[:, 2:] / 2, rows[:, :2] + rows[:, 2:] / 2])
            yield GroundTruth(name, file, boxes=corners * (width, height, width, height))


def single_cells(folder: Path) -> Iterator[GroundTruth]:
    """Read single white cells with their masks, nucleus and cytoplasm together (Zheng et al. 2018)."""
    for file in sorted(folder.glob("*.jpg")):
        mask = _read_labels(file.with_name(f"{file.stem}_mask.png"), cv2.IMREAD_GRAYSCALE)
        yield GroundTruth(file.stem, file, [encode_rle(mask > 64)], np.array([np.nan]))


def _read_labels(file: Path, flags: int = cv2.IMREAD_UNCHANGED) -> np.ndarray:
    labels = cv2.imread(str(file), flags)
    if labels is None:
        raise MarrowError(f"{file} cannot be read: download the real fields again, or leave --benchmarks out.")
    return labels
