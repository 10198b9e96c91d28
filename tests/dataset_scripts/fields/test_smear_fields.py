"""Composed fields: every nucleated cell outlined, nothing else, in the sizes and overlaps that were asked for."""

import json
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from dataset_scripts.fields.compose import DIAMETERS, compose_field
from dataset_scripts.fields.patch_bank import PatchBank
from dataset_scripts.fields.patches import Background, Patch
from dataset_scripts.fields.splits import split_boxed
from tests.commands import assert_refused, python, succeed

BLUE, GREEN = (20, 20, 220), (20, 170, 20)


def disc_patch(code: str, colour: tuple[int, int, int]) -> Patch:
    """A flat disc of 80 px on white."""
    y, x = np.mgrid[:92, :92] - 45.5
    mask = np.hypot(y, x) < 40
    image = np.full((92, 92, 3), 240, np.uint8)
    image[mask] = colour
    return Patch(image, mask.astype(np.int32), np.full(3, 240.0), code)


@pytest.mark.parametrize("seed", range(8))
def test_nucleated_cells_have_masks_and_artefacts_have_none(seed):
    bank = PatchBank({"discs": [disc_patch("LYT", BLUE), disc_patch("ART", GREEN)]}, {"discs": []})
    field = compose_field(bank, 320, np.random.default_rng(seed), mixed=False)
    red, green, blue = np.moveaxis(field.image.astype(int), 2, 0)
    nucleated, artefact = blue > np.maximum(red, green) + 60, green > np.maximum(red, blue) + 40
    inside = cv2.erode(nucleated.astype(np.uint8), np.ones((5, 5))) > 0  # cut-off slivers and soft edges aside
    if inside.any():
        assert (field.labels[inside] > 0).mean() > 0.97
    assert (field.labels[cv2.erode(artefact.astype(np.uint8), np.ones((5, 5))) > 0] == 0).all()
    outlined = cv2.erode((field.labels > 0).astype(np.uint8), np.ones((7, 7))) > 0
    assert nucleated[outlined].mean() > 0.999  # noise aside


def test_empty_fields_have_artefacts_and_no_mask():
    bank = PatchBank({"discs": [disc_patch("ART", GREEN), disc_patch("LYT", BLUE)]}, {"discs": []})
    fields = [compose_field(bank, 160, np.random.default_rng(seed), mixed=False, empty=True) for seed in range(10)]
    assert not any(field.labels.any() for field in fields)
    assert any((f.image[..., 1].astype(int) > f.image[..., 0].astype(int) + 40).any() for f in fields)
    blue = [(f.image[..., 2].astype(int) > f.image[..., :2].max(axis=2).astype(int) + 60).mean() for f in fields]
    assert max(blue) < 0.01


def test_a_field_that_is_not_varied_has_the_colours_of_its_cells_and_of_their_own_ground():
    ground = Background(np.full((60, 60, 3), 240, np.uint8), np.ones((60, 60), np.float32), np.full(3, 240.0))
    bank = PatchBank({"discs": [disc_patch("LYT", BLUE)]}, {"discs": [ground]})
    for seed in range(6):
        field = compose_field(bank, 200, np.random.default_rng(seed), mixed=False, varied=False)
        ground_seen = cv2.dilate((field.labels > 0).astype(np.uint8), np.ones((9, 9))) == 0
        parts = [field.labels == number for number in range(1, len(field.hidden) + 1)]
        assert parts
        for part, colour in [*((part, BLUE) for part in parts), (ground_seen, (240, 240, 240))]:
            assert np.abs(np.median(field.image[part], axis=0) - colour).max() <= 2  # soft edges aside


def whole_cells(field):
    """Diameters in pixels of the cells that nothing hides and no border cuts."""
    for number, hidden in enumerate(field.hidden, start=1):
        x, y, w, h = cv2.boundingRect((field.labels == number).astype(np.uint8))
        if hidden == 0 and x > 0 and y > 0 and x + w < field.labels.shape[1] and y + h < field.labels.shape[0]:
            yield np.sqrt((field.labels == number).sum() * 4 / np.pi)


def test_cells_are_30_to_250_pixels_across_and_every_size_between_comes_up():
    bank = PatchBank({"discs": [disc_patch("LYT", BLUE)]}, {"discs": []})
    fields = [compose_field(bank, 640, np.random.default_rng(seed), mixed=False) for seed in range(40)]
    typical = [np.median(sizes) for sizes in (list(whole_cells(field)) for field in fields) if sizes]
    every = [size for field in fields for size in whole_cells(field)]
    assert min(every) > DIAMETERS[0] - 3 and max(every) < DIAMETERS[1] + 3
    thirds = np.histogram(np.log(typical), np.log([28, 61, 123, 253]))[0]
    assert (thirds >= 0.12 * len(typical)).all(), thirds


@pytest.mark.parametrize("overlap", [0.0, 0.3, 0.6])
def test_no_cell_is_hidden_more_than_allowed_and_the_top_one_hides(overlap):
    bank = PatchBank({"discs": [disc_patch("LYT", BLUE)]}, {"discs": []})
    fields = [compose_field(bank, 320, np.random.default_rng(seed), overlap=overlap, mixed=False) for seed in range(15)]
    hidden = np.concatenate([field.hidden for field in fields])
    assert hidden.max() <= overlap + 0.02
    if overlap:
        assert hidden.max() > 0.4 * overlap and (hidden == 0).any()
    for field in fields:
        assert len(field.hidden) == field.labels.max()


def test_neighbours_are_pasted_with_masks_of_their_own():
    pair = disc_patch("LYT", BLUE)
    labels = np.hstack([pair.labels, 2 * pair.labels])
    patch = Patch(np.hstack([pair.image, pair.image]), labels, pair.background, "LYT")
    bank = PatchBank({"pairs": [patch]}, {"pairs": []})
    fields = [compose_field(bank, 320, np.random.default_rng(seed), mixed=False, overlap=0) for seed in range(6)]
    for field in fields:
        blue = field.image[..., 2].astype(int) > field.image[..., :2].max(axis=2).astype(int) + 60
        inside = cv2.erode(blue.astype(np.uint8), np.ones((7, 7))) > 0
        assert not inside.any() or (field.labels[inside] > 0).mean() > 0.97
    assert any(field.labels.max() >= 2 for field in fields)


def test_a_seed_gives_one_field_and_others_give_others():
    bank = PatchBank({"discs": [disc_patch("LYT", BLUE)]}, {"discs": []})
    one, same, other = (compose_field(bank, 160, np.random.default_rng(seed)) for seed in (1, 1, 2))
    assert np.array_equal(one.image, same.image) and np.array_equal(one.labels, same.labels)
    assert not np.array_equal(one.image, other.image)


def test_the_command_repeats_its_files(cell_set, fields, tmp_path):
    command = ("dataset_scripts/smear_fields.py", "--data", cell_set, "--size", "128")
    only_test = ("--train", "0", "--validation", "0", "--test", "3")
    succeed(*command, "--out", tmp_path / "again", *only_test)
    succeed(*command, "--out", tmp_path / "other", *only_test, "--seed", "1")
    first, again, other = (
        {file.relative_to(folder): file.read_bytes() for kind in ("images", "labels") for file in files(folder, kind)}
        for folder in (fields, tmp_path / "again", tmp_path / "other")
    )
    assert len(first) == 6 and first == again
    assert set(first) == set(other) and first != other


def files(folder: Path, kind: str) -> list[Path]:
    return sorted((folder / kind / "test").glob("composed_*"))


def test_the_set_has_every_split_and_a_data_file(fields):
    from ultralytics.data.utils import check_det_dataset

    data = check_det_dataset(str(fields / "data.yaml"), autodownload=False)
    assert data["names"] == {0: "cell"}
    for split, name, number in (("train", "train", 8), ("val", "validation", 3), ("test", "test", 3)):
        assert Path(data[split]) == fields / "images" / name
        assert len(list((fields / "labels" / name).glob("*.txt"))) == number


def test_a_share_of_the_fields_is_empty_and_coco_says_the_same_as_yolo(fields):
    for split, number in (("train", 8), ("validation", 3), ("test", 3)):
        coco = json.loads((fields / "annotations" / f"instances_{split}.json").read_text())
        assert len(coco["images"]) == number
        for image in coco["images"]:
            assert (fields / "images" / image["file_name"]).is_file()
            cells = [a for a in coco["annotations"] if a["image_id"] == image["id"]]
            text = (fields / "labels" / image["file_name"]).with_suffix(".txt").read_text()
            assert len(text.split("\n0 ")) - (not text.strip()) == len(cells)
            assert all(0 <= cell["hidden"] <= 0.35 for cell in cells)
    texts = [file.read_text().strip() for file in sorted((fields / "labels" / "train").glob("*.txt"))]
    assert sum(not text for text in texts) == 1


def test_boxed_fields_are_split_seven_one_two():
    parts = [split for split, _, _ in split_boxed([(str(i), i) for i in range(20)])]
    assert [parts.count(split) for split in ("train", "validation", "test")] == [14, 2, 4]


def test_a_set_of_unclear_cells_is_refused(tmp_path):
    for i in range(10):
        path = tmp_path / "cells" / "LYT" / f"{i}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (250, 250), (230, 230 - i, 220)).save(path)
    arguments = ("--classes", "LYT", "--per-class", "10", "--out", tmp_path / "set")
    succeed("dataset_scripts/bone_marrow_12.py", "--data-dir", tmp_path / "cells", *arguments)
    done = python("dataset_scripts/smear_fields.py", "--data", tmp_path / "set", "--out", tmp_path / "out")
    assert_refused(done, "No cell of the train split", str(tmp_path / "set"))


def test_missing_data_and_existing_folders_are_refused(cell_set, tmp_path):
    command = ("dataset_scripts/smear_fields.py", "--train", "1", "--validation", "0", "--test", "0")
    assert_refused(python(*command, "--data", tmp_path / "no", "--out", tmp_path / "out"), "bone_marrow_12.py")
    (tmp_path / "old").mkdir()
    assert_refused(python(*command, "--data", cell_set, "--out", tmp_path / "old"), "old", "--out")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["old"], "nothing half-written is left"
    more = ("--data", cell_set, "--out", tmp_path / "out")
    assert_refused(python(*command, *more, "--fields", tmp_path / "old"), "old", "COCO")
    assert not (tmp_path / "out").exists()


def test_annotated_fields_are_mixed_in(cell_set, fields, tmp_path):
    """The fields of one set, as YOLO polygons, go into the next."""
    numbers = ("--train", "0", "--validation", "0", "--test", "1", "--size", "96")
    command = ("dataset_scripts/smear_fields.py", "--data", cell_set, "--out", tmp_path / "out", *numbers)
    succeed(*command, "--fields", fields)
    sources = json.loads((tmp_path / "out" / "sources.json").read_text())
    assert sources["fields"] == {"composed": 0, "fields": 11}  # 7 of the first 10, and the 4 after them
    assert len(list((tmp_path / "out" / "images" / "validation").glob("fields_*.jpg"))) == 1
    assert len(list((tmp_path / "out" / "labels" / "test").glob("*.txt"))) == 3
