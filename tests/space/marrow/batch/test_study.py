"""A study ends in the same tables however often it is stopped, and says of each picture what ``analyze`` says."""

from __future__ import annotations

import hashlib
import json
import os
import random
import shutil
import subprocess
import sys
import time
import zipfile
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from datasets import Dataset, Features, Value, load_dataset
from datasets import Image as HubImage
from filelock import FileLock

from dataset_scripts.drawing.pictures import draw_field
from loopback_hub.server import HubServer
from marrow.batch.folder import LOCK
from marrow.batch.sources import MAX_BYTES
from marrow.batch.study import TOGETHER
from marrow.batch.tables import folder_name
from marrow.images import encode_png, read_image
from marrow.pipeline import Models, analyze
from marrow.schema import cell_to_dict
from tests.commands import ROOT, assert_refused, python, succeed

PICTURES = 2 * TOGETHER + 1

UPLOAD = """
import sys
from huggingface_hub import HfApi

to = {"repo_id": "tester/fields", "repo_type": "dataset"}
HfApi().create_repo(**to)
HfApi().upload_file(path_or_fileobj=sys.argv[1], path_in_repo="data/train-0.parquet", **to)
"""


@pytest.fixture(scope="module")
def smears(tmp_path_factory) -> Path:
    """Two cases of drawn fields, one of which holds a file that is no picture."""
    folder = tmp_path_factory.mktemp("study") / "smears"
    rng = np.random.default_rng(3)
    for number in range(PICTURES):
        path = folder / ("left" if number % 2 else "right arm") / f"{number}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(encode_png(draw_field(rng, 320).image))
    (folder / "left" / "broken.png").write_bytes(b"no picture")
    return folder


@pytest.fixture
def batch(model_folders, tmp_path):
    """Run ``marrow batch`` in a process of its own, with the small models."""
    env = {f"MARROW_{kind}": str(path) for kind, path in zip(("SEGMENTER", "CLASSIFIER"), model_folders, strict=True)}

    def run(*arguments: str | Path, **more: str) -> subprocess.CompletedProcess[str]:
        return python("-m", "marrow.cli", "batch", *arguments, "--workers", "2", cwd=tmp_path, **env, **more)

    run.env = env
    return run


def tables(out: Path) -> dict[str, pd.DataFrame]:
    """Read both tables of a study, in the order of case, file and cell."""
    found = {kind: pd.read_parquet(out / kind) for kind in ("cells", "images")}
    order = {"cells": ["case", "file", "id"], "images": ["case", "file"]}
    return {kind: table.sort_values(order[kind], ignore_index=True) for kind, table in found.items()}


def assert_same(out: Path, other: Path) -> None:
    for kind, table in tables(out).items():
        pd.testing.assert_frame_equal(table, tables(other)[kind])


@pytest.fixture
def finished(batch, smears, tmp_path) -> Path:
    done = batch(smears, "--out", tmp_path / "undisturbed")
    assert done.returncode == 2, done.stderr  # of the file that is no picture
    assert "1 of them unreadable" in done.stdout
    return tmp_path / "undisturbed"


def test_each_picture_has_the_cells_that_analyze_finds(finished, smears, model_folders):
    models, found = Models.from_pretrained(*map(str, model_folders)), tables(finished)
    images, cells = found["images"], found["cells"]
    assert len(images) == PICTURES + 1
    assert set(images["case"]) == {"smears/left", "smears/right arm"}
    for row in images.itertuples():
        path = smears / row.case.removeprefix("smears/") / row.file
        if path.name == "broken.png":
            assert "broken.png cannot be read as an image" in row.error
            continue
        analysis = analyze(read_image(path), models)
        mine = cells[(cells["case"] == row.case) & (cells["file"] == row.file)]
        assert row.found == len(mine) == len(analysis.cells) > 0
        assert row.counted == analysis.report.total
        for one, cell in zip(mine.itertuples(), analysis.cells, strict=True):
            plain = cell_to_dict(cell)
            assert [one.id, one.label, one.score] == [plain["id"], plain["label"], plain["score"]]
            assert [one.x0, one.y0, one.x1, one.y1] == plain["box"]
            assert np.allclose(np.reshape(one.polygon, (-1, 2)), plain["polygon"])
            assert {code: getattr(one, f"p_{code}") for code in plain["probabilities"]} == plain["probabilities"]


def test_libraries_read_the_tables_and_each_case_has_a_report(finished, tmp_path):
    cells = load_dataset(str(finished), "cells", cache_dir=str(tmp_path / "cache"))["train"]
    images = load_dataset(str(finished), "images", cache_dir=str(tmp_path / "cache"))["train"]
    assert len(cells) == sum(found or 0 for found in images["found"])
    report = json.loads((finished / "reports" / f"{folder_name('smears/left')}.json").read_text())
    mine = [row for row in images if row["case"] == "smears/left"]
    assert (report["images"], report["unreadable"]) == (len(mine), 1)
    assert report["report"]["found"] == sum(row["found"] or 0 for row in mine)
    assert not (finished / ".unfinished").exists()


def test_again_nothing_is_analyzed_and_only_what_is_new_or_changed_is(batch, finished, smears, tmp_path):
    before = {path: path.stat().st_mtime_ns for path in finished.glob("*/*/*.parquet")}
    again = batch(smears / "right arm", "--out", finished)
    assert again.returncode == 0, again.stderr
    only = tmp_path / "smears" / "right arm"
    only.mkdir(parents=True)
    for path in (smears / "right arm").iterdir():
        (only / path.name).write_bytes(path.read_bytes())
    assert batch(tmp_path / "smears", "--out", finished).returncode == 0
    assert {path: path.stat().st_mtime_ns for path in before} == before
    changed, *_ = sorted(only.iterdir())
    changed.write_bytes(encode_png(np.full((320, 320, 3), 240, np.uint8)))
    (only / "new.png").write_bytes(encode_png(draw_field(np.random.default_rng(9), 320).image))
    digests = tables(finished)["images"].set_index(["case", "file"])["sha256"]
    assert batch(tmp_path / "smears", "--out", finished).returncode == 0
    after = tables(finished)["images"].set_index(["case", "file"])["sha256"]
    assert set(after.index) - set(digests.index) == {("smears/right arm", "new.png")}
    assert list(digests.index[after[digests.index] != digests]) == [("smears/right arm", changed.name)]


def _kill_at_random(batch, smears: Path, out: Path, kills: int, seconds: float) -> int:
    """Kill the command at random moments of the seconds that it takes; return how often it was still running."""
    rng, caught = random.Random(5), 0
    command = [sys.executable, "-m", "marrow.cli", "batch", str(smears), "--out", str(out), "--workers", "2"]
    for _ in range(kills):
        process = subprocess.Popen(
            command, cwd=ROOT, env=os.environ | batch.env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        time.sleep(rng.uniform(0.1, 0.9) * seconds)
        caught += process.poll() is None
        process.kill()
        process.wait()
    return caught


@pytest.mark.parametrize("kills", [3, pytest.param(20, marks=pytest.mark.slow)])
def test_a_study_that_is_killed_goes_on_to_the_same_tables(batch, finished, smears, tmp_path, kills):
    start, out = time.perf_counter(), tmp_path / "killed"
    batch(smears, "--out", tmp_path / "timed")
    assert _kill_at_random(batch, smears, out, kills, time.perf_counter() - start) > 0
    done = batch(smears, "--out", out)
    assert done.returncode == 2, done.stderr
    assert_same(out, finished)
    assert sorted(path.name for path in out.iterdir()) == sorted(path.name for path in finished.iterdir())


def test_a_zip_is_a_case(batch, smears, tmp_path):
    path = smears / "left" / "1.png"
    with zipfile.ZipFile(tmp_path / "case.zip", "w") as archive:
        archive.write(path, "fields/one.png")
    done = batch(tmp_path / "case.zip", "--out", tmp_path / "out")
    assert done.returncode == 0, done.stderr
    (found,) = tables(tmp_path / "out")["images"].itertuples()
    assert (found.case, found.file) == ("case", "fields/one.png")


def test_a_data_set_of_the_hub_is_streamed(batch, smears, tmp_path):
    pictures = [smears / "left" / name for name in ("1.png", "3.png")]
    rows = [
        {"image": {"bytes": path.read_bytes(), "path": path.name}, "case": f"patient {number}"}
        for number, path in enumerate(pictures)
    ]
    Dataset.from_list(rows, Features({"image": HubImage(), "case": Value("string")})).to_parquet(
        tmp_path / "rows.parquet"
    )
    with HubServer() as hub:
        env = hub.environment(tmp_path / "home")
        succeed("-c", UPLOAD, tmp_path / "rows.parquet", **env)
        done = batch("tester/fields", "--out", tmp_path / "out", **env)
        assert done.returncode == 0, done.stderr
        missing = batch("tester/nothing", "--out", tmp_path / "none", **env)
    assert_refused(missing, "tester/nothing cannot be read")
    images = tables(tmp_path / "out")["images"]
    assert list(images["case"]) == ["patient 0", "patient 1"]
    assert list(images["sha256"]) == [hashlib.sha256(path.read_bytes()).hexdigest() for path in pictures]
    assert (images["found"] > 0).all()


def test_other_thresholds_of_the_same_weights_are_another_model(batch, finished, smears, model_folders, tmp_path):
    other = shutil.copytree(model_folders[1], tmp_path / "other")
    config = json.loads((other / "config.json").read_text())
    (other / "config.json").write_text(json.dumps(config | {"uncertain_below": 0.7}))
    assert_refused(batch(smears, "--out", finished, "--classifier", other), "other models")
    same = json.loads((model_folders[0] / "config.json").read_text())["confidence"]
    assert batch(smears / "right arm", "--out", finished, "--confidence", str(same)).returncode == 0


def test_a_damaged_and_a_huge_picture_of_a_zip_are_rows_with_a_sentence(batch, smears, tmp_path):
    with zipfile.ZipFile(tmp_path / "case.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        for name in ("1.png", "3.png", "5.png"):
            archive.write(smears / "left" / name, name)
    content = bytearray((tmp_path / "case.zip").read_bytes())
    with zipfile.ZipFile(tmp_path / "case.zip") as archive:
        first, *_ = archive.infolist()
    content[first.header_offset + 60 : first.header_offset + 400] = bytes(340)  # in the deflated stream
    entry = content.index(b"3.png", content.index(b"PK\x01\x02"))
    content[entry - 22 : entry - 18] = (MAX_BYTES + 1).to_bytes(4, "little")  # the size that it says to have
    (tmp_path / "case.zip").write_bytes(content)
    done = batch(tmp_path / "case.zip", "--out", tmp_path / "out")
    assert done.returncode == 2 and "3 images, 2 of them unreadable" in done.stdout, done.stderr
    errors = dict(zip(*(tables(tmp_path / "out")["images"][name] for name in ("file", "error")), strict=True))
    assert "1.png cannot be read" in errors["1.png"] and "more than 2 GB" in errors["3.png"]
    assert pd.isna(errors["5.png"]) and len(tables(tmp_path / "out")["cells"]) > 0


def test_a_folder_of_something_else_or_by_other_models_is_refused(batch, finished, smears, tmp_path):
    other = tmp_path / "mine"
    other.mkdir()
    (other / "notes.txt").write_text("mine")
    assert_refused(batch(smears, "--out", other), "marrow: ", "something else than a study")
    assert [path.name for path in other.iterdir()] == ["notes.txt"]
    assert_refused(batch(smears, "--out", finished, "--confidence", "0.9"), "another confidence")
    with FileLock(finished / LOCK):
        assert_refused(batch(smears, "--out", finished), "Another marrow batch writes")
    assert_refused(batch(tmp_path / "nowhere", "--out", tmp_path / "new"), "There is no")
    assert not (tmp_path / "new").exists()
    (finished / "study.json").write_text("{")
    assert_refused(batch(smears, "--out", finished), "study.json cannot be read")
