"""Random changes to a training cell: where it is cut out, how it is stained and lit, and how sharp it is."""

from __future__ import annotations

import cv2
import numpy as np
from pydantic.dataclasses import dataclass

from marrow.cell import Box
from marrow.crop import CropConfig, crop_cell
from marrow.records import STRICT
from training.classifier.stain import restain, transfer_colours


@dataclass(frozen=True, config=STRICT)
class Augmentation:
    """Strength of each random change to a training cell; 0 turns one off.

    Attributes:
        raw: share of samples given as the whole image, not as a crop.
        jitter: standard deviation of the box's centre and log size, as a share of its size.
        stain: standard deviation of the log gain of each channel's optical density.
        transfer: share of samples given the colour statistics of another training image.
        light: standard deviation of the log gain of the intensity.
        blur: largest standard deviation of a Gaussian blur, in pixels of the crop.
        noise: largest standard deviation of pixel noise, in grey levels.
    """

    raw: float = 0.15
    jitter: float = 0.07
    stain: float = 0.12
    transfer: float = 0.3
    light: float = 0.08
    blur: float = 1.0
    noise: float = 4.0


def augmented_crop(
    image: np.ndarray,
    box: Box,
    colours: np.ndarray,
    crop: CropConfig,
    strength: Augmentation,
    rng: np.random.Generator,
) -> np.ndarray:
    """Return one random training view of a cell.

    Args:
        image: ``(height, width, 3)`` uint8 RGB.
        box: the cell in it.
        colours: ``(2, 3)`` Lab mean and standard deviation of another image, from
            :func:`training.classifier.stain.colour_statistics`.
        crop: the crop.
        strength: how much to change.
        rng: source of randomness.

    Returns:
        ``(size, size, 3)`` uint8 RGB; the colour changes come before the cut, so the background level stays.
    """
    if rng.random() < strength.transfer:
        image = transfer_colours(image, colours)
    image = restain(image, strength.stain, strength.light, rng)
    if rng.random() < strength.raw:
        view = cv2.resize(image, (crop.size, crop.size), interpolation=cv2.INTER_AREA)
    else:
        view = crop_cell(image, jittered(box, strength.jitter, rng), crop)
        angle = rng.uniform(0, 360)
        turn = cv2.getRotationMatrix2D(((crop.size - 1) / 2,) * 2, angle, 1)
        view = cv2.warpAffine(view, turn, (crop.size,) * 2, borderValue=(crop.background,) * 3)
    if rng.random() < 0.5:
        view = view[:, ::-1]
    view = np.rot90(view, int(rng.integers(4)))
    if rng.random() < 0.3 and strength.blur:
        view = cv2.GaussianBlur(np.ascontiguousarray(view), (0, 0), rng.uniform(0.2, max(strength.blur, 0.21)))
    if rng.random() < 0.3 and strength.noise:
        noise = rng.standard_normal(view.shape, dtype=np.float32) * rng.uniform(0, strength.noise)
        view = (view + noise).clip(0, 255).astype(np.uint8)
    return np.ascontiguousarray(view)


def jittered(box: Box, amount: float, rng: np.random.Generator) -> Box:
    """Move and scale a box at random, by ``amount`` of its size (one standard deviation)."""
    x0, y0, x1, y1 = box
    side = max(x1 - x0, y1 - y0)
    dx, dy = rng.normal(0, amount * side, 2)
    growth = np.exp(rng.normal(0, 1.5 * amount))
    half_w, half_h = (x1 - x0) / 2 * growth, (y1 - y0) / 2 * growth
    x, y = (x0 + x1) / 2 + dx, (y0 + y1) / 2 + dy
    return x - half_w, y - half_h, x + half_w, y + half_h
