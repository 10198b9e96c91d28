"""The ways in give the same rows: command line, builder, loading script, and a set pushed to the Hub."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from dataset_scripts.bone_marrow_12 import BoneMarrow12
from loopback_hub.server import HubServer
from tests.commands import ROOT, assert_refused, python
from tests.dataset_scripts.made_up_sources import (
    SCRIPT,
    digests,
    make_source,
    make_zip,
    picture,
    python_with_old_datasets,
    run,
    save,
    table,
    without_counts,
    write,
)

OPTIONS = ("--classes", "LYT", "BLA", "--per-class", "20", "--seed", "3")
REPO = "tester/bone-marrow-12"

# prints names of the labels and, for each split, every row with the pixels of its image
PRINT = """
import hashlib, json, sys

def told(row):
    image = row.pop("image")
    return row | {"pixels": hashlib.sha256(image.convert("RGB").tobytes()).hexdigest(), "mode": image.mode}

def tell(parts):
    names = next(iter(parts.values())).features["label"].names
    print(json.dumps({"names": names, "rows": {split: list(map(told, part)) for split, part in parts.items()}}))
"""

BUILDER = """
from bone_marrow_12 import BoneMarrow12

if __name__ == "__main__":
    source, cache, how = sys.argv[1:]
    options = {"classes": ("LYT", "BLA"), "per_class": 20, "seed": 3}
    builder = BoneMarrow12(data_dir=source, cache_dir=cache, **options)
    if how == "streaming":
        tell(builder.as_streaming_dataset())
    else:
        builder.download_and_prepare(num_proc=int(how))
        tell(builder.as_dataset())
"""

SCRIPT_LOADED = """
from datasets import load_dataset

if __name__ == "__main__":
    source, cache, how = sys.argv[1:]
    options = {"data_dir": source, "cache_dir": cache, "classes": ("LYT", "BLA"), "per_class": 20, "seed": 3}
    if how == "streaming":
        options |= {"streaming": True}
    else:
        options |= {"num_proc": int(how)}
    tell(load_dataset("bone_marrow_12.py", trust_remote_code=True, **options))
"""

FROM_HUB = """
from datasets import load_dataset

how, repo = sys.argv[1:]
tell(load_dataset(repo, streaming=how == "streaming"))
"""


@pytest.fixture(scope="module")
def source(tmp_path_factory) -> Path:
    """Thirty cells of each of two classes, some of them greyscale, palette or turned over."""
    folder = make_source(tmp_path_factory.mktemp("source") / "marrow", {"BLA": 30, "LYT": 30})
    for i in range(0, 30, 3):
        save(folder / "LYT" / f"LYT_{i:05d}.png", picture(1000 + i)[..., 0])
        (folder / "LYT" / f"LYT_{i:05d}.jpg").unlink()
    return folder


@pytest.fixture(scope="module")
def written(source, tmp_path_factory) -> Path:
    out = tmp_path_factory.mktemp("written") / "set"
    write(out, "--data-dir", source, *OPTIONS)
    return out


@pytest.fixture(scope="module")
def alone(tmp_path_factory) -> Path:
    """An otherwise empty folder with a copy of the script, and the small programs that load from it."""
    folder = tmp_path_factory.mktemp("alone")
    shutil.copy(SCRIPT, folder)
    for name, program in (("builder", BUILDER), ("script_loaded", SCRIPT_LOADED), ("from_hub", FROM_HUB)):
        (folder / f"{name}.py").write_text(PRINT + program)
    return folder


def answer(command: list, folder: Path, environment: dict[str, str] | None = None) -> dict:
    done = subprocess.run(
        list(map(str, command)), cwd=folder, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr[-4000:]
    return json.loads(done.stdout.splitlines()[-1])


@pytest.fixture(scope="module")
def expected(written, alone) -> dict:
    """What the command line wrote, as ``load_dataset`` reads the folder; the others must say the same."""
    told = answer([sys.executable, "from_hub.py", "whole", written], alone)
    assert told["names"] == ["LYT", "BLA"]
    assert {split: len(rows) for split, rows in told["rows"].items()} == {"train": 32, "validation": 4, "test": 4}
    assert all(row["mode"] == "RGB" for rows in told["rows"].values() for row in rows)
    columns = ("label", "source", "origin", "laboratory", "path", "group")
    for split, rows in table(written).items():
        for row, stored in zip(told["rows"][split], rows, strict=True):
            assert [row[key] for key in columns] == [stored[key] for key in columns]
            assert "/" not in stored["image"]["path"], "no path of this machine is left"
    return told


@pytest.mark.parametrize("how", ["1", "2", "streaming"])
def test_the_builder_gives_what_the_command_line_writes(how, source, alone, expected, tmp_path):
    assert answer([sys.executable, "builder.py", source, tmp_path / "cache", how], alone) == expected


@pytest.mark.parametrize("how", ["1", "streaming"])
def test_the_builder_reads_a_zip(how, source, alone, expected, tmp_path):
    packed = make_zip(tmp_path / "marrow.zip", source)
    assert answer([sys.executable, "builder.py", packed, tmp_path / "cache", how], alone) == expected


@pytest.mark.parametrize("how", ["1", "2", "streaming"])
def test_datasets_3_loads_the_file_as_a_script(how, source, alone, expected, tmp_path):
    old = python_with_old_datasets()
    environment = os.environ | {"HF_HOME": str(tmp_path / "home")}
    assert answer([old, "script_loaded.py", source, tmp_path / "cache", how], alone, environment) == expected


def test_the_file_alone_writes_the_same_set_with_a_short_card(source, written, alone, tmp_path):
    done = python("bone_marrow_12.py", "--data-dir", source, "--out", tmp_path / "set", *OPTIONS, cwd=alone)
    assert done.returncode == 0, done.stderr
    assert digests(tmp_path / "set" / "data") == digests(written / "data")
    card = (tmp_path / "set" / "README.md").read_text()
    assert "CC BY 4.0" in card and not (tmp_path / "set" / "figures").exists()
    assert card.startswith("---\nlicense: other"), "nobody said that these are images of the archive"


def test_the_card_and_its_figures_travel_with_the_set_and_another_readme_does_not(source, tmp_path):
    (tmp_path / "figures").mkdir()
    save(tmp_path / "figures" / "plate.png", picture(0))
    # the set that the card tells of has all classes of the archive's choice: here one, with ten images
    program = SCRIPT.read_text().replace("\nPER_CLASS = 3000\n", "\nPER_CLASS = 10\n")
    (tmp_path / SCRIPT.name).write_text(re.sub(r"\nCODES_12 = .*\n", '\nCODES_12 = ("BLA",)\n', program))
    options = ("--data-dir", source, "--origin", "bone_marrow", "--laboratory", "MLL", "--out", "set")
    for readme, figures in ((SCRIPT.with_name("README.md").read_text(), True), ("# My thesis", False)):
        (tmp_path / "README.md").write_text(readme)
        done = python("bone_marrow_12.py", *options, cwd=tmp_path)
        assert done.returncode == 0, done.stderr
        assert (without_counts((tmp_path / "set" / "README.md").read_text()) == without_counts(readme)) == figures
        assert (tmp_path / "set" / "figures" / "plate.png").exists() == figures


def test_a_pushed_set_loads_with_no_script_and_a_second_push_replaces_it(source, written, expected, alone, tmp_path):
    out = shutil.copytree(written, tmp_path / "set")
    save(out / "figures" / "plate.png", picture(0))
    with HubServer() as hub:
        environment = hub.environment(tmp_path / "home")
        done = run("--out", out, "--push", REPO, **environment)
        assert done.returncode == 0 and f"{hub.url}/datasets/{REPO}" in done.stdout, done.stderr
        files = hub.repos["datasets", REPO].at("main").files
        local = {path.relative_to(out).as_posix() for path in out.rglob("*") if path.is_file()}
        assert set(files) - {".gitattributes"} == local, "the picture arrives, and no script"
        for how in ("whole", "streaming"):
            assert answer([sys.executable, "from_hub.py", how, REPO], alone, environment) == expected

        out = tmp_path / "other"  # of a picture of its user's, the first set is not replaced
        done = run(
            *("--data-dir", source, "--out", out, "--classes", "BLA", "--per-class", "30"), "--splits", "60/0/40"
        )
        assert done.returncode == 0, done.stderr
        done = run("--out", out, "--push", REPO, **environment)
        assert done.returncode == 0, done.stderr
        again = answer([sys.executable, "from_hub.py", "whole", REPO], alone, environment)
        assert again["names"] == ["BLA"] and {k: len(v) for k, v in again["rows"].items()} == {"train": 18, "test": 12}
        data = {path for path in hub.repos["datasets", REPO].at("main").files if path.startswith("data/")}
        assert data == {file.relative_to(out).as_posix() for file in out.glob("data/*")}


def test_build_and_push_in_one_command_and_privately(source, tmp_path):
    with HubServer() as hub:
        options = ("--classes", "BLA", "--per-class", "10", "--push", REPO, "--private")
        write_and_push = run(
            "--data-dir", source, "--out", tmp_path / "set", *options, **hub.environment(tmp_path / "home")
        )
        assert write_and_push.returncode == 0, write_and_push.stderr
        assert hub.repos["datasets", REPO].private
        denied = run("--out", tmp_path / "set", "--push", "another/set", **hub.environment(tmp_path / "home"))
        assert_refused(denied, "another/set could not be pushed")
        nothing = run("--out", tmp_path / "no", "--push", REPO, **hub.environment(tmp_path / "home"))
        assert_refused(nothing, "holds no set")


def test_a_hub_that_does_not_answer_leaves_the_set(source, tmp_path):
    with HubServer() as hub:
        environment = hub.environment(tmp_path / "home")
    out = tmp_path / "set"
    options = ("--classes", "BLA", "--per-class", "10", "--push", REPO)
    done = run("--data-dir", source, "--out", out, *options, **environment)
    assert_refused(done, REPO, "could not be pushed", f"{out} is complete", "--push")
    assert len(done.stderr.splitlines()) == 1
    assert sum(map(len, table(out).values())) == 10


def test_the_builder_builds_anew_what_changed_and_nothing_else(tmp_path):
    def built_rows() -> int:
        options = {"config_name": "imbalanced-12", "classes": ("BLA",), "cache_dir": str(tmp_path / "cache")}
        builder = BoneMarrow12(data_dir=str(tmp_path / "marrow"), **options)
        builder.download_and_prepare()
        return sum(builder.as_dataset().num_rows.values())

    make_source(tmp_path / "marrow", {"BLA": 12})
    assert built_rows() == built_rows() == 12
    assert len(list(tmp_path.glob("cache/*/imbalanced*"))) == 1
    make_source(tmp_path / "marrow", {"BLA": 15})
    assert built_rows() == 15
    assert len(list(tmp_path.glob("cache/*/imbalanced*"))) == 2


def test_the_builder_refuses_a_missing_source_with_the_expected_tree(alone, tmp_path):
    done = python("builder.py", tmp_path / "no", tmp_path / "cache", "1", cwd=alone, PYTHONPATH=str(ROOT))
    assert done.returncode != 0
    assert "DATA_DIR/CODE/" in done.stderr.splitlines()[-1] and "TCIA" in done.stderr.splitlines()[-1]
