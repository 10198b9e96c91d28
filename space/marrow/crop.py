"""The crop: the one way in which a cell is cut out, in training and at inference alike."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Annotated

import cv2
import numpy as np
from pydantic import Field

from marrow.cell import Box
from marrow.centre_cell import find_centre_cell

__all__ = ["CropConfig", "crop_cell", "disc", "find_centre_cell"]


@dataclass(frozen=True)
class CropConfig:
    """How a cell is cut out.

    Attributes:
        size: side of the crop in pixels.
        context: margin on each side of the cell, as a share of the longer side of its box.
        background: grey level, 0 to 255, outside the circle that fits the crop and outside the image; it hides
            neighbours and smear, which tell the source of an image and not the cell.
    """

    size: Annotated[int, Field(ge=16, le=1024)] = 129
    context: Annotated[float, Field(ge=0, le=4, allow_inf_nan=False)] = 0.15
    background: Annotated[int, Field(ge=0, le=255)] = 128


def crop_cell(image: np.ndarray, box: Box, config: CropConfig) -> np.ndarray:
    """Cut a square around a cell, so that the cell has the same size whatever the magnification.

    Args:
        image: ``(height, width, 3)`` uint8 RGB.
        box: ``(x0, y0, x1, y1)`` around the cell in pixels; parts outside the image become background.
        config: size, margin and background of the crop.

    Returns:
        ``(size, size, 3)`` uint8 RGB.
    """
    side = max(box[2] - box[0], box[3] - box[1], 1.0) * (1 + 2 * config.context)
    crop = cut_square(image, box, side, config.size, (config.background,) * 3)
    crop[~disc(config.size)] = config.background
    return crop


def cut_square(image: np.ndarray, box: Box, side: float, size: int, ground: Sequence[float]) -> np.ndarray:
    """Cut a square around the middle of a box, and touch no other part of the image.

    Args:
        image: ``(height, width, 3)`` uint8 RGB.
        box: ``(x0, y0, x1, y1)`` in pixels.
        side: of the square in pixels of the image.
        size: of the square in pixels of what is returned.
        ground: RGB of what lies outside the image.

    Returns:
        ``(size, size, 3)`` uint8 RGB.
    """
    scale = size / side
    start = np.array([box[0] + box[2] - side, box[1] + box[3] - side]) / 2
    around = 3 + 1.2 / scale  # pixels that smoothing may need
    left, top = np.floor(start - around).clip(0).astype(int)
    right, bottom = np.ceil(start + side + around).clip(0).astype(int)
    part = image[top:bottom, left:right]
    if part.size == 0:
        return np.full((size, size, 3), ground, np.uint8)
    if scale < 0.5:  # bilinear sampling alone would skip pixels
        part = cv2.GaussianBlur(part, (0, 0), 0.4 / scale)
    # maps pixel centres onto pixel centres
    shift = ((left, top) - start) * scale + 0.5 * scale - 0.5
    matrix = np.array([[scale, 0, shift[0]], [0, scale, shift[1]]])
    outside = [int(value) for value in ground]
    return cv2.warpAffine(part, matrix, (size, size), borderMode=cv2.BORDER_CONSTANT, borderValue=outside)


@lru_cache(maxsize=8)
def disc(size: int) -> np.ndarray:
    """Return where a crop of ``size`` pixels shows the image and no background, ``(size, size)`` bool, to be read."""
    offsets = np.arange(size) - (size - 1) / 2
    return np.hypot(offsets[:, None], offsets) <= size / 2
