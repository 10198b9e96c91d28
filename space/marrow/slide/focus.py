"""How sharp a place of a smear is, whatever is on it and however strongly it is stained."""

from __future__ import annotations

import cv2
import numpy as np

FOCUS_UM = 0.25
"""µm per pixel at which edges are measured, or coarser where the slide is: finer pixels show no finer edges."""

SIGMAS = 1.0, 3.0
"""Pixels by which a place is smoothed to see how steep its edges were before."""

STEEPEST = 0.01
"""Share of the pixels, those with the steepest edges, by which sharpness is told: most of a smear is smooth."""

SHARPEST, BLUREST = 0.1, 6.0
"""Least and greatest width of an edge that is told apart, in pixels."""


def edge_width(density: np.ndarray) -> float:
    """Return the standard deviation of the sharpest edges, in pixels, whatever their contrast.

    An edge that a Gaussian of ``b`` pixels blurred has, smoothed by another of ``s``, the slope ``c / sqrt(b² + s²)``.
    Two smoothings give both unknowns.

    Args:
        density: ``(height, width)`` float.
    """
    fine, coarse = (_steepest(cv2.GaussianBlur(density, (0, 0), sigma)) for sigma in SIGMAS)
    low, high = (sigma**2 for sigma in SIGMAS)
    ratio = (fine / max(coarse, 1e-6)) ** 2
    if ratio <= 1.0:
        return BLUREST
    return float(np.sqrt(max((high - low * ratio) / (ratio - 1), 0.0)).clip(SHARPEST, BLUREST))


def _steepest(density: np.ndarray) -> float:
    slope = np.hypot(*(cv2.Sobel(density, cv2.CV_32F, *order, ksize=3) for order in ((1, 0), (0, 1))))
    return float(np.quantile(slope, 1 - STEEPEST))
