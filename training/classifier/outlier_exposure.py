"""Outliers: training views that show none of the classes, so that the network learns to keep silent.

Outlier exposure (Hendrycks et al. 2019, arXiv:1812.04606): every batch also holds views of no class, whose target is
"none of these", a constant logit of 0 beside those of the classes, in
:class:`training.classifier.objective.CrossEntropyWithNone`.
The runtime has the same constant, ``reject_logit`` of :class:`marrow.classifier.ClassifierConfig`.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from marrow.cell import Box
from marrow.crop import CropConfig
from training.classifier.augmentation import Augmentation, augmented_crop
from training.classifier.data import Cells

UNKNOWN_SHARE = 0.4  # of the outliers, where there are cells of no class


def draw_outlier(
    cells: Cells,
    unknown: Cells | None,
    colours: np.ndarray,
    crop: CropConfig,
    strength: Augmentation,
    rng: np.random.Generator,
) -> np.ndarray:
    """Return one random view of none of the classes.

    Args:
        cells: training cells; a view beside one of them, or of half of one and half of another, is an outlier.
        unknown: cells of no class, ``None`` without any.
        colours: statistics of other images, as for :func:`training.classifier.augmentation.augmented_crop`.
        crop: the crop.
        strength: how much to change.
        rng: source of randomness.

    Returns:
        ``(size, size, 3)`` uint8 RGB.
    """
    if unknown and rng.random() < UNKNOWN_SHARE:
        i = rng.integers(len(unknown))
        return augmented_crop(unknown.images[i], unknown.boxes[i], colours, crop, strength, rng)
    cropped = replace(strength, raw=0)  # the whole image would show the cell
    i = rng.integers(len(cells))
    if rng.random() < 0.5:
        return augmented_crop(cells.images[i], _beside(cells.boxes[i], rng), colours, crop, cropped, rng)
    j = rng.choice(np.flatnonzero(cells.labels != cells.labels[i]))
    halves = (augmented_crop(cells.images[k], cells.boxes[k], colours, crop, cropped, rng) for k in (i, j))
    return _joined(*halves)


def _beside(box: Box, rng: np.random.Generator) -> Box:
    """Return a box of about the same size that holds at most a part of the cell."""
    x0, y0, x1, y1 = box
    side = max(x1 - x0, y1 - y0)
    angle, distance = rng.uniform(0, 2 * np.pi), rng.uniform(0.6, 1.0) * side
    x, y = (x0 + x1) / 2 + distance * np.cos(angle), (y0 + y1) / 2 + distance * np.sin(angle)
    half = side / 2 * np.exp(rng.normal(-0.2, 0.3))
    return x - half, y - half, x + half, y + half


def _joined(left: np.ndarray, right: np.ndarray) -> np.ndarray:
    """Join the left half of one view and the right half of another with a soft seam."""
    size = left.shape[1]
    share = 1 / (1 + np.exp(np.linspace(-12, 12, size)))[None, :, None]
    return (left * share + right * (1 - share)).astype(np.uint8)
