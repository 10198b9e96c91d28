"""A published classifier to go on from: where it lies, its weights, and what it was trained on."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from huggingface_hub import hf_hub_download
from huggingface_hub.errors import HTTPError
from safetensors import SafetensorError
from safetensors.numpy import load_file

from marrow.classifier import ClassifierConfig, TrainedOn
from marrow.crop import CropConfig
from marrow.errors import MarrowError
from marrow.hub import resolve
from marrow.runtime import read_config
from training.classifier.config import EXPORTED
from training.common.files import read_json

WEIGHTS = "model.safetensors"


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
        crop, rotations = self.config.crop, self.config.tta_rotations
        settled = {"size": crop.size, "context": crop.context, "tta_rotations": rotations}
        return settled | {"arch": EXPORTED, "init": "none", "batch_norm": False}

    def tensors(self) -> dict[str, np.ndarray]:
        """Read its weights in single precision, by their Transformers names.

        Raises:
            MarrowError: the file is damaged.
        """
        try:
            return {name: array.astype(np.float32) for name, array in load_file(self.folder / WEIGHTS).items()}
        except (OSError, SafetensorError) as error:
            raise MarrowError(f"The weights of {self.name} cannot be read ({error}): fetch them again.") from error

    def history(self, counts: TrainedOn) -> dict[str, Any]:
        """Say where a model that goes on from this one comes from, for its ``config.json``.

        Args:
            counts: number of cells that it is trained on; what this one has seen of other laboratories counts too.
        """
        before = read_json(self.folder / "config.json").get("initial_weights", "none")
        seen = {code: _joined(self.config.trained_on.get(code, {}), origins) for code, origins in counts.items()}
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
    if config.crop.background != CropConfig.background:
        raise MarrowError(f"{reference} has crops on another background than training gives them: train a new model.")
    published = PretrainedClassifier(name, found.path, config)
    if config.sha256.get(WEIGHTS, published.digest()) != published.digest():
        raise MarrowError(f"{WEIGHTS} of {name} is damaged, or not that of its config.json: pull the model again.")
    return published


def _joined(before: dict[str, dict[str, int]], now: dict[str, dict[str, int]]) -> dict[str, dict[str, int]]:
    """Join numbers of images by origin and laboratory; those of now count where both have one."""
    return {origin: {**before.get(origin, {}), **now.get(origin, {})} for origin in {**before, **now}}
