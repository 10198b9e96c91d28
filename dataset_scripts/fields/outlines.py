"""Outlining every nucleated cell in a single-cell image: by colour alone, or with a released segmenter."""

from collections.abc import Sequence
from functools import lru_cache

import numpy as np

from marrow.cell import Detection
from marrow.centre_cell import outline_cells
from marrow.geometry import polygon_mask
from marrow.letterbox import GREY
from marrow.segmenter import Segmenter

AGREEMENT = 0.7  # overlap (IoU) of the two outlines of a centre cell below which neither is trusted
CONFIDENCE = 0.3
GAP = 32  # pixels between images that go through the network together


def cell_labels(image: np.ndarray, model: str | None = None) -> np.ndarray:
    """Outline the nucleated cells of one single-cell image; see :func:`labels_of_all`."""
    return labels_of_all([image], model)[0]


def labels_of_all(images: Sequence[np.ndarray], model: str | None = None) -> list[np.ndarray]:
    """Outline the nucleated cells of single-cell images.

    Args:
        images: each ``(height, width, 3)`` uint8 RGB, with one cell near its middle.
        model: reference of a segmenter that outlines the cells; colour alone does when ``None``, and checks the
            model's centre cell otherwise.

    Returns:
        For each ``(height, width)`` int32: 1 in the centre cell, 2 and up in its neighbours, 0 elsewhere. No pixel is
        1 where no cell was found in the middle, or where model and colour do not agree on it.

    Raises:
        MarrowError: the model cannot be had.
    """
    if model is None:
        return [stack(outline_cells(image), image.shape[:2]) for image in images]
    found = _model_cells(images, _segmenter(model))
    return [_checked(image, masks) for image, masks in zip(images, found, strict=True)]


def _checked(image: np.ndarray, found: list[np.ndarray]) -> np.ndarray:
    """Number the masks that a model found, its centre cell from 1 if colour agrees on it, else from 2."""
    by_colour = outline_cells(image)
    middle = np.array(image.shape[:2]) / 2
    found = sorted(found, key=lambda mask: np.linalg.norm(np.argwhere(mask).mean(axis=0) - middle))
    if found and by_colour and overlap(found[0], by_colour[0]) >= AGREEMENT:
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


def _model_cells(images: Sequence[np.ndarray], segmenter: Segmenter) -> list[list[np.ndarray]]:
    """Masks of the cells of each image; as many images as fit side by side go through the network at once."""
    side = max((max(image.shape[:2]) for image in images), default=0) + GAP
    across = max(1, segmenter.config.input_size // side)
    masks: list[list[np.ndarray]] = []
    for start in range(0, len(images), across**2):
        some = images[start : start + across**2]
        sheet = np.full((across * side, across * side, 3), GREY, np.uint8)
        corners = [np.array([number % across, number // across]) * side + GAP // 2 for number in range(len(some))]
        for image, (x, y) in zip(some, corners, strict=True):
            sheet[y : y + image.shape[0], x : x + image.shape[1]] = image
        found = segmenter(sheet, CONFIDENCE)
        masks += [_masks_on(image, corner, found) for image, corner in zip(some, corners, strict=True)]
    return masks


def _masks_on(image: np.ndarray, corner: np.ndarray, found: Sequence[Detection]) -> list[np.ndarray]:
    """Bool masks of the cells whose middle lies on one image of a sheet."""
    height, width = image.shape[:2]
    masks = []
    for cell in found:
        x, y = np.array(cell.box).reshape(2, 2).mean(axis=0) - corner
        if 0 <= x < width and 0 <= y < height:
            masks.append(polygon_mask(np.array(cell.polygon) - corner, (height, width)))
    return [mask for mask in masks if mask.any()]
