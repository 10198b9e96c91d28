"""Calibration: exact cases, and laboratories that were left out of a training."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from dataset_scripts.drawing.pictures import draw_single
from marrow.classifier import Classifier, soften
from marrow.errors import MarrowError
from training.evaluation.calibration import (
    COUNTED,
    PRECISION,
    NamedLogits,
    chosen,
    evidence,
    fit_softening,
    fit_temperature,
    precise_bound,
    read_left_out,
)


def softmax(logits: np.ndarray) -> np.ndarray:
    exponents = np.exp(logits - logits.max(axis=1, keepdims=True))
    return exponents / exponents.sum(axis=1, keepdims=True)


def named(logits: np.ndarray, labels: np.ndarray, laboratory: str = "") -> NamedLogits:
    return NamedLogits(laboratory, logits[None], np.eye(logits.shape[1], dtype=bool)[labels])


@pytest.mark.parametrize("temperature", [0.4, 1.0, 2.5])
def test_a_known_temperature_is_recovered(temperature):
    rng = np.random.default_rng(0)
    logits = rng.normal(0, 3, (20_000, 5))
    truth = softmax(logits / temperature)
    labels = (truth.cumsum(axis=1) > rng.random((len(truth), 1))).argmax(axis=1)
    assert fit_temperature([named(logits, labels)]) == pytest.approx(temperature, rel=0.05)


@pytest.mark.parametrize("exponent", [0.0, 0.3, 0.8])
def test_a_known_softening_is_recovered(exponent):
    rng = np.random.default_rng(1)
    logits, unlikeness = rng.normal(0, 3, (20_000, 5)), rng.uniform(0.01, 0.4, 20_000)
    truth = softmax(logits / (1.4 * (unlikeness / 0.05) ** exponent)[:, None])
    labels = (truth.cumsum(axis=1) > rng.random((len(truth), 1))).argmax(axis=1)
    cells = replace(named(logits, labels), unlikeness=unlikeness)
    temperature, softening = fit_softening([cells], 0.05)
    assert temperature == pytest.approx(1.4, rel=0.06) and softening.unlikeness == 0.05
    assert softening.exponent == pytest.approx(exponent, abs=0.04)
    again = soften(temperature, softening, unlikeness)
    assert evidence(logits[None], again).shape == (1, 20_000)


def test_a_temperature_stays_within_bounds():
    logits = np.log([[0.6, 0.4], [0.4, 0.6]] * 50)
    assert fit_temperature([named(logits, logits.argmax(axis=1))]) == pytest.approx(0.2, abs=0.01)
    assert fit_temperature([named(logits, logits.argmin(axis=1))]) == pytest.approx(5, abs=0.01)


def test_evidence_is_the_size_of_what_speaks_up():
    quiet, loud = np.zeros((1, 1, 4)), np.array([[[9.0, 0, 0, 0]]])
    assert evidence(quiet, 1.0).item() == pytest.approx(math.log(4))
    assert evidence(loud, 1.0).item() == pytest.approx(9, abs=0.01)
    assert evidence(loud, 2.0).item() == pytest.approx(2 * math.log(math.exp(4.5) + 3))


def test_classes_that_nobody_told_apart_are_right_together():
    logits = np.log(np.array([[0.5, 0.45, 0.05]] * 20))
    either = NamedLogits("", logits[None], np.array([[True, True, False]] * 20))
    assert fit_temperature([either]) == pytest.approx(0.2, abs=0.01)  # it cannot be too sure
    assert fit_temperature([named(logits, np.array([0, 1] * 10))]) > 0.4


def test_the_bound_is_the_lowest_from_which_the_counted_are_right():
    best = np.linspace(0.5, 0.99, 50)
    given = np.stack([best, 1 - best], axis=1)
    right = np.stack([best > 0.7, best <= 0.7], axis=1)
    bound = precise_bound([(given, right)])
    counted = best >= bound
    assert right[counted, 0].mean() >= PRECISION > right[best >= bound - 0.011, 0].mean()
    half = best >= precise_bound([(given, ~right)])
    assert half.mean() == COUNTED, "where no bound is precise enough, as few are counted as may be"


def test_a_laboratory_weighs_as_much_as_another_of_more_cells():
    sure = np.array([[0.9, 0.1]])
    right, wrong = np.array([[True, False]]), np.array([[False, True]])
    many = np.repeat(sure, 1000, axis=0), np.repeat(right, 1000, axis=0)
    assert precise_bound([many]) == 0
    assert precise_bound([many, (sure, wrong)]) == pytest.approx(0.9)  # one cell is half of what counts


def test_what_is_chosen_leans_on_the_laboratories_left_out():
    rng = np.random.default_rng(0)
    logits = rng.normal(0, 4, (400, 3))
    home = named(logits, logits.argmax(axis=1))
    known = np.ones(400, bool)
    labels = np.where(rng.random(400) < 0.5, logits.argmax(axis=1), rng.integers(0, 3, 400))
    alone, away = chosen(home, known), chosen(home, known, [named(logits, labels, "elsewhere")])
    assert away.temperature > 2 * alone.temperature  # it is wrong there, so it may not be as sure
    assert away.uncertain_below != alone.uncertain_below and away.softening is None
    lost = np.vstack([logits, np.full((1, 3), np.nan)])
    assert chosen(home, known, [named(lost, np.append(labels, 0), "elsewhere")]) == away  # one that was not found


def test_where_cells_say_how_unlike_they_are_the_network_is_less_sure_of_the_unlike():
    rng = np.random.default_rng(0)
    logits = rng.normal(0, 4, (400, 3))
    home = replace(named(logits, logits.argmax(axis=1)), unlikeness=np.full(400, 0.03))
    labels = np.where(rng.random(400) < 0.5, logits.argmax(axis=1), rng.integers(0, 3, 400))
    away = replace(named(logits, labels, "elsewhere"), unlikeness=np.full(400, 0.2))
    values = chosen(home, np.ones(400, bool), [away])
    assert values.softening.unlikeness == 0.03 and values.softening.exponent > 0.5
    assert values.temperature < 0.5 < 1 < values.temperature * values.softening.factors(np.array([0.2])).item()
    one_mute = chosen(home, np.ones(400, bool), [away, replace(away, unlikeness=None)])
    assert one_mute.softening is None


@pytest.fixture
def variant(tmp_path, trained_classifier) -> tuple[Path, Path, Classifier]:
    """A variant of a study that two pictures of LMU were left out of, and the folder of the pictures."""
    classifier = Classifier.from_pretrained(str(trained_classifier.hub))
    folder, benchmarks = tmp_path / "variant", tmp_path / "benchmarks"
    folder.mkdir()
    for code in ("LYT", "MON"):
        (benchmarks / "cells_lmu" / code).mkdir(parents=True)
        picture = draw_single(code, np.random.default_rng(0))
        cv2.imwrite(str(benchmarks / "cells_lmu" / code / "1.png"), picture[..., ::-1])
    (folder / "result.json").write_text(json.dumps({"trained_on": {code: {} for code in classifier.labels}}))
    np.savez(folder / "logits.npz", LMU=np.arange(24, dtype=np.float32).reshape(2, 12))
    return folder, benchmarks, classifier


def test_what_was_said_of_a_laboratory_is_read_with_its_names(variant):
    folder, benchmarks, classifier = variant
    (one,) = read_left_out([folder], benchmarks, classifier.config)
    assert one.laboratory == "LMU" and one.logits.shape == (1, 2, 12)
    assert [classifier.labels[row.argmax()] for row in one.right] == ["LYT", "MON"] and one.right.sum() == 2
    assert one.unlikeness is None, "a network of another architecture says nothing"
    np.savez(folder / "unlikeness.npz", LMU=np.array([0.1, 0.3], np.float32))
    (one,) = read_left_out([folder], benchmarks, classifier.config)
    assert one.unlikeness.tolist() == pytest.approx([0.1, 0.3])
    np.savez(folder / "unlikeness.npz", LMU=np.zeros(3, np.float32))
    with pytest.raises(MarrowError, match="other pictures"):
        read_left_out([folder], benchmarks, classifier.config)


def test_variants_of_others_are_refused(variant):
    folder, benchmarks, classifier = variant
    np.savez(folder / "logits.npz", LMU=np.zeros((3, 12), np.float32))
    with pytest.raises(MarrowError, match="other pictures"):
        read_left_out([folder], benchmarks, classifier.config)
    (folder / "result.json").write_text(json.dumps({"trained_on": {"LYT": {}}}))
    with pytest.raises(MarrowError, match="other classes"):
        read_left_out([folder], benchmarks, classifier.config)
    for spoiled in ("[]", "{", None):
        (folder / "result.json").unlink()
        if spoiled:
            (folder / "result.json").write_text(spoiled)
        with pytest.raises(MarrowError):
            read_left_out([folder], benchmarks, classifier.config)
    with pytest.raises(MarrowError, match="no finished variant"):
        np.savez(folder / "logits.npz", Elsewhere=np.zeros((2, 12), np.float32))
        (folder / "result.json").write_text(json.dumps({"trained_on": {code: {} for code in classifier.labels}}))
        read_left_out([folder], benchmarks, classifier.config)
