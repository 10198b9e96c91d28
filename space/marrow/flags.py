"""Flags: images that visitors share, with what was found in them, as the next round's training data."""

from __future__ import annotations

import json
import logging
import os
from datetime import UTC, datetime
from pathlib import Path
from threading import Event, Thread
from uuid import uuid4

import numpy as np
from huggingface_hub import CommitScheduler
from huggingface_hub.errors import HTTPError

from marrow.analysis import Analysis
from marrow.drawing import draw_mask
from marrow.errors import MarrowError
from marrow.files import atomic_path
from marrow.hub import is_away
from marrow.images import encode_png
from marrow.zips import cut_pictures

_LOG = logging.getLogger(__name__)

MAX_COMMENT = 2000
"""Longest comment, in characters."""

RETRY = 60.0
"""Seconds after which a Hub that was away is asked again."""


def save_flag(folder: Path, image: np.ndarray, analysis: Analysis, comment: str) -> Path:
    """Save an image and its analysis, whole or not at all.

    The folder can be read with ``datasets.load_dataset("imagefolder", data_dir=folder)``: each entry is a folder
    ``data/TIME-ID`` with ``metadata.jsonl``, ``image.png``, encoded anew so that no EXIF data stays, and ``mask.png``,
    16-bit, whose values are the ids of the cells, 0 between them. Every cell that a person named lies in
    ``crops/CODE/TIME-ID_CELL.png`` too, where ``bone_marrow_12.py`` finds it.

    Args:
        folder: where the flags are kept; made if it is not there.
        image: ``(height, width, 3)`` uint8 RGB, the image that was analyzed.
        analysis: its analysis.
        comment: what the visitor says is wrong, at most ``MAX_COMMENT`` characters.

    Returns:
        The folder of the entry.

    Raises:
        MarrowError: the comment is too long, or the folder cannot be written to.
    """
    if len(comment) > MAX_COMMENT:
        raise MarrowError(f"The comment has {len(comment)} characters: shorten it to {MAX_COMMENT}.")
    now = datetime.now(UTC)
    entry = folder / "data" / f"{now:%Y%m%dT%H%M%SZ}-{uuid4().hex[:8]}"
    metadata = {
        "file_name": "image.png",
        "flagged_at": now.isoformat(timespec="seconds"),
        "comment": comment.strip(),
        "segmenter": str(analysis.segmenter),
        "classifier": str(analysis.classifier),
        "analysis": analysis.to_json(),
        "edited": analysis.report.edited,
        "mask_file_name": "mask.png",  # in every entry: `datasets` takes the columns from the first
    }
    named = [cell for cell in analysis.cells if cell.is_human_labelled]
    files = {
        "image.png": encode_png(image),
        "mask.png": encode_png(draw_mask(analysis)),
        "metadata.jsonl": (json.dumps(metadata) + "\n").encode(),
        **{f"crops/{path}": content for path, content in cut_pictures(image, named, entry.name)},
    }
    try:
        with atomic_path(entry) as beside:
            for path, content in files.items():
                (beside / path).parent.mkdir(parents=True, exist_ok=True)
                (beside / path).write_bytes(content)
    except OSError as error:
        raise MarrowError(f"The flag cannot be saved in {folder} ({error.strerror}).") from error
    return entry


class FlagUpload:
    """Sends the flags to a dataset of the Hub every five minutes, while it is there; what waits stays in the folder.

    Args:
        folder: where the flags are kept.
        repo: id of the dataset; it is made, private, if it is not there.
        token: one that may write to it.
        retry: seconds after which a Hub that was away is asked again.

    Raises:
        MarrowError: the Hub refuses.
    """

    def __init__(self, folder: Path, repo: str, token: str, retry: float = RETRY) -> None:
        self._folder, self._repo, self._token = folder, repo, token
        self._retry = retry
        self._stopped = Event()
        self._scheduler = self._connect()
        self._waiting = Thread(target=self._wait_for_hub, daemon=True)
        self._waiting.start()

    def stop(self) -> str | None:
        """Send the flags that still wait, and stop sending.

        Returns:
            ``None`` when everything is sent, otherwise a sentence; what waits stays in the folder.
        """
        self._stopped.set()
        self._waiting.join()
        try:
            self._scheduler = self._scheduler or self._connect()
            if self._scheduler:
                self._scheduler.trigger().result()
                return None
        except (MarrowError, HTTPError, OSError, ValueError, RuntimeError):
            pass  # said below
        finally:
            if self._scheduler:
                self._scheduler.stop()
        return f"The last flags could not be sent to {self._repo}: they stay in {self._folder}."

    def _connect(self) -> CommitScheduler | None:
        """Start the scheduler; ``None`` when the Hub is away."""
        try:
            return CommitScheduler(
                repo_id=self._repo,
                repo_type="dataset",
                folder_path=self._folder,
                private=True,
                token=self._token,
                ignore_patterns=["*/.*"],  # where an entry lies that is not whole yet
            )
        except (HTTPError, OSError, ValueError) as error:
            if is_away(error):
                return None
            remedy = "check MARROW_FLAGS_REPO and HF_TOKEN, or unset both"
            raise MarrowError(f"The flags cannot be sent to {self._repo}: {remedy}.") from error

    def _wait_for_hub(self) -> None:
        """Ask a Hub that is away again and again; its sentence is logged when it then refuses."""
        try:
            while not self._scheduler and not self._stopped.wait(self._retry):
                self._scheduler = self._connect()
        except MarrowError as error:
            _LOG.error("%s", error)


def start_upload(folder: Path) -> FlagUpload | None:
    """Send the flags to the dataset ``MARROW_FLAGS_REPO``, as ``HF_TOKEN`` allows.

    Returns:
        The running upload, or ``None`` when a variable is not set: the flags stay in ``folder``.

    Raises:
        MarrowError: the Hub refuses. A Hub that is away is waited for.
    """
    repo, token = os.environ.get("MARROW_FLAGS_REPO"), os.environ.get("HF_TOKEN")
    return FlagUpload(folder, repo, token) if repo and token else None
