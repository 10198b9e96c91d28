"""What the classifier is shown, batch by batch: crops of cells, changed at random, and outliers."""

from __future__ import annotations

from collections import defaultdict
from itertools import count

import keras
import numpy as np

from marrow.crop import crop_cell
from training.classifier.augmentation import augmented_crop
from training.classifier.config import ClassifierTraining
from training.classifier.data import TrainingMaterial, real_cells
from training.classifier.outlier_exposure import draw_outlier
from training.classifier.sampling import shown_cells
from training.classifier.stain import colour_statistics

STAINS = 200
"""Images of each laboratory that lend their colours."""


class TrainingBatches(keras.utils.PyDataset):
    """The batches of one epoch; the same seed and epoch give the same batches on any machine."""

    def __init__(self, material: TrainingMaterial, config: ClassifierTraining, epoch: int) -> None:
        super().__init__(workers=2, max_queue_size=8)
        self.cells, self.unknown, self.config, self.epoch = material.cells, material.unknown, config, epoch
        self.order, self.weights = shown_cells(material, config, epoch)
        seen: defaultdict[int, count[int]] = defaultdict(count)
        self.showings = [next(seen[i]) for i in self.order]
        self.colours = _lent_colours(material, self.order)

    def __len__(self) -> int:
        return max(1, len(self.order) // self.config.batch_size)

    def __getitem__(self, index: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return network inputs in -1…1, one-hot labels and sample weights; the label of an outlier is all 0."""
        size = self.config.batch_size
        rows = slice(index * size, (index + 1) * size)
        chosen = self.order[rows]
        outliers = [self._outlier(index, n) for n in range(round(size * self.config.outlier_exposure))]
        crops = np.stack([*map(self._view, chosen, self.showings[rows]), *outliers])
        labels = self.cells.labels[chosen]
        targets = np.zeros((len(crops), len(self.cells.codes)), np.float32)
        targets[np.arange(len(labels)), labels] = 1
        weights = np.append(self.weights[labels], np.ones(len(outliers), np.float32))
        return crops / np.float32(127.5) - np.float32(1), targets, weights

    def _view(self, i: int, showing: int) -> np.ndarray:
        if not self.config.augment:
            return crop_cell(self.cells.images[i], self.cells.boxes[i], self.config.crop)
        rng = np.random.default_rng((self.config.seed, self.epoch, int(i), showing))
        image, box = self.cells.images[i], self.cells.boxes[i]
        return augmented_crop(image, box, self.colours, self.config.crop, self.config.augmentation, rng)

    def _outlier(self, index: int, n: int) -> np.ndarray:
        rng = np.random.default_rng((self.config.seed, self.epoch, index, n))
        strength = self.config.augmentation
        return draw_outlier(self.cells, self.unknown, self.colours, self.config.crop, strength, rng)


def _lent_colours(material: TrainingMaterial, order: np.ndarray) -> np.ndarray:
    """Return the colours that images of an epoch lend to others, ``(n, 2, 3)``: as many of each laboratory."""
    cells = material.cells
    if material.corrected:  # these too, as often as they are shown
        chosen = order[:: max(1, len(order) // 500)]
        return np.stack([colour_statistics(cells.images[i]) for i in chosen])
    real = real_cells(cells)
    of_laboratory: defaultdict[str, list[int]] = defaultdict(list)
    for i, laboratory in enumerate(real.laboratories):
        of_laboratory[laboratory].append(i)
    pools = [[colour_statistics(real.images[i]) for i in _spread(own)] for own in of_laboratory.values()]
    if material.stains:
        pools.append([one.statistics for one in material.stains])
    return np.concatenate([np.resize(pool, (max(map(len, pools)), 2, 3)) for pool in pools])


def _spread(indices: list[int]) -> list[int]:
    return indices[:: max(1, len(indices) // STAINS)][:STAINS]
