"""The colours of a stained smear: its empty ground, how much each place absorbs, and where nuclei are."""

from __future__ import annotations

import cv2
import numpy as np


def background_colour(image: np.ndarray) -> np.ndarray:
    """Return the colour of the empty smear: the median of the brightest 15 % of a thinned image.

    Args:
        image: ``(height, width, 3)`` uint8 RGB.

    Returns:
        ``(3,)`` float32 RGB, 0 to 255.
    """
    height, width = image.shape[:2]
    values = image[:: max(1, height // 500), :: max(1, width // 500)].reshape(-1, 3).astype(np.float32)
    brightness = values.sum(axis=1)
    return np.median(values[brightness >= np.percentile(brightness, 85)], axis=0)


def optical_density(image: np.ndarray) -> np.ndarray:
    """Return ``-ln(I / I0)`` per channel, ``(h, w, 3)`` float32; ``I0`` is the colour of the empty smear."""
    return -np.log((image.astype(np.float32) + 4) / (background_colour(image) + 4))


def nuclear_mask(density: np.ndarray) -> np.ndarray:
    """Mark nuclei, which absorb red and green much more than blue, in an optical density image.

    Args:
        density: ``(h, w, 3)`` from :func:`optical_density`.

    Returns:
        ``(h, w)`` uint8, 1 inside nuclei. Otsu's threshold is taken twice: stain against ground, then nucleus
        against cytoplasm.
    """
    density = density.clip(0, None)
    purple = density[..., 0] + density[..., 1] - 0.9 * density[..., 2]
    purple = (cv2.GaussianBlur(purple, (0, 0), 1).clip(0, 2.5) * 100).astype(np.uint8)
    stained, _ = cv2.threshold(purple, 0, 255, cv2.THRESH_OTSU)
    inside = purple[purple > 0.6 * stained]
    if inside.size == 0:
        return np.zeros_like(purple)
    threshold, _ = cv2.threshold(inside[:, None], 0, 255, cv2.THRESH_OTSU)
    mask = (purple > threshold).astype(np.uint8)
    mask = cv2.morphologyEx(mask, cv2.MORPH_OPEN, _disc(3))
    return cv2.morphologyEx(mask, cv2.MORPH_CLOSE, _disc(7))


def _disc(width: int) -> np.ndarray:
    return cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (width, width))
