"""A training as a job: what ``hf jobs`` reads of the script, and its steps run here against a Hub on loopback."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest
from huggingface_hub.cli._uv_script_header import parse_uv_script_header

from loopback_hub.server import HubServer
from tests.commands import ROOT, succeed
from tests.conftest import CLASSIFIER_CONFIG
from training.job import commands

SCRIPT = ROOT / "training" / "job.py"
TEXT = SCRIPT.read_text(encoding="utf-8")
NOT_IN_JOBS = {
    *("gradio", "supervision"),
    *("hatchling", "markdown-it-py", "mypy", "openslide-bin", "openslide-python", "playwright"),
    *("pytest", "pytest-xdist", "ruff", "sahi", "uv"),
}


def test_the_packages_of_a_job_are_those_of_the_requirements() -> None:
    block = re.search(r"^# /// script\n(.*?)^# ///$", TEXT, re.DOTALL | re.MULTILINE)[1]
    header = tomllib.loads(re.sub(r"^# ?", "", block, flags=re.MULTILINE))
    lines = (ROOT / "requirements.txt").read_text(encoding="utf-8").splitlines()
    wanted = {line for line in lines if line and line[0] not in "#-"}
    assert set(header["dependencies"]) == {line for line in wanted if re.match(r"[\w-]+", line)[0] not in NOT_IN_JOBS}
    assert "opencv-python ;" in header["tool"]["uv"]["override-dependencies"][0]


def test_the_hub_reads_what_to_rent_and_mount() -> None:
    header = parse_uv_script_header(TEXT)
    assert header.secrets == ["HF_TOKEN"] and header.timeout == "12h" and header.flavor
    for volume in header.volumes:
        folder, _, mounted = volume.partition(":")
        assert (ROOT / folder).is_dir() and mounted == f"/source/{Path(folder).name}"


def test_the_steps_of_the_segmenter_are_commands_of_the_project() -> None:
    steps = commands("segmenter", "you", "you/bone-marrow-12", Path("work"), ["--epochs", "2"])
    named = [step[1] if step[0] == "-m" else step[0] for step in steps]
    assert named == [
        "dataset_scripts/smear_fields.py",
        "training.train_segmenter",
        "model_cards.render",
        "training.publish",
    ]
    assert steps[1][-2:] == ["--epochs", "2"] and "you/bone-marrow-mobilenet" in steps[1]


@pytest.mark.slow
def test_a_classifier_is_trained_on_a_data_set_of_the_hub_and_published(cell_set, tmp_path) -> None:
    config = tmp_path / "tiny.toml"
    config.write_text(
        CLASSIFIER_CONFIG.replace("epochs = 3", "epochs = 1").replace(
            "outlier_exposure = 0.125", "outlier_exposure = 0.0"
        )
    )
    with HubServer() as hub:
        environment = hub.environment(tmp_path / "home", SOURCE_REVISION="a1b2c3")
        succeed(
            "dataset_scripts/bone_marrow_12.py", "--out", cell_set, "--push", "tester/bone-marrow-12", **environment
        )
        options = ("--work", tmp_path / "work", "--config", config, "--init", "none", "--epochs", "1")
        succeed(SCRIPT, "classifier", "tester", *options, **environment)
        repo = hub.repos["models", "tester/bone-marrow-mobilenet"]
        assert repo.at("main").title == "Publish from source a1b2c3" and repo.tags
        assert {"README.md", "model.onnx", "model.keras", "model.safetensors"} <= set(repo.at("main").files)
        card = hub.read("models", "tester/bone-marrow-mobilenet", "README.md").decode()
        assert "(measured; epochs: 1)" in card and "co2_eq_emissions" in card
