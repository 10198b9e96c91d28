"""The colours of an image: measured, varied at random, and taken over from another image."""

from __future__ import annotations

import cv2
import numpy as np


def restain(image: np.ndarray, stain: float, light: float, rng: np.random.Generator) -> np.ndarray:
    """Vary stain and light of an image at random.

    Args:
        image: ``(height, width, 3)`` uint8 RGB.
        stain: standard deviation of the log gain of each channel's optical density.
        light: standard deviation of the log gain of the intensity.
        rng: source of randomness.
    """
    levels = np.arange(256, dtype=np.float32)
    density = -np.log((levels[:, None] + 1) / 256) * np.exp(rng.normal(0, stain, 3))
    gain = np.exp(rng.normal(0, light) + rng.normal(0, light / 2, 3))
    table = (256 * np.exp(-density) * gain - 1).clip(0, 255).astype(np.uint8)
    return cv2.LUT(image, table[None])


def colour_statistics(image: np.ndarray) -> np.ndarray:
    """Return the mean and standard deviation of the Lab channels of an RGB image, ``(2, 3)`` float32."""
    lab = cv2.cvtColor(image, cv2.COLOR_RGB2LAB).reshape(-1, 3).astype(np.float32)
    return np.stack([lab.mean(axis=0), lab.std(axis=0)])


def transfer_colours(image: np.ndarray, colours: np.ndarray) -> np.ndarray:
    """Give an image the Lab mean and spread of another (Reinhard et al. 2001, doi:10.1109/38.946629)."""
    lab = cv2.cvtColor(image, cv2.COLOR_RGB2LAB)
    mean, spread = colour_statistics(image)
    gain = (colours[1] / (spread + 1e-3)).clip(0.6, 1.6)
    table = (np.arange(256, dtype=np.float32)[:, None] - mean) * gain + colours[0]
    return cv2.cvtColor(cv2.LUT(lab, table.clip(0, 255).astype(np.uint8)[None]), cv2.COLOR_LAB2RGB)
