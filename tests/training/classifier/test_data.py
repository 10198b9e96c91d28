"""Single cells for training: loading, crops, where they are from, weights of classes."""

from pathlib import Path

import datasets
import numpy as np
import pytest

from dataset_scripts.drawing.pictures import CODES
from marrow.crop import CropConfig, crop_cell, find_centre_cell
from marrow.errors import MarrowError
from training.classifier.data import Cells, class_weights, load_cells, real_cells

CROP = CropConfig(size=65)


@pytest.fixture(scope="module")
def cells(cell_set) -> Cells:
    return load_cells(str(cell_set), "train")


def test_a_split_is_loaded_with_its_codes_sources_and_boxes(cells):
    assert len(cells) == 96 and cells.codes == CODES
    assert np.bincount(cells.labels).tolist() == [8] * 12
    assert cells.counts() == {code: {"drawn": {"drawn": 8}} for code in CODES}
    for image, (x0, y0, x1, y1) in zip(cells.images, cells.boxes, strict=True):
        assert image.dtype == np.uint8 and image.shape == (250, 250, 3)
        assert 0 <= x0 < x1 <= 250 and 0 <= y0 < y1 <= 250


def test_crops_are_those_of_the_runtime_and_raw_views_the_whole_image(cells):
    few = cells.select(np.arange(96) < 3)
    assert len(few) == 3 and few.counts()["PMO"] in ({}, *({"drawn": {"drawn": n}} for n in (1, 2, 3)))
    expected = [crop_cell(image, find_centre_cell(image), CROP) for image in few.images]
    assert np.array_equal(few.crops(CROP), expected)
    assert few.raw(65).shape == (3, 65, 65, 3)
    assert few.raw(65)[0].mean() == pytest.approx(few.images[0].mean(), abs=1)


def test_select_keeps_what_belongs_together(cells):
    chosen = cells.select(cells.labels == CODES.index("EOS"))
    assert chosen.counts()["EOS"] == {"drawn": {"drawn": 8}} and sum(map(len, chosen.counts().values())) == 1
    assert np.array_equal(chosen.images[2], cells.images[np.flatnonzero(cells.labels == CODES.index("EOS"))[2]])


@pytest.mark.parametrize(("data", "split"), [("no/such-folder", "train"), ("", "nonsense")])
def test_what_cannot_be_loaded_is_refused(data, split, cell_set, tmp_path):
    reference = str(tmp_path / data) if data else str(cell_set)
    with pytest.raises(MarrowError, match="cannot be loaded") as caught:
        load_cells(reference, split)
    assert reference in str(caught.value) and "bone_marrow_12.py" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_origin_and_laboratory_are_those_of_the_columns(cell_set, tmp_path):
    loaded = datasets.load_dataset(str(cell_set), split="validation").sort("label")
    origins = ["bone_marrow"] * 10 + ["drawn"] * 2
    columns = {"origin": origins, "laboratory": ["MLL"] * 4 + ["Pune"] * 6 + ["pencil"] * 2}
    for name, values in columns.items():
        loaded = loaded.remove_columns(name) if name in loaded.column_names else loaded
        loaded = loaded.add_column(name, values)
    Path(tmp_path / "data").mkdir()
    loaded.to_parquet(tmp_path / "data" / "train-00000-of-00001.parquet")
    cells = load_cells(str(tmp_path), "train")
    assert set(cells.sources) == {"drawn"} and cells.origins == tuple(origins)
    assert cells.laboratories == tuple(columns["laboratory"])
    counts = cells.counts()
    assert (counts[CODES[0]], counts[CODES[9]]) == ({"bone_marrow": {"MLL": 1}}, {"bone_marrow": {"Pune": 1}})
    real = real_cells(cells)
    assert set(real.origins) == {"bone_marrow"} and real.laboratories == cells.laboratories[:10]


def test_of_older_sets_only_the_exact_names_of_sources_tell_the_origin(cells):
    sources = ("marrow", "blood", "drawn", "marrow_elsewhere")
    old = Cells(cells.images[:4], cells.boxes[:4], np.array([0, 0, 0, 1]), sources, ("BLA", "LYT"))
    assert old.origins == ("bone_marrow", "blood", "drawn", "unknown")
    assert old.counts() == {
        "BLA": {"bone_marrow": {"MLL": 1}, "blood": {"Barcelona": 1}, "drawn": {"drawn": 1}},
        "LYT": {"unknown": {"marrow_elsewhere": 1}},
    }
    assert real_cells(old).laboratories == ("MLL", "Barcelona", "marrow_elsewhere")


def test_class_weights_balance_the_classes():
    weights = class_weights([0, 0, 0, 2], 4)
    assert weights.tolist() == pytest.approx([4 / 6, 0, 2, 0])
    assert weights[[0, 0, 0, 2]].mean() == pytest.approx(1)
