"""Measuring: calibration on exact cases, what is written where, and what is refused."""

import json
import math
import shutil
from dataclasses import replace

import numpy as np
import pytest

from marrow.classifier import Classifier
from marrow.segmenter import Segmenter
from training.classifier.data import Cells, load_cells, real_cells
from training.common.files import read_json
from training.common.metrics_schema import ClassMetrics
from training.common.model_folder import update_config
from training.evaluation import silence
from training.evaluation.classifier import (
    across_laboratories,
    by_laboratory,
    classification_metrics,
    expected_calibration_error,
)
from training.evaluation.non_smears import KINDS
from training.measure import main

KEYS = {"n", "accuracy", "balanced_accuracy", "macro_f1", "per_class", "labels", "confusion", "intervals"}


def made_cells(labels: list[int], sources: list[str], codes: tuple[str, ...] = ("A", "B", "C")) -> Cells:
    images = [np.full((8, 8, 3), i, np.uint8) for i in range(len(labels))]
    return Cells(images, [(2.0, 2.0, 6.0, 6.0)] * len(labels), np.array(labels), tuple(sources), codes)


def test_the_calibration_error_is_exact():
    probabilities = np.array([[0.9, 0.1]] * 10 + [[0.3, 0.7]] * 10)
    all_right = np.array([0] * 10 + [1] * 10)
    assert expected_calibration_error(probabilities, all_right) == pytest.approx((0.1 + 0.3) / 2)
    as_sure_as_right = np.array([0] * 9 + [1] + [1] * 7 + [0] * 3)
    assert expected_calibration_error(probabilities, as_sure_as_right) == pytest.approx(0, abs=1e-9)
    assert expected_calibration_error(np.eye(3), np.array([0, 1, 2])) == 0
    assert expected_calibration_error(np.eye(3), np.array([1, 2, 0])) == 1


def test_the_metrics_are_exact():
    cells = made_cells([0, 0, 0, 0, 1, 1], ["s"] * 6)
    guesses = [0, 0, 0, 1, 1, 0]
    result = classification_metrics(np.eye(3)[guesses], cells)
    assert set(vars(result)) == KEYS
    assert (result.n, result.accuracy) == (6, pytest.approx(4 / 6))
    assert result.balanced_accuracy == pytest.approx((3 / 4 + 1 / 2) / 2)
    assert result.macro_f1 == pytest.approx((3 / 4 + 1 / 2) / 2)
    assert result.per_class["A"] == ClassMetrics(precision=0.75, recall=0.75, f1=0.75, support=4)
    assert "C" not in result.per_class, "a class without images has no metric"
    assert result.confusion == [[3, 1, 0], [1, 1, 0], [0, 0, 0]] and result.labels == ["A", "B", "C"]


def test_drawn_cells_do_not_count_where_there_are_real_ones():
    mixed = made_cells([0, 1, 2], ["drawn", "marrow", "blood"])
    assert real_cells(mixed).sources == ("marrow", "blood")
    drawn = made_cells([0, 1], ["drawn", "drawn"])
    assert real_cells(drawn).sources == ("drawn", "drawn")


def test_laboratories_are_told_apart_by_what_the_data_says():
    codes, predicted = ("A", "B"), np.eye(2)[[0, 1, 0, 0, 1, 1]]
    cells = replace(
        made_cells([0, 0, 0, 0, 1, 1], ["x"] * 6, codes),
        origins=("bone_marrow",) * 3 + ("blood",) * 3,
        laboratories=("MLL", "MLL", "Lyon", "Barcelona", "Barcelona", "Barcelona"),
    )
    rows = by_laboratory(predicted, predicted[::-1], cells)
    assert [(row.origin, row.laboratory, row.n) for row in rows] == [
        ("blood", "Barcelona", 3),
        ("bone_marrow", "Lyon", 1),
        ("bone_marrow", "MLL", 2),
    ]
    assert [row.accuracy for row in rows] == [1, 1, 0.5] and rows[2].accuracy_raw == 0
    across = across_laboratories(predicted, predicted, cells)
    assert [(row.code, row.laboratory, row.n, row.accuracy) for row in across] == [
        ("A", "Barcelona", 1, 1),
        ("A", "Lyon", 1, 1),
        ("A", "MLL", 2, 0.5),
    ], "one laboratory alone holds B"
    assert across[2].interval == (0.0945, 0.9055)


def test_a_config_is_updated_and_the_rest_kept(tmp_path):
    (tmp_path / "config.json").write_text(json.dumps({"a": 1, "temperature": 1.0}))
    update_config(tmp_path, temperature=1.7, uncertain_below=0.4)
    assert read_json(tmp_path / "config.json") == {"a": 1, "temperature": 1.7, "uncertain_below": 0.4}
    assert [path.name for path in tmp_path.iterdir()] == ["config.json"]


def test_a_measured_classifier_says_so_in_both_files(trained_classifier, cell_set):
    config, metrics = (read_json(trained_classifier.hub / name) for name in ("config.json", "metrics.json"))
    assert metrics["data"] == {"validation": 12, "test": 12}
    assert set(metrics["test"]) == set(metrics["test_raw"]) == set(metrics["test_without_tta"]) == KEYS
    (drawn,) = metrics["by_laboratory"]
    assert (drawn["origin"], drawn["laboratory"], drawn["n"]) == ("drawn", "drawn", 12)
    assert drawn["accuracy"] == pytest.approx(metrics["test"]["accuracy"])
    assert drawn["accuracy_raw"] == pytest.approx(metrics["test_raw"]["accuracy"])
    assert metrics["calibration"]["temperature"] == config["temperature"] == metrics["uncertain"]["temperature"]
    for key in ("uncertain_below", "reject_logit", "tta_rotations"):
        assert metrics["uncertain"][key] == config[key]
    assert config["reject_logit"] is not None
    assert {"python", "machine", "openvino", "numpy"} <= set(metrics["environment"])
    assert metrics["command"].startswith("python -m training.measure classifier --model hub/bone-marrow-mobilenet")
    validation = load_cells(str(cell_set), "validation")
    classifier = Classifier.from_pretrained(str(trained_classifier.hub))
    best = classifier.predict(validation.crops(classifier.crop)).max(axis=1)
    assert (best < config["uncertain_below"]).mean() <= 0.2, "a tenth of twelve known cells may be uncertain"
    assert config["uncertain_below"] < np.median(best)


def test_a_measured_segmenter_says_so_in_both_files(trained_segmenter):
    config, metrics = (read_json(trained_segmenter.hub / name) for name in ("config.json", "metrics.json"))
    assert metrics["confidence"]["value"] == config["confidence"] and metrics["confidence"]["f1_tolerance"] == 0.005
    composed = metrics["datasets"]["composed"]
    of_found = {"precision", "mean_iou"} if composed["recall"] else set()  # no metric without a cell to rest on
    assert {"cells", "recall", "f1", "count_error", "mask_map50"} | of_found <= set(composed)
    assert all(value is not None and value == value for value in composed.values())
    assert composed["n_images"] == 3
    assert metrics["confidence"]["value"] in [point["confidence"] for point in metrics["precision_recall"]]
    assert (trained_segmenter.hub / "precision_recall.png").stat().st_size > 5000
    assert metrics["command"].startswith("python -m training.measure segmenter --model hub/bone-marrow-yolov8-seg")
    assert Segmenter.from_pretrained(str(trained_segmenter.hub)).config.confidence == config["confidence"]


def test_cells_of_no_class_are_measured_where_they_were_not_trained(trained_classifier):
    ((name, unseen),) = read_json(trained_classifier.hub / "metrics.json")["uncertain"]["unseen"].items()
    assert name == "NIF" and unseen["n"] == 5
    assert unseen["share"] in [n / 5 for n in range(6)]
    low, high = unseen["interval"]
    assert low <= unseen["share"] <= high


def test_measuring_again_gives_the_same(trained_classifier, cell_set, unknown_set, tmp_path):
    folder = tmp_path / "bone-marrow-mobilenet"
    shutil.copytree(trained_classifier.hub, folder)
    update_config(folder, temperature=3.3, uncertain_below=0.9)
    arguments = ["--model", str(folder), "--data", str(cell_set), "--unknown", str(unknown_set)]
    assert main(["classifier", *arguments]) == 0
    for name in ("config.json", "metrics.json"):
        assert read_json(folder / name) == read_json(trained_classifier.hub / name)


def test_the_classifier_is_measured_on_cells_it_never_learned(
    trained_classifier, cell_set, shared, tmp_path, monkeypatch
):
    monkeypatch.setattr(silence, "EACH", 2)
    folder = tmp_path / "bone-marrow-mobilenet"
    shutil.copytree(trained_classifier.hub, folder)
    (tmp_path / "real").mkdir()
    (tmp_path / "real" / "fields_segpc").symlink_to(shared / "data" / "fields_segpc")
    arguments = ["--model", str(folder), "--data", str(cell_set), "--benchmarks", str(tmp_path / "real")]
    assert main(["classifier", *arguments]) == 0
    unseen = read_json(folder / "metrics.json")["uncertain"]["unseen"]
    assert set(unseen) == {"segpc_plasma_cells"} and unseen["segpc_plasma_cells"]["n"] > 60
    assert all(0 <= one["share"] <= 1 for one in unseen.values())
    silent = read_json(folder / "metrics.json")["silence"]
    assert set(silent["non_smears"]) == set(KINDS) and all(one["n"] == 2 for one in silent["non_smears"].values())
    assert silent["smears"]["segpc"]["n"] == 60
    assert {"segpc_plasma_cells", "non_smears"} <= set(silent["auroc"])


def test_the_segmenter_is_measured_on_real_fields(trained_segmenter, fields, shared, tmp_path):
    folder, benchmarks = tmp_path / "bone-marrow-yolov8-seg", tmp_path / "benchmarks"
    shutil.copytree(trained_segmenter.hub, folder)
    # it has learned next to nothing and outlines hundreds of things in a field, so a few fields must do
    real = shared / "data"
    numbers = {"fields_segpc/images": 6, "fields_bccd/images": 20, "wbc_masks": 5}
    pictures = [file for folder, n in numbers.items() for file in sorted((real / folder).glob("*.jpg"))[:n]]
    for file in (*pictures, *real.glob("wbc_masks/*_mask.png"), *real.glob("fields_*/labels")):
        (benchmarks / file.relative_to(real)).parent.mkdir(parents=True, exist_ok=True)
        (benchmarks / file.relative_to(real)).symlink_to(file)
    assert main(["segmenter", "--model", str(folder), "--data", str(fields), "--benchmarks", str(benchmarks)]) == 0
    text = (folder / "metrics.json").read_text()
    assert "NaN" not in text
    datasets = json.loads(text)["datasets"]
    measured = {kind: metrics["n_images"] for kind, metrics in datasets.items()}
    assert measured.items() >= {"segpc": 6, "bccd": 4, "single_cells": 5}.items(), "a fifth of BCCD is for tests"


@pytest.mark.parametrize("kind", ["classifier", "segmenter"])
@pytest.mark.parametrize("wrong", ["model", "data", "benchmarks"])
def test_wrong_places_are_refused_in_one_line(kind, wrong, request, tmp_path, capsys):
    trained = request.getfixturevalue(f"trained_{kind}")
    folder = tmp_path / "model"
    shutil.copytree(trained.hub, folder)
    data = request.getfixturevalue("cell_set" if kind == "classifier" else "fields")
    given = {"--model": folder, "--data": data} | {f"--{wrong}": tmp_path / "nothing"}
    before = (folder / "metrics.json").read_bytes()
    assert main([kind, *(str(part) for pair in given.items() for part in pair)]) == 2
    line = capsys.readouterr().err.rstrip().splitlines()[-1]
    assert line.startswith("measure: ") and str(tmp_path / "nothing") in line
    assert (folder / "metrics.json").read_bytes() == before


def test_benchmarks_that_lack_a_part_leave_no_metric_for_it(trained_segmenter, fields, tmp_path):
    folder, benchmarks = tmp_path / "model", tmp_path / "benchmarks"
    shutil.copytree(trained_segmenter.hub, folder)
    benchmarks.mkdir()
    arguments = ["--model", str(folder), "--data", str(fields), "--benchmarks", str(benchmarks)]
    assert main(["segmenter", *arguments]) == 0

    def refuse(name: str) -> float:
        raise AssertionError(f"{name} is not JSON")

    datasets = json.loads((folder / "metrics.json").read_text(), parse_constant=refuse)["datasets"]
    assert not math.isnan(datasets["composed"]["count_error"])
    assert all(metrics["n_images"] for metrics in datasets.values())
