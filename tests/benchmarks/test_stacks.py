"""The stacks that this project is timed against do the same work, on real weights."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.slicing import slicing_rows
from benchmarks.speed import LOOKS, speed_rows
from benchmarks.timed_fields import compose
from dataset_scripts.drawing.pictures import CODES, draw_field
from dataset_scripts.fields.patch_bank import PatchBank
from dataset_scripts.fields.patches import drawn_patch

pytestmark = pytest.mark.slow


def test_every_stack_finds_the_cells_and_the_slow_path_finds_the_same(tmp_path):
    rng = np.random.default_rng(3)
    bank = PatchBank(
        {"drawn": [drawn_patch(rng, [code for code in CODES if code != "ART"]) for _ in range(20)]}, {"drawn": []}
    )
    # cells so small that every way looks at them twice: where one look may do, single precision can tell otherwise
    found = speed_rows({30: compose(bank, 30, 2)}, tmp_path)
    assert found["fields"] == 2 and found["rows"][0]["stack"] == "this project"
    assert len(found["rows"]) == 4
    for row in found["rows"]:
        assert row["recall"] > 0.8 and 0 < row["low"] <= row["ms"] <= row["high"]
    for same, looks in zip(found["same"], LOOKS, strict=True):
        assert same["cells"] == 30 and same["looks"] == looks
        assert min(same["kept"], same["known"], same["name"]) > 0.9 and same["iou"] > 0.95


def test_slices_find_what_tiles_find(tmp_path):
    fields = [draw_field(np.random.default_rng(seed), 400, 480, 8).image for seed in range(2)]
    ours, slices = slicing_rows(fields, tmp_path, [2])
    assert ours["megapixels"] == slices["megapixels"] == 0.52
    assert min(ours["together"], slices["together"]) > 0.8 and min(ours["seconds"], slices["seconds"]) > 0
