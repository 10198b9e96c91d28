"""Annotated fields: what is written can be read by others, and what others write is understood."""

import json
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image
from pycocotools import mask as coco_mask
from pycocotools.coco import COCO

from dataset_scripts.drawing.pictures import draw_field
from dataset_scripts.fields.field import Field
from dataset_scripts.fields.formats import read_fields, write_coco, write_field, yolo_lines
from marrow.errors import MarrowError


@pytest.fixture(scope="module")
def drawn() -> Field:
    field = draw_field(np.random.default_rng(12), 240, 320, 8)
    return Field(field.image, np.asarray(field.labels, np.int32))


def iou(a: np.ndarray, b: np.ndarray) -> float:
    return float((a & b).sum() / max((a | b).sum(), 1))


def best_overlaps(truth: np.ndarray, found: np.ndarray) -> list[float]:
    """Of every true cell, its overlap with the cell found that fits it best."""
    cells = range(1, found.max() + 1)
    return [max(iou(truth == i, found == j) for j in cells) for i in range(1, truth.max() + 1)]


def put(folder: Path, image: np.ndarray, name: str = "a.png") -> Path:
    (folder / "images").mkdir(parents=True, exist_ok=True)
    (folder / "labels").mkdir(exist_ok=True)
    Image.fromarray(image).save(folder / "images" / name)
    return folder


def coco(labels: np.ndarray, kind: str) -> dict:
    annotations = []
    for number in range(1, labels.max() + 1):
        mask = np.asfortranarray(labels == number, np.uint8)
        runs = coco_mask.encode(mask)
        if kind == "polygon":
            contours, _ = cv2.findContours(mask, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
            shape = [(c[:, 0] + 0.5).ravel().tolist() for c in contours if len(c) > 2]
        elif kind == "runs":
            flat = mask.ravel(order="F")
            edges = np.flatnonzero(np.diff(np.concatenate([[0], flat, [1 - flat[-1]]]))).tolist()
            counts = np.diff([0, *edges]).tolist()
            shape = {"size": list(labels.shape), "counts": counts}
        else:
            shape = {"size": list(labels.shape), "counts": runs["counts"].decode()}
        annotations.append({"id": number, "image_id": 7, "category_id": 1, "segmentation": shape, "iscrowd": 0})
    return {"images": [{"id": 7, "file_name": "a.png"}], "annotations": annotations, "categories": []}


@pytest.mark.parametrize("kind", ["polygon", "runs", "compressed"])
@pytest.mark.parametrize("place", ["instances.json", "annotations/train.json"])
def test_coco_is_read(drawn, kind, place, tmp_path):
    put(tmp_path, drawn.image)
    (tmp_path / place).parent.mkdir(exist_ok=True)
    (tmp_path / place).write_text(json.dumps(coco(drawn.labels, kind)))
    ((name, field),) = read_fields(tmp_path)
    assert name == "a" and np.array_equal(field.image, drawn.image)
    assert min(best_overlaps(drawn.labels, field.labels)) > (0.85 if kind == "polygon" else 0.999)


def test_coco_groups_are_left_out(drawn, tmp_path):
    data = coco(drawn.labels, "compressed")
    data["annotations"][0]["iscrowd"] = 1
    put(tmp_path, drawn.image)
    (tmp_path / "a.json").write_text(json.dumps(data))
    ((_, field),) = read_fields(tmp_path)
    assert not field.labels[drawn.labels == 1].any()
    assert field.labels.max() == drawn.labels.max() - 1


def test_label_images_are_read(drawn, tmp_path):
    put(tmp_path, drawn.image)
    gaps = np.where(drawn.labels > 0, drawn.labels * 300, 0).astype(np.uint16)
    cv2.imwrite(str(tmp_path / "labels" / "a.png"), gaps)
    ((_, field),) = read_fields(tmp_path)
    assert np.array_equal(field.labels, drawn.labels)


def test_yolo_polygons_are_read_back(drawn, tmp_path):
    write_field(tmp_path, "train", "one", drawn)
    write_field(tmp_path, "test", "none", Field(drawn.image, np.zeros_like(drawn.labels)))
    (name, empty), (other, field) = read_fields(tmp_path)
    assert (name, other) == ("test_none", "train_one") and not empty.labels.any()
    assert min(best_overlaps(drawn.labels, field.labels)) > 0.85


def test_cells_are_outlined_inside_yolo_boxes(tmp_path):
    drawn = draw_field(np.random.default_rng(12), 480, 640, 8)
    boxes = [cv2.boundingRect((drawn.labels == i + 1).astype(np.uint8)) for i in range(len(drawn.codes))]
    lines = [f"0 {(x + w / 2) / 640} {(y + h / 2) / 480} {w / 640} {h / 480}" for x, y, w, h in boxes]
    put(tmp_path, drawn.image, "a.png")
    put(tmp_path, drawn.image, "unlabelled.jpg")
    (tmp_path / "labels" / "a.txt").write_text("\n".join(lines) + "\n")
    (name, field), (_, unlabelled) = read_fields(tmp_path)
    assert name == "a" and not unlabelled.labels.any()
    allowed = np.zeros(field.labels.shape, bool)
    for x, y, w, h in boxes:
        allowed[y : y + h, x : x + w] = True
    assert not (field.labels > 0)[~allowed].any()
    assert np.mean(best_overlaps(drawn.labels, field.labels)) > 0.7


@pytest.mark.parametrize(
    ("file", "text", "words"),
    [
        ("labels/a.txt", "0 0.5 0.5 0.1", "line 1 of"),
        ("labels/a.txt", "0 0.5 0.5 x 0.1", "neither a YOLO box nor a polygon"),
        ("labels/a.png", "not a picture", "not a label image"),
        ("a.json", "{", "not JSON"),
        ("a.json", '{"images": [{}], "annotations": []}', "not complete COCO"),
        ("a.json", '{"images": [{"id": 1, "file_name": "b.png"}], "annotations": []}', "no image"),
        ("a.json", '{"other": 1}', "no annotated fields"),
        ("notes.md", "", "no annotated fields"),
    ],
)
def test_what_cannot_be_read_is_said_in_one_sentence(file, text, words, drawn, tmp_path):
    put(tmp_path, drawn.image)
    (tmp_path / file).write_text(text)
    with pytest.raises(MarrowError, match=words) as error:
        list(read_fields(tmp_path))
    assert "\n" not in str(error.value) and str(tmp_path) in str(error.value)


def test_a_broken_segmentation_names_its_annotation(drawn, tmp_path):
    data = coco(drawn.labels, "compressed")
    data["annotations"][1]["segmentation"] = {"size": [3, 3], "counts": "04"}
    put(tmp_path, drawn.image)
    (tmp_path / "a.json").write_text(json.dumps(data))
    with pytest.raises(MarrowError, match="Annotation 2 of"):
        list(read_fields(tmp_path))


def test_coco_that_was_written_holds_the_exact_masks(drawn, tmp_path):
    hidden = np.linspace(0, 0.3, drawn.labels.max())
    empty = Field(drawn.image, np.zeros_like(drawn.labels))
    fields = [empty, Field(drawn.image, drawn.labels, hidden)]
    write_coco(tmp_path, "test", [write_field(tmp_path, "test", str(i), field) for i, field in enumerate(fields)])
    read = COCO(str(tmp_path / "annotations" / "instances_test.json"))
    assert read.getAnnIds(imgIds=[1]) == [] and read.loadImgs([2])[0]["file_name"] == "test/1.jpg"
    annotations = read.loadAnns(read.getAnnIds(imgIds=[2]))
    assert len(annotations) == drawn.labels.max()
    for number, annotation in enumerate(annotations, start=1):
        mask = drawn.labels == number
        assert np.array_equal(read.annToMask(annotation).astype(bool), mask)
        assert annotation["area"] == mask.sum()
        assert annotation["bbox"] == list(cv2.boundingRect(mask.astype(np.uint8)))
        assert annotation["hidden"] == pytest.approx(hidden[number - 1], abs=1e-3)


def test_ultralytics_reads_the_fields_as_they_were_written(drawn, tmp_path):
    from ultralytics.data import YOLODataset

    write_field(tmp_path, "train", "one", drawn)
    write_field(tmp_path, "train", "two", Field(drawn.image, np.zeros_like(drawn.labels)))
    data = {"names": {0: "cell"}, "nc": 1, "channels": 3}
    read = YOLODataset(img_path=str(tmp_path / "images" / "train"), data=data, task="segment", imgsz=320)
    with_cells, without = sorted(read.labels, key=lambda label: Path(label["im_file"]).stem)
    assert len(with_cells["segments"]) == drawn.labels.max() and not len(without["segments"])
    assert (with_cells["cls"] == 0).all()
    for number, segment in enumerate(with_cells["segments"], start=1):
        mask = np.zeros(drawn.labels.shape, np.uint8)
        cv2.fillPoly(mask, [np.floor(segment * (320, 240)).astype(np.int32)], 1)
        assert iou(mask > 0, drawn.labels == number) > 0.9


def test_yolo_lines_of_a_known_shape():
    labels = np.zeros((10, 20), np.int32)
    labels[2:6, 4:13] = 1
    kind, *numbers = yolo_lines(labels).split()
    points = np.array(numbers, float).reshape(-1, 2) * (20, 10)
    assert kind == "0"
    assert points.min(axis=0).tolist() == [4.5, 2.5] and points.max(axis=0).tolist() == [12.5, 5.5]
    assert yolo_lines(np.zeros((10, 20), np.int32)).split() == []


def test_shared_fields_of_both_kinds_are_read(shared):
    _, plasma = next(read_fields(shared / "data" / "fields_segpc"))
    _, boxed = next(read_fields(shared / "data" / "fields_bccd"))
    assert plasma.labels.max() >= 1 and plasma.labels.shape == plasma.image.shape[:2]
    assert boxed.labels.max() == 1 and 0.05 < (boxed.labels > 0).mean() < 0.2
