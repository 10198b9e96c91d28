"""Large pictures in a real browser: the benchmark sees what a visitor sees."""

from __future__ import annotations

import shutil

import numpy as np
import pytest

from benchmarks.browser import browser_rows
from dataset_scripts.drawing.pictures import draw_field


@pytest.mark.skipif(not shutil.which("chromium"), reason="no chromium on the PATH")
def test_a_mosaic_is_opened_zoomed_moved_and_filtered(tmp_path):
    fields = [draw_field(np.random.default_rng(seed), 400, 480, 8).image for seed in range(2)]
    (row,) = browser_rows(fields, tmp_path, [1], tmp_path)
    assert row["cells"] > 8 and row["megapixels"] == 0.5 and row["seconds"] > 0
    for movement in ("zooming", "moving", "sliding"):
        assert 0 < row[movement]["median"] <= row[movement]["p95"]
    whole, enlarged = (tmp_path / f"mosaic_1_{kind}.png" for kind in ("whole", "enlarged"))
    assert min(whole.stat().st_size, enlarged.stat().st_size) > 10_000 and whole.read_bytes() != enlarged.read_bytes()
