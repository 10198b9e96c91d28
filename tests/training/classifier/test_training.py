"""Training the classifier: what a run leaves behind, repeating and resuming it, and what it refuses.

Keras cannot live beside torch in one process, so everything here runs in processes of its own.
"""

import json
from pathlib import Path

import numpy as np
import pytest

from dataset_scripts.drawing.pictures import CODES
from tests.commands import assert_refused, python, succeed
from training.common.files import read_json

# ends the process as a power cut would, once the first epoch's checkpoint is written
CUT_SHORT = """
import os, sys
from training import train_classifier
from training.classifier import training
save = training._save_checkpoint
training._save_checkpoint = lambda *arguments: (save(*arguments), os._exit(9))
train_classifier.main(sys.argv[1:])
"""

# several command lines in one process, which starts slowly
EACH = """
import contextlib, io, json, sys
from training.train_classifier import main
results = []
for arguments in json.loads(sys.argv[1]):
    with contextlib.redirect_stderr(io.StringIO()) as said:
        results.append([main(arguments), said.getvalue()])
print(json.dumps(results))
"""

# what is trained already, finished twice, the second time with a class that is met a quarter as often
EXPECTED = """
import json, sys
from dataclasses import replace
from pathlib import Path
from training.classifier.config import ClassifierTraining
from training.classifier.data import TrainingMaterial, load_cells
from training.classifier.training import train
from training.common.config import load_config
config = load_config(ClassifierTraining, Path(sys.argv[1]))
cells = load_cells(sys.argv[2], "train")
def finish(expected):
    model = train(replace(config, expected=expected), TrainingMaterial(cells), cells, Path(sys.argv[3]))
    return [one.tolist() for one in model.get_layer("logits").get_weights()]
results = [finish({}), finish({"ART": 0.25})]
try:
    finish({"XYZ": 0.25})
except Exception as error:
    results.append(str(error))
print(json.dumps(results))
"""


def history(run_dir: Path) -> list[dict[str, float]]:
    return [json.loads(line) for line in (run_dir / "history.jsonl").read_text().splitlines()]


def test_a_run_says_what_it_did(trained_classifier, cell_set):
    run = read_json(trained_classifier.run_dir / "run.json")
    assert run["config"]["epochs"] == 3 and run["config"]["size"] == 65 and run["config"]["seed"] == 0
    assert run["config"]["augmentation"]["jitter"] > 0, "also what was left at its default"
    assert tuple(run["codes"]) == CODES
    assert run["trained_on"] == {code: {"drawn": {"drawn": 8}} for code in CODES}
    assert run["outlier_exposure"] == {"NIF": {"unknown": {"unnamed": 5}}}
    assert run["config"]["outlier_exposure"] == 0.125
    assert [line["epoch"] for line in history(trained_classifier.run_dir)] == [1, 2, 3]
    assert {"loss", "accuracy", "val_loss", "val_accuracy"} <= history(trained_classifier.run_dir)[0].keys()
    weights = np.load(trained_classifier.run_dir / "weights.npz")
    assert weights["logits/kernel"].shape == (1280, 12)
    assert [path.name for path in trained_classifier.run_dir.glob("epoch-*")] == ["epoch-003.keras"]


def test_a_class_that_is_met_less_often_is_said_less_often(trained_classifier, cell_set):
    places = (trained_classifier.config, cell_set, trained_classifier.run_dir)
    plain, expected, refusal = json.loads(succeed("-c", EXPECTED, *places).stdout.splitlines()[-1])
    assert np.allclose(plain[0], expected[0]), "the kernel"
    moved = np.array(expected[1]) - plain[1]
    assert np.allclose(moved, np.where(np.array(CODES) == "ART", np.log(0.25), 0), atol=1e-5)
    assert "XYZ" in refusal and "leave it out" in refusal


@pytest.mark.slow
def test_an_interrupted_run_resumes_and_ends_as_if_it_had_not_been(trained_classifier, cell_set, unknown_set, tmp_path):
    run_dir, hub = tmp_path / "run", tmp_path / "hub"
    places = (
        "--config",
        trained_classifier.config,
        "--run-dir",
        run_dir,
        "--output-dir",
        hub,
        "--unknown",
        unknown_set,
    )
    cut = python("-c", CUT_SHORT, "--data", cell_set, *places)
    assert cut.returncode == 9 and len(history(run_dir)) == 1
    assert [path.name for path in run_dir.glob("*.keras")] == ["epoch-001.keras"]
    resumed = succeed("-m", "training.train_classifier", "--data", cell_set, *places)
    assert "resuming after epoch 1" in resumed.stdout and "Epoch 3/3" in resumed.stdout
    assert "Epoch 1/3" not in resumed.stdout
    for ours, theirs in zip(history(run_dir), history(trained_classifier.run_dir), strict=True):
        assert ours.pop("seconds") > 0 < theirs.pop("seconds")
        assert ours == pytest.approx(theirs, abs=1e-6)
    weights, expected = (np.load(folder / "weights.npz") for folder in (run_dir, trained_classifier.run_dir))
    assert weights.files == expected.files
    assert max(np.abs(weights[name] - expected[name]).max() for name in weights.files) < 1e-5
    assert read_json(hub / "metrics.json")["test"] == read_json(trained_classifier.hub / "metrics.json")["test"]


def test_bad_input_is_refused_in_one_line(trained_classifier, cell_set, tmp_path):
    configs = {
        "unknown": "epochz = 3",
        "plain": "epochs = 1",
        "outliers": "outlier_exposure = 2.0",
        "nested": "[augmentation]\nblurr = 1.0",
        "broken": "epochs = = 3",
    }
    for name, text in configs.items():
        (tmp_path / f"{name}.toml").write_text(text)
    data, out = ["--data", str(cell_set)], ["--output-dir", str(tmp_path / "hub"), "--run-dir", str(tmp_path / "run")]
    other_run = ["--config", str(trained_classifier.config), "--run-dir", str(trained_classifier.run_dir)]
    file = tmp_path / "unknown.toml"
    cases = {
        "set outlier_exposure above 0": [
            *data,
            *out,
            "--config",
            str(tmp_path / "plain.toml"),
            "--unknown",
            str(cell_set),
        ],
        "a share from 0 to 1": [*data, *out, "--config", str(tmp_path / "outliers.toml")],
        "epochz": [*data, *out, "--config", str(tmp_path / "unknown.toml")],
        "blurr": [*data, *out, "--config", str(tmp_path / "nested.toml")],
        "broken.toml": [*data, *out, "--config", str(tmp_path / "broken.toml")],
        "missing.toml": [*data, *out, "--config", str(tmp_path / "missing.toml")],
        "another config": [*data, *out, *other_run, "--seed", "1"],
        "another --output-dir": [*data, "--output-dir", str(file / "hub")],
        "bone_marrow_12.py": ["--data", str(tmp_path / "no-cells"), *out[:2], "--run-dir", str(tmp_path / "other")],
        "no.weights.h5": [*data, *out[:2], "--run-dir", str(tmp_path / "third"), "--init", "no.weights.h5"],
    }
    results = json.loads(succeed("-c", EACH, json.dumps(list(cases.values()))).stdout.splitlines()[-1])
    for word, (code, said) in zip(cases, results, strict=True):
        *progress, line = said.rstrip().splitlines()
        assert code == 2 and line.startswith("train_classifier: ") and word in line, said
        assert not any("Traceback" in text or "train_classifier:" in text for text in progress)
    assert len(history(trained_classifier.run_dir)) == 3
    assert not list((tmp_path / "other").iterdir()), "a slip of the pen leaves the run folder free"


def test_the_loss_knows_none_of_these_and_the_accuracy_does_not():
    script = """
import json
import numpy as np
from training.classifier.config import ClassifierTraining
from training.classifier.objective import ClassAccuracy, make_loss
labels = np.array([[1, 0, 0], [0, 0, 0], [0, 0, 1]], np.float32)
logits = np.array([[2, 1, -1], [-3, 0.5, 0], [1, 0, 4]], np.float32)
configs = [ClassifierTraining(outlier_exposure=n, label_smoothing=0.08) for n in (0.1, 0.0)]
values = [make_loss(config)(labels[:, :], logits) for config in configs]
accuracy = ClassAccuracy()
accuracy.update_state(labels, -logits, np.array([3, 1, 1], np.float32))
accuracy.update_state(labels, logits, np.array([3, 1, 1], np.float32))
print(json.dumps([float(value) for value in (*values, accuracy.result())]))
"""
    with_none, plain, accuracy = json.loads(succeed("-c", script).stdout.splitlines()[-1])
    logits = np.array([[2, 1, -1, 0], [-3, 0.5, 0, 0], [1, 0, 4, 0]])
    targets = np.eye(4)[[0, 3, 2]] * 0.92 + 0.02
    likely = logits - np.log(np.exp(logits).sum(axis=1, keepdims=True))
    assert with_none == pytest.approx(-(targets * likely).sum(axis=1).mean(), abs=1e-5)
    likely = logits[:, :3] - np.log(np.exp(logits[:, :3]).sum(axis=1, keepdims=True))
    targets = np.array([[1, 0, 0], [0, 0, 0], [0, 0, 1]]) * 0.92 + 0.08 / 3
    assert plain == pytest.approx(-(targets * likely).sum(axis=1).mean(), abs=1e-5)
    assert accuracy == pytest.approx(0.5), "the outlier in the middle does not count"


def test_the_rate_is_that_of_keras_own_schedule():
    script = """
import json
import keras
from training.classifier.config import ClassifierTraining
from training.classifier.objective import make_optimizer
rates = []
for last, config in ((0.01, ClassifierTraining(epochs=4)), (1.0, ClassifierTraining(epochs=4, constant_rate=True))):
    peak, ours = config.learning_rate, make_optimizer(config, 10)
    theirs = keras.optimizers.schedules.CosineDecay(peak / 20, 30, alpha=last, warmup_target=peak, warmup_steps=10)
    for step in range(50):
        ours.iterations.assign(step)
        rates.append((float(ours.learning_rate), float(theirs(step))))
print(json.dumps(rates))
"""
    ours, theirs = zip(*json.loads(succeed("-c", script).stdout.splitlines()[-1]), strict=True)
    assert len(set(theirs)) > 30 and ours == pytest.approx(theirs, rel=1e-5)


def test_the_command_ends_with_code_2_and_no_traceback(tmp_path):
    places = ("--output-dir", tmp_path / "hub", "--run-dir", tmp_path / "run")
    done = python("-m", "training.train_classifier", "--data", tmp_path / "no", *places)
    assert_refused(done, "train_classifier: ", str(tmp_path / "no"))
