"""The classifier: a MobileNetV2 in ONNX, run by OpenVINO, that names a cell from its crop."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from marrow.analysis import Box, ModelInfo
from marrow.crop import CropConfig, crop_cell
from marrow.hub import ModelFolder, resolve
from marrow.runtime import compile_onnx, read_config

BATCH = 32


@dataclass(frozen=True)
class ClassifierConfig:
    """What a classifier's ``config.json`` says beside its Transformers keys.

    Attributes:
        id2label: class code by index, as Transformers writes it.
        crop: how a cell is cut out, the fields of :class:`marrow.crop.CropConfig`.
        temperature: the logits are divided by it before the softmax.
        uncertain_below: a cell whose best probability is lower counts as uncertain, 0 to 1.
        trained_on: number of training images by code and source; an empty entry means none.
        views: quarter turns of each crop that are looked at; their probabilities are averaged. 1 to 4.
        none_logit: constant logit that competes with those of the classes and stands for none of them, so that the
            probabilities add up to less than 1 where no class speaks up; nothing competes when ``None``.
    """

    id2label: dict[str, str]
    crop: dict[str, Any]
    temperature: float
    uncertain_below: float
    trained_on: dict[str, dict[str, int]]
    views: int = 1
    none_logit: float | None = None

    @property
    def labels(self) -> tuple[str, ...]:
        """The class codes in the order of the network's outputs."""
        return tuple(self.id2label[str(i)] for i in range(len(self.id2label)))


class Classifier:
    """Names cells.

    Args:
        folder: a folder with ``config.json`` and ``model.onnx``, as :func:`marrow.hub.resolve` gives it.

    Raises:
        MarrowError: a file is missing or unreadable.
    """

    def __init__(self, folder: ModelFolder) -> None:
        self.info: ModelInfo = folder.info
        self.config = read_config(folder.path, ClassifierConfig)
        self.labels = self.config.labels
        self.crop = CropConfig(**self.config.crop)
        # bfloat16 moves the logits by up to 0.1, and with them the names near a threshold
        self._network = compile_onnx(folder.path / "model.onnx", exact=True)

    @classmethod
    def from_pretrained(cls, reference: str, revision: str | None = None) -> Classifier:
        """Load a classifier from a Hub id or a local folder, optionally at one revision."""
        return cls(resolve(reference, revision))

    def __call__(self, image: np.ndarray, boxes: Sequence[Box]) -> np.ndarray:
        """Name the cells in the boxes of one image.

        Args:
            image: ``(height, width, 3)`` uint8 RGB.
            boxes: one box around each cell, in pixels.

        Returns:
            ``(len(boxes), len(labels))`` float32 probabilities; each row adds up to 1, or to less where none of the
            classes fits.
        """
        crops = [crop_cell(image, box, self.crop) for box in boxes]
        return self.predict(np.stack(crops)) if crops else np.zeros((0, len(self.labels)), np.float32)

    def predict(self, crops: np.ndarray) -> np.ndarray:
        """Give the probabilities of ``(n, size, size, 3)`` uint8 RGB crops, as ``(n, len(labels))`` float32."""
        return probabilities(self.logits(crops), self.config.temperature, self.config.none_logit)

    def logits(self, crops: np.ndarray) -> np.ndarray:
        """Give the logits of ``(n, size, size, 3)`` uint8 RGB crops in each view, ``(views, n, len(labels))``."""
        inputs = crops.transpose(0, 3, 1, 2) / np.float32(127.5) - np.float32(1)
        turned = (np.ascontiguousarray(np.rot90(inputs, turn, axes=(2, 3))) for turn in range(self.config.views))
        return np.stack(
            [np.concatenate([self._network(x[i : i + BATCH])[0] for i in range(0, len(x), BATCH)]) for x in turned]
        )


def probabilities(logits: np.ndarray, temperature: float = 1, none_logit: float | None = None) -> np.ndarray:
    """Turn logits into probabilities, averaged over the views.

    Args:
        logits: ``(views, n, classes)``.
        temperature: divides the logits.
        none_logit: logit of none of the classes, as in :class:`ClassifierConfig`.

    Returns:
        ``(n, classes)`` float32; each row adds up to 1, or to less with ``none_logit``.
    """
    logits = logits / temperature
    highest = logits.max(axis=2, keepdims=True)
    exponents = np.exp(logits - highest)
    total = exponents.sum(axis=2, keepdims=True)
    if none_logit is not None:
        total = total + np.exp(none_logit / temperature - highest)
    return (exponents / total).mean(axis=0).astype(np.float32)
