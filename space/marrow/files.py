"""Files that are written whole or not at all."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from marrow.errors import MarrowError


@contextmanager
def atomic_path(target: Path) -> Iterator[Path]:
    """Yield a path to write to, and rename what was written there over the target at the end.

    The path has the target's own name, in a hidden folder beside it, so that a library finds the suffix it expects.
    After an error the target is as it was, and in no case is anything left beside it.

    Args:
        target: the file to write; its folder is made if need be.

    Raises:
        OSError: it cannot be written, or nothing was written to the path.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f".{target.name}.", dir=target.parent) as folder:
        path = Path(folder, target.name)
        yield path
        os.replace(path, target)


def write_whole(path: Path, data: bytes) -> Path:
    """Write a file whole or not at all, making its folder if need be.

    Raises:
        MarrowError: the file cannot be written.
    """
    try:
        with atomic_path(path) as beside:
            beside.write_bytes(data)
    except OSError as error:
        raise MarrowError(f"{path} cannot be written ({error.strerror}): name another folder.") from error
    return path
