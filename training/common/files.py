"""Files and folders of a training: read, written whole or not at all, and kept from other trainings."""

from __future__ import annotations

import json
import re
import shutil
import tempfile
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from marrow.errors import MarrowError
from marrow.files import atomic_path
from marrow.outputs import MARK, check_targets

HALF_WRITTEN = re.compile(r"\..+\.[a-z0-9_]{8}")
"""Names of the folders that :func:`marrow.files.atomic_path` writes in."""

MARKED = f"\n<!-- {MARK.decode()} -->\n"
"""Ends a Markdown file, by which it is told from one of somebody else."""


def write_text(path: Path, text: str) -> None:
    """Write a text file, whole or not at all."""
    with atomic_path(path) as beside:
        beside.write_text(text, encoding="utf-8")


def write_json(path: Path, value: Any) -> None:
    """Write a value as indented JSON, whole or not at all."""
    write_text(path, json.dumps(value, indent=1) + "\n")


def write_report(folder: Path, name: str, value: Mapping[str, Any], markdown: str) -> str:
    """Write ``NAME.json`` and ``NAME.md``, what a card takes in; return the Markdown.

    Raises:
        MarrowError: such a file of somebody else is there.
    """
    check_outputs(folder, report_names(name))
    write_json(folder / f"{name}.json", {"written_by": MARK.decode(), **value})
    write_text(folder / f"{name}.md", markdown + MARKED)
    return markdown


def report_names(name: str) -> tuple[str, str, str]:
    """Return the names of the files of a report, its plot included."""
    return f"{name}.json", f"{name}.md", f"{name}.png"


def check_outputs(folder: Path, names: Iterable[str]) -> None:
    """Refuse to overwrite what no command of this project wrote; what a model's folder holds is the model's.

    Raises:
        MarrowError: a file of somebody else has one of the names.
    """
    if not is_model_folder(folder):
        check_targets(folder / name for name in names)


def is_model_folder(folder: Path) -> bool:
    """Tell whether a folder holds a model that this project exported, finished or not."""
    try:
        config = read_json(folder / "config.json")
    except MarrowError:
        return False
    return isinstance(config, dict) and "trained_on" in config


def read_json(path: Path) -> Any:
    """Read a JSON file.

    Raises:
        MarrowError: it is missing or damaged.
    """
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise MarrowError(f"{path} cannot be read: run the training that writes it first.") from error


def lock_run(run_dir: Path, started_with: dict[str, Any]) -> None:
    """Note in a run folder what a training starts with, so that no other training goes on from its checkpoint.

    Raises:
        MarrowError: the folder holds a training that started with something else, or other files.
    """
    path = run_dir / "started_with.json"
    if not path.is_file() and any(not one.name.startswith(".") for one in run_dir.iterdir()):
        raise MarrowError(f"{run_dir} holds files that no training wrote: name a new folder for the run.")
    for left in run_dir.rglob(".*"):  # half-written, by a process that was killed
        if left.is_dir() and HALF_WRITTEN.fullmatch(left.name):
            shutil.rmtree(left)
    if path.is_file() and read_json(path) != json.loads(json.dumps(started_with)):  # where a tuple is a list
        raise MarrowError(
            f"{run_dir} holds a run with another config or other data: delete it, or name a new --run-dir."
        )
    write_json(path, started_with)


def output_folder(path: str | Path, names: Iterable[str] = ()) -> Path:
    """Make a folder for results.

    Args:
        path: the folder.
        names: of the files that will be written there.

    Raises:
        MarrowError: it cannot be made or written, or a file of somebody else has one of the names.
    """
    folder = Path(path)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        tempfile.TemporaryFile(dir=folder).close()
    except OSError as error:
        raise MarrowError(f"{folder} cannot be written ({error.strerror}): name another --output-dir.") from error
    check_outputs(folder, names)
    return folder
