"""What else is seen in a field besides cells: stained haze, fat droplets, and the padding of a picture."""

import cv2
import numpy as np

from dataset_scripts.drawing.shapes import blob, fill
from dataset_scripts.drawing.textures import smooth_noise

HAZE = (0.01, 0.15)  # optical density of the stained protein between the cells
DROPLETS = 4
STRIP = (0.04, 0.2)  # of the side of a field, a padding strip


def with_haze(background: np.ndarray, diameter: float, rng: np.random.Generator) -> np.ndarray:
    """Lay uneven, lilac to grey-blue protein over a background; ``(h, w, 3)`` uint8, cells ``diameter`` px across."""
    shape = background.shape[:2]
    cloud = 0.6 + 0.5 * smooth_noise(shape, rng.uniform(0.6, 3) * diameter, rng)
    cloud = cloud.clip(0, 2) * (1 + 0.15 * smooth_noise(shape, 0.08 * diameter, rng))
    dye = rng.uniform(*HAZE) * np.array([rng.uniform(0.6, 1.2), 1, rng.uniform(0.1, 0.7)], np.float32)
    return (background * np.exp(-cloud[..., None] * dye)).clip(0, 255).astype(np.uint8)


def with_droplets(background: np.ndarray, diameter: float, rng: np.random.Generator) -> np.ndarray:
    """Put fat droplets on a background: empty, bright, sharp-edged holes of any size, often with a darker rim."""
    height, width = background.shape[:2]
    light = np.percentile(background[::4, ::4].reshape(-1, 3), 90, axis=0) * rng.uniform(0.97, 1.08)
    image = background.astype(np.float32)
    for _ in range(int(rng.integers(1, DROPLETS + 1))):
        middle = (rng.uniform(0, width), rng.uniform(0, height))
        radius = diameter * np.exp(rng.uniform(np.log(0.2), np.log(2)))
        outline = blob(rng, middle, radius, rng.uniform(0, 0.03), rng.uniform(1, 1.2))
        hole = fill([outline], height, width, 0.02 * diameter)[..., None]
        rim = (cv2.GaussianBlur(hole, (0, 0), 0.05 * diameter)[..., None] - hole).clip(0, 1) * rng.uniform(0, 0.5)
        image = (image + hole * (light - image)) * (1 - rim)
    return image.clip(0, 255).astype(np.uint8)


def random_padding(size: int, rng: np.random.Generator) -> tuple[int, int, int, int]:
    """Draw the padding of a square picture, pixels at the top, bottom, left and right: two opposite sides, or one."""
    strips = [int(size * rng.uniform(*STRIP)), int(size * rng.uniform(*STRIP))]
    if rng.random() < 0.4:
        strips[rng.integers(2)] = 0
    return (*strips, 0, 0) if rng.random() < 0.7 else (0, 0, *strips)


def padded(
    image: np.ndarray, labels: np.ndarray, padding: tuple[int, ...], rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Pad a picture with plain black or grey, and its labels with 0."""
    grey = 0.0 if rng.random() < 0.3 else rng.uniform(40, 235)
    colour = (grey + rng.normal(0, 8, 3) * (grey > 0)).clip(0, 255)
    return (
        cv2.copyMakeBorder(image, *padding, cv2.BORDER_CONSTANT, value=colour.tolist()),
        cv2.copyMakeBorder(labels, *padding, cv2.BORDER_CONSTANT, value=0),
    )
