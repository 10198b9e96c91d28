"""Cells that people corrected in the Space, as sources: its zip of crops and its folder of flags."""

import json
import shutil
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.dataset_scripts.made_up_sources import (
    CLASSES,
    built,
    groups,
    make_source,
    make_zip,
    picture,
    run,
    save,
    table,
    write,
)

TIMES = ("20261123T120000Z-0a1b2c3d", "20261123T120500Z-11223344", "20261124T080000Z-deadbeef")
OPTIONS = ("--config", "imbalanced-12", "--allow-short", "--classes", *CLASSES)


def make_flag(flags: Path, entry: str, cells: dict[str, list[int]]) -> Path:
    """Write one flag: a field with its mask and metadata, and a crop for each seed of a class."""
    folder = flags / "data" / entry
    save(folder / "image.png", picture(sum(map(sum, cells.values())), 120))
    Image.fromarray(np.arange(120 * 120, dtype=np.uint16).reshape(120, 120)).save(folder / "mask.png")
    metadata = {"file_name": "image.png", "mask_file_name": "mask.png", "comment": "two are blasts"}
    (folder / "metadata.jsonl").write_text(json.dumps(metadata) + "\n")
    for code, seeds in cells.items():
        for seed in seeds:
            save(folder / "crops" / code / f"{seed}.png", picture(seed))
    return folder


@pytest.fixture
def flags(tmp_path) -> Path:
    """Three flags, one of them without a correction, as the Hub's data set repo holds them."""
    folder = tmp_path / "bone-marrow-flags"
    make_flag(folder, TIMES[0], {"BLA": [1, 2, 3, 4], "LYT": [5]})
    make_flag(folder, TIMES[1], {"NGS": [6, 7]})
    make_flag(folder, TIMES[2], {})
    (folder / "README.md").write_text("---\nlicense: cc-by-4.0\n---\n")
    (folder / ".gitattributes").write_text("*.png filter=lfs\n")
    return folder


def test_a_folder_of_flags_gives_its_crops_alone(flags, tmp_path):
    done = write(tmp_path / "set", "--data-dir", flags, *OPTIONS)
    rows = [row for part in table(tmp_path / "set").values() for row in part]
    assert Counter(CLASSES[row["label"]] for row in rows) == {"BLA": 4, "LYT": 1, "NGS": 2}
    assert {row["source"] for row in rows} == {"bone-marrow-flags"}
    assert {row["path"].split("/")[2] for row in rows} == {"crops"}
    audit = json.loads((tmp_path / "set" / "audit.json").read_text())
    assert not audit["skipped"] and not audit["other_classes"], "image, mask and metadata are quietly no cells"
    assert "skipped" not in done.stdout + done.stderr and "no class" not in done.stdout


def test_a_flag_that_is_still_being_written_is_left_alone(flags):
    shutil.move(flags / "data" / TIMES[0], flags / "data" / "tmpabcdefgh.part")
    assert [row.code for row in built(flags, classes=CLASSES, allow_short=True).rows] == ["NGS", "NGS"]


def test_the_crops_of_a_flagged_image_lie_on_one_side(flags):
    for number, entry in enumerate(f"20261125T{hour:02d}0000Z-aaaaaaaa" for hour in range(9)):
        make_flag(
            flags, entry, {code: [1000 + 100 * number + 10 * i + j for j in range(3)] for i, code in enumerate(CLASSES)}
        )
    build = built(flags, classes=CLASSES)
    by_entry: dict[str, set[str]] = {}
    for row in build.rows:
        by_entry.setdefault(row.path.split("/")[1], set()).add(row.split)
    assert len(by_entry) == 11 and all(len(splits) == 1 for splits in by_entry.values())
    assert {row.split for row in build.rows} == {"train", "validation", "test"}
    assert build.audit["near_duplicates"]["groups"] == 0, "cells of one image are no near-duplicates"


def test_a_field_that_was_flagged_twice_is_one_group(flags):
    again = {"BLA": [1, 2], "NGS": [3, 4], "LYT": [50]}  # two blasts have become neutrophils, and a cell was added
    make_flag(flags, "20261130T000000Z-bbbbbbbb", again)
    build = built(flags, classes=CLASSES)
    sizes = {frozenset(row.path.split("/")[1] for row in group): len(group) for group in groups(build.rows)}
    assert sizes == {frozenset({TIMES[0], "20261130T000000Z-bbbbbbbb"}): 10, frozenset({TIMES[1]}): 2}
    assert all(len({row.split for row in group}) == 1 for group in groups(build.rows))
    assert build.audit["near_duplicates"]["same_bytes"] == 4
    assert build.audit["near_duplicates"]["groups_with_two_classes"] == 2, "the audit tells of the two names"


def test_a_zip_of_crops_is_one_more_source(flags, tmp_path):
    archive = make_source(tmp_path / "marrow", dict.fromkeys(CLASSES, 20), seed=50_000)
    crops = make_source(tmp_path / "smear crops", {"BLA": 1, "NGS": 2}, seed=70_000)
    sources = [
        part
        for path in (archive, flags, make_zip(tmp_path / "smear_crops.zip", crops))
        for part in ("--data-dir", path)
    ]
    write(tmp_path / "set", *sources, "--config", "imbalanced-12", "--classes", *CLASSES)
    parts = table(tmp_path / "set")
    counts = Counter(row["source"] for part in parts.values() for row in part)
    assert counts == {"marrow": 60, "bone-marrow-flags": 7, "smear_crops": 3}
    assert Counter(row["source"] for row in parts["test"]) == {"marrow": 6}, "few images of a class are for training"
    assert sum(row["source"] == "smear_crops" for row in parts["train"]) == 3


@pytest.mark.parametrize("number", range(1, 6))
def test_few_cells_of_a_class_can_be_split(number, tmp_path):
    rows = built(make_source(tmp_path / "crops", {"PLM": number}), classes=("PLM", "BLA"), allow_short=True).rows
    splits = Counter(row.split for row in rows)
    assert splits.total() == number and splits["train"] >= max(1, number - 2)


def test_flags_without_a_corrected_cell_are_refused(tmp_path):
    make_flag(tmp_path / "flags", TIMES[0], {})
    done = run("--data-dir", tmp_path / "flags", "--out", tmp_path / "set", *OPTIONS)
    assert done.returncode == 2 and "No images of BLA LYT NGS in" in done.stderr and not (tmp_path / "set").exists()
