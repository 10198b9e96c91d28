"""Comparing experiments: each is run once, and the table and the figure say what was found."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.commands import ROOT, assert_refused, python, succeed
from training.classifier.config import ARCHITECTURES, ClassifierTraining
from training.common.config import load_config
from training.common.files import MARKED, read_json
from training.common.markdown import number
from training.studies.architectures import draw, markdown

CONFIGS = {
    "plain_cnn": 'arch = "simple_cnn"\nsize = 33\nepochs = 1\nbatch_size = 16',
    "unequal": 'arch = "simple_cnn"\nsize = 33\nepochs = 1\nbatch_size = 16\nimbalance = 3.0\naugment = false',
}


@pytest.fixture(scope="module")
def configs(tmp_path_factory) -> list[Path]:
    folder = tmp_path_factory.mktemp("configs")
    for name, text in CONFIGS.items():
        (folder / f"{name}.toml").write_text(text)
    return [folder / f"{name}.toml" for name in CONFIGS]


@pytest.fixture(scope="module")
def compared(cell_set, configs, tmp_path_factory) -> Path:
    out = tmp_path_factory.mktemp("compared")
    succeed("-m", "training.compare", "--data", cell_set, "--configs", *configs, "--out", out, "--subset", "6")
    return out


def test_every_experiment_is_measured(compared):
    table = read_json(compared / "comparison.json")
    assert [row["name"] for row in table["rows"]] == list(CONFIGS)
    plain, unequal = table["rows"]
    assert plain["training_cells"] == 72 and 24 <= unequal["training_cells"] < 60
    for row in table["rows"]:
        assert row["validation_cells"] == 12
        low, high = row["intervals"]["accuracy"]
        assert 0 <= low <= row["accuracy"] <= high <= 1 and 0 <= row["macro_f1"] <= 1
        assert row["parameters"] == 391_500
        assert row["file_mb"] == pytest.approx(4 * row["parameters"] / 1e6, rel=0.1), "weights alone, no optimizer"
        assert row["ms_per_cell"].keys() == {"1", "16"} and min(row["ms_per_cell"].values()) > 0
        assert row["training_seconds"] > 0
    assert table["machine"]["cores"] >= 1 and "--subset 6" in table["command"]


def test_the_table_and_the_figure_say_what_was_measured(compared):
    table = read_json(compared / "comparison.json")
    text = (compared / "comparison.md").read_text()
    assert text == markdown(table) + MARKED
    for row in table["rows"]:
        assert f"| {number(row['accuracy'])} (" in text and f"{row['training_cells']} |" in text
    assert "at most 6 cells of each class" in text and "33 px" in text and "12 real cells" in text
    picture = np.asarray(Image.open(compared / "comparison.png").convert("RGB"))
    assert picture.shape[1] > 1200 and len(np.unique(picture.reshape(-1, 3), axis=0)) > 50


def test_what_is_finished_is_not_run_again(compared, cell_set, configs):
    before = {path: path.stat().st_mtime_ns for path in compared.glob("*/result.json")}
    (compared / "unequal" / "result.json").unlink()
    command = ("-m", "training.compare", "--data", cell_set, "--configs", *configs, "--out", compared, "--subset", "6")
    done = succeed(*command)
    assert "unequal (2 of 2)" in done.stdout and "plain_cnn (1 of 2)" not in done.stdout
    assert "resuming after epoch 1" in done.stdout
    plain = compared / "plain_cnn" / "result.json"
    assert plain.stat().st_mtime_ns == before[plain]


def test_bad_input_is_refused_in_one_line(compared, cell_set, configs, tmp_path):
    twin = tmp_path / configs[0].name
    twin.write_text(CONFIGS["plain_cnn"])
    command = ("-m", "training.compare", "--data", cell_set, "--out", compared, "--subset", "6")
    assert_refused(python(*command, "--configs", configs[0], twin), "compare: ", "plain_cnn")
    assert_refused(python(*command, "--configs", configs[0], "--epochs", "2"), "compare: ", "another config")
    assert_refused(python(*command, "--configs", tmp_path / "no.toml"), "compare: ", "no.toml")


def test_a_network_alone_is_drawn_without_the_study(compared, tmp_path):
    table = read_json(compared / "comparison.json")
    draw(table | {"rows": table["rows"][:1]}, tmp_path / "one.png")
    both, one = (Image.open(path).width for path in (compared / "comparison.png", tmp_path / "one.png"))
    assert one == both // 2
    assert "Balancing" not in markdown(table | {"rows": table["rows"][:1]})


def test_the_study_compares_every_network_and_way_of_balancing():
    files = sorted((ROOT / "training" / "configs" / "study").glob("*.toml"))
    experiments = [load_config(ClassifierTraining, file) for file in files]
    assert {config.arch for config in experiments} == set(ARCHITECTURES)
    unequal = {(config.balancing, config.augment) for config in experiments if config.imbalance > 1}
    assert unequal == {
        (balancing, augment) for balancing in ("weights", "downsample", "none") for augment in (True, False)
    }
    assert {config.size for config in experiments} == {97}
