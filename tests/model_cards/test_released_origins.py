"""The release says where its training images come from: the numbers of release 0.1, by origin and laboratory."""

import json

import pytest

from marrow.classifier import Classifier
from tests.commands import ROOT

FOLDER = ROOT / "hub" / "bone-marrow-mobilenet"
# number of images from MLL's bone marrow, from Barcelona's blood, and drawn
RELEASED = {
    "ART": (0, 320, 48),
    "BLA": (680, 0, 48),
    "EBO": (0, 560, 48),
    "EOS": (680, 160, 48),
    "LYT": (680, 160, 48),
    "MMZ": (0, 560, 48),
    "MON": (680, 160, 48),
    "MYB": (0, 560, 48),
    "NGB": (0, 560, 48),
    "NGS": (680, 160, 48),
    "PLM": (0, 0, 0),
    "PMO": (438, 240, 48),
}


@pytest.mark.parametrize("code", RELEASED)
def test_the_numbers_are_those_of_release_0_1(code: str) -> None:
    marrow, blood, drawn = RELEASED[code]
    wanted = {"bone_marrow": {"MLL": marrow}, "blood": {"Barcelona": blood}, "drawn": {"drawn": drawn}}
    found = json.loads((FOLDER / "config.json").read_text(encoding="utf-8"))["trained_on"][code]
    assert found == {origin: numbers for origin, numbers in wanted.items() if sum(numbers.values())}


def test_the_runtime_knows_which_classes_come_from_marrow() -> None:
    rules = Classifier.from_pretrained(str(FOLDER)).config.rules
    assert {"BLA", "EOS", "LYT", "MON", "NGS", "PMO"} == set(RELEASED) - set(rules.not_from_marrow)
    assert {"EBO", "MMZ", "MYB", "NGB"} <= set(rules.not_from_marrow) and rules.unknown == ("PLM",)


def test_the_unknown_cells_have_an_origin_too() -> None:
    exposure = json.loads((FOLDER / "config.json").read_text(encoding="utf-8"))["outlier_exposure"]
    assert exposure == {"share": 0.15, "cells": {"NIF": {"bone_marrow": {"MLL": 50}}}}
