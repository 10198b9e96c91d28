"""Analyses as detections of supervision, with the library itself."""

from __future__ import annotations

import sys
from dataclasses import replace

import numpy as np
import pytest

from marrow import Analysis, MarrowError, Models, analyze
from marrow.analysis import CountingRules
from marrow.schema import read_analysis
from marrow.supervision_adapter import from_supervision, to_supervision
from tests.space.known_models import CODES

sv = pytest.importorskip("supervision")
RULES = CountingRules(("BLA", "NGS"), 0.5, (), ())


@pytest.fixture
def analysis(models: Models, smear: np.ndarray) -> Analysis:
    return analyze(smear, models)


def back(detections: sv.Detections, to: Analysis) -> Analysis:
    """Make an analysis of detections, with the image and the models of another."""
    models = {"segmenter": to.segmenter, "classifier": to.classifier, "confidence": to.confidence}
    return from_supervision(detections, (to.width, to.height), to.report.rules, **models)


def test_detections_hold_what_is_known_of_each_cell(analysis: Analysis) -> None:
    detections = to_supervision(analysis)
    assert len(detections) == len(analysis.cells) == 4
    assert detections.mask.shape == (4, analysis.height, analysis.width)
    for i, cell in enumerate(analysis.cells):
        assert np.allclose(detections.xyxy[i], cell.box)
        assert detections.confidence[i] == pytest.approx(cell.score)
        assert CODES[detections.class_id[i]] == detections.data["class_name"][i] == cell.label
        assert detections.data["probabilities"][i].tolist() == list(cell.probabilities.values())
        assert detections.mask[i].sum() == pytest.approx(cell.area, rel=0.03)
        y, x = np.nonzero(detections.mask[i])
        left, top, right, bottom = cell.box
        assert left - 1 <= x.min() and x.max() <= right + 1 and top - 1 <= y.min() and y.max() <= bottom + 1


def test_there_and_back_again_it_is_the_same(analysis: Analysis) -> None:
    detections = to_supervision(analysis)
    again = back(detections, analysis)
    assert again.report == analysis.report
    for one, other in zip(again.cells, analysis.cells, strict=True):
        assert one.box == pytest.approx(other.box, abs=1e-3) and one.score == pytest.approx(other.score)
        same = ("id", "label", "probability", "probabilities", "edited")
        assert all(getattr(one, name) == getattr(other, name) for name in same)
    assert np.array_equal(to_supervision(again).mask, detections.mask)  # to the pixel
    assert read_analysis(again.to_dict()).report == again.report


def test_what_people_did_comes_back_too(reviewed: Analysis) -> None:
    again = back(to_supervision(reviewed), reviewed)
    assert again.report.counts == reviewed.report.counts
    assert [cell.edited and (cell.edited.by, cell.edited.label, cell.edited.shape) for cell in again.cells] == [
        cell.edited and (cell.edited.by, cell.edited.label, cell.edited.shape) for cell in reviewed.cells
    ]
    assert read_analysis(again.to_dict()).report == again.report


def test_a_filter_and_an_annotator_of_the_library_work(analysis: Analysis, smear: np.ndarray) -> None:
    detections = to_supervision(analysis)
    some = detections[detections.data["class_name"] == "NGS"]
    assert back(some, analysis).report.counts["NGS"] == len(some) == 3
    picture = sv.MaskAnnotator().annotate(smear.copy(), detections)
    assert (picture != smear).any()


def test_no_cells_are_no_detections_and_back(analysis: Analysis) -> None:
    none = to_supervision(replace(analysis, cells=()))
    assert len(none) == 0 and back(none, analysis).cells == () == back(sv.Detections.empty(), analysis).cells


def test_detections_of_another_program_are_counted() -> None:
    mask = np.zeros((2, 40, 60), bool)
    mask[0, 10:20, 5:25] = mask[1, 0:40, 50:60] = True
    boxes = np.array([[5, 10, 25, 20], [50, -3, 63, 40]], np.float32)
    found = sv.Detections(boxes, mask, np.array([0.9, 0.4]), np.array([1, 0]))
    analysis = from_supervision(found, (60, 40), RULES)
    assert [(cell.id, cell.label) for cell in analysis.cells] == [(1, "NGS"), (2, "BLA")]
    assert [cell.area for cell in analysis.cells] == pytest.approx([200, 400], rel=0.01)
    assert np.array_equal(to_supervision(analysis).mask, mask)
    assert analysis.cells[1].box == (50, 0, 60, 40)
    assert (analysis.report.counts, analysis.report.uncertain) == ({"BLA": 0, "NGS": 1}, 1)
    assert read_analysis(analysis.to_dict()).report == analysis.report
    boxes_alone = from_supervision(sv.Detections(boxes[:1], class_id=np.array([0])), (60, 40), RULES)
    assert boxes_alone.cells[0].area == 200 and boxes_alone.cells[0].probability == 1


def test_a_name_changed_in_between_leaves_the_old_probabilities(analysis: Analysis) -> None:
    detections = to_supervision(analysis)
    detections.data["class_name"][:] = "BLA"
    again = back(detections, analysis)
    assert {cell.label for cell in again.cells} == {"BLA"} == {cell.model_label for cell in again.cells}
    assert read_analysis(again.to_dict()).report == again.report


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"class_id": None}, "no classes"),
        ({"class_id": np.array([2])}, "number 2"),
        ({"data": {"class_name": np.array(["dog"])}}, "dog"),
        ({"xyxy": np.array([[70.0, 0, 80, 10]])}, "empty box"),
        ({"mask": np.ones((1, 4, 4), bool)}, "mask of 4 × 4"),
    ],
)
def test_what_cannot_be_counted_is_one_sentence(changes: dict, words: str) -> None:
    found = {"xyxy": np.array([[1.0, 2, 30, 40]]), "class_id": np.array([0])} | changes
    with pytest.raises(MarrowError, match=words):
        from_supervision(sv.Detections(**found), (60, 40), RULES)


def test_without_the_library_it_says_what_to_install(analysis: Analysis, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "supervision", None)
    with pytest.raises(MarrowError, match=r"bone-marrow-smear\[supervision\]"):
        to_supervision(analysis)
