"""The number formats that the classifier can be run in: measured on the same cells, and the choice among them."""

import shutil

import pytest

from tests.commands import ROOT, assert_refused, python
from training.common.files import MARKED, read_json
from training.quantization import main
from training.studies.classifier_quantization import choose


def test_every_number_format_is_measured_and_the_table_written(trained_classifier, cell_set, tmp_path, capsys):
    folder = tmp_path / "model"
    shutil.copytree(trained_classifier.hub, folder)
    before = (folder / "model.onnx").read_bytes()
    assert main(["classifier", "--model", str(folder), "--data", str(cell_set)]) == 0
    assert (folder / "model.onnx").read_bytes() == before
    result = read_json(folder / "quantization.json")
    assert result["n"] == 12 and set(result["variants"]) == {"single", "four views", "half", "int8"}
    assert result["chosen"] == choose(result["variants"])
    for metrics in result["variants"].values():
        assert metrics["ms"] > 0 and metrics["accuracy"] in [n / 12 for n in range(13)]
    measured = read_json(folder / "metrics.json")["test"]["accuracy"]
    assert result["variants"]["single"]["accuracy"] == pytest.approx(measured)
    assert result["variants"]["single"]["changed"] == 0
    assert result["variants"]["int8"]["file_mb"] < result["variants"]["single"]["file_mb"]
    card = (folder / "quantization.md").read_text()
    assert card.removesuffix(MARKED) in capsys.readouterr().out
    assert f"| int8 | {result['variants']['int8']['ms']:.3f} |" in card


def test_half_precision_renames_few_cells_of_a_classifier_that_has_learned(cell_set, tmp_path):
    # after three epochs all names are ties, and any rounding decides them
    folder = shutil.copytree(ROOT / "hub" / "bone-marrow-mobilenet", tmp_path / "model")
    assert main(["classifier", "--model", str(folder), "--data", str(cell_set)]) == 0
    variants = read_json(folder / "quantization.json")["variants"]
    assert variants["single"]["changed"] == 0 and variants["half"]["changed"] <= 2 / 12


def test_the_fastest_that_loses_little_and_renames_few_is_chosen():
    variants = {
        "single": {"ms": 3.0, "accuracy": 0.900, "changed": 0.0},
        "half": {"ms": 2.0, "accuracy": 0.8975, "changed": 0.009},
        "int8": {"ms": 1.0, "accuracy": 0.8965, "changed": 0.005},
    }
    assert choose(variants) == "half"
    variants["half"]["ms"] = 3.5
    assert choose(variants) == "single"
    variants["int8"]["accuracy"] = 0.91
    assert choose(variants) == "int8"
    variants["int8"]["changed"] = 0.02
    assert choose(variants) == "single"


def test_a_folder_without_a_model_is_refused_in_one_line(cell_set, tmp_path):
    done = python("-m", "training.quantization", "classifier", "--model", tmp_path, "--data", cell_set)
    assert_refused(done, "quantization: ", "config.json")
