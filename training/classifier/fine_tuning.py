"""Going on from a published classifier: its weights, the cells that people corrected, and how often each is shown."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from huggingface_hub import hf_hub_download, snapshot_download
from huggingface_hub.errors import HTTPError
from safetensors import SafetensorError
from safetensors.numpy import load_file

from dataset_scripts.bone_marrow_12 import (
    DatasetError,
    NoImagesError,
    Scan,
    find_images,
    group_duplicates,
    print_skipped,
    stored_bytes,
)
from marrow.classifier import ClassifierConfig
from marrow.crop import CropConfig
from marrow.errors import MarrowError
from marrow.hub import resolve
from marrow.runtime import read_config
from training.classifier.config import EXPORTED, ClassifierTraining
from training.classifier.data import Cells, cells_from, load_cells
from training.common.files import read_json

CONFIG = Path(__file__).parents[1] / "configs" / "fine_tune.toml"
WEIGHTS = "model.safetensors"


@dataclass(frozen=True)
class FineTuning(ClassifierTraining):
    """One fine-tuning: the options of a training, and how old and corrected cells are mixed.

    Attributes:
        corrected: share of corrected cells in every epoch; they are repeated for it, each view changed anew.
        repeats: most times that one corrected cell is shown in an epoch, whatever ``corrected`` says.
        old_cells: old training cells in an epoch, others each time; 0 shows all of them.
    """

    corrected: float = 0.3
    repeats: int = 8
    old_cells: int = 0

    def __post_init__(self) -> None:
        super().__post_init__()
        if not 0 < self.corrected < 1 or self.repeats < 1 or self.old_cells < 0:
            raise MarrowError("corrected is a share above 0 and below 1, repeats at least 1, and old_cells 0 or more.")


@dataclass(frozen=True)
class PretrainedClassifier:
    """A published classifier.

    Attributes:
        name: Hub id and commit as ``id@commit``, or the name of a folder.
        folder: where ``config.json`` and ``model.safetensors`` lie.
        config: what its ``config.json`` says to the runtime.
    """

    name: str
    folder: Path
    config: ClassifierConfig

    def options(self) -> dict[str, Any]:
        """Return the options of a training that this model settles."""
        crop = {key: self.config.crop[key] for key in ("size", "context")}
        return crop | {
            "tta_rotations": self.config.tta_rotations,
            "arch": EXPORTED,
            "init": "none",
            "batch_norm": False,
        }

    def tensors(self) -> dict[str, np.ndarray]:
        """Read its weights in single precision, by their Transformers names.

        Raises:
            MarrowError: the file is damaged.
        """
        try:
            return {name: array.astype(np.float32) for name, array in load_file(self.folder / WEIGHTS).items()}
        except (OSError, SafetensorError) as error:
            raise MarrowError(f"The weights of {self.name} cannot be read ({error}): fetch them again.") from error

    def history(self, counts: dict[str, dict[str, int]]) -> dict[str, Any]:
        """Say where a model that goes on from this one comes from, for its ``config.json``.

        Args:
            counts: number of cells that it is trained on, by code and source; what this one has seen counts too.
        """
        before = read_json(self.folder / "config.json").get("initial_weights", "none")
        seen = {code: {**self.config.trained_on.get(code, {}), **sources} for code, sources in counts.items()}
        return {"resumed_from": self.name, "initial_weights": before, "trained_on": seen}

    def digest(self) -> str:
        """Return the SHA-256 of its weights."""
        return hashlib.sha256((self.folder / WEIGHTS).read_bytes()).hexdigest()


def pull_published(reference: str) -> PretrainedClassifier:
    """Find a published classifier and its weights.

    Args:
        reference: Hub id, ``id@revision``, or a folder.

    Raises:
        MarrowError: there is no such model, it holds no ``model.safetensors``, or it is of another architecture.
    """
    found = resolve(reference)
    config = read_config(found.path, ClassifierConfig)
    name = found.info.repo
    if found.info.revision:
        name += f"@{found.info.revision}"
        try:
            hf_hub_download(found.info.repo, WEIGHTS, revision=found.info.revision)
        except (OSError, ValueError, HTTPError) as error:
            raise MarrowError(f"{name} has no {WEIGHTS} that can be had: name a model that was exported.") from error
    elif not (found.path / WEIGHTS).is_file():
        raise MarrowError(f"{reference} has no {WEIGHTS}: name the Hub id or folder of an exported classifier.")
    if read_json(found.path / "config.json").get("model_type") != EXPORTED:
        raise MarrowError(f"{reference} is no {EXPORTED}: name a classifier that training.export wrote.")
    if config.crop.get("background", CropConfig.background) != CropConfig.background:
        raise MarrowError(f"{reference} has crops on another background than training gives them: train a new model.")
    return PretrainedClassifier(name, found.path, config)


def load_corrected(data: str | None, codes: Sequence[str]) -> Cells:
    """Load the cells that people corrected.

    Args:
        data: a folder of flags, a zip of crops or any other source of ``bone_marrow_12.py``, a set that it built (whose
            training split counts), or the Hub id of one; ``None`` gives no cells.
        codes: class codes of the model, in the order of its outputs.

    Returns:
        The cells with labels into ``codes``. Of near-duplicates, as of a field that was flagged twice, the one with the
        last path is left: that of a flag begins with its time.

    Raises:
        MarrowError: the data cannot be had, holds no corrected cell, or cells of a class that the model does not have.
    """
    if data is None:
        return Cells([], [], np.empty(0, int), (), tuple(codes))
    folder = Path(data) if Path(data).exists() else _pull_data(data)
    if folder.is_dir() and any(folder.glob("data/*.parquet")):
        cells = _relabelled(load_cells(str(folder), "train"), data, codes)
    else:
        cells = _read_crops(folder, data, codes)
    if not len(cells):
        raise MarrowError(_none(data))
    return cells


def _none(data: str) -> str:
    return f"{data} holds no corrected cells: give a folder of flags in which cells were named, or a zip of crops."


def _pull_data(data: str) -> Path:
    try:
        patterns = ["data/*.parquet", "data/*/crops/*", "README.md"]
        return Path(snapshot_download(data, repo_type="dataset", allow_patterns=patterns))
    except (OSError, ValueError, HTTPError) as error:
        raise MarrowError(
            f"There is no {data}, neither here nor as a data set of the Hub: check --extra-data."
        ) from error


def _relabelled(cells: Cells, data: str, codes: Sequence[str]) -> Cells:
    present = {cells.codes[label] for label in cells.labels}
    _refuse_unknown(data, sorted(present - set(codes)), codes)
    places = np.array([codes.index(code) if code in codes else -1 for code in cells.codes], int)
    return Cells(cells.images, cells.boxes, places[cells.labels], cells.sources, tuple(codes))


def _read_crops(source: Path, data: str, codes: Sequence[str]) -> Cells:
    try:
        found, _, other = find_images([source], codes)
        _refuse_unknown(data, sorted(other), codes)
        with TemporaryDirectory() as store:
            scan = Scan(Path(store), 1, True, "corrected")
            rows = scan.read(found)
            print_skipped(scan.skipped)
            if not rows:
                raise MarrowError(_none(data))
            groups, _ = group_duplicates(scan, rows, 1)
            in_time = sorted(zip(rows, groups, strict=True), key=lambda pair: pair[0].path)
            kept = list({group: row for row, group in in_time}.values())
            images = [np.asarray(stored_bytes(scan.stored(row))[2]) for row in kept]
    except NoImagesError as error:
        raise MarrowError(_none(data)) from error
    except DatasetError as error:
        raise MarrowError(str(error)) from error
    labels = np.array([codes.index(row.code) for row in kept])
    name = Path(data).name.removesuffix(".zip")
    return cells_from(images, labels, (name,) * len(kept), tuple(codes))


def _refuse_unknown(data: str, unknown: Sequence[str], codes: Sequence[str]) -> None:
    if unknown:
        raise MarrowError(
            f"{data} holds cells of {', '.join(unknown)}, which the model does not know: name them one of "
            f"{' '.join(codes)}, or take them out."
        )


def joined(cells: Cells, corrected: Cells) -> Cells:
    """Put corrected cells after the old ones.

    Raises:
        MarrowError: the two have other classes, or the same in another order.
    """
    if cells.codes != corrected.codes:
        raise MarrowError(
            f"The data set has the classes {' '.join(cells.codes)}, and the model {' '.join(corrected.codes)}: "
            "build the set with the model's --classes."
        )
    labels = np.concatenate([cells.labels, corrected.labels])
    images, boxes = cells.images + corrected.images, cells.boxes + corrected.boxes
    return Cells(images, boxes, labels, cells.sources + corrected.sources, cells.codes)


def cells_digest(cells: Cells) -> str:
    """Return a digest of pixels and labels, which tells whether a run may go on."""
    digest = hashlib.sha256()
    for image, label in zip(cells.images, cells.labels, strict=True):
        digest.update(f"{label} {image.shape}".encode())
        digest.update(np.ascontiguousarray(image))
    return digest.hexdigest()


def mixed_order(old: int, corrected: int, config: FineTuning, epoch: int) -> np.ndarray:
    """Draw which cells one epoch shows, in which order.

    Args:
        old: number of old cells.
        corrected: number of corrected cells, which come after them.
        config: ``corrected``, ``repeats``, ``old_cells`` and ``seed`` count.
        epoch: number of the epoch.

    Returns:
        Indices; an old cell occurs at most once, and all corrected ones equally often or once more.
    """
    rng = np.random.default_rng((config.seed, epoch))
    shown = rng.permutation(old)[: config.old_cells or None]
    wanted = round(len(shown) * config.corrected / (1 - config.corrected))
    again = np.resize(rng.permutation(corrected), min(wanted, config.repeats * corrected))
    return rng.permutation(np.concatenate([shown, old + again]))
