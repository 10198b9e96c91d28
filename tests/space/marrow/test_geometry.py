"""Masks, contours and areas agree to the pixel, with each other and with what others compute."""

from __future__ import annotations

import time

import cv2
import numpy as np
import pytest
from pycocotools import mask as coco_mask
from skimage.draw import polygon2mask
from skimage.measure import find_contours

from marrow import geometry


def disc(radius: float, size: int = 64, x: float = 31.7, y: float = 32.2) -> np.ndarray:
    rows, columns = np.mgrid[:size, :size] + 0.5
    return np.hypot(columns - x, rows - y) <= radius


def blob(seed: int) -> np.ndarray:
    """One region without holes of any size, from single pixels to hundreds across, often cut by the image's border."""
    rng = np.random.default_rng(seed)
    shape = tuple(rng.integers(1, 40 if seed % 3 else 300, 2))
    noise = cv2.GaussianBlur(rng.standard_normal(shape).astype(np.float32), (0, 0), rng.uniform(0.3, 15))
    return geometry.fill_holes(geometry.largest_region(noise >= np.quantile(noise, rng.uniform(0, 0.95)))) > 0


def text_mask(*rows: str) -> np.ndarray:
    return np.array([[letter == "#" for letter in row] for row in rows])


SHAPES = {
    "a pixel": text_mask("#"),
    "a pixel in a corner": text_mask("...", "...", "..#"),
    "a row": text_mask("####"),
    "a column": text_mask("#", "#", "#"),
    "a diagonal": text_mask("#..", ".#.", "..#"),
    "two pixels that touch": text_mask(".....", ".#...", "..#..", "....."),
    "a hook": text_mask("#####", "#....", "#.###", "#...#", "#####"),
    "a comb": text_mask("#.#.#", "#.#.#", "#####"),
    "a cross": text_mask(".#.", "###", ".#."),
    "the whole image": np.ones((7, 9), bool),
    **{f"a disc of radius {radius}": disc(radius) for radius in (0.9, 1.5, 2, 3.3, 8, 20, 31)},
    "a disc at the border": disc(20, x=3, y=60),
    "a ring that is cut": disc(20) & ~disc(11) & (np.arange(64) < 40),
    **{f"blob {seed}": blob(seed) for seed in range(60)},
}


@pytest.fixture(params=SHAPES.values(), ids=SHAPES.keys())
def mask(request) -> np.ndarray:
    return request.param


def test_filling_the_contour_gives_the_mask_and_its_area_is_the_number_of_pixels(mask):
    corners = geometry.contour(mask)
    assert np.array_equal(geometry.polygon_mask(corners, mask.shape), mask)
    assert geometry.polygon_area(corners) == mask.sum()
    assert geometry.polygon_box(corners) == geometry.mask_box(mask)
    rows, columns = np.nonzero(mask)
    assert geometry.mask_box(mask) == (columns.min(), rows.min(), columns.max() + 1, rows.max() + 1)


def test_a_smooth_outline_has_the_same_pixels_inside_and_half_a_pixel_less_at_most(mask):
    corners = geometry.contour(mask)
    smooth = geometry.simplify(corners)
    assert np.array_equal(geometry.polygon_mask(smooth, mask.shape), mask)
    assert len(smooth) <= 2 * len(corners)
    rounded = np.round(smooth, 1)  # as the JSON keeps it
    assert np.array_equal(geometry.polygon_mask(rounded, mask.shape), mask)


def test_a_contour_lies_half_a_pixel_around_the_outermost_pixels(mask):
    pixels = geometry.border_pixels(mask)
    assert mask[tuple(pixels.T[::-1])].all()
    x0, y0, x1, y1 = geometry.mask_box(mask)
    assert (*pixels.min(axis=0), *(pixels.max(axis=0) + 1)) == (x0, y0, x1, y1)


@pytest.mark.parametrize("seed", range(20))
def test_filling_equals_that_of_scikit_image(seed):
    rng = np.random.default_rng(seed)
    polygon = rng.uniform(-10, 60, (int(rng.integers(3, 12)), 2))  # often crosses itself and the image's border
    theirs = polygon2mask((50, 40), polygon[:, ::-1] - 0.5)  # whose pixels have their centres at whole numbers
    assert np.array_equal(geometry.polygon_mask(polygon, (50, 40)), theirs)


def test_the_smooth_outline_is_that_of_marching_squares():
    mask = np.pad(disc(20), 1)
    (theirs,) = find_contours(mask.astype(float), 0.5)
    ours = geometry.simplify(geometry.contour(mask))
    distances = np.hypot(*(ours[:, None] - (theirs[None, :, ::-1] + 0.5)).transpose(2, 0, 1)).min(axis=1)
    assert distances.max() < 1e-6


@pytest.mark.parametrize("radius", [8, 20, 31])
def test_coco_tools_fill_the_outline_as_we_do(radius):
    mask = disc(radius)
    for polygon in (geometry.contour(mask), geometry.simplify(geometry.contour(mask))):
        theirs = coco_mask.decode(coco_mask.merge(coco_mask.frPyObjects([polygon.ravel().tolist()], 64, 64)))
        assert (theirs.astype(bool) ^ mask).sum() <= 0.01 * mask.sum()


def test_centres_on_the_border_are_inside():
    square = [(1.5, 1.5), (4.5, 1.5), (4.5, 3.5), (1.5, 3.5)]
    expected = np.zeros((6, 6), bool)
    expected[1:4, 1:5] = True
    assert np.array_equal(geometry.polygon_mask(square, (6, 6)), expected)
    assert np.array_equal(geometry.polygon_mask(square[::-1], (6, 6)), expected)
    assert np.array_equal(geometry.polygon_mask([(x, y + 1e-3) for x, y in square], (6, 6))[3], expected[3])
    triangle = geometry.polygon_mask([(0.5, 0.5), (3.5, 9.5), (6.5, 0.5)], (10, 10))  # a border through centres
    assert triangle[3, 1] and triangle[3, 5] and triangle[9, 3] and not triangle[3, 0]


def test_filling_draws_into_numbers_and_colours_and_cuts_off_what_lies_outside():
    mask = geometry.fill(np.zeros((4, 4), np.uint16), [(-9, -9), (2, -9), (2, 2), (-9, 2)], 700)
    assert mask.dtype == np.uint16 and mask.sum() == 4 * 700 and (mask[:2, :2] == 700).all()
    picture = geometry.fill(np.zeros((4, 4, 3), np.uint8), [(1, 1), (2, 1), (2, 2), (1, 2)], (1, 2, 3))
    assert picture[1, 1].tolist() == [1, 2, 3] and picture.sum() == 6
    for outside in ([(9, 9), (12, 9), (12, 12)], [(-9, 1), (-3, 1), (-3, 3)], np.zeros((0, 2))):
        assert not geometry.polygon_mask(outside, (4, 4)).any()


def test_a_polygon_of_very_many_points_is_filled_in_strips(monkeypatch):
    whole = geometry.polygon_mask(geometry.contour(disc(31)), (64, 64))
    monkeypatch.setattr(geometry, "MOST_CROSSINGS", 500)
    assert np.array_equal(geometry.polygon_mask(geometry.contour(disc(31)), (64, 64)), whole)
    monkeypatch.undo()
    angles = np.linspace(0, 2 * np.pi, 10_000, endpoint=False)
    start = time.perf_counter()
    circle = geometry.polygon_mask(np.stack([np.cos(angles), np.sin(angles)], 1) * 900 + 1000, (2000, 2000))
    assert circle.sum() == pytest.approx(np.pi * 900**2, rel=1e-4) and time.perf_counter() - start < 5


def test_an_empty_mask_has_no_contour():
    nothing = np.zeros((5, 6), np.uint8)
    assert geometry.contour(nothing).shape == geometry.border_pixels(nothing).shape == (0, 2)
    assert geometry.simplify(geometry.contour(nothing)).shape == (0, 2)
    assert not geometry.largest_region(nothing).any() and not geometry.fill_holes(nothing).any()
    assert not geometry.opened(nothing, 2).any() and geometry.mask_box(nothing) == (0, 0, 0, 0)


def test_of_several_regions_the_largest_is_outlined_without_its_holes():
    mask = text_mask("##...", "##.##", "...##", "##...", "#####", "#.###", "#####")
    assert geometry.polygon_area(geometry.contour(mask)) == mask.sum() + 1 - 8
    assert geometry.polygon_box(geometry.contour(mask)) == (0, 3, 5, 7)


def test_regions_and_holes():
    touching = text_mask("##.....", "##.....", "..###..", "..#.#..")
    assert np.array_equal(geometry.largest_region(touching), touching), "corners that touch join"
    apart = text_mask("##.....", "##..###", "....#.#", "....###")
    assert np.array_equal(geometry.largest_region(apart), apart & (np.arange(7) > 2))
    left = np.tile(np.arange(7) < 2, (4, 1))
    assert np.array_equal(geometry.largest_region(apart, left), apart & left)
    assert geometry.fill_holes(apart).sum() == apart.sum() + 1


def test_opening_takes_thin_things_away_and_closing_bridges_gaps():
    mask = disc(15)
    mask[30:33, 40:64] = True  # a tail
    assert not geometry.opened(mask, 4)[:, 52:].any()
    assert (geometry.opened(mask, 4)[:, :40] > 0).sum() == pytest.approx(disc(15)[:, :40].sum(), rel=0.03)
    halves = disc(15) & ~((np.arange(64) > 30) & (np.arange(64) < 34))
    assert geometry.closed(halves, 4)[32].sum() == disc(15)[32].sum()
    assert (geometry.closed(halves, 4) >= halves).all()


def test_boxes_are_compared_all_with_all():
    a = np.array([(0, 0, 4, 2), (10, 10, 12, 12)], float)
    b = np.array([(2, 0, 6, 2), (0, 0, 4, 2), (4, 0, 5, 2)], float)
    assert geometry.box_areas(b).tolist() == [8, 8, 2]
    assert geometry.box_intersections(a, b).tolist() == [[4, 8, 0], [0, 0, 0]]
    assert geometry.box_iou(a, b) == pytest.approx(np.array([[1 / 3, 1, 0], [0, 0, 0]]))
    assert geometry.box_iou(a, np.zeros((0, 4))).shape == (2, 0)


def test_the_convex_hull_holds_the_mask(mask):
    hull = geometry.convex_hull(mask)
    if min(np.ptp(hull, axis=0)) > 0:  # that of a row has no area
        assert geometry.polygon_mask(hull, mask.shape)[mask].all()


def test_dents_lower_the_solidity():
    bean = disc(20) & ~disc(12, x=31, y=12)
    assert geometry.solidity(disc(20)) == pytest.approx(1, abs=0.06) and geometry.solidity(bean) < 0.95


def test_two_touching_discs_have_two_deepest_places():
    middles = np.array([(20, 32), (46, 32)])
    both = disc(14, x=20.5, y=32.5) | disc(14, x=46.5, y=32.5)
    depth = cv2.GaussianBlur(geometry.distance_inside(both), (0, 0), 2)
    found = geometry.local_maxima(depth, 13)
    assert np.sort(found, axis=0) == pytest.approx(middles, abs=1)
    parts = geometry.nearest_circle(middles, np.array([14, 14]), both.shape)
    assert (parts[:, :33] == 0).all() and (parts[:, 34:] == 1).all()
