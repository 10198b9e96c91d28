"""What is done of cases that are not finished: a small file for each picture, so that a stop loses nothing but work."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from marrow.analysis import Analysis
from marrow.batch.sources import Picture
from marrow.batch.tables import folder_name
from marrow.batch.workers import Outcome
from marrow.errors import MarrowError
from marrow.files import write_whole
from marrow.report import CountingRules

FOLDER = ".unfinished"
UNREAD = "unread"


class Journal:
    """The pictures of unfinished cases.

    Args:
        out: folder of the study.
        rules: that their cells are counted by.
    """

    def __init__(self, out: Path, rules: CountingRules) -> None:
        self._folder, self._rules = out / FOLDER, rules

    def known(self, case: str) -> dict[str, str]:
        """Return the digests of the pictures of a case that are done, by :func:`key` of their file."""
        return {path.stem.partition("-")[0]: path.stem.partition("-")[2] for path in self._entries(case)}

    def keep(self, outcome: Outcome) -> None:
        """Write down what became of a picture.

        Raises:
            MarrowError: it cannot be written.
        """
        picture = outcome.picture
        folder = self._folder / folder_name(picture.case)
        path = folder / f"{key(picture.file)}-{outcome.sha256 or UNREAD}.json"
        plain = outcome.analysis.to_dict() if outcome.analysis else None
        entry = {"file": picture.file, "sha256": outcome.sha256, "error": outcome.error, "analysis": plain}
        write_whole(path, json.dumps(entry).encode())
        for other in folder.glob(f"{key(picture.file)}-*.json"):
            if other != path:  # of what the picture was before
                other.unlink()

    def find(self, picture: Picture, sha256: str | None) -> Outcome | None:
        """Read what became of one picture; ``None`` where nothing is written down of it with this digest.

        Raises:
            MarrowError: the entry is damaged.
        """
        path = self._folder / folder_name(picture.case) / f"{key(picture.file)}-{sha256 or UNREAD}.json"
        return self._read(path, picture.case) if path.is_file() else None

    def read(self, case: str) -> Iterator[Outcome]:
        """Read what became of the pictures of a case, in the order of their entries.

        Raises:
            MarrowError: an entry is damaged.
        """
        return (self._read(path, case) for path in self._entries(case))

    def close(self, case: str) -> None:
        """Forget a case that stands in the tables."""
        shutil.rmtree(self._folder / folder_name(case), ignore_errors=True)
        with suppress(OSError):  # other cases are not finished
            self._folder.rmdir()

    def _read(self, path: Path, case: str) -> Outcome:
        try:
            entry = json.loads(path.read_text(encoding="utf-8"))
            plain = entry["analysis"]
            analysis = Analysis.from_dict(plain, self._rules) if plain else None
            return Outcome(Picture(case, entry["file"]), entry["sha256"], analysis, entry["error"])
        except (OSError, ValueError, LookupError, TypeError, MarrowError) as error:
            raise MarrowError(f"{path} is damaged: delete it, and its picture is analyzed again.") from error

    def _entries(self, case: str) -> list[Path]:
        return sorted((self._folder / folder_name(case)).glob("*.json"))


def key(file: str) -> str:
    """Return what stands for a picture's name in that of its entry."""
    return hashlib.sha256(file.encode()).hexdigest()[:24]
