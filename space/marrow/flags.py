"""Flags: images that visitors share, with what was found in them, as the next round's training data."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from datetime import UTC, datetime
from pathlib import Path
from uuid import uuid4

import numpy as np
from huggingface_hub import CommitScheduler
from huggingface_hub.errors import HTTPError

from marrow.analysis import Analysis, ModelInfo
from marrow.errors import MarrowError
from marrow.export import encode_png

MAX_COMMENT = 2000
"""Longest comment, in characters."""

PART = ".part"
"""Ending of an entry that is not whole yet."""


def save_flag(folder: Path, image: np.ndarray, analysis: Analysis, comment: str) -> Path:
    """Save an image and its analysis, whole or not at all.

    The folder can be read with ``datasets.load_dataset("imagefolder", data_dir=folder)``: each entry is a
    folder ``data/TIME-ID`` with ``metadata.jsonl`` and ``image.png``, encoded anew so that no EXIF data stays.

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
        "segmenter": _name(analysis.segmenter),
        "classifier": _name(analysis.classifier),
        "analysis": analysis.to_json(),
    }
    try:
        entry.parent.mkdir(parents=True, exist_ok=True)
        part = Path(tempfile.mkdtemp(suffix=PART, dir=entry.parent))
        try:
            (part / "image.png").write_bytes(encode_png(image))
            (part / "metadata.jsonl").write_text(json.dumps(metadata) + "\n", encoding="utf-8")
            os.replace(part, entry)
        except BaseException:
            shutil.rmtree(part)
            raise
    except OSError as error:
        raise MarrowError(f"The flag cannot be saved in {folder} ({error.strerror}).") from error
    return entry


def start_upload(folder: Path) -> CommitScheduler | None:
    """Send the flags to the dataset ``MARROW_FLAGS_REPO`` every five minutes, as ``HF_TOKEN`` allows.

    The dataset is made, private, if it is not there. Without both variables the flags stay in ``folder``.

    Returns:
        The running scheduler, or ``None`` when a variable is not set.

    Raises:
        MarrowError: the Hub cannot be reached or refuses.
    """
    repo, token = os.environ.get("MARROW_FLAGS_REPO"), os.environ.get("HF_TOKEN")
    if not (repo and token):
        return None
    try:
        return CommitScheduler(
            repo_id=repo,
            repo_type="dataset",
            folder_path=folder,
            private=True,
            token=token,
            ignore_patterns=[f"*{PART}/*"],
        )
    except (HTTPError, OSError, ValueError) as error:
        raise MarrowError(
            f"The flags cannot be sent to {repo}: check MARROW_FLAGS_REPO and HF_TOKEN, or unset both."
        ) from error


def stop_upload(scheduler: CommitScheduler) -> str | None:
    """Send the flags that still wait, and stop sending.

    Args:
        scheduler: what :func:`start_upload` gave.

    Returns:
        ``None`` when everything is sent, otherwise a sentence; what waits stays in the folder.
    """
    try:
        scheduler.trigger().result()
    except (HTTPError, OSError, ValueError, RuntimeError):
        return f"The last flags could not be sent to {scheduler.repo_id}: they stay in {scheduler.folder_path}."
    finally:
        scheduler.stop()
    return None


def _name(model: ModelInfo) -> str:
    return f"{model.repo}@{model.revision}" if model.revision else model.repo
