"""Files: other programs read them, and a failed write leaves nothing behind."""

from __future__ import annotations

import csv
import io
import json
import unicodedata
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image
from pycocotools.coco import COCO

from marrow import Analysis, MarrowError, analyze
from marrow.cell import Edit
from marrow.export import SUFFIXES, export, to_csv
from tests.space.known_models import CODES, DISCS


@pytest.fixture
def analysis(models, smear) -> Analysis:
    return analyze(smear, models, 0.5)


def test_json_is_the_analysis(analysis, smear, tmp_path):
    (path,) = export(analysis, smear, "a.b.jpg", tmp_path / "new" / "out", ["json"])
    assert path.name == "a.b.json"
    assert json.loads(path.read_text()) == json.loads(json.dumps(analysis.to_dict()))


def test_csv_has_a_row_per_cell(analysis, smear, tmp_path):
    (path,) = export(analysis, smear, "field.jpg", tmp_path, ["csv"])
    rows = list(csv.DictReader(path.open()))
    assert [(row["id"], row["label"]) for row in rows] == [("1", "NGS"), ("2", "NGS"), ("3", "EBO"), ("4", "NGS")]
    for row, (cx, cy, radius, score) in zip(rows, DISCS, strict=False):
        box = [float(row[key]) for key in ("x0", "y0", "x1", "y1")]
        assert box == pytest.approx([cx - radius, cy - radius, cx + radius, cy + radius], abs=1)
        assert float(row["score"]) == pytest.approx(score)
        assert float(row["area"]) == pytest.approx(np.pi * radius**2, rel=0.05)
        assert sum(float(row[f"p_{code}"]) for code in CODES) == pytest.approx(1, abs=0.01)
        assert (row["model_label"], row["edited"], row["edited_by"], row["edited_at"]) == (row["label"], "", "", "")


def test_coco_is_read_by_pycocotools(analysis, smear, tmp_path):
    (path,) = export(analysis, smear, "field.jpg", tmp_path, ["coco"])
    assert path.name == "field.coco.json"
    coco = COCO(str(path))
    annotations = coco.loadAnns(coco.getAnnIds(imgIds=[1]))
    names = [coco.loadCats(a["category_id"])[0]["name"] for a in annotations]
    assert names == [cell.label for cell in analysis.cells]
    for annotation, cell in zip(annotations, analysis.cells, strict=True):
        assert coco.annToMask(annotation).sum() == pytest.approx(cell.area, rel=0.06)
        x, y, width, height = annotation["bbox"]
        assert (x, y, x + width, y + height) == pytest.approx(cell.box, abs=0.11)
    assert coco.loadImgs(1)[0] == {"id": 1, "file_name": "field.jpg", "width": 320, "height": 320}


def test_an_edit_stands_in_csv_and_coco(analysis, smear, tmp_path):
    first = analysis.cells[0]
    edit = Edit("2026-11-23T12:00:00Z", "=Åsa", "BLA", "split")
    cells = (replace(first, label="BLA", probability=first.probabilities["BLA"], edited=edit), *analysis.cells[1:])
    table, coco = export(replace(analysis, cells=cells), smear, "field.jpg", tmp_path, ["csv", "coco"])
    row = next(csv.DictReader(table.open(encoding="utf-8")))
    expected = {"label": "BLA", "model_label": "NGS", "edited": "named+split", "edited_by": "Åsa", "uncertain": "0"}
    assert expected.items() <= row.items() and row["edited_at"] == edit.at
    annotation = json.loads(coco.read_text())["annotations"][0]
    assert (annotation["category_id"], annotation["uncertain"]) == (1 + CODES.index("BLA"), False)
    assert (annotation["model_label"], annotation["edited"], annotation["edited_at"]) == ("NGS", "named+split", edit.at)


def test_png_is_annotated_and_of_the_same_size(analysis, smear, tmp_path):
    (path,) = export(analysis, smear, "field.jpg", tmp_path, ["png"])
    picture = np.asarray(Image.open(path))
    assert picture.shape == smear.shape
    assert (picture != smear).any()


def test_all_formats_together_leave_no_other_file(analysis, smear, tmp_path):
    paths = export(analysis, smear, "field.jpg", tmp_path, SUFFIXES)
    assert sorted(paths) == sorted(tmp_path.iterdir())
    assert {path.stat().st_mode & 0o777 for path in paths} == {0o644}


def test_a_folder_that_is_a_file_is_refused_in_one_sentence(analysis, smear, tmp_path):
    (tmp_path / "out").write_text("a file")
    with pytest.raises(MarrowError, match="cannot be written"):
        export(analysis, smear, "field.jpg", tmp_path / "out", ["json"])


@pytest.mark.parametrize("name", ["=1+1", " =1+1", "＝1+1", "\u3000@SUM(A1)", "+-=x", "－2"])
def test_no_cell_of_a_table_is_a_formula(reviewed, name):
    first = reviewed.cells[0]
    cell = replace(first, edited=replace(first.edited, by=name))
    changed = replace(reviewed, cells=(cell, *reviewed.cells[1:]))
    for row in csv.reader(io.StringIO(to_csv(changed))):
        assert all(unicodedata.normalize("NFKC", value).strip()[:1] not in tuple("=+-@") for value in row), row
