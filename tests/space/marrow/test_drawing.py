"""Pictures: something is drawn where the cells are, and only there."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
import pytest

from marrow import Analysis, analyze
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


@pytest.mark.parametrize("code", ["BLA", "PMO", "MYB", "MMZ"])
def test_each_class_has_its_line(analysis, code):
    """Around one disc, the line has as many gaps as its pattern; a whole one has none."""
    radius, line = 400, 8  # which a picture of this size gets
    angles = np.linspace(0, 2 * np.pi, 720, endpoint=False)
    ring = np.stack([np.cos(angles), np.sin(angles)], axis=1)
    box = (880.0, 880.0, 1680.0, 1680.0)
    cell = replace(analysis.cells[0], label=code, box=box, polygon=tuple(map(tuple, 1280 + radius * ring)))
    alone = replace(analysis, width=2560, height=2560, cells=(cell,))
    picture = draw_annotations(np.full((2560, 2560, 3), 128, np.uint8), alone)
    x, y = np.round(1280 + radius * ring).astype(int).T
    drawn = np.abs(picture[y, x].astype(int) - PALETTE[code]).max(axis=1) < 60
    patterns = 2 * np.pi * radius / (sum(DASHES[code]) * line / 2.5) if DASHES[code] else 0
    assert (np.diff(np.append(drawn, drawn[0]).astype(int)) == -1).sum() == pytest.approx(
        patterns * len(DASHES[code]) / 2, abs=1
    )


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


def _pixels(picture: np.ndarray, colour: tuple[int, int, int]) -> int:
    return int((picture == colour).all(axis=2).sum())
