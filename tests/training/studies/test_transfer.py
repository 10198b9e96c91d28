"""The transfer study: three trainings that differ in their start alone, and go on after a stop."""

import pytest

from tests.commands import assert_refused, python, succeed
from training.common.files import read_json
from training.studies.transfer import markdown

CONFIG = """
epochs = 2
batch_size = 4
train_size = 96
input_size = 96
[options]
workers = 0
plots = false
"""


@pytest.mark.slow
def test_three_starts_give_three_curves_and_nothing_is_trained_twice(fields, trained_classifier, shared, tmp_path):
    config, out = tmp_path / "tiny.toml", tmp_path / "study"
    config.write_text(CONFIG)
    (imagenet,) = (shared / "data" / "init").glob("*.weights.h5")
    command = ("-m", "training.transfer_study", "--data", fields, "--classifier", trained_classifier.hub)
    command += ("--imagenet", imagenet, "--config", config, "--out", out)
    succeed(*command)
    study = read_json(out / "transfer.json")
    assert [(name, len(curve)) for name, curve in study["curves"].items()] == [
        ("classifier", 2),
        ("ImageNet", 2),
        ("random", 2),
    ]
    starts = [read_json(out / name / "run.json")["classifier"] for name in study["curves"]]
    assert starts == [str(trained_classifier.hub), str(imagenet), "none"]
    weights = {path: path.stat().st_mtime_ns for path in out.rglob("*.pt")}
    assert len(weights) == 9 and (out / "transfer.png").stat().st_size > 5000
    succeed(*command)
    assert {path: path.stat().st_mtime_ns for path in out.rglob("*.pt")} == weights
    assert not list(out.rglob("*.onnx")), "nothing is exported"
    (out / "random" / "started_with.json").write_text("{}")
    assert_refused(python(*command), "random", "repeat the command")


def test_the_table_says_when_a_curve_is_high():
    curves = {"classifier": [0.5, 0.81, 0.79], "random": [0.0, 0.1, 0.3]}
    config = {"train_size": 320, "epochs": 3, "seed": 5}
    text = markdown({"curves": curves, "config": config, "fields": {"composed": 160, "bccd": 0}, "command": "python x"})
    assert "| classifier | 0.500 | 0.810 | 0.790 | 2 |" in text
    assert "| random | 0.000 | 0.300 | 0.300 | – |" in text
    assert "160 composed fields at 320 px for 3 epochs, seed 5" in text


@pytest.mark.parametrize(("option", "words"), [("--data", "data.yaml"), ("--config", "cannot be read")])
def test_what_is_not_there_is_refused(option, words, fields, tmp_path):
    given = {"--data": fields, "--classifier": "none", "--imagenet": "none", "--out": tmp_path / "out"}
    arguments = [part for pair in (given | {option: tmp_path / "nothing"}).items() for part in pair]
    assert_refused(python("-m", "training.transfer_study", *arguments), "nothing", words)
