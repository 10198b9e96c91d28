"""Countable ground is told from empty, thick and blurred ground, and edges are measured whatever their contrast."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from marrow.slide import ground
from marrow.slide.focus import edge_width
from marrow.slide.grid import Grid
from marrow.slide.ground import OVERVIEW, find_ground, ground_colour
from marrow.slide.reader import Slide
from marrow.stain import background_colour
from tests.space.marrow.slide.drawn_slides import CORE, MPP, write_tiff

EXPECTED = ["countable", "countable", "too_thick", "empty", "countable", "countable", "out_of_focus", "empty"]


def test_each_area_is_what_was_drawn(any_slide):
    slide = Slide(any_slide)
    areas = find_ground(slide, Grid(slide), slide.overview(OVERVIEW))
    assert [area.kind for area in areas] == EXPECTED
    assert all((area.score > 0) == (area.kind == "countable") for area in areas)


def test_neighbours_share_a_place_where_there_are_many(svs, monkeypatch):
    monkeypatch.setattr(ground, "SAMPLES", 2)
    slide = Slide(svs)
    areas = find_ground(slide, Grid(slide), slide.overview(OVERVIEW))
    left = [area for area in areas if area.column < 2]
    assert len({(area.gaps, area.nuclei, area.blur_um) for area in left}) == 1


def test_what_was_not_scanned_is_no_ground(drawn_smear):
    field = drawn_smear.image[:CORE, :CORE]
    slide = np.full((3 * CORE, CORE, 3), 255, np.uint8)
    slide[:CORE] = field
    assert ground_colour(slide) == pytest.approx(background_colour(field), abs=1)


def test_a_white_margin_is_empty(drawn_smear, tmp_path):
    image = np.full((CORE, 2 * CORE, 3), 255, np.uint8)
    image[:, :CORE] = drawn_smear.image[:CORE, :CORE]
    slide = Slide(write_tiff(tmp_path / "smear.tif", image))
    assert [area.kind for area in find_ground(slide, Grid(slide), slide.overview(OVERVIEW))] == ["countable", "empty"]


@pytest.mark.parametrize("contrast", [0.2, 2.0])
@pytest.mark.parametrize("sigma", [1.0, 2.0, 3.0])
def test_the_width_of_edges_is_measured_whatever_their_contrast(sigma, contrast):
    y, x = np.mgrid[:256, :256]
    discs = (np.hypot(x % 64 - 32, y % 64 - 32) < 24).astype(np.float32)
    assert edge_width(contrast * cv2.GaussianBlur(discs, (0, 0), sigma)) == pytest.approx(sigma, rel=0.25)


def test_blur_grows_with_the_focus_lost(drawn_smear):
    field = drawn_smear.image[:CORE, :CORE].mean(axis=2).astype(np.float32)
    widths = [edge_width(cv2.GaussianBlur(field, (0, 0), um / MPP)) for um in (0.25, 0.5, 1.0)]
    assert widths == sorted(widths) and widths[-1] * MPP > ground.BLURRED_UM
