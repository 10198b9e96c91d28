"""No command of this room touches what it did not write: each runs over a tree of foreign files.

A command joins by a line in ``KERAS`` or ``TORCH``: its module and its arguments. In them, ``OUT`` is a folder in which
somebody else has a file of every name that a command writes. It is refused in one line before it trains or measures
anything, and the tree stays as it was to the byte.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import cv2
import numpy as np
import pytest

from marrow.errors import MarrowError
from model_cards.render import main as render
from tests.commands import ROOT
from tests.test_originals import contents
from training.common.files import check_outputs, report_names, write_report
from training.common.model_folder import WRITTEN
from training.common.plots import make_axes, save_figure, save_picture
from training.evaluation.contact_sheets import DRAWN_SHEETS
from training.explain import main as explain

CLASSIFIER, SEGMENTER = ROOT / "hub" / "bone-marrow-mobilenet", ROOT / "hub" / "bone-marrow-yolov8-seg"
VARIANT = ROOT / "training" / "configs" / "study" / "simple_cnn.toml"

# keras' and torch's libraries cannot live in one process
KERAS = {
    "train_classifier": ["training.train_classifier", "--data", "CELLS", "--output-dir", "OUT", "--run-dir", "NEW"],
    "its run": ["training.train_classifier", "--data", "CELLS", "--output-dir", "NEW", "--run-dir", "OUT"],
    "export keras": ["training.export", "keras", "--model", CLASSIFIER, "--out", "OUT/model.keras"],
    "compare": ["training.compare", "--data", "CELLS", "--configs", VARIANT, "--out", "OUT"],
    "its experiment": ["training.compare", "--data", "CELLS", "--configs", VARIANT, "--out", "PARENT"],
    "laboratory_study": [
        *("training.laboratory_study", "--data", "CELLS", "--benchmarks", "NEW"),
        *("--configs", VARIANT, "--out", "OUT"),
    ],
}
TORCH = {
    "train_segmenter": [
        *("training.train_segmenter", "--data", "FIELDS", "--classifier", "none"),
        *("--output-dir", "OUT", "--run-dir", "NEW"),
    ],
    "its run": [
        *("training.train_segmenter", "--data", "FIELDS", "--classifier", "none"),
        *("--output-dir", "NEW", "--run-dir", "OUT"),
    ],
    "export classifier": ["training.export", "classifier", "--run-dir", "NEW", "--output-dir", "OUT"],
    "export segmenter": ["training.export", "segmenter", "--run-dir", "NEW", "--output-dir", "OUT"],
    "measure segmenter": ["training.measure", "segmenter", "--model", "OUT", "--data", "FIELDS"],
    "quantization classifier": ["training.quantization", "classifier", "--model", "OUT", "--data", "CELLS"],
    "quantization segmenter": ["training.quantization", "segmenter", "--model", "OUT", "--data", "FIELDS"],
    "compare_segmenters": ["training.compare_segmenters", "--data", "FIELDS", "--model", "OUT"],
    "transfer_study": [
        *("training.transfer_study", "--data", "FIELDS", "--classifier", CLASSIFIER),
        *("--imagenet", "none", "--out", "OUT"),
    ],
    "contact_sheets drawn": ["training.contact_sheets", "drawn", "--model", SEGMENTER, "--out", "OUT"],
    "measure classifier": ["training.measure", "classifier", "--model", "OUT", "--data", "CELLS"],
    "measure foreign": ["training.measure", "foreign", "--model", "OUT", "--benchmarks", "NEW"],
    "explain": ["training.explain", "IMAGE", "--model", CLASSIFIER, "--out", "OUT"],
    "explain, drawn": ["training.explain", "--drawn", "--model", CLASSIFIER, "--out", "OUT"],
    "correction_study": ["training.correction_study", "--model", CLASSIFIER, "--data", "CELLS", "--out", "OUT"],
    "chain": ["training.chain", "--work", "OUT"],
    "render": ["model_cards.render", "OUT"],
    "publish": ["training.publish", "--namespace", "me", "--hub-dir", "TREE"],
}


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A folder with a picture, and ``others``, in which a file or folder of somebody else has every name written."""
    others = tmp_path / "tree" / "others"
    for folder in ("classifier", "control", "flags", "corrected", "../simple_cnn", "hub-server/data", "train/weights"):
        (others / folder).mkdir(parents=True)
        (others / folder / "notes.txt").write_text("precious")
    for report in ("comparison", "laboratories", "transfer", "correction", "quantization"):
        for name in report_names(report):
            (others / name).write_text("precious")
    for name in (
        *WRITTEN,
        "README.md",
        "model.keras",
        "explain.png",
        "cell_explained.png",
        *DRAWN_SHEETS,
        "weights.npz",
        ".probe",
    ):
        (others / name).write_text("3" if name == "config.json" else "precious")
    cv2.imwrite(str(tmp_path / "tree" / "cell.png"), np.full((64, 64, 3), 230, np.uint8))
    return tmp_path / "tree"


def place(argument: str | Path, tree: Path, places: Mapping[str, Path]) -> str:
    name, _, rest = str(argument).partition("/")
    known = {"OUT": tree / "others", "PARENT": tree, "TREE": tree, "IMAGE": tree / "cell.png", "NEW": tree / "new"}
    folder = (known | dict(places)).get(name)
    return str(folder / rest if folder else argument)


@pytest.mark.parametrize("commands", [KERAS, TORCH], ids=["keras", "torch"])
def test_foreign_files_stay_as_they_were(
    commands: dict[str, list[str | Path]], tree: Path, cell_set: Path, fields: Path, tmp_path: Path
) -> None:
    places = {"CELLS": cell_set, "FIELDS": fields}
    trees = [shutil.copytree(tree, tmp_path / str(number)) for number, _ in enumerate(commands)]
    given = [
        [place(one, copy, places) for one in command] for command, copy in zip(commands.values(), trees, strict=True)
    ]
    row = (sys.executable, "-m", "tests.training.in_a_row")
    done = subprocess.run(row, cwd=ROOT, input=json.dumps(given), capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-4000:]
    for name, copy, (code, error) in zip(commands, trees, json.loads(done.stdout.splitlines()[-1]), strict=True):
        print(name, code, error[-300:])
        left = contents(copy)
        assert {one: left[one] for one in left if not one.startswith("new")} == contents(tree), name
        assert code == 2 and "Traceback" not in error, (name, error)
        assert str(copy) in error.splitlines()[-1], (name, error)


def test_what_a_study_wrote_is_written_anew(tmp_path: Path) -> None:
    for _ in range(2):
        write_report(tmp_path, "comparison", {"rows": []}, "| a |")
        save_figure(make_axes(1)[0], tmp_path / "comparison.png")
        save_picture(np.zeros((8, 8, 3), np.uint8), tmp_path / "picture.png")
        check_outputs(tmp_path, [*report_names("comparison"), "picture.png"])
    (tmp_path / "comparison.md").write_text("mine")
    with pytest.raises(MarrowError, match=r"comparison\.md is there already"):
        write_report(tmp_path, "comparison", {"rows": [1]}, "| b |")
    assert json.loads((tmp_path / "comparison.json").read_text())["rows"] == []


def test_a_card_written_by_hand_is_not_rendered_over(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = shutil.copytree(CLASSIFIER, tmp_path / "bone-marrow-mobilenet")
    assert render([str(folder)]) == 0
    (folder / "README.md").write_text("# My own words")
    assert render([str(folder)]) == 2
    assert "README.md was not written by this command" in capsys.readouterr().err
    assert (folder / "README.md").read_text() == "# My own words"


def test_images_of_one_name_are_not_explained_into_one_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
        cv2.imwrite(str(tmp_path / folder / "cell.png"), np.full((64, 64, 3), 230, np.uint8))
    images = [str(tmp_path / folder / "cell.png") for folder in ("a", "b")]
    assert explain([*images, "--model", str(CLASSIFIER), "--out", str(tmp_path / "out")]) == 2
    assert "one name" in capsys.readouterr().err and not (tmp_path / "out").exists()
