"""Outlines that a person adds, merges and splits, against those that are known."""

from __future__ import annotations

import numpy as np
import pytest

from marrow import MarrowError, read_image
from marrow.analysis import Detection
from marrow.editing import merge_outlines, outline_in_box, split_outline
from marrow.geometry import polygon_mask
from marrow.segmenter import Segmenter
from tests.space.known_models import HUB
from tests.space.served import EXAMPLES


@pytest.fixture(scope="module")
def segmenter() -> Segmenter:
    folder = HUB / "bone-marrow-yolov8-seg"
    if not (folder / "model.onnx").is_file():
        pytest.skip("hub/ holds no weights")
    return Segmenter.from_pretrained(str(folder))


def test_cells_are_outlined_in_boxes_drawn_by_an_unsteady_hand(segmenter):
    random, overlaps = np.random.default_rng(0), []
    for path in EXAMPLES:
        image = read_image(path)
        for cell in segmenter(image)[:5]:
            x0, y0, x1, y1 = cell.box
            box = np.array(cell.box) + random.uniform(-0.15, 0.15, 4) * np.tile((x1 - x0, y1 - y0), 2)
            found = outline_in_box(image, tuple(box.tolist()), segmenter)
            overlaps.append(_iou(found, cell, image.shape[:2]))
            assert found.score > 0
    assert np.mean(overlaps) > 0.9, overlaps


def test_a_small_image_and_corners_in_any_order_do(segmenter):
    image = read_image(EXAMPLES[0])
    (x0, y0, x1, y1), *_ = [cell.box for cell in segmenter(image) if min(cell.box) > 40]
    part = image[round(y0) - 6 : round(y1) + 6, round(x0) - 6 : round(x1) + 6]
    height, width = part.shape[:2]
    found = outline_in_box(part, (width - 6, height - 6, 6, 6), segmenter)
    assert found.box == pytest.approx((6, 6, width - 6, height - 6), abs=0.12 * max(width, height))


def test_where_the_segmenter_finds_nothing_colour_does_and_then_an_ellipse(models):
    # the known segmenter sees its discs wherever it looks, and never one in the middle
    image = np.full((400, 400, 3), (240, 225, 215), np.uint8)
    ellipse = outline_in_box(image, (170, 180, 230, 220), models.segmenter)
    assert (ellipse.box, ellipse.score) == ((170, 180, 230, 220), 0)
    assert ellipse.area == pytest.approx(np.pi * 30 * 20)
    cell = _disc(200, 200, 30)
    image[_filled(cell, (400, 400)) > 0] = (170, 150, 200)
    image[_filled(_disc(203, 198, 18), (400, 400)) > 0] = (70, 30, 110)
    grown = outline_in_box(image, (165, 172, 234, 226), models.segmenter)
    assert grown.score == 0 and _iou(grown, cell, (400, 400)) > 0.85


@pytest.mark.parametrize("box", [(10, 10, 12, 40), (-50, 0, 2, 40), (500, 500, 600, 600)])
def test_a_box_without_room_for_a_cell_is_refused(models, smear, box):
    with pytest.raises(MarrowError, match="too small"):
        outline_in_box(smear, box, models.segmenter)


def test_neighbours_are_merged_with_their_gap():
    left, right = _disc(100, 100, 30), _disc(164, 100, 30)
    merged = merge_outlines([left, right], (320, 320))
    both = _filled(left, (320, 320)) | _filled(right, (320, 320))
    inside = _filled(merged, (320, 320))
    assert not (both & ~inside).sum() > 0.01 * both.sum()
    assert inside[100, 132] and inside.sum() < 1.15 * both.sum()
    assert merged.box == pytest.approx((70, 70, 194, 130), abs=1)
    assert merged.area == pytest.approx(inside.sum(), rel=0.03) and merged.score == 0.8


def test_cells_that_lie_apart_and_a_single_one_are_not_merged():
    with pytest.raises(MarrowError, match="too far apart"):
        merge_outlines([_disc(60, 60, 30), _disc(160, 60, 30)], (320, 320))
    with pytest.raises(MarrowError, match="two or more"):
        merge_outlines([_disc(60, 60, 30)], (320, 320))


@pytest.mark.parametrize("distance", [62, 52, 44])
def test_two_cells_in_one_outline_are_parted(distance):
    image = np.full((240, 320, 3), (240, 225, 215), np.uint8)
    cells = [_disc(100, 120, 32), _disc(100 + distance, 128, 28)]
    for cell in cells:
        image[_filled(cell, (240, 320)) > 0] = (170, 150, 200)
    for x, y in ((100, 120), (100 + distance, 128)):
        image[_filled(_disc(x, y, 15), (240, 320)) > 0] = (70, 30, 110)
    parts = split_outline(image, merge_outlines(cells, (320, 240)))
    assert len(parts) == 2
    for part, cell in zip(parts, cells, strict=True):
        assert _iou(part, cell, (240, 320)) > 0.85
    first, second = (_filled(part, (240, 320)) for part in parts)
    assert (first & second).sum() < 0.01 * first.sum()


def test_a_round_cell_is_not_parted(smear):
    with pytest.raises(MarrowError, match="cannot be parted into 2"):
        split_outline(smear, _disc(60, 60, 30))


def _disc(x: float, y: float, radius: float) -> Detection:
    angles = np.linspace(0, 2 * np.pi, 60, endpoint=False)
    points = np.stack([x + radius * np.cos(angles), y + radius * np.sin(angles)], axis=1)
    box = (x - radius, y - radius, x + radius, y + radius)
    return Detection(box, tuple(map(tuple, points.tolist())), float(np.pi * radius**2), 0.8)


def _filled(outline: Detection, shape: tuple[int, int]) -> np.ndarray:
    return polygon_mask(outline.polygon, shape)


def _iou(a: Detection, b: Detection, shape: tuple[int, int]) -> float:
    first, second = _filled(a, shape), _filled(b, shape)
    return (first & second).sum() / (first | second).sum()
