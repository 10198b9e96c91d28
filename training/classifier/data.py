"""Single cells for the classifier: loading a data set, finding each cell, augmenting."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import cv2
import datasets
import numpy as np
from tqdm import tqdm

from marrow.analysis import Box
from marrow.crop import CropConfig, crop_cell, find_centre_cell
from marrow.errors import MarrowError
from marrow.images import to_rgb


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
    """

    images: list[np.ndarray]
    boxes: list[Box]
    labels: np.ndarray
    sources: tuple[str, ...]
    codes: tuple[str, ...]
    groups: tuple[int, ...] = ()

    def __len__(self) -> int:
        return len(self.images)

    def select(self, chosen: np.ndarray) -> Cells:
        """Return the cells where the boolean mask ``chosen`` is true."""
        indices = np.flatnonzero(chosen)
        return Cells(
            [self.images[i] for i in indices],
            [self.boxes[i] for i in indices],
            self.labels[indices],
            tuple(self.sources[i] for i in indices),
            self.codes,
            tuple(self.groups[i] for i in indices) if self.groups else (),
        )

    def crops(self, crop: CropConfig) -> np.ndarray:
        """Cut every cell out: ``(n, size, size, 3)`` uint8."""
        pairs = zip(self.images, self.boxes, strict=True)
        return np.stack([crop_cell(image, box, crop) for image, box in pairs])

    def raw(self, size: int) -> np.ndarray:
        """Scale every whole image, as the Transformers pipeline does: ``(n, size, size, 3)`` uint8."""
        return np.stack([cv2.resize(image, (size, size), interpolation=cv2.INTER_AREA) for image in self.images])

    def counts(self) -> dict[str, dict[str, int]]:
        """Count the images by code and source; a code without images has an empty entry."""
        counts: dict[str, dict[str, int]] = {code: {} for code in self.codes}
        for label, source in zip(self.labels, self.sources, strict=True):
            of_code = counts[self.codes[label]]
            of_code[source] = of_code.get(source, 0) + 1
        return counts


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
        part = datasets.load_dataset(data, split=split)
    except (OSError, ValueError, datasets.exceptions.DatasetsError) as error:
        raise MarrowError(
            f"The data set {data} cannot be loaded ({error}): build it with dataset_scripts/bone_marrow_12.py."
        ) from error
    if per_class is not None:
        chosen = at_most(np.array(part["label"]), per_class, np.random.default_rng((seed, 7)))
        part = part.select(np.flatnonzero(chosen))
    images = [to_rgb(image) for image in tqdm(part["image"], desc=f"reading {split}", disable=None)]
    names = tuple(part.features["label"].names)
    groups = tuple(part["group"]) if "group" in part.column_names else ()
    return cells_from(images, np.array(part["label"], int), tuple(part["source"]), names, groups)


def cells_from(
    images: list[np.ndarray],
    labels: np.ndarray,
    sources: tuple[str, ...],
    codes: tuple[str, ...],
    groups: tuple[int, ...] = (),
) -> Cells:
    """Find the cell in the middle of each image; the arguments are those of :class:`Cells`."""
    cv2.setNumThreads(1)
    with ThreadPoolExecutor(2) as pool:
        boxes = list(tqdm(pool.map(find_centre_cell, images), total=len(images), desc="finding cells", disable=None))
    return Cells(images, boxes, labels, sources, codes, groups)


def real_cells(cells: Cells) -> Cells:
    """Leave drawn cells out, unless there are no others."""
    real = np.array([source != "drawn" for source in cells.sources])
    return cells.select(real) if real.any() else cells


def at_most(labels: np.ndarray, sizes: int | np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Mark random cells of each class: at most ``sizes`` (of each, or by class index); ``(n,)`` bool."""
    order = rng.permutation(len(labels))
    chosen = np.zeros(len(labels), bool)
    for label, size in enumerate(np.broadcast_to(sizes, labels.max(initial=0) + 1)):
        chosen[order[labels[order] == label][:size]] = True
    return chosen


@dataclass(frozen=True)
class Augmentation:
    """Strength of each random change to a training cell; 0 turns one off.

    Attributes:
        raw: share of samples given as the whole image, not as a crop.
        jitter: standard deviation of the box's centre and log size, as a share of its size.
        stain: standard deviation of the log gain of each channel's optical density.
        transfer: share of samples given the colour statistics of another training image.
        light: standard deviation of the log gain of the intensity.
        blur: largest standard deviation of a Gaussian blur, in pixels of the crop.
        noise: largest standard deviation of pixel noise, in grey levels.
    """

    raw: float = 0.15
    jitter: float = 0.07
    stain: float = 0.12
    transfer: float = 0.3
    light: float = 0.08
    blur: float = 1.0
    noise: float = 4.0


def augmented_crop(
    image: np.ndarray,
    box: Box,
    colours: np.ndarray,
    crop: CropConfig,
    strength: Augmentation,
    rng: np.random.Generator,
) -> np.ndarray:
    """Return one random training view of a cell.

    Args:
        image: ``(height, width, 3)`` uint8 RGB.
        box: the cell in it.
        colours: ``(2, 3)`` Lab mean and standard deviation of another image, from :func:`colour_statistics`.
        crop: the crop.
        strength: how much to change.
        rng: source of randomness.

    Returns:
        ``(size, size, 3)`` uint8 RGB; the colour changes come before the cut, so the background level stays.
    """
    if rng.random() < strength.transfer:
        image = transfer_colours(image, colours)
    image = restain(image, strength, rng)
    if rng.random() < strength.raw:
        view = cv2.resize(image, (crop.size, crop.size), interpolation=cv2.INTER_AREA)
    else:
        view = crop_cell(image, jittered(box, strength.jitter, rng), crop)
        angle = rng.uniform(0, 360)
        turn = cv2.getRotationMatrix2D(((crop.size - 1) / 2,) * 2, angle, 1)
        view = cv2.warpAffine(view, turn, (crop.size,) * 2, borderValue=(crop.background,) * 3)
    if rng.random() < 0.5:
        view = view[:, ::-1]
    view = np.rot90(view, rng.integers(4))
    if rng.random() < 0.3 and strength.blur:
        view = cv2.GaussianBlur(np.ascontiguousarray(view), (0, 0), rng.uniform(0.2, max(strength.blur, 0.21)))
    if rng.random() < 0.3 and strength.noise:
        noise = rng.standard_normal(view.shape, dtype=np.float32) * rng.uniform(0, strength.noise)
        view = (view + noise).clip(0, 255).astype(np.uint8)
    return np.ascontiguousarray(view)


def jittered(box: Box, amount: float, rng: np.random.Generator) -> Box:
    """Move and scale a box at random, by ``amount`` of its size (one standard deviation)."""
    x0, y0, x1, y1 = box
    side = max(x1 - x0, y1 - y0)
    dx, dy = rng.normal(0, amount * side, 2)
    growth = np.exp(rng.normal(0, 1.5 * amount))
    half_w, half_h = (x1 - x0) / 2 * growth, (y1 - y0) / 2 * growth
    x, y = (x0 + x1) / 2 + dx, (y0 + y1) / 2 + dy
    return x - half_w, y - half_h, x + half_w, y + half_h


def restain(image: np.ndarray, strength: Augmentation, rng: np.random.Generator) -> np.ndarray:
    """Vary stain and light: random gains of the optical density and of the intensity of each channel."""
    levels = np.arange(256, dtype=np.float32)
    density = -np.log((levels[:, None] + 1) / 256) * np.exp(rng.normal(0, strength.stain, 3))
    light = np.exp(rng.normal(0, strength.light) + rng.normal(0, strength.light / 2, 3))
    table = (256 * np.exp(-density) * light - 1).clip(0, 255).astype(np.uint8)
    return cv2.LUT(image, table[None])


def colour_statistics(image: np.ndarray) -> np.ndarray:
    """Return the mean and standard deviation of the Lab channels of an RGB image, ``(2, 3)`` float32."""
    lab = cv2.cvtColor(image, cv2.COLOR_RGB2LAB).reshape(-1, 3).astype(np.float32)
    return np.stack([lab.mean(axis=0), lab.std(axis=0)])


def transfer_colours(image: np.ndarray, colours: np.ndarray) -> np.ndarray:
    """Return an image the Lab mean and spread of another (Reinhard et al. 2001, doi:10.1109/38.946629)."""
    lab = cv2.cvtColor(image, cv2.COLOR_RGB2LAB)
    mean, spread = colour_statistics(image)
    gain = (colours[1] / (spread + 1e-3)).clip(0.6, 1.6)
    table = (np.arange(256, dtype=np.float32)[:, None] - mean) * gain + colours[0]
    return cv2.cvtColor(cv2.LUT(lab, table.clip(0, 255).astype(np.uint8)[None]), cv2.COLOR_LAB2RGB)


def class_weights(labels: Sequence[int] | np.ndarray, n_classes: int) -> np.ndarray:
    """Return each class a weight inverse to its share, with a mean of 1 over the samples; 0 without samples."""
    counts = np.bincount(labels, minlength=n_classes)
    present = counts > 0
    weights = np.where(present, len(labels) / (present.sum() * np.maximum(counts, 1)), 0)
    return weights.astype(np.float32)
