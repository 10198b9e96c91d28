"""Uploaded files: opened or refused in one sentence, decoded once, and forgotten after an hour."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from secrets import token_urlsafe
from threading import Lock

import numpy as np
from gradio.utils import get_upload_folder

from marrow import Analysis, MarrowError, read_image
from marrow.images import Header, ImageError, read_header
from screen.limits import Limits

MIN_SIDE = 32
"""Fewest pixels on a side: less than one cell at any magnification."""

LARGE = 25_000_000
"""Pixels from which on an image is worked on alone: two decoded beside each other take too much memory."""

DECODED = 8
"""Images that are kept decoded, for what is asked of the same one next; fewer where they are large."""

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


def uploaded(path: str) -> str | None:
    """Return a path that a browser names, if it is that of an upload: no other file of the server is opened for it."""
    try:
        return path if Path(path).resolve().is_relative_to(Path(get_upload_folder()).resolve()) else None
    except (OSError, ValueError):  # too long, or with a NUL
        return None


@dataclass(frozen=True)
class Upload:
    """An analyzed upload: where its file lies, everything found in it, and the picture of it that is shown."""

    path: Path
    analysis: Analysis
    picture: Path | None = None

    @property
    def is_large(self) -> bool:
        """Whether it is worked on alone."""
        return self.analysis.width * self.analysis.height > LARGE


class Uploads:
    """Remembers uploads by a key that only their visitor knows, for an hour after their last use.

    Args:
        limits: how many, and how many megapixels.
        clock: seconds from any start.
    """

    def __init__(self, limits: Limits | None = None, clock: Callable[[], float] = time.monotonic) -> None:
        self._limits, self._clock = limits or Limits(), clock
        self._kept: dict[str, tuple[float, Upload]] = {}
        self._lock = Lock()
        self._decoded: dict[Path, np.ndarray] = {}  # the one used last at the end
        self._decoding = Lock()

    def header(self, path: str | None) -> Header:
        """Look at an uploaded image without decoding it.

        Args:
            path: the file, ``None`` when there is none.

        Raises:
            RefusedError: there is no file, it is no image, or it is too large or too small.
        """
        if not path:
            raise RefusedError("no_image")
        try:
            header = read_header(path, self._most_pixels)
        except MarrowError as error:
            raise _refusal(error) from error
        if min(header.width, header.height) < MIN_SIDE:
            raise RefusedError("too_small", width=header.width, height=header.height, side=MIN_SIDE)
        return header

    def image(self, path: str | Path) -> np.ndarray:
        """Return an image, ``(height, width, 3)`` uint8 RGB, decoded once while there is room for it.

        Nobody may write to it.

        Raises:
            RefusedError: it is damaged or too large.
        """
        path = Path(path)
        with self._decoding:  # one at a time, so that those who want the same one find it
            image = self._decoded.pop(path, None)
            if image is None:
                try:
                    header = read_header(path, self._most_pixels)
                    self._make_room(header.pixels)
                    image = read_image(path, self._most_pixels)
                except MarrowError as error:
                    raise _refusal(error) from error
            self._decoded[path] = image
            return image

    def keep(self, upload: Upload) -> str:
        """Remember an upload and return its key."""
        key = token_urlsafe(12)
        with self._lock:
            self._forget_old()
            while len(self._kept) >= self._limits.uploads:
                self._kept.pop(min(self._kept, key=lambda key: self._kept[key][0]))
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
                with self._decoding:
                    self._decoded.pop(path, None)

    @property
    def _most_pixels(self) -> int:
        return self._limits.megapixels * 1_000_000

    def _make_room(self, pixels: int) -> None:
        """Let go of decoded images, the one used longest ago first, until another fits."""
        held = sum(image.shape[0] * image.shape[1] for image in self._decoded.values())
        while self._decoded and (held + pixels > self._most_pixels or len(self._decoded) >= DECODED):
            image = self._decoded.pop(next(iter(self._decoded)))
            held -= image.shape[0] * image.shape[1]

    def _forget_old(self) -> None:
        oldest = self._clock() - KEPT
        self._kept = {key: kept for key, kept in self._kept.items() if kept[0] > oldest}


def _refusal(error: MarrowError) -> RefusedError:
    if not isinstance(error, ImageError):
        return RefusedError("not_an_image")
    return RefusedError(error.reason, number=error.number, megapixels=error.number)
