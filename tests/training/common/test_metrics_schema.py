"""``metrics.json``: what is written is read again, and what is wrong is named in a sentence."""

import json
from pathlib import Path
from typing import Any

import pytest

from marrow.errors import MarrowError
from tests.commands import ROOT
from training.common.metrics_schema import ClassifierMetrics, read_metrics, write_metrics
from training.common.segmenter_schema import FieldMetrics, RecallOf, SegmenterMetrics

RELEASED = {
    "bone-marrow-mobilenet": ClassifierMetrics,
    "bone-marrow-yolov8-seg": SegmenterMetrics,
}


@pytest.mark.parametrize("name", RELEASED)
def test_the_release_is_read_and_written_as_it_is(name: str, tmp_path: Path) -> None:
    file = ROOT / "hub" / name / "metrics.json"
    write_metrics(tmp_path / "metrics.json", read_metrics(RELEASED[name], file))
    assert (tmp_path / "metrics.json").read_bytes() == file.read_bytes()


def test_what_is_not_known_is_not_written(tmp_path: Path) -> None:
    fields = FieldMetrics(3, recall=0.5, intervals={"recall": (0.1, 0.9)}, recall_by_overlap={"none": RecallOf(2, 0.5)})
    write_metrics(tmp_path / "metrics.json", SegmenterMetrics({"composed": fields}))
    assert json.loads((tmp_path / "metrics.json").read_text()) == {
        "datasets": {
            "composed": {
                "n_images": 3,
                "recall": 0.5,
                "intervals": {"recall": [0.1, 0.9]},
                "recall_by_overlap": {"none": {"cells": 2, "recall": 0.5}},
            }
        },
    }
    assert read_metrics(SegmenterMetrics, tmp_path / "metrics.json") == SegmenterMetrics({"composed": fields})


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ({"calibration": {"temperature": 1.2}}, "metrics.json.calibration lacks ece, ece_uncalibrated"),
        ({"by_source": {"marrow": {"n": 2}}}, "metrics.json has the unknown by_source"),  # as release 0.1 wrote it
        ({"data": {"validation": "many", "test": 3}}, "metrics.json.data.validation is 'many'"),
        ({"uncertain": [1]}, r"metrics.json.uncertain is \[1\]"),
        ({"by_laboratory": [{}]}, r"metrics.json.by_laboratory\[0\] lacks accuracy"),
        ([], r"metrics.json is \[\]"),
    ],
)
def test_what_is_wrong_is_named(content: Any, words: str, tmp_path: Path) -> None:
    (tmp_path / "metrics.json").write_text(json.dumps(content))
    with pytest.raises(MarrowError, match=words + ".*run training.measure again"):
        read_metrics(ClassifierMetrics, tmp_path / "metrics.json")


def test_a_file_that_is_not_there_or_no_json_is_named(tmp_path: Path) -> None:
    with pytest.raises(MarrowError, match=r"cannot be read.*run training.measure first"):
        read_metrics(ClassifierMetrics, tmp_path / "metrics.json")
    (tmp_path / "metrics.json").write_text("{")
    with pytest.raises(MarrowError, match="is not JSON"):
        read_metrics(ClassifierMetrics, tmp_path / "metrics.json")
