"""The foreign table: figures that can be worked out by hand, and laboratories that lie in a folder."""

from __future__ import annotations

import shutil
from pathlib import Path

import cv2
import numpy as np
import pytest

from dataset_scripts.drawing.pictures import draw_field, draw_single
from marrow.classifier import Classifier
from marrow.segmenter import Segmenter
from training.common.files import read_json
from training.evaluation.foreign import (
    LABORATORIES,
    ForeignCells,
    calibration_error,
    foreign_metrics,
    measure_foreign,
    risk_coverage_area,
    risks,
)
from training.measure import main


@pytest.fixture(scope="module")
def classifier(trained_classifier) -> Classifier:
    return Classifier.from_pretrained(str(trained_classifier.hub))


def test_the_figures_of_a_laboratory(classifier):
    codes = classifier.labels
    bound = classifier.config.uncertain_below
    sure, unsure = (1 + bound) / 2, bound / 2

    def row(code: str, probability: float) -> np.ndarray:
        return np.eye(len(codes))[codes.index(code)] * probability

    given = np.stack([row("NGB", sure), row("MMZ", sure), row("LYT", unsure), 0 * row("LYT", 1)])
    truths = [("NGS", "NGB"), ("NGS", "NGB"), ("LYT",), ("LYT",)]
    found = foreign_metrics(ForeignCells("here", [], [], truths), given, codes, bound)
    assert (found.n, found.found, found.accuracy, found.balanced_accuracy) == (4, 3, 0.5, 0.5)
    assert (
        found.lineage_accuracy == 0.75
    )  # a metamyelocyte is of the lineage of neutrophils; what is not found, of none
    assert (found.counted, found.precision) == (0.5, 0.5)
    assert {code: (one.n, one.accuracy) for code, one in found.per_class.items()} == {
        "LYT": (2, 0.5),
        "NGS/NGB": (2, 0.5),
    }
    low, high = found.accuracy_interval
    assert low < 0.5 < high
    nothing = foreign_metrics(ForeignCells("here", [], [], truths[2:]), given[2:], codes, bound)
    assert nothing.counted == 0 and nothing.precision is None


def test_calibration_and_risk_are_worked_out_by_hand():
    best, right = np.array([0.95, 0.94, 0.55, 0.15]), np.array([True, False, True, False])
    assert calibration_error(best, right) == pytest.approx(0.5 * 0.445 + 0.25 * 0.45 + 0.25 * 0.15)
    assert risk_coverage_area(best, right) == pytest.approx((0 + 1 / 2 + 1 / 3 + 2 / 4) / 4)
    assert risk_coverage_area(best, ~right) == pytest.approx((1 + 1 / 2 + 2 / 3 + 2 / 4) / 4)
    assert risks(best, right) == [0.0] * 7 + [0.5] * 5 + [round(1 / 3, 4)] * 5 + [0.5] * 3  # 20 points of 4 cells
    assert risk_coverage_area(best[::-1], right[::-1]) == risk_coverage_area(best, right)  # ties aside, in any order


def test_laboratories_are_read_as_they_lie_and_trained_ones_left_out(classifier, trained_segmenter, tmp_path):
    rng = np.random.default_rng(1)
    for code in ("EOS", "LYT", "KSC"):
        write(tmp_path / "cells_lmu" / code / "1.png", draw_single("EOS", rng))
    write(tmp_path / "cells_jtsc" / "1.png", draw_single("NGS", rng))
    (tmp_path / "cells_jtsc" / "names.csv").write_text("file,codes\n1.png,NGS|NGB\n")
    for code in ("NGS", "BAS"):
        write(tmp_path / "fields_lisc" / code / "1.png", draw_field(rng, 240, 320, 3).image)
    segmenter = Segmenter.from_pretrained(str(trained_segmenter.hub))
    rows = {one.laboratory: one for one in measure_foreign(classifier, segmenter, tmp_path)}
    assert {name: one.n for name, one in rows.items()} == {"LMU": 2, "JTSC": 1, "LISC": 1}
    assert set(rows["JTSC"].per_class) == set(rows["LISC"].per_class) == {"NGS/NGB"}
    left = [one.laboratory for one in measure_foreign(classifier, segmenter, tmp_path, ("LMU", "LISC"))]
    assert left == ["JTSC"]
    assert measure_foreign(classifier, segmenter, tmp_path / "absent") == []


def test_measuring_elsewhere_changes_nothing_else(trained_classifier, trained_segmenter, tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("MARROW_SEGMENTER", str(trained_segmenter.hub))
    model = shutil.copytree(trained_classifier.hub, tmp_path / "model")
    before = read_json(model / "metrics.json")
    write(tmp_path / "data" / "cells_lmu" / "EOS" / "1.png", draw_single("EOS", np.random.default_rng(1)))
    assert main(["foreign", "--model", str(model), "--benchmarks", str(tmp_path / "data")]) == 0
    after = read_json(model / "metrics.json")
    (row,) = after.pop("foreign")
    assert (row["laboratory"], row["n"]) == ("LMU", 1) and after == before
    assert len(row["risks"]) == 20 and (model / "risk_coverage.png").stat().st_size > 5000
    assert main(["foreign", "--model", str(model)]) == main(["classifier", "--model", str(model)]) == 2
    assert "--benchmarks" in (error := capsys.readouterr().err) and "--data" in error


def test_every_laboratory_of_the_table_is_there(shared):
    counts = {name: len(list(find(shared / "data"))) for name, (_, find) in LABORATORIES.items()}
    assert counts == {"LMU": 100, "JTSC": 299, "BCCD": 157, "LISC": 145, "CellaVision": 40}


def write(path: Path, image: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    assert cv2.imwrite(str(path), cv2.cvtColor(image, cv2.COLOR_RGB2BGR))
