"""A slide is cut without gaps or overlaps, and read at the scale that the network knows."""

from __future__ import annotations

import numpy as np
import pytest

from marrow.report import KNOWN_SIZES
from marrow.slide.grid import PIXEL_UM, Grid, Place
from marrow.slide.reader import Slide


@pytest.mark.parametrize("mpp", [0.25, 0.06])
def test_every_pixel_lies_in_one_area(svs, mpp):
    slide = Slide(svs, mpp)
    grid, seen = Grid(slide), np.zeros((slide.height, slide.width), int)
    for area in grid:
        left, top, right, bottom = area.core
        seen[top:bottom, left:right] += 1
        x0, y0, x1, y1 = grid.place(area.core).box
        assert 0 <= x0 <= left and right <= x1 <= slide.width and 0 <= y0 <= top and bottom <= y1 <= slide.height
    assert (seen == 1).all()


@pytest.mark.parametrize(("mpp", "as_read"), [(0.04, PIXEL_UM), (0.07, PIXEL_UM), (0.13, 0.13), (0.25, 0.25)])
def test_marrow_cells_come_out_as_large_as_the_network_knows_them(svs, mpp, as_read):
    grid = Grid(Slide(svs, mpp))
    assert grid.pixel_um == pytest.approx(as_read)
    low, high = KNOWN_SIZES
    assert low <= 8 / grid.pixel_um and 20 / grid.pixel_um <= high


def test_places_are_brought_to_the_slide(svs):
    place = Place((100, 200, 400, 500), 150, 100)
    assert place.to_slide([(0, 0), (150, 100), (75, 50)]).tolist() == [[100, 200], [400, 500], [250, 350]]
