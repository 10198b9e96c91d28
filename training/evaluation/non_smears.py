"""Pictures that are no smear, of ten kinds, to measure whether that is noticed."""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np
import skimage.data

Draw = Callable[[np.random.Generator], np.ndarray]

SIDES = (320, 900)
"""Shortest and longest side of a picture, in pixels."""

WORDS = "the quick brown fox jumps over a lazy dog while 24 clerks file each letter of the year".split()


def _sample(*names: str) -> Draw:
    """Return what cuts a window out of one of scikit-image's own pictures."""

    def draw(rng: np.random.Generator) -> np.ndarray:
        whole = _rgb(getattr(skimage.data, str(rng.choice(names)))())
        height, width = (round(side * rng.uniform(0.5, 1)) for side in whole.shape[:2])
        top = int(rng.integers(0, whole.shape[0] - height + 1))
        left = int(rng.integers(0, whole.shape[1] - width + 1))
        window = np.ascontiguousarray(whole[top : top + height, left : left + width])
        scale = rng.uniform(*SIDES) / max(height, width)
        return cv2.resize(window, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)

    return draw


def _rgb(image: np.ndarray) -> np.ndarray:
    return (np.repeat(image[..., None], 3, axis=2) if image.ndim == 2 else image[..., :3]).astype(np.uint8)


def _size(rng: np.random.Generator) -> tuple[int, int]:
    height, width = rng.integers(SIDES[0], SIDES[1], 2)
    return int(height), int(width)


def _colour(rng: np.random.Generator, low: int = 0, high: int = 256) -> tuple[int, int, int]:
    red, green, blue = (int(value) for value in rng.integers(low, high, 3))
    return red, green, blue


def _blank(rng: np.random.Generator) -> np.ndarray:
    """One colour, often white or black, sometimes with the noise of a camera."""
    image = np.full((*_size(rng), 3), rng.choice([0, 255, int(rng.integers(256))]), np.uint8)
    if rng.random() < 0.5:
        image[:] = _colour(rng)
    noise = rng.normal(0, rng.choice([0, 2, 8]), image.shape)
    return (image + noise).clip(0, 255).astype(np.uint8)


def _text(rng: np.random.Generator) -> np.ndarray:
    """A page of text, dark on light or light on dark."""
    image = np.full((*_size(rng), 3), _colour(rng, 200), np.uint8)
    size, ink = rng.uniform(0.4, 1.4), _colour(rng, 0, 90)
    for y in range(round(30 * size), len(image), round(40 * size)):
        line = " ".join(rng.choice(WORDS, 20))
        cv2.putText(image, line, (12, y), int(rng.integers(0, 5)), size, ink, 1 + int(rng.integers(2)), cv2.LINE_AA)
    return 255 - image if rng.random() < 0.3 else image


def _chart(rng: np.random.Generator) -> np.ndarray:
    """Bars, lines and points over a grid."""
    height, width = _size(rng)
    image = np.full((height, width, 3), 255, np.uint8)
    for at in np.linspace(20, min(height, width) - 20, 8).astype(int).tolist():
        cv2.line(image, (20, at), (width - 20, at), (220, 220, 220))
        cv2.line(image, (at, 20), (at, height - 20), (220, 220, 220))
    for left in range(40, width - 40, int(rng.integers(40, 90))):
        cv2.rectangle(image, (left, int(rng.integers(30, height - 30))), (left + 24, height - 20), _colour(rng), -1)
    for x, y in zip(rng.integers(20, width - 20, 40).tolist(), rng.integers(20, height - 20, 40).tolist(), strict=True):
        cv2.circle(image, (x, y), int(rng.integers(2, 9)), _colour(rng), -1, cv2.LINE_AA)
    return image


def _shapes(rng: np.random.Generator) -> np.ndarray:
    """Discs and boxes in plain colours, some as round and as purple as nuclei."""
    height, width = _size(rng)
    image = np.full((height, width, 3), _colour(rng, 150), np.uint8)
    for _ in range(int(rng.integers(5, 40))):
        x, y, radius = int(rng.integers(width)), int(rng.integers(height)), int(rng.integers(8, 80))
        colour = (110, 40, 140) if rng.random() < 0.4 else _colour(rng)
        if rng.random() < 0.6:
            cv2.circle(image, (x, y), radius, colour, -1, cv2.LINE_AA)
        else:
            cv2.rectangle(image, (x, y), (x + radius, y + radius), colour, -1)
    return image


def _noise(rng: np.random.Generator) -> np.ndarray:
    """Noise, fine or in clouds."""
    height, width = _size(rng)
    image, breadth = rng.uniform(0, 255, (height, width, 3)), float(rng.choice([0, 1, 4, 16, 40]))
    if breadth:
        image = cv2.GaussianBlur(image, (0, 0), breadth).astype(float)
        image = (image - image.mean()) / image.std() * 60 + 128
    return image.clip(0, 255).astype(np.uint8)


def _fluorescence(rng: np.random.Generator) -> np.ndarray:
    """Nuclei that shine blue or green on black."""
    height, width = _size(rng)
    glow = np.zeros((height, width), np.float32)
    for _ in range(int(rng.integers(10, 70))):
        centre = int(rng.integers(width)), int(rng.integers(height))
        axes = int(rng.integers(8, 30)), int(rng.integers(8, 30))
        cv2.ellipse(glow, centre, axes, float(rng.uniform(0, 180)), 0, 360, float(rng.uniform(0.3, 1)), -1)
    shine = np.array(((30, 60, 255), (40, 255, 60), (255, 50, 50))[int(rng.integers(3))], np.float32)
    return (
        (cv2.GaussianBlur(glow, (0, 0), 2)[..., None] * shine + rng.normal(8, 4, (height, width, 3)))
        .clip(0, 255)
        .astype(np.uint8)
    )


def _section(rng: np.random.Generator) -> np.ndarray:
    """A drawn section of tissue in haematoxylin and eosin: pink fibres, close nuclei, no ground."""
    height, width = _size(rng)
    fibres = cv2.GaussianBlur(rng.normal(0, 1, (height, width)).astype(np.float32), (0, 0), 9, sigmaY=3)
    image = np.array((225, 150, 190), np.float32) + (fibres / fibres.std() * 18)[..., None]
    for _ in range(height * width // int(rng.integers(900, 2500))):
        centre = int(rng.integers(width)), int(rng.integers(height))
        axes = int(rng.integers(5, 13)), int(rng.integers(4, 9))
        colour = tuple(float(v) for v in rng.normal((95, 60, 140), 15))
        cv2.ellipse(image, centre, axes, float(rng.uniform(0, 180)), 0, 360, colour, -1, cv2.LINE_AA)
    return cv2.GaussianBlur(image, (0, 0), 1).clip(0, 255).astype(np.uint8)


KINDS: dict[str, Draw] = {
    "photographs": _sample("astronaut", "chelsea", "coffee", "rocket", "camera"),
    "blank": _blank,
    "text": _text,
    "shapes": _shapes,
    "fluorescence": _fluorescence,
    "medical": _sample("retina", "microaneurysms", "cell", "hubble_deep_field", "moon"),
    "textures": _sample("brick", "grass", "gravel", "coins", "text", "page", "clock"),
    "sections": lambda rng: (_section if rng.random() < 0.5 else _sample("immunohistochemistry"))(rng),
    "charts": _chart,
    "noise": _noise,
}
"""What draws each kind; none of them chooses a bound."""


def draw_non_smears(kind: str, count: int, seed: int = 0) -> list[np.ndarray]:
    """Draw pictures of a kind.

    Args:
        kind: a key of :data:`KINDS`.
        count: how many.
        seed: the same one gives the same pictures.

    Returns:
        ``(height, width, 3)`` uint8 RGB pictures.
    """
    return [KINDS[kind](np.random.default_rng((seed, list(KINDS).index(kind), i))) for i in range(count)]
