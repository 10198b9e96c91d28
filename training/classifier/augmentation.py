"""Random changes to a training cell: where it is cut out, how it is stained and lit, and how sharp it is."""

from __future__ import annotations

from dataclasses import field, replace

import cv2
import numpy as np
from pydantic.dataclasses import dataclass

from marrow.cell import Box
from marrow.crop import CropConfig, crop_cell, disc
from marrow.records import STRICT, Share
from training.classifier.optics import Optics, photographed
from training.classifier.stain import colour_statistics, invented_colours, restain, transfer_colours


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
        crosstalk: standard deviation of what a channel's optical density takes over from each of the others.
        invented: share of the transferred colours that are no image's own, but invented from those of two.
        invented_shift: how far from those of the training images invented colours lie, beyond what lies between and
            around two: standard deviations in levels of lightness, green to red, and blue to yellow (Lab).
        invented_spread: standard deviation of the log gain of their contrast.
        optics: faults of the microscope, the camera and the file.
    """

    raw: float = 0.15
    jitter: float = 0.07
    stain: float = 0.12
    transfer: float = 0.3
    light: float = 0.08
    blur: float = 1.0
    noise: float = 4.0
    crosstalk: float = 0.0
    invented: Share = 0.0
    invented_shift: tuple[float, float, float] = (12.0, 6.0, 6.0)
    invented_spread: float = 0.2
    optics: Optics = field(default_factory=Optics)

    def weakened(self, share: float) -> Augmentation:
        """Leave a share, 0 to 1, of the changes to stains and sharpness; places, sizes and light stay."""
        optics = {name: share * value for name, value in vars(self.optics).items()}
        changes = {name: share * getattr(self, name) for name in ("stain", "transfer", "crosstalk", "blur", "noise")}
        return replace(self, **changes, optics=Optics(**optics))


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
        colours: ``(n, 2, 3)`` Lab means and standard deviations of other images, from
            :func:`training.classifier.stain.colour_statistics`.
        crop: the crop.
        strength: how much to change.
        rng: source of randomness.

    Returns:
        ``(size, size, 3)`` uint8 RGB; the background of a crop is as :func:`marrow.crop.crop_cell` leaves it.
    """
    whole = rng.random() < strength.raw
    if whole:
        view = cv2.resize(image, (crop.size, crop.size), interpolation=cv2.INTER_AREA)
    else:
        view = _turned(crop_cell(image, jittered(box, strength.jitter, rng), crop), rng.uniform(0, 360))
    if rng.random() < strength.transfer:
        # of a quarter of the pixels, which is quicker
        view = transfer_colours(view, colour_statistics(image[::2, ::2]), _drawn_colours(colours, strength, rng))
    view = restain(view, strength.stain, strength.light, rng, strength.crosstalk)
    if rng.random() < 0.5:
        view = view[:, ::-1]
    view = np.ascontiguousarray(np.rot90(view, int(rng.integers(4))))
    if rng.random() < 0.3 and strength.blur:
        view = cv2.GaussianBlur(view, (0, 0), rng.uniform(0.2, max(strength.blur, 0.21)))
    if rng.random() < 0.3 and strength.noise:
        noise = rng.standard_normal(view.shape, dtype=np.float32) * rng.uniform(0, strength.noise)
        view = (view + noise).clip(0, 255).astype(np.uint8)
    view = photographed(view, strength.optics, rng)
    if not whole:
        view[~disc(crop.size)] = crop.background
    return view


def _turned(view: np.ndarray, angle: float) -> np.ndarray:
    size = len(view)
    matrix = cv2.getRotationMatrix2D(((size - 1) / 2, (size - 1) / 2), angle, 1)
    return cv2.warpAffine(view, matrix, (size, size))  # its corners become background


def _drawn_colours(colours: np.ndarray, strength: Augmentation, rng: np.random.Generator) -> np.ndarray:
    one = colours[rng.integers(len(colours))]
    if strength.invented and rng.random() < strength.invented:
        other = colours[rng.integers(len(colours))]
        return invented_colours(one, other, rng, strength.invented_shift, strength.invented_spread)
    return one


def jittered(box: Box, amount: float, rng: np.random.Generator) -> Box:
    """Move and scale a box at random, by ``amount`` of its size (one standard deviation)."""
    x0, y0, x1, y1 = box
    side = max(x1 - x0, y1 - y0)
    dx, dy = rng.normal(0, amount * side, 2)
    growth = np.exp(rng.normal(0, 1.5 * amount))
    half_w, half_h = (x1 - x0) / 2 * growth, (y1 - y0) / 2 * growth
    x, y = (x0 + x1) / 2 + dx, (y0 + y1) / 2 + dy
    return x - half_w, y - half_h, x + half_w, y + half_h
