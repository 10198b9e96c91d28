"""Zips for training: read back by ultralytics and by the data set script."""

from __future__ import annotations

import zipfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from dataset_scripts.bone_marrow_12 import CODES_12, find_images
from marrow import analyze
from marrow.crop import find_centre_cell
from marrow.export import export
from tests.space.known_models import CODES


def test_yolo_labels_are_read_by_ultralytics(reviewed, smear, tmp_path):
    (path,) = export(reviewed, smear, "a.field.jpg", tmp_path, ["yolo"])
    assert path.name == "a.field.yolo.zip"
    with zipfile.ZipFile(path) as archive:
        archive.extractall(tmp_path / "yolo")

    from ultralytics.data import YOLODataset
    from ultralytics.data.utils import check_det_dataset

    data = check_det_dataset(str(tmp_path / "yolo" / "data.yaml"))
    assert list(data["names"].values()) == CODES
    dataset = YOLODataset(img_path=data["train"], data=data, task="segment", augment=False, imgsz=320)
    (labels,) = dataset.labels
    assert [data["names"][int(number)] for number in labels["cls"].ravel()] == [c.label for c in reviewed.cells]
    assert labels["shape"] == (320, 320)
    for points, cell in zip(labels["segments"], reviewed.cells, strict=True):
        assert points.min(axis=0) * 320 == pytest.approx(cell.box[:2], abs=1)
        assert points.max(axis=0) * 320 == pytest.approx(cell.box[2:], abs=1)
    assert np.array_equal(np.asarray(Image.open(labels["im_file"])), smear)


def test_a_field_without_cells_has_an_empty_label_file(models, smear, tmp_path):
    paths = export(analyze(smear, models, 0.99), smear, "empty.png", tmp_path, ["yolo", "crops"])
    with zipfile.ZipFile(paths[0]) as yolo, zipfile.ZipFile(paths[1]) as crops:
        assert yolo.read("labels/empty.txt") == b""
        assert crops.namelist() == []


def test_crops_are_read_by_the_data_set_script(reviewed, smear, tmp_path):
    paths = export(reviewed, smear, "field.jpg", tmp_path, ["crops"])
    rows, skipped, other = find_images(paths, CODES_12)
    assert sorted((row.code, Path(row.path).name) for row in rows) == [
        ("BLA", "field_1.png"),
        ("EBO", "field_3.png"),
        ("NGS", "field_2.png"),
        ("NGS", "field_7.png"),
    ]
    assert not skipped and not other


def test_uncertain_cells_are_left_out_unless_a_person_named_them(reviewed, smear, tmp_path):

    doubtful = replace(reviewed, report=replace(reviewed.report, uncertain_below=1.1))
    (path,) = export(doubtful, smear, "field.jpg", tmp_path, ["crops"])
    with zipfile.ZipFile(path) as archive:
        assert archive.namelist() == ["BLA/field_1.png", "NGS/field_2.png"]


def test_a_crop_shows_the_cell_in_the_middle_at_the_size_of_the_archive(models, smear, tmp_path):
    large = np.asarray(Image.fromarray(smear).resize((3200, 3200), Image.Resampling.NEAREST))
    for image in (smear, large):
        analysis = analyze(image, models)
        (path,) = export(analysis, image, "field.jpg", tmp_path, ["crops"])
        with zipfile.ZipFile(path) as archive:
            for name in archive.namelist():
                with archive.open(name) as file:
                    crop = np.asarray(Image.open(file))
                assert crop.shape == (250, 250, 3)
                x0, y0, x1, y1 = find_centre_cell(crop)
                assert (x0 + x1) / 2 == pytest.approx(125, abs=6) and (y0 + y1) / 2 == pytest.approx(125, abs=6)
                assert max(x1 - x0, y1 - y0) == pytest.approx(250 / 1.8, rel=0.15)
