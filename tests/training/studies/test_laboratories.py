"""The study that leaves laboratories out: what is trained, what is measured, and what the table says."""

from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from dataset_scripts.drawing.pictures import draw_field, draw_single
from tests.commands import assert_refused, python, succeed
from training.common.files import MARKED, read_json
from training.common.markdown import number
from training.studies.laboratories import SEALED, foreign_mean, markdown

TINY = 'arch = "simple_cnn"\nsize = 33\nepochs = 1\nbatch_size = 16\n'
CONFIGS = {"even": f'{TINY}balancing = "laboratories"\noutlier_exposure = 0.2\n'}


@pytest.fixture(scope="module")
def benchmarks(tmp_path_factory) -> Path:
    folder, rng = tmp_path_factory.mktemp("benchmarks"), np.random.default_rng(1)
    for code in ("EOS", "LYT"):
        write(folder / "cells_lmu" / code / "1.png", draw_single(code, rng))
        write(folder / "fields_lisc" / code / "1.png", draw_single(code, rng))
    write(folder / "fields_bccd" / "images" / "1.png", draw_field(rng, 240, 320, 3).image)
    (folder / "fields_bccd" / "names.csv").write_text("file,codes\n1.png,NGS|NGB\n")
    write(folder / "stains" / "1.png", draw_field(rng, 240, 320, 3).image)
    return folder


@pytest.fixture(scope="module")
def command(cell_set, benchmarks, trained_segmenter, tmp_path_factory) -> tuple[str | Path, ...]:
    configs = tmp_path_factory.mktemp("configs")
    for name, text in CONFIGS.items():
        (configs / f"{name}.toml").write_text(text)
    places = ("--data", cell_set, "--benchmarks", benchmarks, "--segmenter", trained_segmenter.hub)
    files = [configs / f"{name}.toml" for name in CONFIGS]
    return ("-m", "training.laboratory_study", *places, "--stains", benchmarks / "stains", "--configs", *files)


@pytest.fixture(scope="module")
def studied(command, tmp_path_factory) -> Path:
    out = tmp_path_factory.mktemp("studied")
    said = succeed(*command, "--out", out, "--seeds", "0", "1").stdout
    assert "even-0 (1 of 2)" in said and "even-1 (2 of 2)" in said
    return out


def test_every_variant_is_measured_where_it_was_not_trained(studied):
    rows = read_json(studied / "laboratories.json")["rows"]
    assert [row["name"] for row in rows] == ["even-0", "even-1"]
    for row in rows:
        assert [one["laboratory"] for one in row["foreign"]] == ["LMU", "BCCD"], "LISC and CellaVision choose nothing"
        assert not set(SEALED) & {one["laboratory"] for one in row["foreign"]}
        assert row["home"].keys() == {"drawn"} and 0 <= row["home"]["drawn"] <= 1
        given = np.load(studied / row["name"] / "logits.npz")
        assert given["LMU"].shape == (2, 12) and np.isfinite(given["LMU"]).all()
        assert not (studied / row["name"] / "unlikeness.npz").exists(), "only what is exported knows"
        assert foreign_mean(row) == pytest.approx(np.mean([one["accuracy"] for one in row["foreign"]]))
    assert rows[0]["config"]["seed"] == 0 != rows[1]["config"]["seed"]


def test_the_table_and_the_figure_say_what_was_measured(studied):
    study = read_json(studied / "laboratories.json")
    text = (studied / "laboratories.md").read_text()
    assert text == markdown(study) + MARKED and "--seeds 0 1" in text and "--stains" in text
    for row in study["rows"]:
        assert f"| {row['name']} | " in text and number(foreign_mean(row)) in text
    picture = np.asarray(Image.open(studied / "laboratories.png").convert("RGB"))
    assert picture.shape[1] > 600 and len(np.unique(picture.reshape(-1, 3), axis=0)) > 30


@pytest.mark.slow
def test_what_is_finished_is_not_run_again_nor_mixed_with_another_study(studied, command):
    (studied / "even-1" / "result.json").unlink()
    said = succeed(*command, "--out", studied, "--seeds", "0", "1").stdout
    assert "even-1 (2 of 2)" in said and "resuming after epoch 1" in said and "even-0 (1" not in said
    assert_refused(
        python(*command, "--out", studied, "--seeds", "0", "1", "--leave-out", "drawn"), "laboratory_study: "
    )


def write(path: Path, image: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    assert cv2.imwrite(str(path), cv2.cvtColor(image, cv2.COLOR_RGB2BGR))
