"""Uploaded files: opened or refused in one sentence, and forgotten after an hour."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from secrets import token_urlsafe
from threading import Lock

import numpy as np
from gradio.utils import get_upload_folder
from PIL import Image

from marrow import Analysis, MarrowError, read_image
from marrow.images import MAX_PIXELS

MIN_SIDE = 32
"""Fewest pixels on a side: less than one cell at any magnification."""

KEPT = 3600
"""Seconds for which an upload and what was found in it are kept after their last use."""


class RefusedError(Exception):
    """An upload that cannot be used.

    Attributes:
        reason: key of the sentence in :data:`screen.words.SCREEN`.
        values: what is filled in there.
    """

    def __init__(self, reason: str, **values: int) -> None:
        super().__init__(reason)
        self.reason = reason
        self.values = values


def open_upload(path: str | None) -> tuple[np.ndarray, str | None]:
    """Read an uploaded image.

    Args:
        path: the file, ``None`` when there is none.

    Returns:
        ``(height, width, 3)`` uint8 RGB, and the key of a remark about what was converted, if anything.

    Raises:
        RefusedError: there is no file, it is no image, or it is too large or too small.
    """
    if not path:
        raise RefusedError("no_image")
    try:
        with Image.open(path) as image:
            (width, height), remark = image.size, _remark(image)
    except Image.DecompressionBombError:
        width, height, remark = MAX_PIXELS, 2, None
    except Exception as error:  # Pillow's readers raise nearly anything for a damaged file
        raise RefusedError("not_an_image") from error
    if width * height > MAX_PIXELS:
        raise RefusedError("too_large", megapixels=MAX_PIXELS // 1_000_000)
    if min(width, height) < MIN_SIDE:
        raise RefusedError("too_small", width=width, height=height, side=MIN_SIDE)
    try:
        return read_image(path), remark
    except MarrowError as error:
        raise RefusedError("not_an_image") from error


def _remark(image: Image.Image) -> str | None:
    """Return the key of the remark about an opened image that will be converted."""
    if image.mode == "CMYK":
        return "cmyk"
    # Pillow opens 16-bit colour as 8-bit RGB; its decoder's arguments name what the file holds, as "RGB;16B"
    return "deep" if image.mode.startswith("I") or ";16" in str(getattr(image, "tile", "")) else None


def uploaded(path: str) -> str | None:
    """Return a path that a browser names, if it is that of an upload: no other file of the server is opened for it."""
    return path if Path(path).resolve().is_relative_to(Path(get_upload_folder()).resolve()) else None


@dataclass(frozen=True)
class Upload:
    """An analyzed upload: where its file lies, everything found in it, and the picture of it that is shown."""

    path: Path
    analysis: Analysis
    picture: Path | None = None

    def image(self) -> np.ndarray:
        """Read the image again, ``(height, width, 3)`` uint8 RGB."""
        return open_upload(str(self.path))[0]


class Uploads:
    """Remembers uploads by a key that only their visitor knows, for an hour after their last use.

    Args:
        clock: seconds from any start.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._kept: dict[str, tuple[float, Upload]] = {}
        self._lock = Lock()

    def keep(self, upload: Upload) -> str:
        """Remember an upload and return its key."""
        key = token_urlsafe(12)
        with self._lock:
            self._forget_old()
            self._kept[key] = (self._clock(), upload)
        return key

    def find(self, key: str) -> Upload:
        """Return the upload of a key, and keep it for another hour.

        Raises:
            RefusedError: it has been forgotten, or never was.
        """
        with self._lock:
            self._forget_old()
            if key not in self._kept:
                raise RefusedError("forgotten")
            _, upload = self._kept[key]
            self._kept[key] = (self._clock(), upload)
            return upload

    def forget(self, key: str) -> None:
        """Forget an upload, and delete its files unless somebody else's upload lies in the same ones."""
        with self._lock:
            forgotten = self._kept.pop(key, None)
            still = {path for _, upload in self._kept.values() for path in (upload.path, upload.picture)}
        for path in (forgotten[1].path, forgotten[1].picture) if forgotten else ():
            if path and path not in still and uploaded(str(path)):
                path.unlink(missing_ok=True)

    def _forget_old(self) -> None:
        oldest = self._clock() - KEPT
        self._kept = {key: kept for key, kept in self._kept.items() if kept[0] > oldest}
