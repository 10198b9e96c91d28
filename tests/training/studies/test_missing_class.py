"""The study of a class that the classifier never saw: what is counted, and all of it in miniature."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from dataset_scripts.drawing.pictures import draw_field
from dataset_scripts.fields.field import Field
from marrow.images import encode_png
from marrow.pipeline import Models
from tests.commands import assert_refused, python, succeed
from tests.space.known_models import DISCS, make_classifier, make_segmenter
from training.common.files import read_json
from training.studies.missing_class import find_class, markdown

CONFIG = """
epochs = 6
batch_size = 16
learning_rate = 1e-3
frozen_blocks = 3
outlier_exposure = 0.125
corrected = 0.5
"""


@pytest.fixture
def models(tmp_path) -> Models:
    folders = make_segmenter(tmp_path / "segmenter"), make_classifier(tmp_path / "classifier")
    return Models.from_pretrained(*map(str, folders))


def test_names_are_counted_where_every_cell_of_the_class_is_annotated(models):
    image, labels = np.full((320, 320, 3), 250, np.uint8), np.zeros((320, 320), np.int32)
    y, x = np.mgrid[:320, :320]
    colours = [(220, 30, 30), (220, 30, 30), (30, 30, 220), (30, 30, 220)]  # two neutrophils, two others
    for number, ((cx, cy, radius, _), colour) in enumerate(zip(DISCS, colours, strict=False), start=1):
        inside = (x - cx) ** 2 + (y - cy) ** 2 <= radius**2
        image[inside] = colour
        labels[inside] = number if number in (1, 3) else 0  # annotated: one that is named so, and one that is not
    labels[300:320, 0:20] = 9  # annotated, and not found
    figures = find_class(models, [Field(image, labels)], "NGS")
    assert (figures["cells"], figures["found"], figures["named"], figures["wrong"]) == (3, 2, 1, 1)
    assert (figures["recall"], figures["precision"]) == (pytest.approx(1 / 3), 0.5)
    assert (figures["counted_recall"], figures["counted_precision"]) == (pytest.approx(1 / 3), 0.5)
    bare = Field(np.full((320, 320, 3), 250, np.uint8), np.zeros((320, 320), np.int32))
    assert find_class(models, [bare], "PMO") == {
        **{"cells": 0, "found": 0, "named": 0, "wrong": 0, "recall": None, "precision": None},
        **{"counted_recall": None, "counted_precision": None},
    }


def test_the_table_has_both_classifiers():
    shares = {"recall": 0.25, "precision": None, "counted_recall": 0.0, "counted_precision": None}
    home = {"n": 90, "before": 0.9, "after": 0.88, "called_before": 0.0, "called_after": 0.01}
    study = {
        "code": "PLM",
        "cells": 120,
        "fields": {"learned": 40, "held_back": 20},
        "held_back": {name: {"cells": 60, "named": 15, "wrong": 0} | shares for name in ("before", "after")},
        "home": home | {"intervals": {"before": [0.85, 0.95], "after": [0.83, 0.93]}},
        "command": "python -m training.missing_class_study",
    }
    text = markdown(study)
    assert "120 cells of 40 fields" in text and "| after | 60 | 15 | 0 | 0.250 | – | 0.000 | – |" in text
    assert "| after | 90 | 0.880 (0.830–0.930) | 0.010 |" in text


@pytest.fixture(scope="module")
def plasma_fields(tmp_path_factory) -> Path:
    """Nine drawn fields with lymphocytes and plasma cells, of which the plasma cells are annotated."""
    folder = tmp_path_factory.mktemp("study") / "fields"
    for kind in ("images", "labels"):
        (folder / kind).mkdir(parents=True)
    for seed in range(9):
        drawn = draw_field(np.random.default_rng(seed), 480, 480, ["PLM"] * 5 + ["LYT"] * 4)
        plasma = [number for number, code in enumerate(drawn.codes, start=1) if code == "PLM"]
        labels = np.where(np.isin(drawn.labels, plasma), drawn.labels, 0)
        (folder / "images" / f"{seed}.png").write_bytes(encode_png(drawn.image))
        cv2.imwrite(str(folder / "labels" / f"{seed}.png"), labels.astype(np.uint8))
    return folder


def test_what_is_too_little_is_refused(tmp_path):
    few = tmp_path / "few"
    for kind in ("images", "labels"):
        (few / kind).mkdir(parents=True)
    cv2.imwrite(str(few / "images" / "0.png"), np.full((60, 60, 3), 250, np.uint8))
    cv2.imwrite(str(few / "labels" / "0.png"), np.zeros((60, 60), np.uint8))
    command = ("-m", "training.missing_class_study", "--model", "hub/bone-marrow-mobilenet", "--data", "set")
    done = python(*command, "--fields", few, "--class", "PLM", "--out", tmp_path / "out")
    assert_refused(done, "fewer than 3 fields")


@pytest.mark.slow
def test_a_class_that_was_never_seen_is_learned(cell_set, plasma_fields, tmp_path):
    (tmp_path / "tiny.toml").write_text(CONFIG)
    command = ("-m", "training.missing_class_study", "--model", "hub/bone-marrow-mobilenet", "--data", cell_set)
    command += ("--fields", plasma_fields, "--class", "PLM", "--config", tmp_path / "tiny.toml")
    succeed(*command, "--out", tmp_path / "study")
    study = read_json(tmp_path / "study" / "missing_class.json")
    before, after = study["held_back"]["before"], study["held_back"]["after"]
    assert study["fields"] == {"learned": 6, "held_back": 3} and study["cells"] > 15
    assert before["recall"] < 0.2 < 0.5 < after["recall"]
    assert after["precision"] > 0.5
    assert (tmp_path / "study" / "missing_class.md").read_text().count("| after |") == 2
