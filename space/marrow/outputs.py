"""What the commands of this package wrote, told from the files of others by marks that each of them holds."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

from marrow.errors import MarrowError

MARK = b"bone-marrow-smear"
"""Stands in every picture, zip and page that is written."""

BEGINNINGS = (
    b'{\n "image": {',
    b'{\n "case": [',
    b'{\n "images": [',
    b'[\n {\n  "file": ',
    b"id,label,probability,uncertain,",
)
"""Of JSON and CSV, which have no place for a mark."""

LONGEST_MARK = 400
"""Bytes at both ends of a file in which its mark lies."""


def check_targets(paths: Iterable[Path]) -> None:
    """Refuse to overwrite what no command of this package wrote.

    Raises:
        MarrowError: a file or folder of somebody else is there.
    """
    for path in paths:
        if os.path.lexists(path) and not _is_ours(path):
            raise MarrowError(f"{path} is there already and was not written by marrow: name another --out.")


def _is_ours(path: Path) -> bool:
    if not path.is_file() or path.is_symlink():
        return False
    try:
        with path.open("rb") as file:
            head = file.read(LONGEST_MARK)
            file.seek(max(0, path.stat().st_size - LONGEST_MARK))
            return head == b"[]" or head.startswith(BEGINNINGS) or MARK in head or MARK in file.read()
    except OSError:
        return False
