"""Cells cut from annotated fields: each once, in the middle, and in the layout that the data set script reads."""

import json

import cv2
import numpy as np
import pyarrow.parquet as pq
import pytest
from PIL import Image

from dataset_scripts.cut_cells import SMALLEST, WINDOW
from dataset_scripts.drawing.pictures import draw_field
from marrow.centre_cell import centre_cell_mask
from marrow.geometry import mask_box
from marrow.images import read_image
from tests.commands import assert_refused, python, succeed


@pytest.fixture(scope="module")
def drawn():
    return [draw_field(np.random.default_rng(seed), 300, 400, 5) for seed in (3, 4)]


@pytest.fixture
def fields(drawn, tmp_path):
    """Two fields with label images."""
    for kind in ("images", "labels"):
        (tmp_path / "fields" / kind).mkdir(parents=True)
    for number, field in enumerate(drawn):
        Image.fromarray(field.image).save(tmp_path / "fields" / "images" / f"f{number}.png")
        Image.fromarray(field.labels.astype(np.uint16)).save(tmp_path / "fields" / "labels" / f"f{number}.png")
    return tmp_path / "fields"


def whole_cells(field, start: int = 1) -> list[np.ndarray]:
    """The masks of the cells, from one number on, that the border does not cut."""
    masks = [field.labels == number for number in range(start, field.labels.max() + 1)]
    edge = np.ones(field.labels.shape, bool)
    edge[2:-2, 2:-2] = False
    return [mask for mask in masks if mask.any() and not (mask & edge).any()]


def test_each_whole_cell_is_cut_out_once_in_the_middle(drawn, fields, tmp_path):
    done = succeed("dataset_scripts/cut_cells.py", "--fields", fields, "--class", "PLM", "--out", tmp_path / "cells")
    for number, field in enumerate(drawn):
        cut = sorted((tmp_path / "cells" / f"f{number}" / "crops" / "PLM").glob("*.png"))
        masks = whole_cells(field)
        assert len(cut) == len(masks) > 1
        for file, mask in zip(cut, masks, strict=True):
            picture = read_image(file)
            x0, y0, x1, y1 = (int(side) for side in mask_box(mask))
            side = round(WINDOW * max(x1 - x0, y1 - y0))
            assert picture.shape == (side, side, 3)
            left, top = (x0 + x1 - side) // 2, (y0 + y1 - side) // 2
            assert np.array_equal(picture[y0 - top : y1 - top, x0 - left : x1 - left], field.image[y0:y1, x0:x1])
            middle = mask[y0:y1, x0:x1]
            found = centre_cell_mask(picture)[y0 - top : y1 - top, x0 - left : x1 - left]
            assert (found & middle).sum() > 0.5 * middle.sum()
    assert f"{sum(len(whole_cells(field)) for field in drawn)} cells of PLM" in done.stdout


def test_the_data_set_script_reads_them_and_keeps_a_field_in_one_split(fields, tmp_path):
    said = ("--origin", "bone_marrow", "--laboratory", "Ours")
    succeed("dataset_scripts/cut_cells.py", "--fields", fields, "--class", "PLM", "--out", tmp_path / "cells", *said)
    built = tmp_path / "set"
    succeed("dataset_scripts/bone_marrow_12.py", "--data-dir", tmp_path / "cells", "--out", built, "--allow-short")
    rows = [row for file in sorted((built / "data").iterdir()) for row in pq.read_table(file).to_pylist()]
    assert {(row["origin"], row["laboratory"]) for row in rows} == {("bone_marrow", "Ours")}
    assert len(rows) == len(list((tmp_path / "cells").rglob("*.png")))
    assert len({row["group"] for row in rows}) == 2  # one for each field, and a group is in one split


def coco(drawn, fields) -> None:
    """Put COCO of two classes in the place of the label images: the first cell of each field is of another."""
    for file in (fields / "labels").iterdir():
        file.unlink()
    annotations = []
    for image, field in enumerate(drawn):
        for number in range(1, field.labels.max() + 1):
            mask = (field.labels == number).astype(np.uint8)
            contours, _ = cv2.findContours(mask, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
            shape = [(c[:, 0] + 0.5).ravel().tolist() for c in contours if len(c) > 2]
            kind = 2 if number == 1 else 1
            annotations.append({"id": len(annotations), "image_id": image, "category_id": kind, "segmentation": shape})
    data = {
        "images": [{"id": image, "file_name": f"images/f{image}.png"} for image in range(len(drawn))],
        "categories": [{"id": 1, "name": "plasma cell"}, {"id": 2, "name": "other"}],
        "annotations": annotations,
    }
    (fields / "all.json").write_text(json.dumps(data))


def test_of_several_classes_the_named_one_is_cut_out(drawn, fields, tmp_path):
    coco(drawn, fields)
    named = [whole_cells(field, start=2) for field in drawn]
    command = ("dataset_scripts/cut_cells.py", "--fields", fields, "--class", "PLM", "--out", tmp_path / "cells")
    refused = python(*command)
    assert refused.returncode == 2
    assert refused.stderr.splitlines()[-1].endswith("name one with --category: other, plasma cell.")
    unknown = python(*command, "--category", "blast")
    assert unknown.returncode == 2 and "it has other, plasma cell" in unknown.stderr
    assert not (tmp_path / "cells").exists()
    succeed(*command, "--category", "plasma cell")
    assert len(list((tmp_path / "cells").rglob("*.png"))) == sum(map(len, named))


def test_yolo_numbers_are_classes_too(drawn, fields, tmp_path):
    (fields / "labels" / "f1.png").unlink()
    (fields / "labels" / "f0.png").unlink()
    (fields / "labels" / "f0.txt").write_text("0 0.5 0.5 0.2 0.25\n3 0.3 0.5 0.2 0.25\n3 0.7 0.4 0.15 0.2\n")
    command = ("dataset_scripts/cut_cells.py", "--fields", fields, "--class", "BLA", "--out", tmp_path / "cells")
    assert python(*command).returncode == 2
    succeed(*command, "--category", "3")
    assert len(list((tmp_path / "cells").rglob("BLA/*.png"))) == 2


@pytest.mark.parametrize(
    ("spoil", "sentence"),
    [
        (lambda fields, out: out.mkdir(), "it exists; name a new place with --out"),
        (lambda fields, out: out.symlink_to(fields / "cells"), "it exists; name a new place with --out"),
        (lambda fields, out: [file.unlink() for file in (fields / "images").iterdir()], "There are no fields in"),
        (
            lambda fields, out: [
                Image.fromarray(np.zeros((300, 400), np.uint16)).save(file) for file in (fields / "labels").iterdir()
            ],
            "There are no cells to cut out in",
        ),
    ],
)
def test_bad_input_ends_in_a_sentence_and_leaves_nothing(fields, tmp_path, spoil, sentence):
    out = tmp_path / "cells"
    spoil(fields, out)
    before = sorted(tmp_path.rglob("*"))
    done = python("dataset_scripts/cut_cells.py", "--fields", fields, "--class", "PLM", "--out", out)
    assert done.returncode == 2 and sentence in done.stderr.splitlines()[-1] and "Traceback" not in done.stderr
    assert sorted(tmp_path.rglob("*")) == before


def test_the_source_stays_as_it_is(fields):
    before = sorted(fields.rglob("*"))
    done = python("dataset_scripts/cut_cells.py", "--fields", fields, "--class", "PLM", "--out", fields / "cells")
    assert done.returncode == 2 and "which is read: name another folder" in done.stderr
    assert sorted(fields.rglob("*")) == before


def test_hostile_coco_writes_nowhere_else(drawn, fields, tmp_path):
    coco(drawn, fields)
    data = json.loads((fields / "all.json").read_text())
    outside = tmp_path / "outside.png"
    Image.fromarray(drawn[0].image).save(outside)
    data["images"][0]["file_name"], data["images"][1]["file_name"] = str(outside), "../outside.png"
    (fields / "all.json").write_text(json.dumps(data))
    command = ("dataset_scripts/cut_cells.py", "--fields", fields, "--class", "PLM", "--out", tmp_path / "cells")
    succeed(*command, "--category", "plasma cell")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["cells", "fields", "outside.png"]
    folders = {path.name for path in (tmp_path / "cells").iterdir()} - {"origin.json"}
    assert len(folders) == 2 and "outside" in folders and not any(name.startswith((".", "/")) for name in folders)


@pytest.mark.parametrize("spoilt", [{"categories": [1]}, {"annotations": ["x"]}, {"annotations": 3}])
def test_coco_that_names_classes_wrongly_is_refused_in_a_sentence(drawn, fields, tmp_path, spoilt):
    coco(drawn, fields)
    data = json.loads((fields / "all.json").read_text()) | spoilt
    (fields / "all.json").write_text(json.dumps(data))
    done = python("dataset_scripts/cut_cells.py", "--fields", fields, "--class", "PLM", "--out", tmp_path / "cells")
    assert done.returncode == 2 and "names its classes wrongly" in done.stderr and "Traceback" not in done.stderr


def test_what_is_too_small_stays_out(tmp_path):
    for kind in ("images", "labels"):
        (tmp_path / "fields" / kind).mkdir(parents=True)
    labels = np.zeros((200, 200), np.uint16)
    labels[20 : 20 + SMALLEST - 1, 20 : 20 + SMALLEST - 1] = 1
    labels[100 : 100 + SMALLEST, 100 : 100 + SMALLEST] = 2
    labels[:40, 150:190] = 3
    Image.fromarray(labels).save(tmp_path / "fields" / "labels" / "a.png")
    Image.fromarray(np.full((200, 200, 3), 200, np.uint8)).save(tmp_path / "fields" / "images" / "a.png")
    command = ("--fields", tmp_path / "fields", "--class", "LYT", "--out", tmp_path / "cells")
    done = succeed("dataset_scripts/cut_cells.py", *command)
    assert "1 cells of LYT" in done.stdout
    assert f"1 cut by the border, 1 smaller than {SMALLEST} pixels" in done.stdout


def test_a_table_names_the_one_cell_of_each_field(fields, drawn, tmp_path):
    for number, code in enumerate(("NGS|NGB", "LYT")):
        labels = np.where(drawn[number].labels == (kept := whole_number(drawn[number])), kept, 0)
        Image.fromarray(labels.astype(np.uint16)).save(fields / "labels" / f"f{number}.png")
        with (fields / "names.csv").open("a") as table:
            table.write(f"f{number}.png,{code}\n" if number else f"file,codes\nf{number}.png,{code}\n")
    for name in ("several", "unnamed"):
        Image.fromarray(drawn[0].image).save(fields / "images" / f"{name}.png")
        Image.fromarray(drawn[0].labels.astype(np.uint16)).save(fields / "labels" / f"{name}.png")
    with (fields / "names.csv").open("a") as table:
        table.write("several.jpg,EOS\n")
    command = ("dataset_scripts/cut_cells.py", "--fields", fields, "--names", fields / "names.csv")
    done = succeed(*command, "--out", tmp_path / "cells")
    cut = sorted(path.relative_to(tmp_path / "cells").as_posix() for path in (tmp_path / "cells").rglob("*.png"))
    assert cut == ["f0/crops/NGS/0001.png", "f1/crops/LYT/0001.png"]
    assert "1 in fields of several cells, 1 in fields without a name" in done.stdout
    assert_refused(python(*command, "--out", tmp_path / "b", "--class", "PLM"), "cut_cells: ", "not allowed")
    (fields / "names.csv").write_text("file,codes\nf0.png,XYZ\n")
    assert_refused(python(*command, "--out", tmp_path / "c"), "cut_cells: ", "XYZ")
    (fields / "names.csv").write_text("name,label\nf0.png,XYZ\n")
    assert_refused(python(*command, "--out", tmp_path / "c"), "cut_cells: ", "file and codes")


def test_a_part_leaves_the_fields_of_the_others_out(drawn, tmp_path):
    for kind in ("images", "labels"):
        (tmp_path / "fields" / kind).mkdir(parents=True)
    for number in range(10):
        Image.fromarray(drawn[0].image).save(tmp_path / "fields" / "images" / f"f{number}.png")
        Image.fromarray(drawn[0].labels.astype(np.uint16)).save(tmp_path / "fields" / "labels" / f"f{number}.png")
    for part, numbers in (("train", range(7)), ("validation", [7]), ("test", [8, 9])):
        out = tmp_path / part
        succeed(
            "dataset_scripts/cut_cells.py",
            "--fields",
            tmp_path / "fields",
            "--class",
            "EOS",
            "--part",
            part,
            "--out",
            out,
        )
        assert sorted(path.name for path in out.iterdir() if path.is_dir()) == [f"f{number}" for number in numbers]


def whole_number(field) -> int:
    """The number of the first cell that the border does not cut."""
    whole = whole_cells(field)[0]
    return int(field.labels[whole][0])
