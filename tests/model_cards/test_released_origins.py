"""The release says where its training images come from: the numbers of release 0.3, by origin and laboratory."""

import json

import pytest

from marrow.classifier import Classifier
from tests.commands import ROOT

FOLDER = ROOT / "hub" / "bone-marrow-mobilenet"
PLACES = (
    ("bone_marrow", "MLL"),
    *(("blood", laboratory) for laboratory in ("Barcelona", "LMU", "JTSC", "BCCD")),
    ("drawn", "drawn"),
)
# number of images from each of these places
RELEASED = {
    "ART": (336, 320, 0, 0, 0, 48),
    "BLA": (680, 0, 8, 0, 0, 48),
    "EBO": (0, 760, 8, 0, 0, 48),
    "EOS": (680, 480, 8, 18, 14, 48),
    "LYT": (680, 480, 8, 42, 8, 48),
    "MMZ": (0, 776, 8, 0, 0, 48),
    "MON": (680, 480, 8, 38, 5, 48),
    "MYB": (0, 776, 8, 0, 0, 48),
    "NGB": (0, 760, 8, 0, 0, 48),
    "NGS": (680, 480, 8, 141, 42, 48),
    "PLM": (0, 0, 0, 0, 0, 0),
    "PMO": (438, 440, 8, 0, 0, 48),
}


@pytest.mark.parametrize("code", RELEASED)
def test_the_numbers_are_those_of_release_0_3(code: str) -> None:
    found = json.loads((FOLDER / "config.json").read_text(encoding="utf-8"))["trained_on"][code]
    seen = {(origin, laboratory): n for origin, numbers in found.items() for laboratory, n in numbers.items()}
    assert seen == {place: n for place, n in zip(PLACES, RELEASED[code], strict=True) if n}


def test_the_runtime_knows_which_classes_come_from_marrow() -> None:
    rules = Classifier.from_pretrained(str(FOLDER)).config.rules
    assert {"ART", "BLA", "EOS", "LYT", "MON", "NGS", "PMO"} == set(RELEASED) - set(rules.not_from_marrow)
    assert {"EBO", "MMZ", "MYB", "NGB"} <= set(rules.not_from_marrow) and rules.unknown == ("PLM",)


def test_the_unknown_cells_have_an_origin_too() -> None:
    exposure = json.loads((FOLDER / "config.json").read_text(encoding="utf-8"))["outlier_exposure"]
    assert exposure == {"share": 0.15, "cells": {"NIF": {"bone_marrow": {"MLL": 200}}}}
