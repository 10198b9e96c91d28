"""Composed and boxed fields: every nucleated cell outlined, nothing else, the layout that ultralytics reads."""

from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from dataset_scripts.cell_patches import Patch, cut_patch
from dataset_scripts.smear_fields import (
    Field,
    Stock,
    compose_field,
    read_boxed_fields,
    split_boxed,
    write_field,
    yolo_lines,
)
from dataset_scripts.synthetic_cells import CODES, draw_cell, draw_field, random_stain
from marrow.centre_cell import centre_cell_mask
from marrow.errors import MarrowError
from tests.commands import assert_refused, python, succeed

BLUE, GREEN = (20, 20, 220), (20, 170, 20)


def disc_patch(code: str, colour: tuple[int, int, int]) -> Patch:
    """A flat disc of 80 px on white."""
    y, x = np.mgrid[:92, :92] - 45.5
    mask = np.hypot(y, x) < 40
    image = np.full((92, 92, 3), 240, np.uint8)
    image[mask] = colour
    return Patch(image, mask, np.full(3, 240.0), code)


def on_ground(code: str, seed: int, size: int = 250) -> tuple[np.ndarray, np.ndarray]:
    """A drawn cell in the middle of empty glass, and its mask."""
    rng = np.random.default_rng(seed)
    stain = random_stain(rng, "marrow")
    cell = draw_cell(code, rng, diameter=100, stain=stain)
    image = np.empty((size, size, 3), np.uint8)
    image[:] = np.percentile(cell.image.reshape(-1, 3), 90, axis=0)
    mask = np.zeros((size, size), bool)
    corner = (size - np.array(cell.mask.shape)) // 2
    place = tuple(slice(c, c + s) for c, s in zip(corner, cell.mask.shape, strict=True))
    image[place], mask[place] = cell.image, cell.mask
    return image, mask


def iou(a: np.ndarray, b: np.ndarray) -> float:
    return float(np.logical_and(a, b).sum() / np.logical_or(a, b).sum())


@pytest.mark.parametrize("seed", range(8))
def test_nucleated_cells_have_masks_and_artefacts_have_none(seed):
    stock = Stock({"discs": [disc_patch("LYT", BLUE), disc_patch("ART", GREEN)]}, {"discs": []})
    field = compose_field(stock, 320, np.random.default_rng(seed), drawn_share=0)
    red, green, blue = np.moveaxis(field.image.astype(int), 2, 0)
    nucleated, artefact = blue > np.maximum(red, green) + 60, green > np.maximum(red, blue) + 40
    inside = cv2.erode(nucleated.astype(np.uint8), np.ones((5, 5))) > 0  # cut-off slivers and soft edges aside
    if inside.any():
        assert (field.labels[inside] > 0).mean() > 0.97
    assert (field.labels[cv2.erode(artefact.astype(np.uint8), np.ones((5, 5))) > 0] == 0).all()
    outlined = cv2.erode((field.labels > 0).astype(np.uint8), np.ones((7, 7))) > 0
    assert nucleated[outlined].all()


def test_fields_without_nucleated_cells_have_no_mask():
    stock = Stock({"discs": [disc_patch("ART", GREEN)]}, {"discs": []})
    fields = [compose_field(stock, 160, np.random.default_rng(seed), drawn_share=0) for seed in range(10)]
    assert not any(field.labels.any() for field in fields)
    assert any((f.image[..., 1].astype(int) > f.image[..., 0].astype(int) + 40).any() for f in fields)


def test_a_seed_gives_one_field_and_others_give_others():
    stock = Stock({"discs": [disc_patch("LYT", BLUE)]}, {"discs": []})
    one, same, other = (compose_field(stock, 160, np.random.default_rng(seed)) for seed in (1, 1, 2))
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


def test_ultralytics_reads_the_fields_as_they_were_composed(tmp_path):
    from ultralytics.data import YOLODataset

    drawn = draw_field(np.random.default_rng(4), 240, 320, 12)
    write_field(tmp_path, "train", "one", Field(drawn.image, drawn.labels))
    write_field(tmp_path, "train", "two", Field(drawn.image, np.zeros_like(drawn.labels)))
    data = {"names": {0: "cell"}, "nc": 1, "channels": 3}
    read = YOLODataset(img_path=str(tmp_path / "images" / "train"), data=data, task="segment", imgsz=320)
    with_cells, without = sorted(read.labels, key=lambda label: Path(label["im_file"]).stem)
    assert len(with_cells["segments"]) == len(drawn.codes) and not len(without["segments"])
    assert (with_cells["cls"] == 0).all()
    for number, segment in enumerate(with_cells["segments"], start=1):
        mask = np.zeros(drawn.labels.shape, np.uint8)
        cv2.fillPoly(mask, [np.floor(segment * (320, 240)).astype(np.int32)], 1)
        assert iou(mask > 0, drawn.labels == number) > 0.9


def test_the_set_has_every_split_and_a_data_file(fields):
    from ultralytics.data.utils import check_det_dataset

    data = check_det_dataset(str(fields / "data.yaml"), autodownload=False)
    assert data["names"] == {0: "cell"}
    for split, name, number in (("train", "train", 8), ("val", "validation", 3), ("test", "test", 3)):
        assert Path(data[split]) == fields / "images" / name
        assert len(list((fields / "labels" / name).glob("*.txt"))) == number


def test_yolo_lines_of_a_known_shape():
    labels = np.zeros((10, 20), np.int32)
    labels[2:6, 4:13] = 1
    kind, *numbers = yolo_lines(labels).split()
    points = np.array(numbers, float).reshape(-1, 2) * (20, 10)
    assert kind == "0"
    assert points.min(axis=0).tolist() == [4.5, 2.5] and points.max(axis=0).tolist() == [12.5, 5.5]
    assert yolo_lines(np.zeros((10, 20), np.int32)).split() == []


def test_boxed_fields_are_outlined_inside_their_boxes(tmp_path):
    drawn = draw_field(np.random.default_rng(12), 480, 640, 8)
    truths = [drawn.labels == i + 1 for i in range(len(drawn.codes))]
    boxes = [cv2.boundingRect(truth.astype(np.uint8)) for truth in truths]
    lines = [f"0 {(x + w / 2) / 640} {(y + h / 2) / 480} {w / 640} {h / 480}" for x, y, w, h in boxes]
    for kind in ("images", "labels"):
        (tmp_path / kind).mkdir()
    Image.fromarray(drawn.image).save(tmp_path / "images" / "a.jpg", quality=95)
    Image.fromarray(drawn.image).save(tmp_path / "images" / "unlabelled.jpg")
    (tmp_path / "labels" / "a.txt").write_text("\n".join(lines) + "\n")
    (name, field), (_, unlabelled) = read_boxed_fields(tmp_path)
    assert name == "a" and not unlabelled.labels.any()
    overlaps = []
    for number, (truth, (x, y, w, h)) in enumerate(zip(truths, boxes, strict=True), start=1):
        outline = field.labels == number
        outside = outline.copy()
        outside[y : y + h, x : x + w] = False
        assert not outside.any()
        overlaps.append(iou(outline, truth) if outline.any() else 0)
    assert len(overlaps) == 8 and np.mean(overlaps) > 0.7, overlaps


def test_boxed_fields_are_split_seven_one_two():
    parts = [split for split, _, _ in split_boxed([(str(i), i) for i in range(20)])]
    assert [parts.count(split) for split in ("train", "validation", "test")] == [14, 2, 4]


@pytest.mark.parametrize("code", [code for code in CODES if code != "ART"])
def test_a_clear_cell_is_cut_out_along_its_outline(code):
    image, mask = on_ground(code, seed=3)
    patch = cut_patch(image, code)
    assert patch is not None and patch.code == code
    assert patch.image.shape[:2] == patch.mask.shape
    assert patch.mask.sum() == pytest.approx(mask.sum(), rel=0.2)


def test_doubtful_cells_are_not_cut_out():
    image, _ = on_ground("LYT", seed=3)
    glass = image[:3, :3].mean(axis=(0, 1)).astype(np.uint8)
    shifted, halved, spread = (np.full_like(image, glass) for _ in range(3))
    shifted[:, 45:] = image[:, :-45]  # off the middle
    halved[125:] = image[:-125]  # cut by the border
    spread[:] = cv2.resize(image[75:175, 75:175], (250, 250))  # fills the image
    assert cut_patch(image, "LYT") is not None
    for doubtful in (np.full_like(image, glass), shifted, halved, spread):
        assert cut_patch(doubtful, "LYT") is None


def test_centre_cells_are_outlined_on_real_white_cells(shared):
    overlaps = []
    for file in sorted((shared / "data" / "wbc_masks").glob("*_mask.png")):
        truth = np.asarray(Image.open(file).convert("L")) > 64
        image = np.asarray(Image.open(file.with_name(file.name.replace("_mask.png", ".jpg"))).convert("RGB"))
        found = centre_cell_mask(image)
        overlaps.append(0.0 if found is None else iou(found, truth))
    assert len(overlaps) == 40 and np.mean(overlaps) > 0.75


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
    with pytest.raises(MarrowError, match=r"images/\*\.jpg"):
        next(read_boxed_fields(tmp_path))
