"""Slides drawn for tests: a smear with countable, thick, blurred and empty ground, in the formats of scanners."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import tifffile

from dataset_scripts.drawing.pictures import draw_field
from dataset_scripts.drawing.stains import random_stain
from marrow.slide.grid import CORE
from marrow.stain import background_colour, optical_density

MPP = 0.25
RED_CELL = 7.2 / MPP  # pixels
MAGENTA = (255, 0, 255)  # of the label, which no smear has
NAME = "SMITH JOHN"  # of the patient, on the label and in the description

TILES = {"tile": (256, 256), "compression": "zlib", "photometric": "rgb", "metadata": None}


@dataclass(frozen=True)
class Smear:
    """A drawn smear: a square of countable ground, four areas large, beside one thick, one blurred, two empty ones.

    Attributes:
        image: ``(2 * CORE, 4 * CORE, 3)`` uint8 RGB.
        labels: ``(2 * CORE, 2 * CORE)``, the number of each cell of the countable ground.
    """

    image: np.ndarray
    labels: np.ndarray


def draw_smear(cells: int = 110) -> Smear:
    rng = np.random.default_rng(7)
    field = draw_field(rng, 2 * CORE, 2 * CORE, cells, RED_CELL, random_stain(rng))
    ground = background_colour(field.image)
    parts = [field.image[y : y + CORE, x : x + CORE] for y in (0, CORE) for x in (0, CORE)]
    layers = sum(optical_density(np.rot90(part, k), tuple(ground)) for k in range(2) for part in parts)
    thick = (ground * np.exp(-layers)).clip(0, 255).astype(np.uint8)
    blurred = cv2.GaussianBlur(parts[0], (0, 0), 1.5 / MPP)
    empty = (ground + rng.normal(0, 1.5, (2 * CORE, CORE, 1))).clip(0, 255).astype(np.uint8)
    return Smear(np.hstack([field.image, np.vstack([thick, blurred]), empty]), field.labels)


def levels(image: np.ndarray) -> list[np.ndarray]:
    """Return a picture at its own size, a quarter and a sixteenth of it."""
    sizes = [(image.shape[1] // step, image.shape[0] // step) for step in (1, 4, 16)]
    return [image, *(cv2.resize(image, size, interpolation=cv2.INTER_AREA) for size in sizes[1:])]


def write_tiff(path: Path, image: np.ndarray, mpp: float | None = MPP, unit: str = "CENTIMETER") -> Path:
    """Write a pyramid as a plain tiled TIFF, with the resolution of a scanner or none."""
    resolution = {"resolution": (1e4 / mpp, 1e4 / mpp), "resolutionunit": unit} if mpp else {}
    with tifffile.TiffWriter(path) as file:
        for number, level in enumerate(levels(image)):
            file.write(level, subfiletype=int(number > 0), **TILES, **resolution)
    return path


def write_svs(path: Path, image: np.ndarray, mpp: float = MPP) -> Path:
    """Write a slide as Aperio's scanners do: levels, a thumbnail, a label and a macro image."""
    height, width = image.shape[:2]
    text = f"Aperio Image Library v1\r\n{width}x{height} (256x256) RGB|AppMag = 40|MPP = {mpp}|User = {NAME}"
    label = np.full((200, 300, 3), MAGENTA, np.uint8)
    cv2.putText(label, NAME, (10, 100), cv2.FONT_HERSHEY_SIMPLEX, 1.2, (0, 0, 0), 3)
    strips = {"compression": "zlib", "photometric": "rgb", "rowsperstrip": 16, "metadata": None}
    first, *others = levels(image)
    with tifffile.TiffWriter(path) as file:
        file.write(first, description=text, **TILES)
        file.write(others[-1], description=text, **strips)  # the thumbnail comes second
        for level in others:
            file.write(level, description=text, **TILES)
        for kind, subfiletype in (("label", 1), ("macro", 9)):
            file.write(label, subfiletype=subfiletype, description=f"Aperio Image Library v1\r\n{kind}", **strips)
    return path


def write_ome(path: Path, image: np.ndarray, mpp: float = MPP) -> Path:
    """Write an OME-TIFF, whose coarse levels lie in sub-directories."""
    metadata = {"axes": "YXS"}
    metadata |= {f"PhysicalSize{axis}": mpp for axis in "XY"} | {f"PhysicalSize{axis}Unit": "µm" for axis in "XY"}
    first, *others = levels(image)
    with tifffile.TiffWriter(path, ome=True) as file:
        file.write(first, subifds=len(others), **TILES | {"metadata": metadata})
        for level in others:
            file.write(level, subfiletype=1, **TILES)
    return path


WRITERS = {".svs": write_svs, ".tif": write_tiff, ".ome.tif": write_ome}
