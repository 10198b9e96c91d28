"""What the classifier is shown, batch by batch: crops of cells, changed at random, and outliers."""

from __future__ import annotations

from collections import defaultdict
from itertools import count

import keras
import numpy as np

from marrow.crop import crop_cell
from training.classifier.augmentation import augmented_crop
from training.classifier.config import ClassifierTraining
from training.classifier.data import Cells, class_weights
from training.classifier.fine_tuning import FineTuning, mixed_order
from training.classifier.outlier_exposure import draw_outlier
from training.classifier.stain import colour_statistics


class TrainingBatches(keras.utils.PyDataset):
    """The batches of one epoch; the same seed and epoch give the same batches on any machine."""

    def __init__(
        self, cells: Cells, unknown: Cells | None, config: ClassifierTraining, epoch: int, corrected: int = 0
    ) -> None:
        super().__init__(workers=2, max_queue_size=8)
        self.cells, self.unknown, self.config, self.epoch = cells, unknown, config, epoch
        n_classes = len(cells.codes)
        if isinstance(config, FineTuning):
            self.order = mixed_order(len(cells) - corrected, corrected, config, epoch)
        else:
            self.order = np.random.default_rng((config.seed, epoch)).permutation(len(cells))
        seen: defaultdict[int, count[int]] = defaultdict(count)
        self.showings = [next(seen[i]) for i in self.order]
        balanced = config.balancing == "weights"
        self.weights = (
            class_weights(cells.labels[self.order], n_classes) if balanced else np.ones(n_classes, np.float32)
        )
        # with corrected cells their stain too, as often as they are shown
        models = self.order if corrected else np.arange(len(cells))
        self.colours = [colour_statistics(cells.images[i]) for i in models[:: max(1, len(models) // 500)]]

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
        colours = self._colours(rng)
        image, box = self.cells.images[i], self.cells.boxes[i]
        return augmented_crop(image, box, colours, self.config.crop, self.config.augmentation, rng)

    def _outlier(self, index: int, n: int) -> np.ndarray:
        rng = np.random.default_rng((self.config.seed, self.epoch, index, n))
        strength = self.config.augmentation
        return draw_outlier(self.cells, self.unknown, self._colours(rng), self.config.crop, strength, rng)

    def _colours(self, rng: np.random.Generator) -> np.ndarray:
        return self.colours[rng.integers(len(self.colours))]
