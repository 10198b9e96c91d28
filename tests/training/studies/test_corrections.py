"""The study of corrections: the stain, the simulated person, the comparison, and all of it in miniature."""

from pathlib import Path

import cv2
import numpy as np
import pytest

from dataset_scripts.drawing.pictures import draw_single
from dataset_scripts.fields.field import Field
from marrow.analysis import Analysis
from marrow.cell import Cell
from marrow.hub import ModelInfo
from marrow.report import CountingRules, make_report
from marrow.stain import background_colour
from tests.commands import assert_refused, python, succeed
from training.classifier.data import Cells
from training.common.files import read_json
from training.studies.corrections import LOSS, TITLES, compare, review, stained

RULES = CountingRules(labels=("BLA", "LYT", "NGS"), uncertain_below=0.4, not_from_marrow=(), unknown=())
CONFIG = """
epochs = 4
batch_size = 16
learning_rate = 1e-3
frozen_blocks = 3
outlier_exposure = 0.125
corrected = 0.5
"""


def test_a_stain_changes_colours_and_no_stain_changes_nothing():
    image = draw_single("BLA", np.random.default_rng(0))
    assert np.array_equal(stained(image, 0.0), image)
    weak, strong = (np.abs(stained(image, s).astype(int) - image).mean(axis=(0, 1)) for s in (0.4, 1.2))
    assert strong.sum() > weak.sum() > 3
    ground = background_colour(image)
    assert np.abs(background_colour(stained(image, 1.2)) - ground).max() < 8, "the empty ground stays"


def cell(number: int, x: int, label: str, probabilities: tuple[float, ...]) -> Cell:
    """A square of 20 pixels at column ``x``."""
    corners = ((x, 10), (x + 20, 10), (x + 20, 30), (x, 30))
    given = dict(zip(RULES.labels, probabilities, strict=True))
    return Cell(
        box=(x, 10, x + 20, 30),
        polygon=tuple((float(a), float(b)) for a, b in corners),
        area=400.0,
        score=0.9,
        id=number,
        label=label,
        probability=given[label],
        probabilities=given,
    )


def test_the_simulated_person_names_and_deletes_and_keeps_what_the_model_said():
    cells = (
        cell(1, 0, "BLA", (0.7, 0.2, 0.1)),  # is a lymphocyte
        cell(2, 40, "NGS", (0.1, 0.2, 0.7)),  # is one
        cell(3, 80, "BLA", (0.7, 0.2, 0.1)),  # a neighbour whose class nobody knows
        cell(4, 120, "LYT", (0.1, 0.8, 0.1)),  # is nothing
    )
    model = ModelInfo("model", None)
    analysis = Analysis(200, 60, model, model, 0.3, cells, make_report(cells, RULES))
    labels = np.zeros((60, 200), np.int32)
    for number, x in enumerate((0, 40, 80, 160), start=1):  # the last was not found
        labels[10:31, x : x + 21] = number
    field = Field(np.zeros((60, 200, 3), np.uint8), labels, codes=("LYT", "NGS", "", "BLA"))
    reviewed = review(analysis, field)
    assert reviewed.counts == {"relabelled": 1, "confirmed": 1, "left": 1, "deleted": 1, "missed": 1}
    first, second, third = reviewed.analysis.cells
    assert (first.label, first.model_label, first.probability, first.edited.label) == ("LYT", "BLA", 0.2, "LYT")
    assert second.edited.label == "NGS" and third.edited is None
    assert [c.edited.shape for c in reviewed.analysis.removed] == ["deleted"]
    assert reviewed.analysis.report.edited == 3 and reviewed.analysis.report.counts["LYT"] == 1


def test_a_comparison_counts_the_same_cells():
    labels = np.arange(100) % 2
    images = [np.zeros((4, 4, 3), np.uint8)] * 100
    cells = Cells(images, [(0, 0, 4, 4)] * 100, labels, ("marrow",) * 100, ("BLA", "LYT"), tuple(range(100)))
    before, after = (np.eye(2)[np.where(np.arange(100) < wrong, 1 - labels, labels)] for wrong in (40, 10))
    after[99] = after[99][::-1]
    metrics = compare(before, after, cells)
    assert metrics["n"] == 100 and (metrics["before"], metrics["after"]) == (0.6, 0.89)
    assert (metrics["gained"], metrics["lost"]) == (30, 1) and metrics["p"] < 1e-6
    low, high = metrics["intervals"]["difference"]
    assert 0.1 < low < 0.29 < high < 0.45
    same = compare(before, before, cells)
    assert same["intervals"]["difference"] == [0, 0] and same["p"] == 1


@pytest.fixture(scope="module")
def drawn_set(tmp_path_factory) -> Path:
    """A set of drawn cells: eight, six and six of each class."""
    work = tmp_path_factory.mktemp("study")
    succeed("dataset_scripts/synthetic_cells.py", "--out", work / "drawn", "--per-class", "20", "--seed", "5")
    options = ("--data-dir", work / "drawn", "--out", work / "set", "--per-class", "20", "--splits", "40/30/30")
    succeed("dataset_scripts/bone_marrow_12.py", *options)
    return work / "set"


@pytest.mark.slow
def test_corrected_cells_make_the_next_model_better_on_their_stain(drawn_set, tmp_path):
    (tmp_path / "tiny.toml").write_text(CONFIG)
    out = tmp_path / "study"
    command = ("-m", "training.correction_study", "--model", "hub/bone-marrow-mobilenet", "--data", drawn_set)
    command += ("--out", out, "--config", tmp_path / "tiny.toml", "--cells", "40")
    succeed(*command)
    study = read_json(out / "correction.json")
    made, old, new = study["corrections"], study["metrics"]["old"], study["metrics"]["new"]
    assert made["confirmed"] + made["relabelled"] >= 40 and made["relabelled"] >= 5
    assert study["stain"]["loss"] >= LOSS and old["n"] == new["n"] == 72
    assert new["difference"] > 0.05, new
    assert old["difference"] > -0.1, old
    assert new["after"] > new["control"] + 0.05, "more training alone does not learn the stain"
    crops = list((out / "flags").glob("data/*/crops/*/*.png"))
    assert len(crops) == made["confirmed"] + made["relabelled"] == study["training"]["corrected"]
    assert cv2.imread(str(crops[0])).shape[0] > 40
    trained_on = read_json(out / "classifier" / "config.json")["trained_on"]
    assert sum(sources.get("flags", 0) for sources in trained_on.values()) == study["training"]["corrected"]
    text = (out / "correction.md").read_text()
    assert TITLES["new"] in text and f"{made['relabelled']} of the cells found were relabelled" in text
    times = {path: path.stat().st_mtime_ns for path in out.rglob("model.*")}
    succeed(*command)
    assert {path: path.stat().st_mtime_ns for path in out.rglob("model.*")} == times, "nothing is trained twice"


def test_a_model_that_is_not_there_is_refused(drawn_set, tmp_path):
    command = ("-m", "training.correction_study", "--model", tmp_path / "none", "--data", drawn_set)
    assert_refused(python(*command, "--out", tmp_path / "out"), "correction_study: ", str(tmp_path / "none"))
