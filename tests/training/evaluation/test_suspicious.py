"""Labels that look wrong: who is listed, what a person takes out, and the figures without them."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from marrow.errors import MarrowError
from tests.commands import assert_refused, python, succeed
from training.classifier.data import Cells, load_cells
from training.evaluation.classifier import cleaned_metrics
from training.evaluation.suspicious import SuspiciousLabel, read_list, suspicious_labels, write_list

CODES = ("ART", "BLA", "EBO", "LYT")


def cells(labels: list[int]) -> Cells:
    n = len(labels)
    return Cells(
        [np.zeros((40, 40, 3), np.uint8)] * n,
        [(5.0, 5.0, 35.0, 35.0)] * n,
        np.array(labels),
        ("a",) * n,
        CODES,
        tuple(range(n)),
        ("bone_marrow",) * n,
        ("Here",) * n,
        tuple(f"{i}.jpg" for i in range(n)),
    )


def sure(*names: int) -> np.ndarray:
    return np.where(np.eye(4, dtype=bool)[list(names)], 0.91, 0.03)


def test_only_what_every_network_contradicts_is_suspicious():
    three = cells([1, 1, 3])
    found = suspicious_labels(three, [sure(3, 3, 3), sure(3, 1, 3)])
    assert found == {0: SuspiciousLabel("0.jpg", "Here", "BLA", "LYT", 0.91)}
    assert suspicious_labels(three, [sure(1, 1, 3)]) == {}
    doubtful = np.array([[0.0, 0.4, 0.0, 0.6]] * 3)  # another name, but the label may well be right
    assert suspicious_labels(three, [doubtful, doubtful]) == {}


def test_the_surest_come_first():
    less = np.array([[0.1, 0.1, 0.1, 0.7], [0.03, 0.03, 0.03, 0.91]])
    assert list(suspicious_labels(cells([1, 1]), [less, less])) == [1, 0]


def test_a_person_takes_labels_out_of_the_list(tmp_path):
    labels = [SuspiciousLabel(name, "Here", "BLA", "LYT", 0.9) for name in ("b.jpg", "ä,c.jpg", "a.jpg")]
    assert write_list(tmp_path / "list.json", labels, [1]) == 2
    assert read_list(tmp_path / "list.json") == {("Here", "a.jpg"), ("Here", "ä,c.jpg")}
    assert json.loads((tmp_path / "list.json").read_text())["labels"][0]["proposed"] == "LYT"
    with pytest.raises(MarrowError, match="no number 4: the sheets end with 3"):
        write_list(tmp_path / "list.json", labels, [4])
    (tmp_path / "other.json").write_text("[]")
    with pytest.raises(MarrowError, match="no list of suspicious labels"):
        read_list(tmp_path / "other.json")
    with pytest.raises(MarrowError, match="cannot be read"):
        read_list(tmp_path / "none.json")


def test_the_figures_without_them_are_of_marrow_cells_alone():
    five = cells([0, 1, 1, 3, 3])
    five = replace(five, origins=("bone_marrow",) * 4 + ("blood",))
    cleaned = cleaned_metrics(sure(3, 1, 3, 3, 0), five, ["EBO"], {("Here", "2.jpg")})
    assert (cleaned.codes, cleaned.n, cleaned.removed) == (["BLA", "LYT"], 3, 1)
    assert (cleaned.accuracy, cleaned.full_accuracy) == (1, pytest.approx(2 / 3))
    assert cleaned.full_accuracy_interval[0] < 2 / 3 < cleaned.full_accuracy_interval[1]
    with pytest.raises(MarrowError, match=r"no 9\.jpg of Here"):
        cleaned_metrics(sure(3, 1, 3, 3, 0), five, ["EBO"], {("Here", "9.jpg")})


@pytest.fixture
def runs(trained_classifier, tmp_path) -> list[Path]:
    runs = [tmp_path / name for name in ("first", "second")]
    for run in runs:
        shutil.copytree(trained_classifier.run_dir, run)
    return runs


def test_the_command_draws_and_lists_what_two_networks_contradict(runs, cell_set, tmp_path):
    arguments = ["--data", cell_set, "--runs", *runs, "--out", tmp_path / "out"]
    said = succeed("-m", "training.suspicious_labels", *arguments).stdout
    listed = read_list(tmp_path / "out" / "suspicious_labels.json")
    test = load_cells(str(cell_set), "test")
    assert listed <= set(zip(test.laboratories, test.paths, strict=True))
    assert f"{len(listed)} of {len(test)} labels look wrong" in said
    assert listed, "a network trained for seconds contradicts some label"
    assert cv2.imread(str(tmp_path / "out" / "suspicious_01.png")).shape[1] == 12 * 128
    succeed("-m", "training.suspicious_labels", *arguments, "--right", "1")
    assert len(read_list(tmp_path / "out" / "suspicious_labels.json")) == len(listed) - 1


def test_what_cannot_be_compared_is_refused(runs, cell_set, tmp_path):
    command = ["-m", "training.suspicious_labels", "--data", cell_set, "--out", tmp_path / "out", "--runs"]
    assert_refused(python(*command, runs[0], runs[0]), "no second opinion")
    assert_refused(python(*command, *runs, "--laboratory", "Nowhere"), "no images of Nowhere")
    (runs[1] / "model.keras").unlink()
    assert_refused(python(*command, *runs), "no finished training")
