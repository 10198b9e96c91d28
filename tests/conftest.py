"""What several rooms test with: the real images beside the checkout, and the chain run once on a few drawn cells."""

from __future__ import annotations

import os
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.commands import ROOT, succeed

# caches and settings of the libraries; set before any of them is imported, and taken over by every subprocess
_HOME = tempfile.TemporaryDirectory(prefix="marrow-tests-")
os.environ |= {"HF_HOME": _HOME.name, "YOLO_CONFIG_DIR": _HOME.name, "YOLO_AUTOINSTALL": "false"}

CLASSIFIER_CONFIG = """
epochs = 3
batch_size = 16
size = 65  # odd at every stage of a MobileNetV2
learning_rate = 2e-3
outlier_exposure = 0.125
batch_norm_momentum = 0.3  # a few steps must be enough for statistics that let the image through
"""

SEGMENTER_CONFIG = """
epochs = 2
batch_size = 4
train_size = 128
input_size = 160

[options]
workers = 0
plots = false
"""


@dataclass(frozen=True)
class Trained:
    """A training that ended: its experiment file, its run folder and the Hub folder that came of it."""

    config: Path
    run_dir: Path
    hub: Path


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder with real images; tests that want it skip where it is missing."""
    folder = ROOT.parent / "shared"
    if not (folder / "data").is_dir():
        pytest.skip("needs ../shared: real images beside the checkout")
    return folder


@pytest.fixture(scope="session")
def drawn_cells(tmp_path_factory) -> Path:
    """``CODE/CODE_00001.jpg`` and so on: ten drawn cells of each of the twelve classes."""
    out = tmp_path_factory.mktemp("cells") / "drawn"
    succeed("dataset_scripts/synthetic_cells.py", "--out", out, "--per-class", "10")
    return out


@pytest.fixture(scope="session")
def cell_set(drawn_cells) -> Path:
    """The data set of the drawn cells: eight, one and one of each class."""
    out = drawn_cells.with_name("set")
    succeed("dataset_scripts/bone_marrow_12.py", "--data-dir", drawn_cells, "--out", out, "--per-class", "10")
    return out


@pytest.fixture(scope="session")
def unknown_set(drawn_cells) -> Path:
    """A data set of cells of no class: artefacts that nobody could name, five to train on and five others."""
    source, out = drawn_cells.with_name("unnamed"), drawn_cells.with_name("unknown")
    shutil.copytree(drawn_cells / "ART", source / "NIF")
    options = ("--classes", "NIF", "--per-class", "all", "--splits", "50/25/25")
    succeed("dataset_scripts/bone_marrow_12.py", "--data-dir", source, "--out", out, *options)
    return out


@pytest.fixture(scope="session")
def fields(cell_set) -> Path:
    """A few small fields composed of the drawn cells."""
    out = cell_set.with_name("fields")
    numbers = ("--train", "8", "--validation", "3", "--test", "3", "--size", "128")
    succeed("dataset_scripts/smear_fields.py", "--data", cell_set, "--out", out, *numbers)
    return out


@pytest.fixture(scope="session")
def trained_classifier(cell_set, unknown_set, tmp_path_factory) -> Trained:
    """A classifier trained for seconds: it knows little, but every file of a release is there."""
    root = tmp_path_factory.mktemp("classifier")
    trained = Trained(root / "tiny.toml", root / "run", root / "hub" / "bone-marrow-mobilenet")
    trained.config.write_text(CLASSIFIER_CONFIG)
    train("training.train_classifier", trained, "--data", cell_set, "--unknown", unknown_set)
    return trained


@pytest.fixture(scope="session")
def trained_segmenter(fields, trained_classifier, tmp_path_factory) -> Trained:
    """A segmenter trained for seconds on the classifier's backbone."""
    root = tmp_path_factory.mktemp("segmenter")
    trained = Trained(root / "tiny.toml", root / "run", root / "hub" / "bone-marrow-yolov8-seg")
    trained.config.write_text(SEGMENTER_CONFIG)
    train("training.train_segmenter", trained, "--data", fields, "--classifier", trained_classifier.hub)
    return trained


def train(module: str, to: Trained, *arguments: str | Path) -> None:
    """Run a training to its end, with export and measurement."""
    places = ("--config", to.config, "--run-dir", to.run_dir, "--output-dir", to.hub)
    succeed("-m", module, *arguments, *places)
