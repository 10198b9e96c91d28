"""The crop: one size whatever the magnification, a circle on grey, nothing moved."""

import cv2
import numpy as np
import pytest

from dataset_scripts.drawing.pictures import draw_field, draw_single
from marrow.crop import CropConfig, crop_cell, find_centre_cell


def circle(size: int) -> np.ndarray:
    offsets = np.arange(size) - (size - 1) / 2
    return np.hypot(offsets[:, None], offsets) <= size / 2


@pytest.mark.parametrize("size", [33, 64, 129])
def test_size_and_circle(size):
    image = np.full((100, 120, 3), 200, np.uint8)
    crop = crop_cell(image, (40, 30, 80, 70), CropConfig(size=size, background=77))
    assert crop.shape == (size, size, 3) and crop.dtype == np.uint8
    assert (crop[circle(size)] == 200).all() and (crop[~circle(size)] == 77).all()


def test_outside_the_image_is_background():
    image = np.full((60, 60, 3), 200, np.uint8)
    crop = crop_cell(image, (40, 10, 80, 50), CropConfig(size=65, context=0, background=128))
    # the image ends in the middle of the box
    assert (crop[20:45, :31][circle(65)[20:45, :31]] == 200).all()
    assert (crop[20:45, 34:] == 128).all()
    assert (crop_cell(image, (100, 100, 140, 140), CropConfig(size=65)) == 128).all()


def test_the_cell_keeps_its_share_of_the_crop():
    for side in (24, 60, 200):
        image = np.full((400, 400, 3), 240, np.uint8)
        cv2.circle(image, (200, 200), side // 2, (60, 20, 120), -1)
        box = (200 - side / 2, 200 - side / 2, 200 + side / 2, 200 + side / 2)
        crop = crop_cell(image, box, CropConfig(size=129, context=0.25))
        columns = np.flatnonzero(crop[64, :, 0] < 100)
        assert len(columns) == pytest.approx(129 / 1.5, rel=0.06)
        assert columns.mean() == pytest.approx(64, abs=1.5)


def test_a_crop_without_scaling_is_a_copy():
    image = np.random.default_rng(0).integers(0, 256, (90, 90, 3), dtype=np.uint8)
    crop = crop_cell(image, (20, 30, 53, 63), CropConfig(size=33, context=0))
    assert np.array_equal(crop[circle(33)], image[30:63, 20:53][circle(33)])


def test_a_box_that_is_not_square_is_cut_by_its_longer_side():
    image = np.random.default_rng(0).integers(0, 256, (90, 90, 3), dtype=np.uint8)
    wide = crop_cell(image, (20, 36, 53, 57), CropConfig(size=33, context=0))
    assert np.array_equal(wide, crop_cell(image, (20, 30, 53, 63), CropConfig(size=33, context=0)))


@pytest.mark.parametrize("factor", [0.4, 1.7, 2.5])
def test_one_cell_at_two_magnifications_gives_one_crop(factor):
    image = draw_single("MYB", np.random.default_rng(3), size=400)
    x0, y0, x1, y1 = find_centre_cell(image)
    kind = cv2.INTER_AREA if factor < 1 else cv2.INTER_CUBIC
    other = cv2.resize(image, None, fx=factor, fy=factor, interpolation=kind)
    config = CropConfig(size=65)
    one = crop_cell(image, (x0, y0, x1, y1), config)
    two = crop_cell(other, (x0 * factor, y0 * factor, x1 * factor, y1 * factor), config)
    difference = np.abs(one.astype(int) - two)
    assert difference.mean() < 3, "a cell moved by a pixel of the crop gives more"
    moved = crop_cell(image, (x0 + 4, y0 + 4, x1 + 4, y1 + 4), config)
    assert np.abs(one.astype(int) - moved).mean() > 2 * difference.mean()


def test_a_single_cell_image_and_a_field_give_the_same_crop():
    field = draw_field(np.random.default_rng(8), 300, 400, 3)
    x, y, w, h = cv2.boundingRect((field.labels == 1).astype(np.uint8))
    box = (x, y, x + w, y + h)
    left, top = max(0, x - 60), max(0, y - 60)
    alone = field.image[top : y + h + 60, left : x + w + 60]
    inside = (x - left, y - top, x - left + w, y - top + h)
    one, two = crop_cell(field.image, box, CropConfig()), crop_cell(alone, inside, CropConfig())
    difference = np.abs(one.astype(int) - two)
    assert difference.mean() < 0.2, "no more than OpenCV's rounding of positions to 1/32 px"


@pytest.mark.parametrize("box", [(10, 10, 10, 10), (10.3, 5.7, 10.4, 5.8), (-500, -500, 900, 900)])
def test_odd_boxes_still_give_a_crop(box):
    assert crop_cell(np.full((50, 60, 3), 9, np.uint8), box, CropConfig(size=33)).shape == (33, 33, 3)


def test_a_strip_too_wide_for_16_bit_coordinates_is_cut_right():
    image = np.zeros((60, 40_000, 3), np.uint8)
    image[:, 39_900:] = 250
    crop = crop_cell(image, (39_920, 10, 39_960, 50), CropConfig(size=41, context=0))
    assert (crop[circle(41)] == 250).all()
