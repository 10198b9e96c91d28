"""How cells are named in other laboratories, as the card of a classifier tells it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from model_cards.classifier_tables import short_silence_table
from model_cards.render import render
from tests.model_cards.test_render import CLASSIFIER_CONFIG, CLASSIFIER_METRICS, model_folder
from training.common.metrics_schema import SilenceMetrics, WarnedShare

FOREIGN = [
    {
        "laboratory": "Elsewhere",
        "n": 145,
        "found": 143,
        "accuracy": 0.566,
        "accuracy_interval": [0.48, 0.65],
        "balanced_accuracy": 0.58,
        "balanced_accuracy_interval": [0.5, 0.66],
        "lineage_accuracy": 0.717,
        "counted": 0.49,
        "precision": 0.718,
        "precision_interval": [0.6, 0.81],
        "calibration_error": 0.192,
        "risk_coverage_area": 0.264,
        "per_class": {"EOS": {"n": 30, "accuracy": 0.867}, "NGS/NGB": {"n": 40, "accuracy": 0.45}},
    },
    {
        "laboratory": "Nowhere",
        "n": 5,
        "found": 5,
        "accuracy": 0.2,
        "accuracy_interval": [0.0, 0.6],
        "balanced_accuracy": 0.3,
        "balanced_accuracy_interval": [0.0, 0.6],
        "lineage_accuracy": 0.4,
        "counted": 0.0,
        "calibration_error": 0.5,
        "risk_coverage_area": 0.7,
        "per_class": {"EOS": {"n": 5, "accuracy": 0.2}},
    },
]


def test_other_laboratories_stand_before_home_and_the_mean_beside_them(tmp_path: Path) -> None:
    metrics = CLASSIFIER_METRICS | {"foreign": FOREIGN}
    card = render(model_folder(tmp_path / "bone-marrow-mobilenet", CLASSIFIER_CONFIG, metrics))
    row = "| Elsewhere | 145 | 0.566 (0.480–0.650) | 0.580 (0.500–0.660) | 0.717 | 0.490 | 0.718 (0.600–0.810) |"
    assert f"{row} 0.192 | 0.264 |" in card
    assert "| Nowhere | 5 | 0.200 (0.000–0.600) | 0.300 (0.000–0.600) | 0.400 | 0.000 | – | 0.500 | 0.700 |" in card
    assert "| **mean** | – | 0.383 | 0.440 | 0.558 | 0.245 | – | 0.346 | 0.482 |" in card
    assert "| EOS | 0.867 of 30 | 0.200 of 5 |" in card and "| NGS/NGB | 0.450 of 40 | – |" in card
    assert card.index("Nothing here tests `EBO MMZ MYB NGB` in bone marrow") < card.index("| Elsewhere |")
    assert card.index("| Elsewhere |") < card.index("**At home**")
    assert "trained in the same way without" not in card


def test_a_laboratory_that_was_left_out_in_turn_is_marked(tmp_path: Path) -> None:
    metrics = CLASSIFIER_METRICS | {"foreign": [FOREIGN[0] | {"left_out": True}, FOREIGN[1]]}
    card = render(model_folder(tmp_path / "bone-marrow-mobilenet", CLASSIFIER_CONFIG, metrics))
    assert "| Elsewhere\\* | 145 |" in card and "| Nowhere | 5 |" in card
    assert "trained in the same way without" in card
    assert "left out of their training (Elsewhere)" in card


def test_the_card_says_which_pictures_get_a_warning(tmp_path: Path) -> None:
    warned = {"n": 40, "warned": 0.05, "interval": [0.01, 0.16], "codes": {"stain_far": 0.05}}
    silence = {
        "smears": {"composed": warned, "Elsewhere": warned | {"accuracy": {"warned": 0.25, "others": 0.75}}},
        "non_smears": {"text": {"n": 24, "warned": 1.0, "interval": [0.86, 1.0], "codes": {"no_smear": 1.0}}},
        "auroc": {"Elsewhere": 0.7, "segpc_plasma_cells": 0.8, "non_smears": 0.99},
    }
    bounds = {"unlike_above": 0.345, "stain_far_above": 0.145}
    folder = model_folder(tmp_path / "m", CLASSIFIER_CONFIG | bounds, CLASSIFIER_METRICS | {"silence": silence})
    card = render(folder)
    assert "than 0.345 (`unlike_training`)" in card and "further than 0.145" in card
    assert "| fields composed of held-out cells | 40 | 0.050 (0.010–0.160) | – | – | `stain_far` 0.050 |" in card
    assert "| Elsewhere | 40 | 0.050 (0.010–0.160) | 0.250 | 0.750 | `stain_far` 0.050 |" in card
    assert "| *no smear:* text | 24 | 1.000 (0.860–1.000) | – | – | `no_smear` 1.000 |" in card
    assert "| plasma cells (SegPC-2021) | 0.800 |" in card
    assert "**Silence.**" not in render(model_folder(tmp_path / "n", CLASSIFIER_CONFIG, CLASSIFIER_METRICS))


def test_the_readme_has_all_that_is_no_smear_in_one_row_and_no_laboratory_that_was_trained_on() -> None:
    warned = WarnedShare(40, 0.05, (0.01, 0.16), {"stain_far": 0.05})
    foreign = replace(warned, accuracy={"warned": 0.25, "others": 0.75})
    kinds = {"text": WarnedShare(24, 1.0, (0.86, 1.0)), "blank": WarnedShare(8, 0.5, (0.2, 0.8))}
    text = short_silence_table(SilenceMetrics({"composed": warned, "Home": warned, "Elsewhere": foreign}, kinds, {}))
    assert "| fields composed of held-out cells | 40 | 0.050 (0.010–0.160) | – | – |" in text and "Home" not in text
    assert "| Elsewhere | 40 | 0.050 (0.010–0.160) | 0.250 | 0.750 |" in text
    assert "| *no smear:* text, blank | 32 | 0.875 (0.719–0.950) | – | – |" in text


def test_the_card_says_whether_names_depend_on_the_framing(tmp_path: Path) -> None:
    framing = {
        "eyepiece": {"n": 80, "found": 1.0, "same": 0.95, "same_counted": 0.985},
        "single": {"n": 90, "found": 1.0, "same": 0.75},
    }
    card = render(model_folder(tmp_path / "m", CLASSIFIER_CONFIG, CLASSIFIER_METRICS | {"framing": framing}))
    assert "| through an eyepiece, black around a disc | 80 | 1.000 | 0.950 | 0.985 |" in card
    assert "| the cell alone, as `marrow classify` names it | 90 | 1.000 | 0.750 | – |" in card
    assert "**Framing.**" not in render(model_folder(tmp_path / "n", CLASSIFIER_CONFIG, CLASSIFIER_METRICS))


def test_the_card_says_how_many_labels_look_wrong(tmp_path: Path) -> None:
    shares = {"accuracy": 0.97, "accuracy_interval": [0.95, 0.99], "full_accuracy": 0.92}
    cleaned = {"codes": ["BLA", "LYT"], "n": 200, "removed": 12, **shares, "full_accuracy_interval": [0.89, 0.95]}
    card = render(model_folder(tmp_path / "m", CLASSIFIER_CONFIG, CLASSIFIER_METRICS | {"cleaned": cleaned}))
    assert "contradicted 12 of 200" in card
    assert "| marrow cells (BLA LYT) | 200 | 0.920 (0.890–0.950) |" in card
    assert "| the same without suspicious labels | 188 | 0.970 (0.950–0.990) |" in card
    assert "Some labels of the source" not in render(
        model_folder(tmp_path / "n", CLASSIFIER_CONFIG, CLASSIFIER_METRICS)
    )
