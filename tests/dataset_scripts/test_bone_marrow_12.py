"""The data set script on small made-up sources: layouts, balance, near-duplicates, splits, Parquet, refusals."""

import json
import shutil
from collections import Counter
from pathlib import Path

import cv2
import datasets
import numpy as np
import pytest
from PIL import Image

from dataset_scripts import bone_marrow_12
from dataset_scripts.bone_marrow_12 import build_rows, to_dataset, write_parquet
from tests.commands import assert_refused, python, succeed

SCRIPT = Path(bone_marrow_12.__file__)
COUNTS = {"BLA": 30, "LYT": 40, "NGS": 50}
CLASSES = tuple(COUNTS)

DUMP = """
import json, sys
from bone_marrow_12 import BoneMarrow12
if __name__ == "__main__":
    builder = BoneMarrow12(data_dir=sys.argv[1], cache_dir=sys.argv[2], classes=("LYT", "BLA"), per_class=20, seed=3)
    builder.download_and_prepare()
    data = builder.as_dataset()
    names = data["train"].features["label"].names
    rows = {split: part.remove_columns("image").to_list() for split, part in data.items()}
    print(json.dumps({"names": names, "rows": rows, "size": data["train"][0]["image"].size}))
"""


def picture(seed: int) -> np.ndarray:
    """80×80 RGB blotches that no other seed resembles."""
    blotches = np.random.default_rng(seed).integers(0, 256, (6, 6, 3)).astype(np.uint8)
    return cv2.resize(blotches, (80, 80), interpolation=cv2.INTER_CUBIC)


def save(path: Path, image: np.ndarray, quality: int = 90) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(image).save(path, quality=quality)


def make_source(folder: Path, counts: dict[str, int], part: int = 10_000, seed: int = 0) -> Path:
    """Write ``CODE/CODE_00001.jpg``, or with ``part`` images a folder ``CODE/0000/CODE_00001.jpg``."""
    for code_number, (code, count) in enumerate(counts.items()):
        for i in range(count):
            below = f"{i // part:04d}" if part < count else ""
            image = picture(seed + 1000 * code_number + i)
            save(folder / code / below / f"{code}_{i:05d}.jpg", image)
    return folder


@pytest.fixture(scope="module")
def source(tmp_path_factory) -> Path:
    return make_source(tmp_path_factory.mktemp("flat") / "marrow", COUNTS)


def run(*arguments: str | Path):
    return python(SCRIPT, *arguments)


def loaded(out: Path, cache: Path) -> datasets.DatasetDict:
    return datasets.load_dataset(str(out), cache_dir=str(cache))


def test_both_layouts_give_the_same_rows(source, tmp_path):
    deep = make_source(tmp_path / "marrow", COUNTS, part=7)
    assert (deep / "BLA" / "0001" / "BLA_00007.jpg").is_file()
    flat_rows, deep_rows = (build_rows([folder], CLASSES, 20) for folder in (source, deep))
    assert [(r.code, r.file.name, r.group, r.split) for r in flat_rows] == [
        (r.code, r.file.name, r.group, r.split) for r in deep_rows
    ]
    assert {r.path.count("/") for r in flat_rows} == {1} and {r.path.count("/") for r in deep_rows} == {2}


def test_labels_are_the_folders_in_the_order_asked_for(source):
    rows = build_rows([source], ("NGS", "BLA"), 20)
    data = to_dataset(rows, ("NGS", "BLA"))
    names = data["train"].features["label"].names
    assert names == ["NGS", "BLA"]
    for part in data.values():
        assert all(row["path"].startswith(names[row["label"]] + "/") for row in part.remove_columns("image"))


def test_balance_caps_every_class_and_repeats_nothing(source):
    rows = build_rows([source], CLASSES, 30)
    assert Counter(row.code for row in rows) == dict.fromkeys(CLASSES, 30)
    assert len({row.path for row in rows}) == 90


def test_the_seed_chooses_the_images_and_their_splits(source):
    chosen = [build_rows([source], CLASSES, 20, seed=seed) for seed in (1, 1, 2)]
    assert chosen[0] == chosen[1]
    assert {row.path for row in chosen[0]} != {row.path for row in chosen[2]}


def test_a_short_class_is_refused_with_its_count_unless_allowed(source, tmp_path):
    arguments = ("--data-dir", source, "--out", tmp_path / "set", "--classes", *CLASSES, "--per-class", "45")
    done = run(*arguments)
    assert_refused(done, "Fewer than 45", "BLA 30", "LYT 40", "--allow-short")
    assert len(done.stderr.splitlines()) == 1 and "NGS" not in done.stderr
    assert not (tmp_path / "set").exists()
    done = run(*arguments, "--allow-short")
    assert done.returncode == 0, done.stderr
    data = loaded(tmp_path / "set", tmp_path / "cache")
    counts = Counter(label for part in data.values() for label in part["label"])
    assert [counts[i] for i in range(3)] == [30, 40, 45]


def test_splits_are_stratified_by_class_and_source(source, tmp_path):
    other = make_source(tmp_path / "blood", {"BLA": 20, "LYT": 10}, seed=50_000)
    rows = build_rows([source, other], CLASSES, None)
    counts = Counter((row.code, row.source, row.split) for row in rows)
    for code, name, total in (("BLA", "marrow", 30), ("NGS", "marrow", 50), ("BLA", "blood", 20), ("LYT", "blood", 10)):
        shares = [counts[code, name, split] for split in ("train", "validation", "test")]
        assert shares == [total * 8 // 10, total // 10, total // 10]
    assert {row.split for row in build_rows([source], CLASSES, 20, shares=(50, 0, 50))} == {"train", "test"}


def test_near_duplicates_share_a_group_and_a_side(tmp_path):
    folder = make_source(tmp_path / "marrow", {"BLA": 60, "LYT": 60})
    for i in range(0, 60, 5):
        image = picture(i)
        smaller = cv2.resize(image, (52, 52), interpolation=cv2.INTER_AREA)
        save(folder / "BLA" / f"again_{i:05d}.jpg", image, quality=75)
        save(folder / "BLA" / f"small_{i:05d}.png", smaller)
        save(folder / "LYT" / f"misplaced_{i:05d}.jpg", smaller, quality=70)
    rows = build_rows([folder], ("BLA", "LYT"), None)
    groups: dict[int, list] = {}
    for row in rows:
        groups.setdefault(row.group, []).append(row)
    for i in range(0, 60, 5):
        (group,) = {row.group for row in rows if row.code == "BLA" and row.path.endswith(f"{i:05d}.jpg")}
        names = sorted(Path(row.path).stem.split("_")[0] for row in groups[group])
        assert names == ["BLA", "again", "misplaced", "small"]
        assert len({row.split for row in groups[group]}) == 1
    assert len(groups) == 120, "images that do not resemble each other stay apart"


def test_parquet_holds_the_image_bytes(tmp_path):
    folder = make_source(tmp_path / "marrow", {"BLA": 10, "LYT": 10})
    rows = build_rows([folder], ("BLA", "LYT"), 10)
    pixels = {row.path: np.asarray(Image.open(row.file)) for row in rows}
    write_parquet(to_dataset(rows, ("BLA", "LYT")), tmp_path / "set")
    shutil.rmtree(folder)
    data = loaded(tmp_path / "set", tmp_path / "cache")
    assert data.num_rows == {"train": 16, "validation": 2, "test": 2}
    assert list(data["train"].features) == ["image", "label", "source", "path", "group"]
    for part in data.values():
        for row in part:
            assert np.array_equal(np.asarray(row["image"]), pixels[row["path"]])
            assert row["source"] == "marrow"
    raw = data["test"].cast_column("image", datasets.Image(decode=False))[0]["image"]
    assert raw["bytes"][:2] == b"\xff\xd8" and "/" not in raw["path"], "no path of this machine is left"


def test_the_file_alone_gives_the_same_rows_as_command_and_as_builder(source, tmp_path):
    alone = tmp_path / "alone"
    alone.mkdir()
    shutil.copy(SCRIPT, alone)
    (alone / "dump.py").write_text(DUMP)
    options = ("--classes", "LYT", "BLA", "--per-class", "20", "--seed", "3")
    done = succeed("bone_marrow_12.py", "--data-dir", source, "--out", tmp_path / "set", *options, cwd=alone)
    assert "wrote 40 images in 40 groups" in done.stdout
    data = loaded(tmp_path / "set", tmp_path / "cache")
    built = json.loads(succeed("dump.py", source, tmp_path / "built", cwd=alone).stdout.splitlines()[-1])
    assert built["names"] == data["train"].features["label"].names == ["LYT", "BLA"]
    assert built["size"] == [80, 80]
    assert built["rows"] == {split: part.remove_columns("image").to_list() for split, part in data.items()}


@pytest.mark.parametrize("kind", ["missing", "empty", "other layout"])
def test_a_folder_without_cells_is_refused(kind, tmp_path):
    folder = tmp_path / "cells"
    if kind != "missing":
        folder.mkdir()
    if kind == "other layout":
        save(folder / "cell.jpg", picture(0))
    done = run("--data-dir", folder, "--out", tmp_path / "set")
    assert_refused(done, str(folder), "CODE")
    assert len(done.stderr.splitlines()) == 1
    assert not (tmp_path / "set").exists()


def test_splits_that_do_not_add_up_are_refused(source, tmp_path):
    assert_refused(run("--data-dir", source, "--out", tmp_path / "set", "--splits", "80/10/5"), "100")


def test_an_unreadable_image_is_named_and_left_out(tmp_path):
    folder = make_source(tmp_path / "marrow", {"BLA": 10})
    whole = (folder / "BLA" / "BLA_00004.jpg").read_bytes()
    (folder / "BLA" / "BLA_00004.jpg").write_bytes(whole[: len(whole) // 2])
    (folder / "BLA" / "BLA_00007.jpg").write_text("not an image")
    done = run("--data-dir", folder, "--out", tmp_path / "set", "--classes", "BLA", "--per-class", "all")
    assert done.returncode == 0, done.stderr
    skipped = [line for line in done.stderr.splitlines() if line.startswith("skipped")]
    assert len(skipped) == 2 and "BLA_00004.jpg" in skipped[0] and "BLA_00007.jpg" in skipped[1]
    paths = {row for part in loaded(tmp_path / "set", tmp_path / "cache").values() for row in part["path"]}
    assert paths == {f"BLA/BLA_{i:05d}.jpg" for i in range(10)} - {"BLA/BLA_00004.jpg", "BLA/BLA_00007.jpg"}


def test_a_folder_with_other_files_is_left_alone_and_an_older_set_is_replaced(source, tmp_path):
    out = tmp_path / "set"
    arguments = ("--data-dir", source, "--out", out, "--classes", "BLA")
    (out / "data").mkdir(parents=True)
    (out / "thesis.txt").write_text("years of work")
    assert_refused(run(*arguments, "--per-class", "10"), str(out), "--out")
    assert (out / "thesis.txt").read_text() == "years of work"
    (out / "thesis.txt").unlink()
    for per_class in (10, 20):
        assert run(*arguments, "--per-class", str(per_class)).returncode == 0
        assert loaded(out, tmp_path / f"cache{per_class}").num_rows["train"] == 0.8 * per_class
    assert sorted(path.name for path in tmp_path.glob("set*")) == ["set"], "nothing half-written is left"
