"""The crop: the one way in which a cell is cut out, in training and at inference alike."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import cv2
import numpy as np
from pydantic import Field

from marrow.cell import Box
from marrow.centre_cell import find_centre_cell

__all__ = ["CropConfig", "crop_cell", "find_centre_cell"]


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
    x0, y0, x1, y1 = box
    side = max(x1 - x0, y1 - y0, 1.0) * (1 + 2 * config.context)
    scale = config.size / side
    left, top = (x0 + x1 - side) / 2, (y0 + y1 - side) / 2
    if scale < 0.5:  # bilinear sampling alone would skip pixels
        image = cv2.GaussianBlur(image, (0, 0), 0.4 / scale)
    # maps pixel centres onto pixel centres
    shift = np.array([-left, -top]) * scale + 0.5 * scale - 0.5
    matrix = np.array([[scale, 0, shift[0]], [0, scale, shift[1]]])
    crop = cv2.warpAffine(
        image,
        matrix,
        (config.size, config.size),
        flags=cv2.INTER_LINEAR,
        borderMode=cv2.BORDER_CONSTANT,
        borderValue=(config.background,) * 3,
    )
    crop[~_disc(config.size)] = config.background
    return crop


def _disc(size: int) -> np.ndarray:
    offsets = np.arange(size) - (size - 1) / 2
    return np.hypot(offsets[:, None], offsets) <= size / 2
