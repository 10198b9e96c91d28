"""Faults of a microscope, a camera or a file, drawn at random, so that none of them stands for a class."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict

import cv2
import numpy as np
from pydantic.dataclasses import dataclass

from marrow.records import STRICT, Share

SMALLEST = 32
"""Pixels across of a cell that was photographed small."""


@dataclass(frozen=True, config=STRICT)
class Optics:
    """Share of the views that is given each fault, 0 to 1.

    Attributes:
        enlarged: taken at a lower magnification and enlarged, from :data:`SMALLEST` pixels across or more.
        defocus: blurred, by a standard deviation of up to 2.2 pixels.
        sharpened: sharpened as cameras do, with halos.
        noise: noise of the sensor, with a standard deviation of up to 8 grey levels.
        compressed: JPEG of a quality of 25 to 95.
        aberration: red and blue enlarged or reduced by about 1 %.
        shading: lit from one side, by up to 20 %.
        gamma: another tone curve, with an exponent of about 0.8 to 1.25.
    """

    enlarged: Share = 0.0
    defocus: Share = 0.0
    sharpened: Share = 0.0
    noise: Share = 0.0
    compressed: Share = 0.0
    aberration: Share = 0.0
    shading: Share = 0.0
    gamma: Share = 0.0


def photographed(view: np.ndarray, optics: Optics, rng: np.random.Generator) -> np.ndarray:
    """Return a view as a worse microscope, camera or file might show it.

    Args:
        view: ``(size, size, 3)`` uint8 RGB.
        optics: how often each fault occurs.
        rng: source of randomness; a fault that never occurs draws nothing.

    Returns:
        ``(size, size, 3)`` uint8 RGB.
    """
    for name, share in asdict(optics).items():
        if share and rng.random() < share:
            view = FAULTS[name](view, rng)
    return view


def _enlarged(view: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    size = view.shape[:2][::-1]
    side = int(rng.uniform(min(SMALLEST, *size), max(size)))
    small = cv2.resize(view, (side, side), interpolation=cv2.INTER_AREA)
    return cv2.resize(small, size, interpolation=cv2.INTER_LINEAR if rng.random() < 0.5 else cv2.INTER_CUBIC)


def _defocus(view: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    return cv2.GaussianBlur(view, (0, 0), rng.uniform(0.3, 2.2))


def _sharpened(view: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    blurred = cv2.GaussianBlur(view, (0, 0), rng.uniform(0.7, 2.0))
    amount = rng.uniform(0.3, 1.5)
    return cv2.addWeighted(view, 1 + amount, blurred, -amount, 0)


def _noise(view: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    noise = rng.standard_normal(view.shape, dtype=np.float32) * rng.uniform(0, 8)
    return (view + noise).clip(0, 255).astype(np.uint8)


def _compressed(view: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    quality = [cv2.IMWRITE_JPEG_QUALITY, int(rng.uniform(25, 95))]
    _, file = cv2.imencode(".jpg", cv2.cvtColor(view, cv2.COLOR_RGB2BGR), quality)
    return cv2.cvtColor(np.asarray(cv2.imdecode(file, cv2.IMREAD_COLOR)), cv2.COLOR_BGR2RGB)


def _aberration(view: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    height, width = view.shape[:2]
    changed = view.copy()
    for channel in (0, 2):
        matrix = cv2.getRotationMatrix2D(((width - 1) / 2, (height - 1) / 2), 0, 1 + rng.normal(0, 0.012))
        plane = np.ascontiguousarray(view[..., channel])
        changed[..., channel] = cv2.warpAffine(plane, matrix, (width, height), borderMode=cv2.BORDER_REPLICATE)
    return changed


def _shading(view: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    angle, depth = rng.uniform(0, 2 * np.pi), rng.uniform(0, 0.2)
    y, x = (np.linspace(-1, 1, side, dtype=np.float32) for side in view.shape[:2])
    light = 1 + depth * (np.cos(angle) * y[:, None] + np.sin(angle) * x)
    return (view * light[..., None]).clip(0, 255).astype(np.uint8)


def _gamma(view: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    levels = np.arange(256, dtype=np.float32) / 255
    return cv2.LUT(view, (255 * levels ** np.exp(rng.normal(0, 0.25))).astype(np.uint8))


FAULTS: dict[str, Callable[[np.ndarray, np.random.Generator], np.ndarray]] = {
    "enlarged": _enlarged,
    "defocus": _defocus,
    "sharpened": _sharpened,
    "noise": _noise,
    "compressed": _compressed,
    "aberration": _aberration,
    "shading": _shading,
    "gamma": _gamma,
}
"""By the name in :class:`Optics`, in the order in which they are made."""
