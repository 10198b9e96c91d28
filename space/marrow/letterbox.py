"""How a picture, or a part of one, lies in the input of the segmenter's network."""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil

import cv2
import numpy as np

GREY = 114
"""The colour of ultralytics' letterbox."""

BUCKET = 64
"""Pixels that the sides of an input are multiples of; the network's strides ask for 32."""


@dataclass(frozen=True)
class Frame:
    """Where an image lies in the network's input.

    Attributes:
        limit: width and height of the image in pixels.
        scale: pixels of the input in one of the image.
        offset: left and top of the image in the input, outside of it where the input shows a tile.
        stride: pixels of the input in one of the mask logits.
    """

    limit: tuple[int, int]
    scale: float
    offset: tuple[float, float]
    stride: int

    def to_image(self, points: np.ndarray) -> np.ndarray:
        """Bring ``(n, 2)`` points of the input into the image."""
        return ((points - self.offset) / self.scale).clip(0, self.limit)


def letterbox(
    image: np.ndarray, size: int | tuple[int, int], scale: float | None = None
) -> tuple[np.ndarray, float, tuple[int, int]]:
    """Fit an image into a grey frame, as ultralytics does, but never enlarge it.

    A small image is a cut-out whose cells are large already: enlarged, they leave the range of sizes that the network
    knows (composed validation fields of 448 px: F1 0.970 enlarged, 0.977 as they are).

    Args:
        image: ``(height, width, 3)`` uint8 RGB.
        size: rows and columns of the frame in pixels, or both in one where it is square.
        scale: size of the image in the frame, as a share of its own; the largest that fits when ``None``.

    Returns:
        ``(1, 3, rows, columns)`` float32 in 0…1, the scale, and the ``(left, top)`` offset in pixels.
    """
    height, width = image.shape[:2]
    smooth = cv2.INTER_LINEAR if scale is None else cv2.INTER_AREA
    rows, columns = (size, size) if isinstance(size, int) else size
    scale = min(rows / height, columns / width, 1.0) if scale is None else scale
    new_width, new_height = max(1, round(width * scale)), max(1, round(height * scale))
    resized = cv2.resize(image, (new_width, new_height), interpolation=smooth)
    left, top = round((columns - new_width) / 2 - 0.1), round((rows - new_height) / 2 - 0.1)
    frame = np.full((rows, columns, 3), GREY, np.uint8)
    frame[top : top + new_height, left : left + new_width] = resized
    return cv2.dnn.blobFromImage(frame, 1 / 255), scale, (left, top)


def bucket(shape: tuple[int, ...], scale: float) -> tuple[int, int]:
    """Return rows and columns of the frame of a scaled picture: few sizes, since the first use of each takes longer."""
    rows, columns = (BUCKET * max(1, ceil(round(side * scale) / BUCKET)) for side in shape[:2])
    return rows, columns
