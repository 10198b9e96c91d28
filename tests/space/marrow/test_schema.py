"""Reading a saved analysis back: exact, strict, and counted anew."""

from __future__ import annotations

import json
from typing import Any

import pytest

from marrow import MarrowError, analyze
from marrow.report import filter_cells
from marrow.schema import read_analysis
from tests.space.conftest import AT


def test_a_persons_name_counts_whatever_its_probability(reviewed):
    report = reviewed.report
    assert (report.found, report.edited, report.uncertain) == (4, 6, 0)
    assert report.counts["BLA"] == 1 and reviewed.cells[0].probability < 0.01
    assert reviewed.cells[0].model_label == "NGS"


def test_what_a_person_has_seen_passes_the_slider(reviewed):
    assert [cell.id for cell in filter_cells(reviewed, 0.99).cells] == [1, 2, 7]
    assert filter_cells(reviewed, 0.99).report.edited == 6


def test_what_is_saved_comes_back(reviewed):
    plain = json.loads(reviewed.to_json())
    again = read_analysis(plain)
    assert json.loads(again.to_json()) == plain
    assert again.report == reviewed.report
    assert [cell.edited for cell in again.cells] == [cell.edited for cell in reviewed.cells]
    assert [cell.edited for cell in again.removed] == [cell.edited for cell in reviewed.removed]
    assert plain["cells"][3]["edited"] == {"at": AT, "by": None, "label": None, "shape": "merged", "from": [4, 5]}


def test_an_older_json_opens(models, smear):
    analysis = analyze(smear, models, 0.05)
    plain = json.loads(analysis.to_json())
    for cell in plain["cells"]:
        del cell["edited"]
    del plain["removed"], plain["report"]["edited"], plain["report"]["unknown"]
    again = read_analysis(plain, analysis.report.rules)
    assert again.report == analysis.report
    assert read_analysis(plain).report.counts == analysis.report.counts


def test_the_report_is_counted_anew(reviewed):
    plain = json.loads(reviewed.to_json())
    plain["report"] |= {"found": 999, "total": 999, "notes": ["<script>"], "me_ratio": 3}
    plain["report"]["counts"]["BLA"] = 500
    assert read_analysis(plain).report == reviewed.report


def _at(*keys: str | int, value: Any) -> Any:
    def change(plain: dict[str, Any]) -> None:
        for key in keys[:-1]:
            plain = plain[key]
        plain[keys[-1]] = value

    return change


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (_at("image", "width", value=0), "image.width"),
        (_at("image", "width", value=True), "image.width"),
        (_at("image", value={"width": 100_000, "height": 100_000}), "pixels"),
        (_at("models", "classifier", "repo", value=""), "models.classifier.repo"),
        (_at("confidence", value="0.5"), "confidence"),
        (_at("report", value=None), "report"),
        (_at("report", "uncertain_below", value=float("nan")), "uncertain_below"),
        (_at("cells", value={}), "cells"),
        (_at("cells", value=[{}] * 20_001), "cells"),
        (_at("cells", 0, value=None), "cells[0]"),
        (_at("cells", 0, "id", value=2), "id twice"),
        (_at("cells", 0, "id", value=1.5), "cells[0].id"),
        (_at("cells", 0, "box", value=[0, 0, 400, 30]), "cells[0].box"),
        (_at("cells", 0, "box", value=[30, 30, 30, 30]), "cells[0].box"),
        (_at("cells", 0, "box", value=[0, 0, float("inf"), 30]), "cells[0].box"),
        (_at("cells", 0, "polygon", value=[[0, 0], [9, 9]]), "cells[0].polygon"),
        (_at("cells", 0, "polygon", value=[[1, 1]] * 10_001), "cells[0].polygon"),
        (_at("cells", 0, "polygon", 0, value=[1, 10**400]), "cells[0].polygon"),
        (_at("cells", 0, "score", value=1.1), "cells[0].score"),
        (_at("cells", 0, "label", value="XXX"), "cells[0].label"),
        (_at("cells", 0, "label", value=["BLA"]), "cells[0].label"),
        (_at("cells", 0, "edited", value=None), "neither the most probable"),
        (_at("cells", 0, "probabilities", "XXX", value=0), "cells[0].probabilities"),
        (_at("cells", 0, "probability", value=0.5), "cells[0].probability"),
        (_at("cells", 0, "edited", "at", value="yesterday"), "cells[0].edited.at"),
        (_at("cells", 0, "edited", "at", value="2026-11-23T12:00:00"), "cells[0].edited.at"),
        (_at("cells", 0, "edited", "by", value="a\nb"), "cells[0].edited.by"),
        (_at("cells", 0, "edited", "by", value="x" * 101), "cells[0].edited.by"),
        (_at("cells", 0, "edited", "label", value="EBO"), "cells[0].edited.label"),
        (_at("cells", 0, "edited", "shape", value="deleted"), "cells[0].edited.shape"),
        (_at("cells", 3, "edited", "shape", value=None), "changes nothing"),
        (_at("cells", 3, "edited", "from", value=[4, 99]), "cell 7 is made from"),
        (_at("removed", 0, "edited", value=None), "removed[0]"),
        (_at("removed", 0, "edited", "shape", value=None), "removed[0].edited"),
    ],
)
def test_what_is_wrong_is_said_in_a_sentence(reviewed, change, words):
    plain = json.loads(reviewed.to_json())
    change(plain)
    with pytest.raises(MarrowError) as refused:
        read_analysis(plain)
    assert words in str(refused.value) and "\n" not in str(refused.value)


@pytest.mark.parametrize("plain", [None, [], "text", 3, {}, {"cells": []}])
def test_other_json_is_refused(plain):
    with pytest.raises(MarrowError, match="choose a JSON"):
        read_analysis(plain)
