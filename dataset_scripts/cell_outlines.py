"""Outlining every nucleated cell in a single-cell image: by colour alone, or with a released segmenter."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import cv2
import numpy as np

from marrow.centre_cell import outline_cells
from marrow.segmenter import Segmenter

AGREEMENT = 0.7  # overlap (IoU) of the two outlines of a centre cell below which neither is trusted
CONFIDENCE = 0.3


def cell_labels(image: np.ndarray, model: str | None = None) -> np.ndarray:
    """Outline the nucleated cells of a single-cell image.

    Args:
        image: ``(height, width, 3)`` uint8 RGB, with one cell near its middle.
        model: reference of a segmenter that outlines the cells; colour alone does when ``None``, and checks the
            model's centre cell otherwise.

    Returns:
        ``(height, width)`` int32: 1 in the centre cell, 2 and up in its neighbours, 0 elsewhere. No pixel is 1 where
        no cell was found in the middle, or where model and colour do not agree on it.

    Raises:
        MarrowError: the model cannot be had.
    """
    by_colour = outline_cells(image)
    if model is None:
        return stack(by_colour, image.shape[:2])
    found = _model_cells(image, model)
    middle = np.array(image.shape[:2]) / 2
    found.sort(key=lambda mask: np.linalg.norm(np.argwhere(mask).mean(axis=0) - middle))
    trusted = bool(found and by_colour) and overlap(found[0], by_colour[0]) >= AGREEMENT
    if trusted:
        return stack(found, image.shape[:2])
    labels = stack([*by_colour, *found], image.shape[:2])
    return np.where(labels > 0, labels + 1, 0)


def stack(masks: Sequence[np.ndarray], shape: tuple[int, int]) -> np.ndarray:
    """Number masks from 1 in a label image, ``(height, width)`` int32, the first on top."""
    labels = np.zeros(shape, np.int32)
    for number, mask in reversed(list(enumerate(masks, start=1))):
        labels[mask] = number
    return labels


def overlap(a: np.ndarray, b: np.ndarray) -> float:
    """Intersection over union of two bool masks."""
    return float((a & b).sum() / max((a | b).sum(), 1))


@lru_cache(maxsize=1)  # one in each process
def _segmenter(reference: str) -> Segmenter:
    return Segmenter.from_pretrained(reference)


def _model_cells(image: np.ndarray, model: str) -> list[np.ndarray]:
    masks = []
    for cell in _segmenter(model)(image, CONFIDENCE):
        mask = np.zeros(image.shape[:2], np.uint8)
        cv2.fillPoly(mask, [np.floor(np.array(cell.polygon)).astype(np.int32)], 1)
        if mask.any():
            masks.append(mask > 0)
    return masks
