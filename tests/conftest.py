"""What several rooms test with: the real images beside the checkout, and the chain run once on a few drawn cells."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
from filelock import FileLock

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


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the trainings, the longest files, so that no processor waits for another's at the end."""
    items.sort(key=lambda item: not item.path.is_relative_to(ROOT / "tests" / "training"))


@dataclass(frozen=True)
class Trained:
    """A training that ended: its experiment file, its run folder and the Hub folder that came of it."""

    config: Path
    run_dir: Path
    hub: Path

    @classmethod
    def under(cls, root: Path, name: str) -> Trained:
        """Return the places of the training of a model in a folder."""
        return cls(root / "tiny.toml", root / "run", root / "hub" / name)


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder with real images; tests that want it skip where it is missing."""
    folder = ROOT.parent / "shared"
    if not (folder / "data").is_dir():
        pytest.skip("needs ../shared: real images beside the checkout")
    return folder


@pytest.fixture
def node() -> str:
    """The node that runs the tests of the JavaScript; tests that want it skip where there is none."""
    found = shutil.which("node")
    if not found:
        pytest.skip("no node on the PATH: the JavaScript is not tested")
    return found


Once = Callable[[str, Callable[[Path], None]], Path]
"""Takes a name and what fills a folder, and returns the filled folder."""


@pytest.fixture(scope="session")
def once(tmp_path_factory, worker_id) -> Once:
    """Fills a folder once for all processes that test beside each other; they only read what is in it."""
    own = tmp_path_factory.getbasetemp()
    root = own if worker_id == "master" else own.parent  # which the processes of pytest-xdist have in common

    def make(name: str, fill: Callable[[Path], None]) -> Path:
        folder, filled = root / "once" / name, root / "once" / f"{name}.filled"
        folder.mkdir(parents=True, exist_ok=True)
        with FileLock(f"{folder}.lock"):
            if not filled.exists():
                fill(folder)
                filled.touch()
        return folder

    return make


@pytest.fixture(scope="session")
def drawn_cells(once) -> Path:
    """``CODE/CODE_00001.jpg`` and so on: ten drawn cells of each of the twelve classes."""

    def fill(folder: Path) -> None:
        succeed("dataset_scripts/synthetic_cells.py", "--out", folder / "drawn", "--per-class", "10")

    return once("cells", fill) / "drawn"


@pytest.fixture(scope="session")
def cell_set(drawn_cells, once) -> Path:
    """The data set of the drawn cells: eight, one and one of each class."""

    def fill(folder: Path) -> None:
        options = ("--data-dir", drawn_cells, "--out", folder / "set", "--per-class", "10")
        succeed("dataset_scripts/bone_marrow_12.py", *options)

    return once("cell set", fill) / "set"


@pytest.fixture(scope="session")
def unknown_set(drawn_cells, once) -> Path:
    """A data set of cells of no class: artefacts that nobody could name, five to train on and five others."""

    def fill(folder: Path) -> None:
        shutil.copytree(drawn_cells / "ART", folder / "unnamed" / "NIF")
        options = ("--classes", "NIF", "--per-class", "all", "--splits", "50/25/25", "--out", folder / "unknown")
        succeed("dataset_scripts/bone_marrow_12.py", "--data-dir", folder / "unnamed", *options)

    return once("unknown set", fill) / "unknown"


@pytest.fixture(scope="session")
def fields(cell_set, once) -> Path:
    """A few small fields composed of the drawn cells."""

    def fill(folder: Path) -> None:
        numbers = ("--train", "8", "--validation", "3", "--test", "3", "--size", "128")
        succeed("dataset_scripts/smear_fields.py", "--data", cell_set, "--out", folder / "fields", *numbers)

    return once("composed", fill) / "fields"


@pytest.fixture(scope="session")
def trained_classifier(cell_set, unknown_set, once) -> Trained:
    """A classifier trained for seconds: it knows little, but every file of a release is there."""

    def fill(folder: Path) -> None:
        trained = Trained.under(folder, "bone-marrow-mobilenet")
        trained.config.write_text(CLASSIFIER_CONFIG)
        train("training.train_classifier", trained, "--data", cell_set, "--unknown", unknown_set)

    return Trained.under(once("classifier", fill), "bone-marrow-mobilenet")


@pytest.fixture(scope="session")
def trained_segmenter(fields, trained_classifier, once) -> Trained:
    """A segmenter trained for seconds on the classifier's backbone."""

    def fill(folder: Path) -> None:
        trained = Trained.under(folder, "bone-marrow-yolov8-seg")
        trained.config.write_text(SEGMENTER_CONFIG)
        train("training.train_segmenter", trained, "--data", fields, "--classifier", trained_classifier.hub)

    return Trained.under(once("segmenter", fill), "bone-marrow-yolov8-seg")


def train(module: str, to: Trained, *arguments: str | Path) -> None:
    """Run a training to its end, with export and measurement."""
    places = ("--config", to.config, "--run-dir", to.run_dir, "--output-dir", to.hub)
    succeed("-m", module, *arguments, *places)
