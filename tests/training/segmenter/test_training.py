"""Training the segmenter: what a run leaves behind, its start from the classifier, resuming, and what it refuses."""

import csv
import json
import pickletools
import shutil
import zipfile
from dataclasses import replace

import numpy as np
import pytest
import torch
from ultralytics import YOLO

from marrow.errors import MarrowError
from tests.commands import assert_refused, python, succeed
from training.common.config import load_config
from training.common.files import read_json
from training.common.paths import CONFIGS
from training.segmenter.config import SegmenterTraining
from training.segmenter.model import build_model, pull_backbone, pull_classifier
from training.segmenter.training import train
from training.train_segmenter import main

# ends the process as a power cut would, once the first epoch's checkpoint is written
CUT_SHORT = """
import os, sys
from ultralytics.utils.callbacks.base import default_callbacks
from training import train_segmenter
default_callbacks["on_model_save"].append(lambda trainer: os._exit(9))
train_segmenter.main(sys.argv[1:])
"""


def epochs(run_dir) -> list[int]:
    with (run_dir / "train" / "results.csv").open(newline="") as file:
        return [int(row["epoch"]) for row in csv.DictReader(file, skipinitialspace=True)]


def test_a_run_says_what_it_did(trained_segmenter, trained_classifier):
    run = read_json(trained_segmenter.run_dir / "run.json")
    assert run["config"]["input_size"] == 160 and run["config"]["options"] == {"workers": 0, "plots": False}
    assert run["classifier"] == str(trained_classifier.hub)
    assert run["trained_on"]["fields"] == {"composed": 8} and run["trained_on"]["cells"]["drawn"] > 60
    assert epochs(trained_segmenter.run_dir) == [1, 2]


def test_training_starts_from_the_classifiers_weights(trained_segmenter, trained_classifier):
    stem = pull_classifier(str(trained_classifier.hub)).mobilenet_v2.conv_stem.first_conv.convolution.weight
    for weights, least in (("start.pt", 0.99999), ("train/weights/best.pt", 0.9)):
        started = YOLO(trained_segmenter.run_dir / weights).model.float().model[0].m[0][0].weight
        alike = np.corrcoef(stem.detach().numpy().ravel(), started.detach().numpy().ravel())[0, 1]
        assert alike > least, weights


def test_the_checkpoint_holds_no_class_of_this_project(trained_segmenter):
    with zipfile.ZipFile(trained_segmenter.hub / "model.pt") as archive:
        (name,) = [name for name in archive.namelist() if name.endswith("data.pkl")]
        opcodes = list(pickletools.genops(archive.read(name)))
    modules = {str(argument).split(".")[0] for code, argument, _ in opcodes if code.name == "GLOBAL"}
    assert "ultralytics" in modules and not modules & {"training", "marrow", "dataset_scripts", "tests"}


@pytest.mark.slow
def test_an_interrupted_run_resumes(trained_segmenter, trained_classifier, fields, tmp_path):
    run_dir, hub = tmp_path / "run", tmp_path / "hub"
    places = ("--config", trained_segmenter.config, "--run-dir", run_dir, "--output-dir", hub)
    arguments = ("--data", fields, "--classifier", trained_classifier.hub, *places)
    cut = python("-c", CUT_SHORT, *arguments)
    assert cut.returncode == 9 and epochs(run_dir) == [1]
    resumed = succeed("-m", "training.train_segmenter", *arguments)
    assert "resuming" in resumed.stdout
    assert epochs(run_dir) == [1, 2]
    assert (hub / "model.onnx").is_file() and (hub / "metrics.json").is_file()


def test_a_finished_run_is_not_trained_again(trained_segmenter, fields):
    weights = trained_segmenter.run_dir / "train" / "weights"
    before = {path: path.stat().st_mtime_ns for path in weights.iterdir()}
    config = load_config(SegmenterTraining, trained_segmenter.config)
    assert train(build_model(None), fields, config, trained_segmenter.run_dir) == weights / "best.pt"
    assert {path: path.stat().st_mtime_ns for path in weights.iterdir()} == before


def test_the_seed_gives_the_weights_that_the_classifier_does_not(trained_segmenter, trained_classifier):
    start = YOLO(trained_segmenter.run_dir / "start.pt").model.float().model[7].cv1.conv.weight
    for seed, same in ((0, True), (1, False)):
        torch.manual_seed(seed)
        head = build_model(pull_backbone(str(trained_classifier.hub))).model.model[7].cv1.conv.weight
        assert torch.allclose(head, start, atol=1e-3) == same


def test_an_experiment_file_fills_the_config_and_the_command_line_wins(tmp_path):
    file = tmp_path / "a.toml"
    file.write_text("epochs = 7\ninput_size = 320\n[options]\nmosaic = 0.5\n")
    config = load_config(SegmenterTraining, file, epochs=3, seed=None)
    assert (config.epochs, config.input_size, config.seed, config.options) == (3, 320, 0, {"mosaic": 0.5})
    assert load_config(SegmenterTraining, None) == SegmenterTraining()


@pytest.mark.parametrize("name", ["segmenter", "segmenter_mini", "segmenter_stock", "transfer"])
def test_the_experiments_of_the_project_are_valid(name):
    assert load_config(SegmenterTraining, CONFIGS / f"{name}.toml").input_size % 32 == 0


def test_the_baseline_differs_from_the_release_in_the_network_alone():
    release, stock = (
        load_config(SegmenterTraining, CONFIGS / f"{name}.toml") for name in ("segmenter", "segmenter_stock")
    )
    assert stock.model == "yolov8n-seg.yaml"
    options = {key: value for key, value in release.options.items() if key != "freeze"}
    assert stock == replace(release, model=stock.model, options=options)


@pytest.mark.slow
def test_stock_yolov8_is_trained_and_exported_the_same_way(fields, trained_segmenter, tmp_path):
    arguments = ("--data", fields, "--classifier", "none", "--model", "yolov8n-seg.yaml", "--epochs", "1")
    places = ("--config", trained_segmenter.config, "--run-dir", tmp_path / "run", "--output-dir", tmp_path / "hub")
    succeed("-m", "training.train_segmenter", *arguments, *places, "--device", "cpu")
    assert "\ndevice: cpu\n" in (tmp_path / "run" / "train" / "args.yaml").read_text(), "passed through"
    assert len(YOLO(tmp_path / "hub" / "model.pt").model.model) == 23, "layers of yolov8-seg"
    assert read_json(tmp_path / "hub" / "metrics.json")["datasets"]["composed"]["n_images"] == 3
    places = ("--benchmarks", tmp_path / "nothing", "--stock", tmp_path / "hub")
    given = ("-m", "training.compare_segmenters", "--data", fields, "--model", trained_segmenter.hub)
    assert_refused(python(*given, *places), "nothing", "--benchmarks")
    folder = tmp_path / "model"
    shutil.copytree(trained_segmenter.hub, folder)
    succeed(*given[:-1], folder, "--stock", tmp_path / "hub")
    comparison = read_json(folder / "comparison.json")
    assert [row["name"].split()[0] for row in comparison["rows"]] == ["this", "stock", "threshold"]
    assert all(row["ms_per_field"] > 0 for row in comparison["rows"])
    text = (folder / "comparison.md").read_text()
    assert "composed: mask mAP50" in text and "SegPC" not in text


@pytest.mark.parametrize("case", ["data", "sources", "classifier", "key", "toml", "run", "out", "pt", "yaml", "stock"])
def test_bad_input_is_refused_in_one_line(case, trained_segmenter, trained_classifier, fields, tmp_path, capsys):
    given = {
        "--data": fields,
        "--classifier": trained_classifier.hub,
        "--output-dir": tmp_path / "hub",
        "--run-dir": tmp_path / "run",
    }
    config = tmp_path / "a.toml"
    config.write_text("epochs = 1\n" + {"key": "epoch = 2\n", "toml": "epochs == 2\n"}.get(case, ""))
    (tmp_path / "half").mkdir()
    (tmp_path / "half" / "data.yaml").write_text("train: images/train\n")
    change, words = {
        "data": ({"--data": tmp_path / "nothing"}, ["data.yaml", "smear_fields.py"]),
        "sources": ({"--data": tmp_path / "half"}, ["sources.json", "smear_fields.py"]),
        "classifier": ({"--classifier": tmp_path / "nothing"}, ["nothing", "model.safetensors"]),
        "key": ({"--config": config}, ["unknown keys epoch:", "epochs"]),
        "toml": ({"--config": config}, ["a.toml cannot be read"]),
        "run": ({"--run-dir": trained_segmenter.run_dir}, ["another config", "--run-dir"]),
        "out": ({"--output-dir": config / "hub"}, ["cannot be written", "--output-dir"]),
        "pt": ({"--model": "yolov8n-seg.pt"}, ["no architecture", ".yaml"]),
        "yaml": ({"--model": "yolov99-seg.yaml", "--classifier": "none"}, ["no architecture yolov99-seg.yaml"]),
        "stock": ({"--model": "yolov8n-seg.yaml"}, ["no MobileNetV2", "--classifier none"]),
    }[case]
    arguments = [str(part) for pair in (given | change).items() for part in pair]
    assert main(arguments) == 2
    line = capsys.readouterr().err.rstrip().splitlines()[-1]
    assert line.startswith("train_segmenter: ") and all(word in line for word in words)


def test_a_folder_without_a_classifier_is_no_classifier(tmp_path):
    (tmp_path / "config.json").write_text(json.dumps({"model_type": "mobilenet_v2"}))
    with pytest.raises(MarrowError, match=r"model\.safetensors"):
        pull_classifier(str(tmp_path))
