"""The colours of a stained smear: measured, and changed to those of another."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil
from typing import Annotated, Self

import cv2
import numpy as np
from pydantic import Field

from marrow.errors import MarrowError

Level = Annotated[float, Field(ge=0, le=255, allow_inf_nan=False)]
Density = Annotated[float, Field(ge=-6, le=6, allow_inf_nan=False)]

Triple = tuple[float, float, float]
"""A value for each of red, green and blue."""

STAINED = 0.3
"""Optical density, summed over the channels, from which a place is not empty."""

LARGE = 400
"""Pixels a side to which a larger picture is thinned before its colours are measured."""

UNSTAINED = 12.0
"""Distance of a picture without a stain from those with one: the largest that :class:`Stain` allows."""

ROWS = 256
"""Rows of a picture that are changed at once."""

FEW = 50
"""Pixels of a kind below which its colour says nothing."""

INERTIA = 0.02
"""How strongly colours keep to their likes when a stain is changed, against the two that are known: a share of the
squared density of nuclei, chosen by eye on fields of six laboratories."""


@dataclass(frozen=True)
class Stain:
    """The colours that a stain and a camera give to a smear.

    Attributes:
        ground: of the empty smear, 0 to 255.
        nuclei: optical density of nuclei, ``-ln(I / ground)``.
        others: that of all else that is stained, red cells for the most part.
    """

    ground: tuple[Level, Level, Level]
    nuclei: tuple[Density, Density, Density]
    others: tuple[Density, Density, Density]

    def densities(self) -> np.ndarray:
        """Return the optical densities of the ground, of the nuclei and of the rest, the last two over it, ``(9,)``."""
        return np.concatenate([-np.log((np.array(self.ground) + 4) / 259), self.nuclei, self.others])

    @classmethod
    def from_densities(cls, densities: np.ndarray) -> Self:
        """Return the stain of :meth:`densities`, what lies outside its ranges brought to their ends."""
        ground = (259 * np.exp(-densities[:3]) - 4).clip(0, 255)
        return cls(*(_triple(part) for part in (ground, densities[3:6].clip(-6, 6), densities[6:].clip(-6, 6))))


def measure_stain(image: np.ndarray) -> Stain:
    """Measure the stain of a smear.

    Args:
        image: ``(height, width, 3)`` uint8 RGB, a field or a single cell with what lies around it.

    Raises:
        MarrowError: it shows no nucleus, or nothing but nuclei.
    """
    image = thinned(image, LARGE)
    ground = background_colour(image)
    density = optical_density(image, _triple(ground))
    inside = nuclear_mask(density)
    around = cv2.dilate(inside, _disc(9)) == 0
    others = (around & (_total(density) > STAINED)).astype(np.uint8)
    if min(np.count_nonzero(part) for part in (inside, others)) < FEW:
        raise MarrowError("The stain cannot be measured: the picture shows no stained nuclei beside other cells.")
    middles = (optical_density(_middle_levels(image, part), _triple(ground)) for part in (inside, others))
    return Stain(*(_triple(part) for part in (ground, *(middle.mean(axis=(0, 1)) for middle in middles))))


def thinned(image: np.ndarray, longest: float) -> np.ndarray:
    """Return an image of ``longest`` pixels a side at most: colours need no more, and memory has an end."""
    height, width = image.shape[:2]
    scale = longest / max(height, width)
    size = max(1, round(width * scale)), max(1, round(height * scale))
    return cv2.resize(image, size, interpolation=cv2.INTER_AREA) if scale < 1 else image


def _middle_levels(image: np.ndarray, chosen: np.ndarray) -> np.ndarray:
    """Return the levels whose mean is the median of each channel of an image, ``(1, 2, 3)`` uint8; sorts nothing.

    Args:
        image: ``(h, w, 3)`` uint8.
        chosen: ``(h, w)`` uint8, not 0 at the pixels that are asked for, one at least.
    """
    up_to = [cv2.calcHist([image], [channel], chosen, [256], [0, 256]).cumsum() for channel in range(3)]
    places = (up_to[0][-1] - 1) // 2, up_to[0][-1] // 2
    return np.array([[[one.searchsorted(place, side="right") for one in up_to] for place in places]], np.uint8)


def _total(density: np.ndarray) -> np.ndarray:
    """Return the sum over the channels, ``(h, w)``; several times as fast as ``sum(axis=2)``."""
    return cv2.transform(density, np.ones((1, 3), np.float32))


def _triple(values: np.ndarray) -> Triple:
    red, green, blue = (round(float(value), 4) for value in values)
    return red, green, blue


def stain_distance(one: Stain, other: Stain) -> float:
    """Say how far two stains are apart.

    Returns:
        The root mean square of the differences of their optical densities over ground, nuclei and the rest, in all
        channels; 0 is the same, 0.055 is what light that is 10 % brighter makes.
    """
    return float(np.sqrt(np.square(one.densities() - other.densities()).mean()))


def nearest_stain(image: np.ndarray, stains: Sequence[Stain]) -> float:
    """Return the :func:`stain_distance` of a picture to the nearest of some stains.

    Args:
        image: ``(height, width, 3)`` uint8 RGB.
        stains: at least one.

    Returns:
        The distance, :data:`UNSTAINED` where the picture shows no stain.
    """
    try:
        own = measure_stain(image)
    except MarrowError:
        return UNSTAINED
    return min(stain_distance(own, stain) for stain in stains)


def normalize_stain(image: np.ndarray, own: Stain, reference: Stain) -> np.ndarray:
    """Give a smear the colours of another: what had the colour of ground, nuclei and the rest has the other's.

    Colours between them follow, since all are mixed in optical density, where dyes add up (Ruifrok and Johnston 2001,
    Anal Quant Cytol Histol 23:291-299).

    Args:
        image: ``(height, width, 3)`` uint8 RGB.
        own: its stain.
        reference: that of the other.

    Returns:
        The same smear in the other colours.
    """
    mixture, ground = _mixture(own, reference).T.astype(np.float32), np.array(reference.ground, np.float32)
    changed = np.empty_like(image)
    for top in range(0, len(image), ROWS):  # as floats, a whole picture would take twelve times its memory
        density = optical_density(image[top : top + ROWS], own.ground) @ mixture
        changed[top : top + ROWS] = ((ground + 4) * np.exp(-density.clip(-6, 6)) - 4).round().clip(0, 255)
    return changed


def _mixture(own: Stain, reference: Stain) -> np.ndarray:
    """Return the ``(3, 3)`` matrix that takes the densities of one stain to those of the other.

    Two colours do not tell what becomes of a third, and two that are nearly one would be torn apart with all their
    noise. So of the matrices that fit, the one is taken that is nearest to making all darker or paler alike (ridge
    regression).
    """
    before, after = (np.stack([stain.nuclei, stain.others], axis=1) for stain in (own, reference))
    strength = np.linalg.norm(before[:, 0])
    plain = np.eye(3) * np.linalg.norm(after[:, 0]) / strength
    inertia = INERTIA * strength**2
    return (after @ before.T + inertia * plain) @ np.linalg.inv(before @ before.T + inertia * np.eye(3))


def background_colour(image: np.ndarray) -> np.ndarray:
    """Return the colour of the empty smear: the median of the brightest 15 % of a thinned image.

    Args:
        image: ``(height, width, 3)`` uint8 RGB.

    Returns:
        ``(3,)`` float32 RGB, 0 to 255.
    """
    height, width = image.shape[:2]
    thin = np.ascontiguousarray(image[:: max(1, height // 500), :: max(1, width // 500)])
    brightness = thin[..., 0].astype(np.uint16) + thin[..., 1] + thin[..., 2]
    place = ceil(0.85 * (brightness.size - 1))
    bound = np.bincount(brightness.ravel()).cumsum().searchsorted(place, side="right")  # np.percentile sorts
    return _middle_levels(thin, (brightness >= bound).astype(np.uint8)).mean(axis=(0, 1), dtype=np.float32)


def optical_density(image: np.ndarray, ground: Triple | None = None) -> np.ndarray:
    """Return ``-ln(I / ground)`` per channel, ``(h, w, 3)`` float32.

    Args:
        image: ``(h, w, 3)`` uint8 RGB.
        ground: colour of the empty smear, measured when ``None``.
    """
    empty = background_colour(image) if ground is None else np.array(ground, np.float32)
    of_levels = -np.log((np.arange(256, dtype=np.float32)[:, None] + 4) / (empty + 4))
    return cv2.LUT(image, of_levels[None])


def nuclear_colour(density: np.ndarray) -> np.ndarray:
    """Say how much of the colour of nuclei is in an image: by how much more green than blue it absorbs, and how purely.

    Azure B and eosin Y make a complex on DNA that absorbs at 550 nm (Friedrich et al. 1990, Histochemistry 93:247-256);
    what else is stained absorbs blue or red as well. The hue of a pale nucleus is that of a dark one.

    Args:
        density: ``(h, w, 3)`` from :func:`optical_density`.

    Returns:
        ``(h, w)`` float32, 0 or more: the density of purple, times the square of its share of all density.
    """
    smooth = cv2.GaussianBlur(density.clip(0, None), (0, 0), 1)
    purple = cv2.transform(smooth, np.array([[0, 1, -1]], np.float32)).clip(0, None)
    return purple * (purple / _total(smooth).clip(1e-6, None)) ** 2


def nuclear_mask(density: np.ndarray) -> np.ndarray:
    """Mark nuclei, which absorb red and green much more than blue, in an optical density image.

    Args:
        density: ``(h, w, 3)`` from :func:`optical_density`.

    Returns:
        ``(h, w)`` uint8, 1 inside nuclei. Otsu's threshold is taken twice: stain against ground, then nucleus
        against cytoplasm.
    """
    density = density.clip(0, None)
    dark = density[..., 0] + density[..., 1] - 0.9 * density[..., 2]
    dark = (cv2.GaussianBlur(dark, (0, 0), 1).clip(0, 2.5) * 100).astype(np.uint8)
    stained, _ = cv2.threshold(dark, 0, 255, cv2.THRESH_OTSU)
    inside = dark[dark > 0.6 * stained]
    if inside.size == 0:
        return np.zeros_like(dark)
    threshold, _ = cv2.threshold(inside[:, None], 0, 255, cv2.THRESH_OTSU)
    mask = (dark > threshold).astype(np.uint8)
    mask = cv2.morphologyEx(mask, cv2.MORPH_OPEN, _disc(3))
    return cv2.morphologyEx(mask, cv2.MORPH_CLOSE, _disc(7))


def _disc(width: int) -> np.ndarray:
    return cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (width, width))
