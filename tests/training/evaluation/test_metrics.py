"""The local `evaluate` modules agree with scikit-learn, the intervals with theory, and the evaluator runs them."""

import json

import evaluate
import numpy as np
import pytest
from sklearn import metrics as sk

from tests.commands import assert_refused, python, succeed
from training.common.files import read_json
from training.common.metrics_schema import ClassIntervals, to_plain
from training.evaluation.bootstrap import intervals, resampled_confusions
from training.evaluation.classifier import METRICS

CODES = ("A", "B", "C", "D")


@pytest.fixture(scope="module")
def answers() -> tuple[np.ndarray, np.ndarray]:
    """Guesses, and truths among which the last class does not occur."""
    rng = np.random.default_rng(2)
    truth = rng.integers(0, 3, 400)
    return np.where(rng.random(400) < 0.7, truth, rng.integers(0, 4, 400)), truth


def test_the_metrics_are_those_of_scikit_learn(answers):
    guess, truth = answers
    metric = evaluate.load(str(METRICS / "cell_classification"))
    values = metric.compute(predictions=guess, references=truth, codes=list(CODES))
    assert values["accuracy"] == sk.accuracy_score(truth, guess)
    assert values["balanced_accuracy"] == pytest.approx(
        sk.recall_score(truth, guess, labels=[0, 1, 2], average="macro")
    )
    assert values["macro_f1"] == pytest.approx(sk.f1_score(truth, guess, labels=[0, 1, 2], average="macro"))
    for i, code in enumerate(CODES[:3]):
        one = values["per_class"][code]
        assert one["precision"] == sk.precision_score(truth == i, guess == i)
        assert one["recall"] == sk.recall_score(truth == i, guess == i)
        assert one["support"] == (truth == i).sum()
    assert set(values["per_class"]) == set(CODES[:3])
    assert values["confusion"] == sk.confusion_matrix(truth, guess, labels=range(4)).tolist()
    unnamed = metric.compute(predictions=guess, references=truth)
    assert unnamed["labels"] == ["0", "1", "2", "3"] and unnamed["accuracy"] == values["accuracy"]


def test_metrics_load_without_a_network():
    script = (
        "import sys, evaluate; m = evaluate.load(sys.argv[1]);"
        "print(m.compute(predictions=[[0.9, 0.1], [0.2, 0.8]], references=[0, 1])['ece'])"
    )
    done = succeed("-c", script, METRICS / "calibration_error", HF_HUB_OFFLINE="1", HF_ENDPOINT="http://127.0.0.1:9")
    assert float(done.stdout) == pytest.approx((0.1 + 0.2) / 2)


def test_an_interval_holds_its_metric_and_has_the_width_of_theory(answers):
    guess, truth = answers
    found = intervals(guess, truth, (), CODES)
    accuracy = (guess == truth).mean()
    half = 1.96 * np.sqrt(accuracy * (1 - accuracy) / 400)
    assert found.accuracy == pytest.approx([accuracy - half, accuracy + half], abs=0.01)
    low, high = found.macro_f1
    assert low < sk.f1_score(truth, guess, labels=[0, 1, 2], average="macro") < high
    low, high = found.balanced_accuracy
    assert low < sk.recall_score(truth, guess, labels=[0, 1, 2], average="macro") < high
    assert set(found.per_class) == set(CODES[:3])
    assert found == intervals(guess, truth, (), CODES), "the same seed, the same resamples"


def test_groups_are_drawn_whole(answers):
    guess, truth = answers
    groups = np.repeat(np.arange(40), 10)
    confusions = resampled_confusions(guess, truth, groups, 4)
    assert (confusions.sum(axis=(1, 2)) == 400).all()
    copied = [np.tile(values, 10) for values in (guess[:40], truth[:40])]
    together = intervals(*copied, np.tile(np.arange(40), 10), CODES).accuracy
    apart = intervals(*copied, (), CODES).accuracy
    assert together[1] - together[0] > 2.5 * (apart[1] - apart[0]), "copies are no new evidence"


def test_a_class_that_is_never_named_has_an_interval_and_no_nan():
    found = intervals(np.zeros(20, int), np.repeat([0, 1], 10), (), ("A", "B"))
    assert found.per_class["B"] == ClassIntervals(precision=(0, 0), recall=(0, 0))
    assert "NaN" not in json.dumps(to_plain(found))


@pytest.mark.parametrize("options", [(), ("--crop",)])
def test_the_evaluator_agrees_with_the_measurement(options, trained_classifier, cell_set):
    command = ("-m", "training.evaluator", "--model", trained_classifier.hub, "--data", cell_set, *options)
    values = json.loads(succeed(*command).stdout)
    measured = read_json(trained_classifier.hub / "metrics.json")["test" if options else "test_raw"]
    assert values["n"] == 12 and values["labels"] == measured["labels"]
    if options:  # whole images are scaled by another library there, which may turn a close call
        assert values["confusion"] == measured["confusion"] and values["per_class"] == measured["per_class"]
    else:
        assert values["accuracy"] == pytest.approx(measured["accuracy"], abs=0.2)


def test_the_evaluator_refuses_a_folder_without_a_model(tmp_path, cell_set):
    assert_refused(python("-m", "training.evaluator", "--model", tmp_path, "--data", cell_set), "evaluator: ", "config")
