"""What Keras computes with the tiny classifier, written by a process of its own (it cannot live beside torch)."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import pytest

from dataset_scripts.drawing.pictures import draw_field
from marrow.crop import CropConfig
from marrow.images import read_image
from tests.commands import ROOT, succeed
from training.classifier.data import load_cells
from training.common.files import read_json

SCENE = 737  # pixels; odd at every stage of a MobileNetV2


@dataclass(frozen=True)
class KerasOutputs:
    """Inputs and what Keras made of them.

    Attributes:
        keras_file: the ``.keras`` file derived from the Hub folder.
        crops: ``(n, size, size, 3)`` uint8 RGB, cells of the test split.
        scenes: whole images by name, ``(737, 737, 3)`` uint8 RGB; ``real`` only with ``../shared``.
        trained: ``(n, classes)`` logits of the crops by the model as it was trained.
        derived: the same by the derived file.
        unlike: ``(n,)``, how unlike those of the training they are to the model as it was trained.
        features: by scene and stride, ``(h, w, channels)``, of the derived file.
    """

    keras_file: Path
    crops: np.ndarray
    scenes: dict[str, np.ndarray]
    trained: np.ndarray
    derived: np.ndarray
    unlike: np.ndarray
    features: dict[tuple[str, int], np.ndarray]


@pytest.fixture(scope="session")
def keras_outputs(trained_classifier, cell_set, once) -> KerasOutputs:
    crop = CropConfig(**read_json(trained_classifier.hub / "config.json")["crop"])
    crops = load_cells(str(cell_set), "test").crops(crop)
    scenes = {name: cv2.resize(image, (SCENE, SCENE)) for name, image in _fields().items()}
    groups = np.load(trained_classifier.run_dir / "weights.npz")["groups"]
    inputs = {"crops": _network_input(crops), "pixels": crops, "groups": groups}
    inputs |= {f"scene {k}": _network_input(v) for k, v in scenes.items()}

    def fill(folder: Path) -> None:
        derived, trained = folder / "model.keras", trained_classifier.run_dir / "model.keras"
        succeed("-m", "training.export", "keras", "--model", trained_classifier.hub, "--out", derived)
        np.savez(folder / "in.npz", **inputs)
        succeed("-m", "tests.training.keras_outputs", folder / "in.npz", folder / "out.npz", trained, derived)

    root = once("keras", fill)
    out = np.load(root / "out.npz")
    features = {(name, stride): out[f"scene {name} {stride}"] for name in scenes for stride in (8, 16, 32)}
    return KerasOutputs(root / "model.keras", crops, scenes, out["logits 0"], out["logits 1"], out["unlike"], features)


def _fields() -> dict[str, np.ndarray]:
    fields = {"drawn": draw_field(np.random.default_rng(6), 480, 640, 20).image}
    real = sorted((ROOT.parent / "shared" / "data" / "fields_bccd" / "images").glob("*.jpg"))
    return fields | ({"real": read_image(real[0])} if real else {})


def _network_input(images: np.ndarray) -> np.ndarray:
    return images / np.float32(127.5) - np.float32(1)
