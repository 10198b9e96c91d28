"""The folder of a study: new or one to go on with, of the same models, and written to by one command at a time."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from marrow.batch.tables import DIGESTS
from marrow.errors import MarrowError
from marrow.hub import ModelFolder
from marrow.integrity import digest
from marrow.runtime import read_config
from marrow.segmenter import SegmenterConfig

LOCK = ".lock"


def check_ours(out: Path, file: str, kind: str) -> bool:
    """Tell whether a folder is one to go on with, or new.

    Args:
        out: the folder.
        file: name of the file that says how it was made.
        kind: what the folder holds, as ``"a study"``.

    Returns:
        Whether the file is there.

    Raises:
        MarrowError: the folder holds something else.
    """
    if (out / file).is_file():
        return True
    if out.exists() and (not out.is_dir() or any(path.name[0] != "." for path in out.iterdir())):
        raise MarrowError(f"{out} holds something else than {kind}: name a new folder with --out.")
    return False


def check_same(path: Path, wanted: dict[str, Any], keys: Sequence[str], differs: str) -> dict[str, Any]:
    """Compare how a folder was made with how it is to be gone on with.

    Args:
        path: the file that says how it was made.
        wanted: what it would hold if it were made now, with ``schema_version``.
        keys: of what must be the same.
        differs: what the folder is otherwise, as ``"of other models"``.

    Returns:
        What the file holds.

    Raises:
        MarrowError: it is another, or the file is damaged.
    """
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        if found["schema_version"] != wanted["schema_version"]:
            raise MarrowError(f"{path} is of another version of marrow: name a new folder with --out.")
        same = all(found[name] == wanted[name] for name in keys)
    except (OSError, ValueError, LookupError, TypeError) as error:
        raise MarrowError(f"{path} cannot be read ({error}): name a new folder with --out.") from error
    if not same:
        raise MarrowError(f"{path} is {differs}: name a new folder with --out.")
    return found


def models_made_by(folders: Sequence[ModelFolder], confidence: float | None) -> dict[str, Any]:
    """Return what decides on cells and their names: digests of both models, and the lowest score.

    Args:
        folders: of the segmenter and the classifier.
        confidence: lowest score of a cell, 0 to 1; the segmenter's own when ``None``.
    """
    files = [folder.path / name for folder in folders for name in ("model.onnx", "config.json")]
    lowest = read_config(folders[0].path, SegmenterConfig).confidence if confidence is None else confidence
    return {"confidence": lowest, **dict(zip(DIGESTS, map(digest, files), strict=True))}


@contextmanager
def locked(out: Path, command: str) -> Iterator[None]:
    """Keep other commands from writing to a folder, which is made if need be.

    Raises:
        MarrowError: another ``command`` writes to it, or it cannot be written.
    """
    lock = FileLock(out / LOCK)
    try:
        out.mkdir(parents=True, exist_ok=True)
        lock.acquire(timeout=0)
    except Timeout as error:
        raise MarrowError(f"Another {command} writes to {out}: wait for it, or name another --out.") from error
    except OSError as error:
        raise MarrowError(f"{out} cannot be written ({error.strerror}): name another --out.") from error
    try:
        yield
    finally:
        lock.release()
