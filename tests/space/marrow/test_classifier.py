"""What the name of a cell rests on: the evidence in its picture, and the images that the classifier has seen."""

from __future__ import annotations

import json

import numpy as np
import pytest

from marrow import MarrowError
from marrow.cell import ORIGINS
from marrow.classifier import Classifier, ClassifierConfig
from marrow.runtime import read_config
from tests.space.known_models import HUB, make_classifier


@pytest.mark.parametrize("views", [1, 4])
@pytest.mark.parametrize(("x", "y"), [(30, 25), (95, 40), (64, 100)])
def test_evidence_lies_where_the_colour_is(tmp_path, views, x, y):
    folder = make_classifier(tmp_path / "colours")
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | {"views": views}))
    classifier = Classifier.from_pretrained(str(folder))
    crop = np.full((129, 129, 3), 128, np.uint8)
    crop[y - 6 : y + 7, x - 6 : x + 7] = (60, 60, 190)
    evidence = classifier.explain(crop, "EBO")
    assert evidence.shape == (129, 129) and evidence.dtype == np.float32
    rows, columns = np.mgrid[:129, :129]
    weights = evidence.clip(0) ** 3
    assert np.average(columns, weights=weights) == pytest.approx(x, abs=6)
    assert np.average(rows, weights=weights) == pytest.approx(y, abs=6)
    assert classifier.explain(crop, "NGS")[y, x] < 0, "what speaks for one class speaks against another"


def test_an_older_export_names_cells_and_explains_nothing(tmp_path, smear):
    classifier = Classifier.from_pretrained(str(make_classifier(tmp_path / "mapless", maps=False)))
    assert classifier(smear, [(30, 30, 90, 90)])[0].argmax() == classifier.labels.index("NGS")
    assert not classifier.explains
    with pytest.raises(MarrowError, match="export it again"):
        classifier.explain(smear[:129, :129], "NGS")


def config_of(**trained_on) -> ClassifierConfig:
    labels = {str(i): code for i, code in enumerate(trained_on)}
    return ClassifierConfig(labels, {}, temperature=1.0, uncertain_below=0.5, trained_on=trained_on)


def test_a_class_is_from_marrow_by_its_origin_alone():
    rules = config_of(
        BLA={"bone_marrow": {"MLL": 50}, "blood": {"Barcelona": 5}},
        EBO={"blood": {"bone marrow institute": 5}},
        LYT={"bone_marrow": {"MLL": 0}, "unknown": {"marrow": 5}},
        MON={"bone_marrow": {}},
        PLM={},
    ).rules
    assert rules.not_from_marrow == ("EBO", "LYT", "MON", "PLM")
    assert rules.unknown == ("MON", "PLM")


def test_the_sources_of_release_0_1_are_known_by_their_exact_names():
    config = config_of(
        BLA={"marrow": 680, "drawn": 48},
        EBO={"blood": 560},
        LYT={"bone-marrow-flags": 7},
        MON={"BM_cytomorphology_data": 7, "marrow": 0},
        NGS={"Marrow": 7, "marrow-set": 1},
    )
    assert config.trained_on == {
        "BLA": {"bone_marrow": {"MLL": 680}, "drawn": {"drawn": 48}},
        "EBO": {"blood": {"Barcelona": 560}},
        "LYT": {"unknown": {"bone-marrow-flags": 7}},
        "MON": {"unknown": {"BM_cytomorphology_data": 7}, "bone_marrow": {"MLL": 0}},
        "NGS": {"unknown": {"Marrow": 7, "marrow-set": 1}},
    }
    assert config.rules.not_from_marrow == ("EBO", "LYT", "MON", "NGS")
    assert not config.rules.unknown


def test_reading_the_training_images_twice_changes_nothing():
    once = config_of(BLA={"marrow": 680, "flags": 3}).trained_on
    assert config_of(**once).trained_on == once


def test_the_embedded_release_says_what_it_has_seen_of_marrow():
    config = read_config(HUB / "bone-marrow-mobilenet", ClassifierConfig)
    assert {origin for origins in config.trained_on.values() for origin in origins} <= set(ORIGINS)
    assert config.rules.not_from_marrow == ("EBO", "MMZ", "MYB", "NGB", "PLM")
    assert config.rules.unknown == ("PLM",)


@pytest.mark.parametrize(
    "wrong", [7, ["BLA"], {"BLA": 7}, {"BLA": {"marrow": None}}, {"BLA": {"blood": {"X": "many"}}}]
)
def test_a_config_with_no_such_numbers_cannot_be_read(tmp_path, wrong):
    folder = make_classifier(tmp_path / "colours")
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | {"trained_on": wrong}))
    with pytest.raises(MarrowError, match="pull the model again"):
        Classifier.from_pretrained(str(folder))
