"""Near-duplicates: copies of an image share a group and a side, images that only look alike do not."""

import io
from collections import Counter
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from dataset_scripts.bone_marrow_12 import Row
from tests.dataset_scripts.made_up_sources import built, groups, make_source, picture, save

ORIGINALS = 24


def shifted(image: np.ndarray, right: int, down: int) -> np.ndarray:
    """Move a picture by whole pixels; what comes into view repeats the edge."""
    height, width = image.shape[:2]
    move = np.float32([[1, 0, right], [0, 1, down]])
    return cv2.warpAffine(image, move, (width, height), borderMode=cv2.BORDER_REPLICATE)


def resized(image: np.ndarray, share: float) -> np.ndarray:
    return cv2.resize(image, None, fx=share, fy=share, interpolation=cv2.INTER_AREA)


def reencoded(image: np.ndarray, quality: int) -> np.ndarray:
    file = io.BytesIO()
    Image.fromarray(image).save(file, "JPEG", quality=quality)
    return np.asarray(Image.open(file))


# copies of a 250-px image as they are met: saved again, scaled, cropped anew, turned over, or all of that
COPIES = {
    "reencoded": lambda image: reencoded(image, 60),
    "smaller": lambda image: resized(image, 0.6),
    "larger": lambda image: resized(image, 1.5),
    "moved": lambda image: shifted(image, 4, -3),
    "mirrored": lambda image: image[:, ::-1],
    "turned": lambda image: np.rot90(image),
    "upside_down": lambda image: reencoded(image[::-1], 80),
    "all_at_once": lambda image: reencoded(resized(np.rot90(shifted(image, -2, 3)[:, ::-1]), 0.8), 75),
}


def original(row: Row) -> str:
    """Return the number of the image that a file is a copy of."""
    return Path(row.path).stem.split("_")[1]


def assert_one_group_for_each_original(rows: list[Row], copies: int) -> None:
    found = list(groups(rows))
    for group in found:
        assert len({original(row) for row in group}) == 1, "strangers stay apart"
        assert len({row.split for row in group}) == 1, "a group lies on one side"
    assert Counter(map(len, found)) == {copies: len(found)}


@pytest.mark.parametrize("kind", COPIES)
def test_a_copy_in_the_same_or_another_class_is_in_the_group_of_its_image(kind, tmp_path):
    folder = tmp_path / "marrow"
    for i in range(ORIGINALS):
        image = picture(i, 250)
        copy = np.ascontiguousarray(COPIES[kind](image))
        save(folder / "BLA" / f"BLA_{i}.jpg", image, quality=90)
        save(folder / "BLA" / f"copy_{i}.jpg", copy, quality=90)
        save(folder / "LYT" / f"misplaced_{i}.png", copy)
    build = built(folder, classes=("BLA", "LYT"), shares=(50, 25, 25))
    assert_one_group_for_each_original(build.rows, copies=3)
    assert {row.split for row in build.rows} == {"train", "validation", "test"}
    same = build.audit["near_duplicates"]
    assert (same["groups"], same["groups_with_two_classes"]) == (ORIGINALS, ORIGINALS)


def test_copies_of_the_same_bytes_are_one_whatever_their_names(tmp_path):
    folder = make_source(tmp_path / "marrow", {"BLA": 12})
    for i in range(12):
        data = (folder / "BLA" / f"BLA_{i:05d}.jpg").read_bytes()
        for code in ("LYT", "NGS"):
            (folder / code).mkdir(exist_ok=True)
            (folder / code / f"copy_{i:05d}.png").write_bytes(data)
    build = built(folder, classes=("BLA", "LYT", "NGS"))
    assert_one_group_for_each_original(build.rows, copies=3)
    same = build.audit["near_duplicates"]
    assert same["same_bytes"] == 24 and same["pairs_compared"] == 12 * 11 // 2
    assert same["pairs_joined"] == 0, "bytes are enough"


def test_images_of_one_layout_but_another_grain_stay_apart(tmp_path):
    """Cells of one class in the same pose: every pair is a candidate by its hash, and pixels tell them apart."""
    rng = np.random.default_rng(0)
    layout = cv2.resize(rng.random((6, 6, 3)), (250, 250), interpolation=cv2.INTER_CUBIC)
    for i in range(40):
        grain = cv2.resize(rng.random((50, 50, 3)), (250, 250), interpolation=cv2.INTER_CUBIC)
        save(
            tmp_path / "marrow" / "BLA" / f"BLA_{i}.png", ((0.8 * layout + 0.2 * grain) * 255).clip(0, 255).astype("u1")
        )
    build = built(tmp_path / "marrow", classes=("BLA",))
    assert len(list(groups(build.rows))) == 40
    assert build.audit["near_duplicates"]["pairs_compared_on_pixels"] > 400
    assert build.audit["near_duplicates"]["pairs_joined"] == 0


def test_a_chain_of_weak_likeness_does_not_join_strangers(tmp_path):
    """Each image is half its neighbour before it and half the one after it: no two are copies."""
    for i in range(30):
        mixed = picture(i, 250) // 2 + picture(i + 1, 250) // 2
        save(tmp_path / "marrow" / "BLA" / f"BLA_{i}.png", mixed)
    assert len(list(groups(built(tmp_path / "marrow", classes=("BLA",)).rows))) == 30


def test_a_group_counts_for_its_class_and_splits_keep_their_shares(tmp_path):
    folder = make_source(tmp_path / "marrow", {"BLA": 60})
    for i in range(20):  # every third image has three copies
        for copy in range(3):
            save(folder / "BLA" / f"copy{copy}_{3 * i:05d}.jpg", picture(3 * i), quality=60 + 10 * copy)
    rows = built(folder, classes=("BLA",)).rows
    assert Counter(row.split for row in rows) == {"train": 96, "validation": 12, "test": 12}
    sides = {}
    for row in rows:
        assert sides.setdefault(original(row), row.split) == row.split


@pytest.fixture(scope="module")
def real_cells(shared) -> dict[tuple[str, str], list[Path]]:
    """Forty real cells of each class of each source."""
    return {
        (folder.parent.name, folder.name): sorted(folder.glob("*.jpg"))[:40]
        for source in ("marrow", "blood")
        for folder in sorted((shared / "data" / source).iterdir())
        if folder.name not in ("NIF", "ART")
    }


def test_real_cells_99_percent_of_planted_copies_are_caught_and_no_stranger_is_joined(real_cells, tmp_path):
    folder, classes = tmp_path / "cells", set()
    copies = list(COPIES.values())
    for (source, code), files in real_cells.items():
        classes.add(code)
        for i, file in enumerate(files):
            image = np.asarray(Image.open(file))
            name = f"{source}-{code}-{i}"
            save(folder / code / f"original_{name}.jpg", image, quality=90)
            copy = np.ascontiguousarray(copies[i % len(copies)](image))
            save(folder / code / f"copy_{name}.jpg", copy, quality=85)
    build = built(folder, classes=tuple(sorted(classes)), workers=2)
    found = list(groups(build.rows))
    strangers = [sorted(map(original, group)) for group in found if len({original(row) for row in group}) > 1]
    caught = sum(len(group) == 2 for group in found)
    planted = len(build.rows) // 2
    print(f"{caught} of {planted} caught; strangers joined: {strangers}")
    assert planted >= 400
    assert not strangers
    assert caught / planted >= 0.99
