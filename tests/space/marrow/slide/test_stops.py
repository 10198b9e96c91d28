"""``marrow slide`` as a command: killed and repeated it ends in the same files, and it refuses in one sentence."""

from __future__ import annotations

import json
import os
import random
import re
import subprocess
import sys
import time
from pathlib import Path

import pandas as pd
import pytest
from filelock import FileLock

from marrow.batch.folder import LOCK
from tests.commands import ROOT, assert_refused, python
from tests.space.marrow.slide.drawn_slides import CORE, write_tiff
from tests.space.marrow.slide.test_reader import damage


@pytest.fixture
def slide(model_folders, tmp_path):
    """Run ``marrow slide`` in a process of its own, with the small models."""
    env = {f"MARROW_{kind}": str(path) for kind, path in zip(("SEGMENTER", "CLASSIFIER"), model_folders, strict=True)}

    def run(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
        return python("-m", "marrow.cli", "slide", *arguments, cwd=tmp_path, **env)

    run.env = env
    return run


def contents(out: Path) -> dict[str, bytes]:
    files = {str(path.relative_to(out)): path for path in out.rglob("*") if path.is_file() and path.name != LOCK}
    return {name: path.read_bytes() for name, path in files.items()}


@pytest.mark.parametrize("kills", [3, pytest.param(20, marks=pytest.mark.slow)])
def test_a_count_that_is_killed_goes_on_to_the_same_files(slide, svs, tmp_path, kills):
    start, out = time.perf_counter(), tmp_path / "killed"
    done = slide(svs, "--out", tmp_path / "undisturbed", "--cells", "12")
    seconds = time.perf_counter() - start
    assert done.returncode == 0, done.stderr
    assert float(re.search(r"peak memory (\d\.\d\d) GB", done.stdout)[1]) < 1.5
    rng, caught = random.Random(3), 0
    command = [sys.executable, "-m", "marrow.cli", "slide", str(svs), "--out", str(out), "--cells", "12"]
    for _ in range(kills):
        process = subprocess.Popen(
            command, cwd=ROOT, env=os.environ | slide.env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        time.sleep(rng.uniform(0.4, 1.0) * seconds)
        caught += process.poll() is None
        process.kill()
        process.wait()
    assert caught
    again = slide(svs, "--out", out, "--cells", "12")
    assert again.returncode == 0, again.stderr
    assert contents(out) == contents(tmp_path / "undisturbed")


def test_what_is_wrong_is_one_sentence(slide, small_svs, drawn_smear, tmp_path):
    unsized = write_tiff(tmp_path / "unsized.tif", drawn_smear.image[:CORE, :CORE], None)
    assert_refused(slide(unsized, "--out", tmp_path / "new"), "marrow: ", "give the µm per pixel with --mpp")
    assert not (tmp_path / "new").exists()
    assert_refused(slide(small_svs, "--out", tmp_path / "new", "--mpp", "40"), "'40' is not a number of µm")
    (tmp_path / "locked").mkdir()
    with FileLock(tmp_path / "locked" / LOCK):
        assert_refused(slide(small_svs, "--out", tmp_path / "locked"), "Another marrow slide writes to")


def test_a_damaged_area_is_passed_over_and_said(slide, drawn_smear, tmp_path):
    path = write_tiff(tmp_path / "smear.tif", drawn_smear.image[:CORE, : 2 * CORE])
    damage(path)
    done = slide(path, "--out", tmp_path / "out")
    assert done.returncode == 2 and "1 areas could not be read" in done.stdout, done.stdout + done.stderr
    report = json.loads((tmp_path / "out" / "report.json").read_text())
    assert {kind: of["areas"] for kind, of in report["ground"].items() if of["areas"]} == {
        "countable": 1,
        "unreadable": 1,
    }
    assert set(pd.read_parquet(tmp_path / "out" / "cells.parquet")["file"]) == {"r0000c0001"}
