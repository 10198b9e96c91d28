"""Pictures: something is drawn where the cells are, and only there."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
import pytest

from marrow import Analysis, Cell, analyze
from marrow.drawing import DASHES, GREY, HEAT, PALETTE, draw_annotations, draw_heat, draw_segmentation
from tests.space.known_models import DISCS


@pytest.fixture
def analysis(models, smear) -> Analysis:
    return analyze(smear, models, 0.5)


@pytest.mark.parametrize("draw", [draw_segmentation, draw_annotations])
def test_a_picture_is_a_copy_that_differs_around_the_cells_only(draw, smear, analysis):
    before = smear.copy()
    picture = draw(smear, analysis)
    assert np.array_equal(smear, before)
    assert picture.shape == smear.shape and picture.dtype == np.uint8
    changed = (picture != smear).any(axis=2)
    for cx, cy, radius, score in DISCS:
        around = changed[cy - radius - 3 : cy + radius + 3, cx - radius - 3 : cx + radius + 3]
        assert around.any() == (score >= 0.5)
    assert not changed[280:].any()


def test_segmentation_tints_the_inside_and_annotations_leave_it(smear, analysis):
    cx, cy, *_ = DISCS[3]
    assert (draw_segmentation(smear, analysis)[cy, cx] != smear[cy, cx]).any()
    assert (draw_annotations(smear, analysis)[cy, cx] == smear[cy, cx]).all()


def test_each_class_has_its_colour_and_uncertain_cells_are_grey(smear, analysis):
    assert {cell.label for cell in analysis.cells} == {"NGS", "EBO"}
    sure = draw_annotations(smear, analysis)
    unsure = draw_annotations(smear, replace(analysis, report=replace(analysis.report, uncertain_below=1.1)))
    for colour, count in ((PALETTE["NGS"], 300), (PALETTE["EBO"], 100)):
        assert _pixels(sure, colour) > count
        assert _pixels(unsure, colour) == 0
    assert _pixels(sure, GREY) == 0
    assert 300 < _pixels(unsure, GREY)


def test_each_class_has_its_line(smear, analysis):
    """Around the same disc, a line has as many gaps as its pattern; whole lines have none."""
    (cell, *_) = analysis.cells
    gaps = {code: _gaps(smear, analysis, replace(cell, label=code)) for code in ("BLA", "PMO", "MYB", "MMZ")}
    assert gaps["BLA"] == 0
    around = (2 * np.pi - 2 * CHIP) * DISCS[0][2]
    for code in ("PMO", "MYB", "MMZ"):
        patterns = around / (sum(DASHES[code]) * 2 / 2.5)
        assert gaps[code] == pytest.approx(patterns * len(DASHES[code]) / 2, abs=1.5), code


def test_heat_is_one_colour_and_as_opaque_as_the_evidence_is_strong():
    heat = draw_heat(np.array([[4.0, 2.0], [0.0, -8.0]], np.float32))
    assert (heat[..., :3] == HEAT).all()
    assert heat[0, 0, 3] == pytest.approx(2 * heat[0, 1, 3], abs=1) and 100 < heat[0, 0, 3] < 200
    assert (heat[1, :, 3] == 0).all()
    assert (draw_heat(np.full((2, 2), -1.0))[..., 3] == 0).all()


@pytest.mark.parametrize("side", [320, 1000, 3000])
def test_lines_grow_with_the_image(models, smear, side):
    image = cv2.resize(smear, (side, side), interpolation=cv2.INTER_AREA)
    picture = draw_annotations(image, analyze(image, models, 0.5))
    share = (picture != image).any(axis=2).mean()
    assert 0.015 < share < 0.09


def test_an_analysis_without_cells_draws_nothing(models, smear):
    nothing = analyze(smear, models, 1.0)
    assert nothing.cells == ()
    assert np.array_equal(draw_annotations(smear, nothing), smear)
    assert np.array_equal(draw_segmentation(smear, nothing), smear)


CHIP = 0.6
"""Half of the angle, in radians, in which the label lies over the line."""


def _gaps(smear: np.ndarray, analysis: Analysis, cell: Cell) -> int:
    """Count the gaps in the line of a lone cell, walking along the middle of it."""
    cx, cy, radius, _ = DISCS[0]
    picture = draw_annotations(np.full_like(smear, 128), replace(analysis, cells=(cell,)))
    colour, angles = np.array(PALETTE[cell.label]), np.linspace(0, 2 * np.pi, 1440, endpoint=False)
    ring = np.stack([np.cos(angles), np.sin(angles)], axis=1)
    reach = np.arange(radius - 3, radius + 3, 0.5)
    points = np.round((cx, cy) + ring[:, None] * reach[:, None]).astype(int)
    drawn = (np.abs(picture[points[..., 1], points[..., 0]].astype(int) - colour).max(axis=2) < 60).any(axis=1)
    chip = np.abs(np.angle(np.exp(1j * (angles - 1.25 * np.pi)))) < CHIP
    steps = (drawn | chip).astype(int)
    return int((np.diff(np.append(steps, steps[0])) == -1).sum())


def _pixels(picture: np.ndarray, colour: tuple[int, int, int]) -> int:
    return int((picture == colour).all(axis=2).sum())
