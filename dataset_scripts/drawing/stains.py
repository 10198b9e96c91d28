"""Stain looks of drawn smears, and how dye becomes a picture.

A drawn smear is a map of optical density per colour channel. Dyes add up in it, as Beer-Lambert says of light that
passes through them one after another: picture = light * exp(-density). The dye vectors below are the medians of
-ln(pixel / background) over nuclei, cytoplasm, granules and red cells of stained marrow and blood images.
"""

from dataclasses import dataclass

import cv2
import numpy as np

Colour = tuple[float, float, float]

LOOKS = ("marrow", "blood")
_GREY_BACKGROUND, _WHITE_BACKGROUND, _PINK_BACKGROUND = (184, 186, 190), (238, 237, 243), (236, 212, 230)
_CREAM_BACKGROUND = (255, 229, 203)


@dataclass(frozen=True)
class Stain:
    """Everything that cells and background of one image share.

    Attributes:
        look: "marrow" (grey or white background, crowded) or "blood" (cream background, sparse).
        background: Colour of the empty glass, RGB, 0 to 255.
        chromatin: Optical density (RGB) of one unit of dye in nuclei; the next five likewise.
        basophil: Blue cytoplasm (RNA).
        neutral: Pink-lilac cytoplasm.
        azurophil: Magenta granules.
        eosin: Granules of eosinophils.
        haemoglobin: Red cells.
        pallor: Depth of the pale centre of red cells, 0 to 1.
        contrast: Strength of chromatin and granule texture, 1 is average.
        haze: Amount of stained plasma and stain specks between the cells.
        blur: Standard deviation of the lens blur as a share of the red cell diameter.
        noise: Standard deviation of the camera noise in grey levels.
        red_cell: Red cell diameter in single-cell images, in pixels.
        red_cover: Share of the picture that red cells cover, 0 to 1.
    """

    look: str
    background: Colour
    chromatin: Colour
    basophil: Colour
    neutral: Colour
    azurophil: Colour
    eosin: Colour
    haemoglobin: Colour
    pallor: float
    contrast: float
    haze: float
    blur: float
    noise: float
    red_cell: float
    red_cover: float


def random_stain(rng: np.random.Generator, look: str | None = None) -> Stain:
    """Draw the stain of one image.

    Args:
        rng: Random generator.
        look: One of `LOOKS`; None takes marrow in two of three cases.

    Returns:
        A stain whose dyes, background, focus and noise vary as they do between real smears.

    Raises:
        ValueError: On an unknown look.
    """
    look = look or ("marrow" if rng.random() < 0.67 else "blood")
    if look not in LOOKS:
        raise ValueError(f"unknown stain look {look!r}: use one of {' '.join(LOOKS)}")
    return _marrow_stain(rng) if look == "marrow" else _blood_stain(rng)


def _marrow_stain(rng: np.random.Generator) -> Stain:
    base = (_GREY_BACKGROUND, _WHITE_BACKGROUND, _PINK_BACKGROUND)[rng.choice(3, p=[0.22, 0.73, 0.05])]
    yellow = np.array([1, 1, -2]) * rng.normal(0, 2.5)
    background = np.clip(np.array(base) + rng.normal(0, 6) + rng.normal(0, 2.5, 3) + yellow, 140, 254)
    blueness = rng.uniform(-1, 1)
    return Stain(
        look="marrow",
        background=tuple(background),
        chromatin=_vary(rng, (1.08 + 0.17 * blueness, 2.1, 0.36 - 0.07 * blueness)),
        basophil=_vary(rng, (0.60, 0.60 - 0.06 * blueness, 0.06)),
        neutral=_vary(rng, (0.20 + 0.03 * blueness, 0.35, 0.06)),
        azurophil=_vary(rng, (0.48, 1.05, 0.15)),
        eosin=_vary(rng, (0.22, 0.74, 0.44)),
        haemoglobin=_vary(rng, (0.21, 0.28, 0.22), 0.15),
        pallor=rng.uniform(0.1, 0.6),
        contrast=rng.uniform(0.9, 1.5),
        haze=rng.uniform(0.1, 0.75) ** 1.5,
        blur=rng.uniform(0.009, 0.021),
        noise=rng.uniform(1.5, 2.6),
        red_cell=rng.uniform(84, 98),
        red_cover=rng.uniform(0.05, 0.4),
    )


def _blood_stain(rng: np.random.Generator) -> Stain:
    background = np.clip(np.array(_CREAM_BACKGROUND) + rng.normal(0, 1.8, 3), 0, 255)
    return Stain(
        look="blood",
        background=tuple(background),
        chromatin=_vary(rng, (1.20, 1.92, 0.43), 0.04),
        basophil=_vary(rng, (0.58, 0.58, 0.13)),
        neutral=_vary(rng, (0.19, 0.29, 0.14)),
        azurophil=_vary(rng, (0.46, 1.0, 0.24)),
        eosin=_vary(rng, (0.23, 0.68, 0.46)),
        haemoglobin=_vary(rng, (0.22, 0.32, 0.19), 0.08),
        pallor=rng.uniform(0.35, 0.8),
        contrast=rng.uniform(1.3, 1.7),
        haze=rng.uniform(0.0, 0.08),
        blur=rng.uniform(0.009, 0.015),
        noise=rng.uniform(1.2, 1.8),
        red_cell=rng.uniform(64, 76),
        red_cover=rng.uniform(0.15, 0.5),
    )


def _vary(rng: np.random.Generator, dye: Colour, spread: float = 0.08) -> Colour:
    """Change strength and hue of a dye by about `spread` of its value."""
    return tuple(np.array(dye) * rng.normal(1, spread) * rng.normal(1, spread / 2, 3))


def add_dye(density: np.ndarray, amount: np.ndarray, dye: Colour) -> None:
    """Add `amount` (H, W) float32 units of a dye to a density map (H, W, 3), in place."""
    cv2.add(density, cv2.transform(amount, np.array(dye, np.float32)[:, None]), dst=density)


def develop(density: np.ndarray, stain: Stain, red_cell: float, rng: np.random.Generator) -> np.ndarray:
    """Turn a density map into a picture: lens blur, lamp, absorption, camera noise.

    Args:
        density: (H, W, 3) float32 optical density.
        stain: Stain of the image.
        red_cell: Red cell diameter in this picture, in pixels; the blur is measured in it.
        rng: Random generator.

    Returns:
        (H, W, 3) uint8 RGB.
    """
    height, width = density.shape[:2]
    density = cv2.GaussianBlur(density, (0, 0), max(stain.blur * red_cell, 0.35))
    light = _uneven_light(height, width, rng)[..., None] * np.asarray(stain.background, np.float32)
    grain = rng.standard_normal((height, width, 3), dtype=np.float32)
    grain = cv2.GaussianBlur(grain, (0, 0), 0.6) * (stain.noise * 2.1)  # 2.1 gives the blurred grain unit deviation
    return np.clip(light * cv2.exp(-density) + grain, 0, 255).round().astype(np.uint8)


def _uneven_light(height: int, width: int, rng: np.random.Generator) -> np.ndarray:
    """(H, W) factors around 1: a slope in a random direction and a falling off to the corners."""
    y, x = np.meshgrid(
        np.linspace(-1, 1, height, dtype=np.float32), np.linspace(-1, 1, width, dtype=np.float32), indexing="ij"
    )
    slope_y, slope_x = map(float, rng.uniform(-0.04, 0.04, 2))  # plain floats keep the picture in float32
    return 1 + slope_y * y + slope_x * x - rng.uniform(0, 0.03) * (x * x + y * y)
