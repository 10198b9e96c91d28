"""Trainings that are killed (-9) at any moment, and started again, end in the same bytes as those left alone.

Keras cannot live beside torch in one process, so the trainings run in processes of their own, as a user starts them.
"""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
import torch

from tests.commands import ROOT, succeed
from training.weights.checkpoint import load_checkpoint

PLAIN = """
arch = "simple_cnn"  # which starts quickly, and is not exported
epochs = 3
batch_size = 16
size = 33
"""

SEGMENTER = """
epochs = 3
batch_size = 2
train_size = 96
input_size = 96

[options]
workers = 2  # which have random generators of their own
plots = false
nbs = 6  # batches for a step of the optimiser, so that gradients are carried from epoch to epoch
mosaic = 0.5
close_mosaic = 1
"""


@dataclass(frozen=True)
class Run:
    """A training: its command but for the places, and where it writes."""

    command: tuple[str | Path, ...]
    run_dir: Path
    hub: Path

    @property
    def arguments(self) -> list[str]:
        return [*map(str, self.command), "--run-dir", str(self.run_dir), "--output-dir", str(self.hub)]

    def beside(self, folder: Path) -> Run:
        """Return the same training with other places."""
        return Run(self.command, folder / "run", folder / "hub" / self.hub.name)

    def kill_when(self, moment: Callable[[Run, float], bool]) -> bool:
        """Start it, and kill it and its children when the moment has come; tell whether it had not ended before."""
        started = time.monotonic()
        process = subprocess.Popen(
            [sys.executable, *self.arguments], cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
            start_new_session=True,
        )  # fmt: skip
        while process.poll() is None and not moment(self, time.monotonic() - started):
            time.sleep(0.02)
        ended = process.poll() is not None
        if not ended:
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        return not ended


def undisturbed(command: tuple[str | Path, ...], folder: Path, name: str) -> tuple[Run, float]:
    run = Run(command, folder / "run", folder / "hub" / name)
    started = time.monotonic()
    succeed(*run.arguments)
    return run, time.monotonic() - started


@pytest.fixture(scope="module")
def plain_classifier(cell_set, tmp_path_factory) -> tuple[Run, float]:
    folder = tmp_path_factory.mktemp("alone")
    (folder / "tiny.toml").write_text(PLAIN)
    command = ("-m", "training.train_classifier", "--data", cell_set, "--config", folder / "tiny.toml")
    return undisturbed(command, folder, "bone-marrow-plain")


@pytest.fixture(scope="module")
def segmenter(fields, tmp_path_factory) -> tuple[Run, float]:
    folder = tmp_path_factory.mktemp("alone")
    (folder / "tiny.toml").write_text(SEGMENTER)
    command = ("-m", "training.train_segmenter", "--data", fields, "--classifier", "none")
    return undisturbed((*command, "--config", folder / "tiny.toml"), folder, "bone-marrow-yolov8-seg")


def assert_same_classifier(run: Run, other: Run) -> None:
    for name in ("weights.npz", "run.json"):
        assert (run.run_dir / name).read_bytes() == (other.run_dir / name).read_bytes(), name
    assert_nothing_half_written(run, other)


def assert_same_segmenter(run: Run, other: Run) -> None:
    for name in ("best.pt", "last.pt"):
        files = [one.run_dir / "train" / "weights" / name for one in (run, other)]
        ours, theirs = (load_checkpoint(file)["model"].state_dict() for file in files)
        assert ours.keys() == theirs.keys() and all(torch.equal(ours[key], theirs[key]) for key in ours), name
    assert (run.hub / "model.onnx").read_bytes() == (other.hub / "model.onnx").read_bytes()
    assert_nothing_half_written(run, other)


def assert_nothing_half_written(run: Run, other: Run) -> None:
    for folder, expected in ((run.run_dir, other.run_dir), (run.hub.parent, other.hub.parent)):
        assert {p.relative_to(folder) for p in folder.rglob("*")} == {
            p.relative_to(expected) for p in expected.rglob("*")
        }


def test_a_classifier_killed_before_and_after_checkpoints_is_the_same(plain_classifier, tmp_path):
    run = plain_classifier[0].beside(tmp_path)
    for written in ("started_with.json", "epoch-001.keras", "epoch-002.keras"):
        assert run.kill_when(lambda _, __, name=written: (run.run_dir / name).is_file()), written
    succeed(*run.arguments)
    assert_same_classifier(run, plain_classifier[0])


def test_a_segmenter_killed_before_and_after_a_checkpoint_is_the_same(segmenter, tmp_path):
    run = segmenter[0].beside(tmp_path)
    for written in ("run/train/args.yaml", "run/train/weights/state.ckpt", "hub/.*.next/*/config.json"):
        assert run.kill_when(lambda _, __, written=written: any(tmp_path.glob(written))), written
        assert not any(run.hub.glob("*")), "there is no release before it is measured"
    succeed(*run.arguments)
    assert_same_segmenter(run, segmenter[0])


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["plain_classifier", "segmenter"])
def test_killed_twelve_times_at_random_it_is_the_same(kind, request, tmp_path):
    alone, seconds = request.getfixturevalue(kind)
    assert_same = {"plain_classifier": assert_same_classifier, "segmenter": assert_same_segmenter}[kind]
    run, rng, kills = alone.beside(tmp_path / "0"), random.Random(15), 0
    while kills < 12:
        moment = rng.uniform(0.3, 1.0) * seconds
        if run.kill_when(lambda _, passed, moment=moment: passed > moment):
            kills += 1
        else:  # it was faster than its moment
            assert_same(run, alone)
            run = alone.beside(tmp_path / str(kills + 1))
    print(f"{kind}: {kills} kills")
    succeed(*run.arguments)
    assert_same(run, alone)
