"""Reading a slide: its size, its µm per pixel, and its pixels at any scale; never its label, macro or thumbnail."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from contextlib import suppress
from math import sqrt
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from marrow.errors import MarrowError

IntBox = tuple[int, int, int, int]
"""Left, top, right and bottom in whole pixels of level 0, the slide's finest."""

MPP_RANGE = (0.01, 10.0)
"""µm per pixel of microscopes; a resolution outside of it was meant for printing."""

BLOCK = 2048
"""Pixels a side that are read at once for an overview."""

LEAST_BLOCK = 64
"""Pixels a side of the smallest part of an overview that is read alone where a slide is damaged."""

HEAD = 2**20
"""Bytes at the beginning of a file that its digest is made of: a slide has gigabytes."""

_IN_UM = {"m": 1e6, "cm": 1e4, "mm": 1e3, "µm": 1.0, "μm": 1.0, "um": 1.0, "nm": 1e-3, "pm": 1e-6}


class Slide:
    """A slide that is open.

    Args:
        path: a file that OpenSlide reads.
        mpp: µm per pixel of level 0; what the file says when ``None``.

    Attributes:
        width: of level 0 in pixels.
        height: of level 0 in pixels.
        mpp: µm per pixel of level 0, in x and in y.
        mpp_from: ``"file"`` or ``"option"``.
        origin: where viewers that crop a slide to what was scanned begin to count, in pixels of level 0.
        digest: tells the slide from others.
        damaged: parts, in pixels of level 0, that :meth:`overview` could not read.

    Raises:
        MarrowError: OpenSlide is not installed or cannot read the file, or nobody says how large a pixel is.
    """

    def __init__(self, path: Path, mpp: float | None = None) -> None:
        self._library, self._path = _openslide(), path
        if not path.is_file():
            raise MarrowError(f"There is no slide at {path}: check the path.")
        self.damaged: list[IntBox] = []
        self._open()
        properties = self._handle.properties
        self.width, self.height = self._handle.dimensions
        self.mpp, self.mpp_from = ((mpp, mpp), "option") if mpp else (_read_mpp(properties, path), "file")
        self.origin = int(properties.get("openslide.bounds-x", 0)), int(properties.get("openslide.bounds-y", 0))
        with path.open("rb") as file:
            head = file.read(HEAD)
        told = f"{properties.get('openslide.quickhash-1')} {self.width} {self.height} {path.stat().st_size} "
        self.digest = hashlib.sha256(told.encode() + head).hexdigest()

    @property
    def pixel_um(self) -> float:
        """The side of a square pixel of the same area as one of level 0, in µm."""
        return sqrt(self.mpp[0] * self.mpp[1])

    @property
    def levels(self) -> list[float]:
        """How many pixels of level 0 a pixel of each level is wide, the finest first."""
        return list(self._handle.level_downsamples)

    def level_for(self, factor: float) -> int:
        """Return the coarsest level that need not be enlarged where a pixel shows ``factor`` pixels of level 0."""
        return max(level for level, width in enumerate(self.levels) if width <= max(factor, 1.0) * 1.01)

    def read(self, box: IntBox, width: int, height: int) -> np.ndarray:
        """Read a part of the slide, from the level that fits.

        Args:
            box: the part, in pixels of level 0.
            width: of what is returned, in pixels.
            height: of what is returned, in pixels.

        Returns:
            ``(height, width, 3)`` uint8 RGB, white where nothing was scanned.

        Raises:
            MarrowError: the file is damaged there.
        """
        left, top, right, bottom = box
        level = self.level_for((right - left) / width)
        shrunk = self.levels[level]
        size = max(1, round((right - left) / shrunk)), max(1, round((bottom - top) / shrunk))
        try:
            pixels = np.asarray(self._handle.read_region((left, top), level, size))
        except self._library.OpenSlideError as error:
            self._open()  # after an error the library reads nothing more
            raise MarrowError(f"The slide is damaged at {left}, {top}: scan it again.") from error
        image = _on_white(pixels)
        if size == (width, height):
            return image
        return cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA)

    def overview(self, longest: int) -> np.ndarray:
        """Read all of the slide at a small scale, block by block, so that one without coarse levels can be read too.

        Args:
            longest: pixels of the longer side.

        Returns:
            ``(height, width, 3)`` uint8 RGB, white where the file is damaged, which :attr:`damaged` notes.
        """
        factor = max(1.0, max(self.width, self.height) / longest)
        width, height = max(1, round(self.width / factor)), max(1, round(self.height / factor))
        image = np.empty((height, width, 3), np.uint8)
        step = max(1, int(BLOCK * self.levels[self.level_for(factor)] / factor))
        for top in range(0, height, step):
            for left in range(0, width, step):
                right, bottom = min(left + step, width), min(top + step, height)
                edges = [round(value * factor) for value in (left, top, right, bottom)]
                box = edges[0], edges[1], min(edges[2], self.width), min(edges[3], self.height)
                self._fill(image[top:bottom, left:right], box)
        return image

    def _fill(self, target: np.ndarray, box: IntBox) -> None:
        """Read a part of an overview into its place; where it is damaged, in ever smaller parts."""
        height, width = target.shape[:2]
        try:
            target[:] = self.read(box, width, height)
        except MarrowError:
            if max(width, height) <= LEAST_BLOCK:
                target[:] = 255
                self.damaged.append(box)
                return
            axis = int(height < width)
            half = target.shape[axis] // 2
            low, high = box[1 - axis], box[3 - axis]
            middle = low + round((high - low) * half / target.shape[axis])
            first, second = list(box), list(box)
            first[3 - axis] = second[1 - axis] = middle
            parts = (target[:, :half], target[:, half:]) if axis else (target[:half], target[half:])
            for part, its_box in zip(parts, (first, second), strict=True):
                left, top, right, bottom = its_box
                self._fill(part, (left, top, right, bottom))

    def close(self) -> None:
        """Close the file."""
        self._handle.close()

    def _open(self) -> None:
        try:
            self._handle = self._library.OpenSlide(self._path)
        except (self._library.OpenSlideError, OSError) as error:
            formats = "name a .svs, .ndpi, .mrxs, DICOM, or tiled TIFF file; marrow analyze reads pictures"
            raise MarrowError(f"{self._path} cannot be read as a slide: {formats}.") from error


def _openslide() -> Any:
    try:
        import openslide
    except ImportError as error:
        raise MarrowError('Slides need more: pip install "bone-marrow-smear[slides]".') from error
    return openslide


def _on_white(pixels: np.ndarray) -> np.ndarray:
    """Return ``(height, width, 3)`` of ``(height, width, 4)`` uint8 RGBA."""
    alpha = pixels[..., 3:]
    if alpha.min() == 255:
        return np.ascontiguousarray(pixels[..., :3])
    shown = alpha.astype(np.uint16)
    return ((pixels[..., :3] * shown + 255 * (255 - shown)) // 255).astype(np.uint8)


def _read_mpp(properties: Mapping[str, str], path: Path) -> tuple[float, float]:
    """Return µm per pixel, in x and y, as the scanner or OME wrote it.

    Raises:
        MarrowError: neither did, or what is there is no microscope's.
    """
    found = _of_scanner(properties) or _of_ome(properties.get("tiff.ImageDescription", ""))
    remedy = "give the µm per pixel with --mpp, as --mpp 0.25"
    if found is None:
        raise MarrowError(f"{path} does not say how large a pixel is: {remedy}.")
    if not all(MPP_RANGE[0] <= value <= MPP_RANGE[1] for value in found):
        raise MarrowError(f"{path} says that a pixel is {found[0]:g} µm wide, which is no microscope's: {remedy}.")
    return found


def _of_scanner(properties: Mapping[str, str]) -> tuple[float, float] | None:
    with suppress(LookupError, ValueError):
        return float(properties["openslide.mpp-x"]), float(properties["openslide.mpp-y"])
    return None


def _of_ome(description: str) -> tuple[float, float] | None:
    """Return what OME-XML says of its first image, which OpenSlide does not read; its default unit is µm."""
    pixels = re.search(r"<Pixels\b[^>]*>", description)
    if not pixels:
        return None
    values = dict(re.findall(r'\b(PhysicalSize[XY](?:Unit)?)="([^"]*)"', pixels[0]))
    with suppress(LookupError, ValueError):
        x, y = (
            float(values[f"PhysicalSize{axis}"]) * _IN_UM[values.get(f"PhysicalSize{axis}Unit", "µm")] for axis in "XY"
        )
        return x, y
    return None
