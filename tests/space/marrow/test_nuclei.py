"""Nuclei are known by their colour and their place."""

from __future__ import annotations

import numpy as np

from dataset_scripts.drawing.pictures import draw_field
from marrow.geometry import box_intersections, mask_box
from marrow.nuclei import Nuclei


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
    assert len(boxes) > 8 and all(nuclei.make_a_cell_of(box) for box in boxes)
    corners = rng.uniform((0, 0), (580, 420), (500, 2))
    elsewhere = np.concatenate([corners, corners + 60], axis=1)
    apart = elsewhere[box_intersections(elsewhere, boxes).max(axis=1) == 0]
    platelets = np.mean([nuclei.make_a_cell_of(box) for box in apart])
    assert len(apart) > 20 and platelets < 0.1


def test_a_nucleus_beside_a_box_is_not_its_own():
    image = np.full((400, 400, 3), (240, 230, 235), np.uint8)
    image[100:160, 100:160], image[100:160, 160:220] = (200, 150, 160), (90, 40, 130)
    nuclei = Nuclei.of(image)
    assert nuclei.make_a_cell_of((160, 100, 220, 160)) and nuclei.make_a_cell_of((100, 100, 220, 160))
    assert not nuclei.make_a_cell_of((96, 96, 162, 164))
    empty = Nuclei.of(np.full((400, 400, 3), 240, np.uint8))
    assert empty.make_a_cell_of((96, 96, 162, 164)), "nothing is stained there, which says nothing of cells"
