"""Single cells for the classifier: loading a data set, finding each cell, choosing and weighing them."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from itertools import compress
from pathlib import Path
from typing import Any

import cv2
import datasets
import numpy as np
from tqdm import tqdm

from marrow.cell import Box
from marrow.classifier import SOURCES_OF_0_1, TrainedOn
from marrow.crop import CropConfig, crop_cell, find_centre_cell
from marrow.errors import MarrowError
from marrow.images import read_image, to_rgb
from marrow.stain import Stain, measure_stain
from training.classifier.stain import colour_statistics


@dataclass(frozen=True)
class Cells:
    """The cells of one split.

    Attributes:
        images: uint8 RGB arrays of any size, one cell in the middle of each.
        boxes: box of the cell in each image, in pixels.
        labels: ``(n,)`` int class indices into ``codes``.
        sources: name of the source of each image.
        codes: class codes in the order of the labels.
        groups: near-duplicate group of each image; empty where none is known.
        origins: origin of each image, one of :data:`marrow.analysis.ORIGINS`.
        laboratories: who stained and photographed each image. Where origins and laboratories are left out they are
            those of the sources of release 0.1; of any other source the origin is unknown, and its name stands for
            the laboratory.
        paths: of each image in its source; empty where none is known.
    """

    images: list[np.ndarray]
    boxes: list[Box]
    labels: np.ndarray
    sources: tuple[str, ...]
    codes: tuple[str, ...]
    groups: tuple[int, ...] = ()
    origins: tuple[str, ...] = ()
    laboratories: tuple[str, ...] = ()
    paths: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        known = [SOURCES_OF_0_1.get(source, ("unknown", source)) for source in self.sources]
        object.__setattr__(self, "origins", self.origins or tuple(origin for origin, _ in known))
        object.__setattr__(self, "laboratories", self.laboratories or tuple(laboratory for _, laboratory in known))

    def __len__(self) -> int:
        return len(self.images)

    def select(self, chosen: np.ndarray) -> Cells:
        """Return the cells where the boolean mask ``chosen`` is true."""
        columns: dict[str, Any] = {}
        for name in ("images", "boxes", "sources", "groups", "origins", "laboratories", "paths"):
            column = getattr(self, name)
            columns[name] = type(column)(compress(column, chosen))
        return replace(self, labels=self.labels[chosen], **columns)

    def crops(self, crop: CropConfig) -> np.ndarray:
        """Cut every cell out: ``(n, size, size, 3)`` uint8."""
        pairs = zip(self.images, self.boxes, strict=True)
        return np.stack([crop_cell(image, box, crop) for image, box in pairs])

    def raw(self, size: int) -> np.ndarray:
        """Scale every whole image, as the Transformers pipeline does: ``(n, size, size, 3)`` uint8."""
        return np.stack([cv2.resize(image, (size, size), interpolation=cv2.INTER_AREA) for image in self.images])

    def counts(self) -> TrainedOn:
        """Count the images by code, origin and laboratory; a code without images has an empty entry."""
        counts: TrainedOn = {code: {} for code in self.codes}
        for label, origin, laboratory in zip(self.labels, self.origins, self.laboratories, strict=True):
            of_origin = counts[self.codes[label]].setdefault(origin, {})
            of_origin[laboratory] = of_origin.get(laboratory, 0) + 1
        return counts


@dataclass(frozen=True)
class Colours:
    """The colours of a picture.

    Attributes:
        statistics: from :func:`training.classifier.stain.colour_statistics`.
        stain: its stain; ``None`` where it shows none.
    """

    statistics: np.ndarray
    stain: Stain | None


@dataclass(frozen=True)
class TrainingMaterial:
    """What a classifier learns from.

    Attributes:
        cells: the training cells, the corrected ones last.
        unknown: cells of no class, some of the outliers; ``None`` without any.
        corrected: how many of the last cells people corrected.
        stains: colours of pictures that are not trained on.
    """

    cells: Cells
    unknown: Cells | None = None
    corrected: int = 0
    stains: tuple[Colours, ...] = ()


def load_cells(data: str, split: str, per_class: int | None = None, seed: int = 0) -> Cells:
    """Load a split of a data set that ``bone_marrow_12.py`` built.

    Args:
        data: a folder with ``data/SPLIT-….parquet``, or the Hub id of a data set.
        split: ``train``, ``validation`` or ``test``.
        per_class: read at most this many cells of each class, chosen at random.
        seed: of that choice.

    Raises:
        MarrowError: the data set cannot be loaded or has no such split.
    """
    try:
        loaded = datasets.load_dataset(data, split=split)
    except (OSError, ValueError, datasets.exceptions.DatasetsError) as error:
        raise MarrowError(
            f"The data set {data} cannot be loaded ({error}): build it with dataset_scripts/bone_marrow_12.py."
        ) from error
    if per_class is not None:
        chosen = at_most(np.array(loaded["label"]), per_class, np.random.default_rng((seed, 7)))
        loaded = loaded.select(np.flatnonzero(chosen))
    images = [to_rgb(image) for image in tqdm(loaded["image"], desc=f"reading {split}", disable=None)]
    names = tuple(loaded.features["label"].names)
    columns = [
        tuple(loaded[name]) if name in loaded.column_names else () for name in ("group", "origin", "laboratory", "path")
    ]
    labels = np.array(loaded["label"], int)
    boxes = find_boxes(images)
    return Cells(images, boxes, labels, tuple(loaded["source"]), names, *columns)


def load_stains(folder: str) -> tuple[Colours, ...]:
    """Measure the colours of the pictures in a folder, in the order of their names.

    Raises:
        MarrowError: it holds none, or something else than pictures.
    """
    files = sorted(file for file in Path(folder).glob("*") if file.is_file())
    if not files:
        raise MarrowError(f"There are no pictures in {folder}: name a folder of images with --stains.")
    images = map(read_image, files)
    return tuple(Colours(colour_statistics(image), find_stain(image)) for image in images)


def find_stain(image: np.ndarray) -> Stain | None:
    """Measure the stain of a picture; ``None`` where it shows none."""
    try:
        return measure_stain(image)
    except MarrowError:
        return None


def find_boxes(images: list[np.ndarray]) -> list[Box]:
    """Find the cell in the middle of each image."""
    cv2.setNumThreads(1)
    with ThreadPoolExecutor(2) as pool:
        return list(tqdm(pool.map(find_centre_cell, images), total=len(images), desc="finding cells", disable=None))


def real_cells(cells: Cells) -> Cells:
    """Leave drawn cells out, unless there are no others."""
    real = np.array([origin != "drawn" for origin in cells.origins])
    return cells.select(real) if real.any() else cells


def at_most(labels: np.ndarray, sizes: int | np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Mark random cells of each class: at most ``sizes`` (of each, or by class index); ``(n,)`` bool."""
    order = rng.permutation(len(labels))
    chosen = np.zeros(len(labels), bool)
    for label, size in enumerate(np.broadcast_to(sizes, labels.max(initial=0) + 1)):
        chosen[order[labels[order] == label][:size]] = True
    return chosen


def class_weights(labels: Sequence[int] | np.ndarray, n_classes: int) -> np.ndarray:
    """Return each class a weight inverse to its share, with a mean of 1 over the samples; 0 without samples."""
    counts = np.bincount(labels, minlength=n_classes)
    present = counts > 0
    weights = np.where(present, len(labels) / (present.sum() * np.maximum(counts, 1)), 0)
    return weights.astype(np.float32)
