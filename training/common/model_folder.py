"""The folder that a Hub repo of a model is a copy of."""

from __future__ import annotations

import shutil
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from marrow.classifier import Classifier
from marrow.errors import MarrowError
from marrow.integrity import changed_since_measured, digest, make_self_test
from marrow.segmenter import Segmenter
from training.common.files import is_model_folder, read_json, write_json

WEIGHTS = ("model.onnx", "model.safetensors", "model.pt")
PLOTS = ("precision_recall.png", "risk_coverage.png")
WRITTEN = ("config.json", "preprocessor_config.json", "metrics.json", *WEIGHTS, *PLOTS)
"""What an export and a measurement write; a folder with such files is taken for a model's by its ``trained_on``."""
OUTDATED = ("metrics.json", "model.keras")
"""What is of the former weights after another export."""
SHOWN = 256
"""Pixels of the self-test of a network that takes any size: whoever opens the model waits for the answer."""


@contextmanager
def replaced(folder: Path, anew: bool = False, dropped: Collection[str] = ()) -> Iterator[Path]:
    """Yield a folder to work in, and put it in the place of a model folder in one rename at the end.

    Until then the model folder is as it was, also if the work fails or the process is killed; after it, all of the
    work is there. Files that the work did not write are moved into the new folder, whatever they are.

    Args:
        folder: the model folder, there or not.
        anew: yield an empty folder instead of a copy.
        dropped: names of files of an earlier model that are not kept.

    Raises:
        MarrowError: a copy is asked of a folder without a model, the folder holds files of such names that are no
            model of this project, or it cannot be written.
    """
    folder = folder.resolve()
    beside = folder.with_name(f".{folder.name}.next")
    new = beside / folder.name  # some of what is written names its folder
    try:
        with _written(folder):
            _finish_replacing(folder, dropped)
            if not anew and not (folder / "config.json").is_file():
                raise MarrowError(f"{folder / 'config.json'} cannot be read: run the training that writes it first.")
            refuse_foreign(folder)
            shutil.rmtree(beside, ignore_errors=True)  # of a process that was killed
            new.mkdir(parents=True)
            for path in folder.iterdir() if folder.is_dir() and not anew else ():
                if path.is_file():
                    shutil.copy2(path, new)
        yield new
        with _written(folder):
            if folder.is_dir():
                folder.rename(_former(folder))
            new.rename(folder)
            _finish_replacing(folder, dropped)
    finally:
        shutil.rmtree(beside, ignore_errors=True)


@contextmanager
def _written(folder: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise MarrowError(f"{folder} cannot be written ({error.strerror}): name another folder.") from error


def _former(folder: Path) -> Path:
    return folder.with_name(f".{folder.name}.before")


def _finish_replacing(folder: Path, dropped: Collection[str]) -> None:
    """Bring what only the former folder holds into the new one; without a new one, put the former back."""
    before = _former(folder)
    if before.is_dir() and not folder.is_dir():
        before.rename(folder)
    elif before.is_dir():
        for path in before.iterdir():
            if not (folder / path.name).exists() and path.name not in dropped:
                path.rename(folder / path.name)
        shutil.rmtree(before)


def check_model_folder(folder: Path) -> None:
    """Check that a folder holds a model of this project.

    Raises:
        MarrowError: it holds none.
    """
    if not is_model_folder(folder):
        raise MarrowError(
            f"{folder} has no config.json that training.export wrote: name a model's folder with --model."
        )


def refuse_foreign(folder: Path) -> None:
    """Refuse to replace files of a model's names that are no model of this project.

    Raises:
        MarrowError: there are such files.
    """
    there = [name for name in WRITTEN if (folder / name).exists()]
    if there and not is_model_folder(folder):
        raise MarrowError(f"{folder} holds {', '.join(there)} of another origin: name a new folder.")


def update_config(folder: Path, **values: Any) -> None:
    """Set keys of a Hub folder's ``config.json``.

    Raises:
        MarrowError: the folder has no ``config.json`` that can be read.
    """
    write_json(folder / "config.json", read_json(folder / "config.json") | values)


def note_weights(folder: Path) -> None:
    """Name the digests of the weights in ``config.json``, without which they are not loaded."""
    update_config(folder, sha256=digests(folder, WEIGHTS), self_test=None)


def note_self_test(folder: Path, model: Classifier | Segmenter, picture: np.ndarray) -> None:
    """Write into ``config.json`` what a model's network makes of a drawn picture, ``(h, w, 3)`` uint8 RGB."""
    side = model.crop.size if isinstance(model, Classifier) else model.config.input_size
    if isinstance(model, Segmenter) and model.takes_any_size:
        side = min(side, SHOWN)
    update_config(folder, self_test=asdict(make_self_test(picture, side, model.raw_outputs)))


def digests(folder: Path, names: Collection[str] = ("config.json", *WEIGHTS)) -> dict[str, str]:
    """Return the SHA-256 of those files of a folder that are there, by name."""
    return {name: digest(folder / name) for name in names if (folder / name).is_file()}


def check_measured(folder: Path) -> None:
    """Check that a model folder is the one that its ``metrics.json`` was measured on.

    Raises:
        MarrowError: a file differs, or no digest is named.
    """
    if not read_json(folder / "metrics.json").get("sha256"):
        raise MarrowError(f"{folder / 'metrics.json'} does not say what it measured: run training.measure again.")
    check_unchanged(folder)


def check_unchanged(folder: Path) -> None:
    """Check that no file of a model folder differs from what its ``metrics.json`` names, if it names any.

    Raises:
        MarrowError: one differs.
    """
    if changed := changed_since_measured(folder):
        names = ", ".join(changed)
        raise MarrowError(f"{names} of {folder} changed since metrics.json was measured: run training.measure again.")
