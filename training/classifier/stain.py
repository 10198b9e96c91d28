"""The colours of an image: measured, varied at random, and taken over from another image."""

from __future__ import annotations

import cv2
import numpy as np


def restain(
    image: np.ndarray, stain: float, light: float, rng: np.random.Generator, crosstalk: float = 0.0
) -> np.ndarray:
    """Vary stain and light of an image at random.

    Args:
        image: ``(height, width, 3)`` uint8 RGB.
        stain: standard deviation of the log gain of each channel's optical density.
        light: standard deviation of the log gain of the intensity.
        rng: source of randomness.
        crosstalk: standard deviation of what a channel's optical density takes over from each of the others, as dyes
            of other spectra do.
    """
    levels = np.arange(256, dtype=np.float32)
    density = -np.log((levels + 1) / 256)
    gains = np.exp(rng.normal(0, stain, 3))
    brightness = np.exp(rng.normal(0, light) + rng.normal(0, light / 2, 3))
    if not crosstalk:
        table = (256 * np.exp(-density[:, None] * gains) * brightness - 1).clip(0, 255).astype(np.uint8)
        return cv2.LUT(image, table[None])
    dyes = np.diag(gains) + rng.normal(0, crosstalk, (3, 3))
    mixed = density[image] @ dyes.T.astype(np.float32)
    return (256 * np.exp(-mixed) * brightness.astype(np.float32) - 1).clip(0, 255).astype(np.uint8)


def colour_statistics(image: np.ndarray) -> np.ndarray:
    """Return the mean and standard deviation of the Lab channels of an RGB image, ``(2, 3)`` float32."""
    lab = cv2.cvtColor(image, cv2.COLOR_RGB2LAB).reshape(-1, 3).astype(np.float32)
    return np.stack([lab.mean(axis=0), lab.std(axis=0)])


def transfer_colours(image: np.ndarray, own: np.ndarray, colours: np.ndarray) -> np.ndarray:
    """Give an image, or a part of it, the colours of another (Reinhard et al. 2001, doi:10.1109/38.946629).

    Args:
        image: ``(height, width, 3)`` uint8 RGB.
        own: ``(2, 3)`` Lab mean and standard deviation of the whole image.
        colours: those of the other.
    """
    gain = (colours[1] / (own[1] + 1e-3)).clip(0.5, 2)
    table = (np.arange(256, dtype=np.float32)[:, None] - own[0]) * gain + colours[0]
    lab = cv2.LUT(cv2.cvtColor(image, cv2.COLOR_RGB2LAB), table.clip(0, 255).astype(np.uint8)[None])
    return cv2.cvtColor(lab, cv2.COLOR_LAB2RGB)


def invented_colours(
    one: np.ndarray,
    other: np.ndarray,
    rng: np.random.Generator,
    shift: tuple[float, float, float] = (12, 6, 6),
    spread: float = 0.2,
) -> np.ndarray:
    """Invent the colours of a laboratory that there might be, on the line through two that there are, and beside it.

    Args:
        one: ``(2, 3)`` Lab mean and standard deviation of an image.
        other: those of another.
        rng: source of randomness.
        shift: standard deviation of a shift of the means, in levels of lightness, green to red, and blue to yellow.
        spread: standard deviation of a log gain of the standard deviations.

    Returns:
        ``(2, 3)``: up to 30 % of their distance beyond either, then shifted and spread.
    """
    share = rng.uniform(-0.3, 1.3)
    mean, deviation = one * share + other * (1 - share)
    return np.stack([mean + rng.normal(0, shift), np.abs(deviation) * np.exp(rng.normal(0, spread, 3))])
