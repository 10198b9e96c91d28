"""Nuclei are known by their colour and their place."""

from __future__ import annotations

import numpy as np
import pytest

from dataset_scripts.drawing.pictures import draw_field
from marrow.geometry import box_intersections, mask_box
from marrow.nuclei import Nuclei, least_share


def test_nuclei_are_known_by_their_place():
    image = np.full((3000, 4000, 3), (240, 230, 235), np.uint8)
    image[1000:1080, 2000:2080] = (90, 40, 130)
    nuclei = Nuclei.of(image)
    assert nuclei.are_in((1900, 900, 2200, 1200)) and nuclei.are_in((0, 0, 4000, 3000))
    assert not nuclei.are_in((0, 0, 1900, 900)) and not nuclei.are_in((2200, 1200, 4000, 3000))
    assert not Nuclei.of(np.full((500, 500, 3), 240, np.uint8)).are_in((0, 0, 500, 500))


def test_drawn_cells_have_a_nucleus_and_drawn_red_cells_have_none():
    rng = np.random.default_rng(2)
    field = draw_field(rng, 480, 640, 12)
    nuclei, boxes = Nuclei.of(field.image), np.array([mask_box(field.labels == i) for i in range(1, 13)])
    corners = rng.uniform((0, 0), (580, 420), (500, 2))
    elsewhere = np.concatenate([corners, corners + 60], axis=1)
    apart = elsewhere[box_intersections(elsewhere, boxes).max(axis=1) == 0]
    cells, others = nuclei.shares(boxes), nuclei.shares(apart)
    assert len(apart) > 20 and cells.min() >= least_share(cells)
    assert np.mean(others >= least_share(cells)) < 0.1, "but for some platelets"


def test_a_nucleus_beside_a_box_is_not_its_own():
    image = np.full((400, 400, 3), (240, 230, 235), np.uint8)
    image[100:160, 100:160], image[100:160, 160:220] = (200, 150, 160), (90, 40, 130)
    boxes = np.array([(160, 100, 220, 160), (100, 100, 220, 160), (96, 96, 162, 164)], float)
    own, both, beside = Nuclei.of(image).shares(boxes)
    assert own == pytest.approx(1, abs=0.01) and both == pytest.approx(1, abs=0.01) and beside < 0.1
    outside = np.array([(500, 500, 520, 520)], float)
    assert Nuclei.of(image).shares(outside) == 0


def test_where_nothing_is_stained_every_outline_may_be_a_cell():
    empty = Nuclei.of(np.full((400, 400, 3), 240, np.uint8))
    assert empty.shares(np.array([(96.0, 96, 162, 164)])) == 1
    assert empty.shares(np.zeros((0, 4))).shape == (0,)


@pytest.mark.parametrize(
    ("shares", "cells"),
    [
        ([], 0),
        ([0.9], 1),
        ([0.9, 0.09], 1),  # too pale for any picture
        ([0.9, 0.8, 0.24, 0.2, 0.15], 2),  # a gap
        ([0.9, 0.7, 0.5, 0.35, 0.24, 0.15, 0.11], 7),  # none
        ([0.9, 0.3, 0.26], 3),  # not as pale as red cells are
        ([0.6, 0.24, 0.09], 1),
        ([0.24, 0.2], 2),
    ],
)
def test_outlines_much_paler_than_all_others_are_no_cells(shares, cells):
    given = np.array(shares)
    assert (given >= least_share(given)).sum() == cells
    assert (given[::-1] >= least_share(given[::-1])).sum() == cells, "in any order"
