"""The precisions that the classifier can be run in: measured on the same cells, and the choice among them."""

import shutil

import pytest
from training.classifier_precision import choose, main

from tests.commands import assert_refused, python
from training.common.files import read_json


def test_every_precision_is_measured_and_the_table_written(trained_classifier, cell_set, tmp_path, capsys):
    folder = tmp_path / "model"
    shutil.copytree(trained_classifier.hub, folder)
    before = (folder / "model.onnx").read_bytes()
    assert main(["--model", str(folder), "--data", str(cell_set)]) == 0
    assert (folder / "model.onnx").read_bytes() == before
    result = read_json(folder / "precision.json")
    assert result["n"] == 12 and set(result["figures"]) == {"single", "half", "int8"}
    assert result["chosen"] == choose(result["figures"])
    for figures in result["figures"].values():
        assert figures["ms"] > 0 and figures["accuracy"] in [n / 12 for n in range(13)]
    measured = read_json(folder / "metrics.json")["test"]["accuracy"]
    assert result["figures"]["single"]["accuracy"] == pytest.approx(measured)
    assert result["figures"]["single"]["changed"] == 0 and result["figures"]["half"]["changed"] <= 2 / 12
    assert result["figures"]["int8"]["file_mb"] < result["figures"]["single"]["file_mb"]
    card = (folder / "precision.md").read_text()
    assert card in capsys.readouterr().out and f"| int8 | {result['figures']['int8']['ms']:.3f} |" in card


def test_the_fastest_that_loses_little_and_renames_few_is_chosen():
    figures = {
        "single": {"ms": 3.0, "accuracy": 0.900, "changed": 0.0},
        "half": {"ms": 2.0, "accuracy": 0.8975, "changed": 0.009},
        "int8": {"ms": 1.0, "accuracy": 0.8965, "changed": 0.005},
    }
    assert choose(figures) == "half"
    figures["half"]["ms"] = 3.5
    assert choose(figures) == "single"
    figures["int8"]["accuracy"] = 0.91
    assert choose(figures) == "int8"
    figures["int8"]["changed"] = 0.02
    assert choose(figures) == "single"


def test_a_folder_without_a_model_is_refused_in_one_line(cell_set, tmp_path):
    done = python("-m", "training.classifier_precision", "--model", tmp_path, "--data", cell_set)
    assert_refused(done, "classifier_precision: ", "config.json")
