"""Mosaics: what they are made of, and how what is found in them is compared with what is found alone."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.mosaics import BLOCK, SEAM, Found, Mosaic, Window, boxes_by, compare, make_mosaic, matched_when_shifted
from benchmarks.scale import unpadded
from dataset_scripts.drawing.pictures import draw_field
from marrow.defaults import default_reference
from marrow.segmenter import Segmenter


@pytest.fixture(scope="module")
def fields() -> list[np.ndarray]:
    return [draw_field(np.random.default_rng(seed), 400, 480, 8).image for seed in range(4)]


@pytest.fixture(scope="module")
def segmenter() -> Segmenter:
    return Segmenter.from_pretrained(default_reference("segmenter"))


@pytest.mark.parametrize(("scale", "windows"), [(1.0, 1), (2.0, 1), (0.5, 4), (0.35, 9)])
def test_windows_fill_a_mosaic_without_gaps(fields, scale, windows):
    mosaic = make_mosaic(fields, 3, 2, [scale], np.random.default_rng(0))
    assert mosaic.image.shape == (2 * BLOCK, 3 * BLOCK, 3)
    assert len(mosaic.windows) == 6 * windows
    seen = np.zeros(mosaic.image.shape[:2], int)
    for window in mosaic.windows:
        x0, y0, x1, y1 = window.box
        seen[y0:y1, x0:x1] += 1
        assert (mosaic.image[y0:y1, x0:x1] == window.image).all()
    assert (seen == 1).all()


def test_every_field_comes_before_one_comes_again(fields):
    plain = [np.full((400, 400, 3), value, np.uint8) for value in (10, 60, 120, 200)]
    mosaic = make_mosaic(plain, 2, 2, [1.0], np.random.default_rng(5))
    assert sorted(int(window.image[0, 0, 0]) for window in mosaic.windows) == [10, 60, 120, 200]


def test_the_figures_are_exact():
    found = Found(np.array([20.0, 40, 50, 200]), np.array([True, True, False, True]), np.array([45.0, 300]))
    assert found.figures() == {"cells": 4, "together": 0.75, "more": 0.5}
    assert found.between(30, 64).figures() == {"cells": 2, "together": 0.5, "more": 0.5}
    assert found.between(300, 400).figures() == {"cells": 0, "together": 0.0, "more": 1.0}
    assert (found + found).figures() == {"cells": 8, "together": 0.75, "more": 0.5}


def test_a_mosaic_of_one_window_shows_what_the_window_shows(fields, segmenter):
    figures = compare(make_mosaic(fields, 1, 1, [1.0], np.random.default_rng(1)), boxes_by(segmenter)).figures()
    assert figures["cells"] >= 2 and figures["together"] == 1 and figures["more"] == 0


def test_what_the_mosaic_hides_is_missed_and_what_it_adds_is_more(fields, segmenter):
    mosaic = make_mosaic(fields, 2, 1, [1.0], np.random.default_rng(1))
    first, second = mosaic.windows
    image = mosaic.image.copy()
    image[:, BLOCK:] = image[0, 0]
    hidden = compare(Mosaic(image, (first, second)), boxes_by(segmenter))
    assert 0 < hidden.again.mean() < 1
    bare = Window(np.full_like(first.image, first.image[0, 0]), 0, 0)
    added = compare(Mosaic(mosaic.image, (bare, second)), boxes_by(segmenter))
    assert len(added.extra) > 0 and added.again.mean() > 0.9


def test_cells_that_a_seam_may_cut_do_not_count(fields, segmenter):
    mosaic = make_mosaic(fields, 1, 1, [1.0], np.random.default_rng(1))
    boxes = np.array([one.box for one in segmenter(mosaic.image)])
    inner = ((boxes[:, :2] >= SEAM) & (boxes[:, 2:] <= BLOCK - SEAM)).all(axis=1)
    assert compare(mosaic, boxes_by(segmenter)).figures()["cells"] == inner.sum() < len(boxes)


def test_the_same_cells_are_found_where_tiles_fall_elsewhere(fields, segmenter):
    same, cells = matched_when_shifted(make_mosaic(fields, 3, 2, [1.0], np.random.default_rng(2)), segmenter)
    assert cells > 20 and same > 0.95 * cells
    assert segmenter.shift == 0


def test_padding_is_cut_off(fields):
    padded = np.full((600, 480, 3), (208, 196, 210), np.uint8)
    padded[100:500] = fields[0]
    np.testing.assert_array_equal(unpadded(padded), fields[0])
