"""Finding the cell in the middle of a single-cell image."""

import time

import numpy as np
import pytest
from PIL import Image

from dataset_scripts.drawing.pictures import CODES, draw_cell, draw_single
from dataset_scripts.drawing.stains import random_stain
from marrow.centre_cell import centre_cell_mask, find_centre_cell, outline_cells

NUCLEATED = [code for code in CODES if code != "ART"]


def placed(codes_at: list[tuple[str, int, int]], seed: int, size: int = 250) -> tuple[np.ndarray, np.ndarray]:
    """Drawn cells on empty glass with their middles at ``(x, y)``; return the image and the first one's mask."""
    rng = np.random.default_rng(seed)
    stain = random_stain(rng, "marrow")
    image, first = None, None
    for code, x, y in reversed(codes_at):
        cell = draw_cell(code, rng, diameter=90, stain=stain)
        if image is None:
            image = np.empty((size, size, 3), np.uint8)
            image[:] = np.percentile(cell.image.reshape(-1, 3), 90, axis=0)
        height, width = cell.mask.shape
        top, left = y - height // 2, x - width // 2
        rows, columns = slice(max(0, top), top + height), slice(max(0, left), left + width)
        part = image[rows, columns]
        mask = cell.mask[rows.start - top :, columns.start - left :][: part.shape[0], : part.shape[1]]
        part[mask] = cell.image[rows.start - top :, columns.start - left :][: part.shape[0], : part.shape[1]][mask]
        first = np.zeros((size, size), bool)
        first[rows, columns] = mask
    return image, first


def iou(a: np.ndarray, b: np.ndarray) -> float:
    return float(np.logical_and(a, b).sum() / np.logical_or(a, b).sum())


@pytest.mark.parametrize("code", NUCLEATED)
def test_a_lone_cell_is_outlined(code):
    overlaps = []
    for seed in range(4):
        image, truth = placed([(code, 125, 125)], seed)
        overlaps.append(iou(centre_cell_mask(image), truth))
    assert np.mean(overlaps) > 0.8, overlaps


@pytest.mark.parametrize("code", ["LYT", "BLA", "MYB"])
def test_a_neighbour_is_left_out(code):
    overlaps = []
    for seed in range(4):
        image, truth = placed([(code, 125, 125), ("LYT", 220, 60)], seed)
        overlaps.append(iou(centre_cell_mask(image), truth))
    assert np.mean(overlaps) > 0.75, overlaps


def test_the_box_goes_round_the_mask():
    image, truth = placed([("MYB", 125, 125)], 1)
    x0, y0, x1, y1 = find_centre_cell(image)
    rows, columns = np.flatnonzero(centre_cell_mask(image).any(axis=1)), np.flatnonzero(centre_cell_mask(image).any(0))
    assert (x0, y0, x1, y1) == (columns[0], rows[0], columns[-1] + 1, rows[-1] + 1)
    rows, columns = np.flatnonzero(truth.any(axis=1)), np.flatnonzero(truth.any(axis=0))
    assert (x0, y0, x1, y1) == pytest.approx((columns[0], rows[0], columns[-1], rows[-1]), abs=8)


def test_the_magnification_does_not_matter():
    for code in ("LYT", "NGS", "MMZ"):
        image = draw_single(code, np.random.default_rng(5))
        large = np.asarray(Image.fromarray(image).resize((500, 500), Image.Resampling.BICUBIC))
        small_box, large_box = np.array(find_centre_cell(image)), np.array(find_centre_cell(large))
        assert large_box / 2 == pytest.approx(small_box, abs=6), code


def test_the_mask_is_one_piece_without_holes_and_repeatable():
    import cv2

    for seed, code in enumerate(NUCLEATED):
        image = draw_single(code, np.random.default_rng(seed))
        mask = centre_cell_mask(image)
        assert mask.shape == image.shape[:2] and mask.dtype == bool
        assert cv2.connectedComponents(mask.astype(np.uint8))[0] == 2
        around = np.pad(~mask, 1, constant_values=True).astype(np.uint8)
        assert cv2.connectedComponents(around, connectivity=4)[0] == 2, f"{code} has holes"
        assert np.array_equal(mask, centre_cell_mask(image))


def test_lobes_far_apart_are_one_cell():
    overlaps = []
    for seed in range(8):
        image, truth = placed([("NGS", 125, 125)], seed)
        overlaps.append(iou(centre_cell_mask(image), truth))
    assert min(overlaps) > 0.7 and np.mean(overlaps) > 0.85, overlaps


def test_a_red_cell_that_touches_is_left_out():
    import cv2

    overlaps = []
    for seed in range(4):
        image, truth = placed([("LYT", 125, 125)], seed)
        beside = image.copy()
        cv2.circle(beside, (205, 125), 38, (205, 160, 150), -1)
        image[~truth] = beside[~truth]
        overlaps.append(iou(centre_cell_mask(image), truth))
    assert np.mean(overlaps) > 0.85, overlaps


def test_all_cells_are_outlined_the_centre_first_and_without_overlaps():
    image, truth = placed([("MYB", 125, 125), ("LYT", 215, 50), ("LYT", 40, 215)], 2)
    masks = outline_cells(image)
    assert iou(masks[0], truth) > 0.8
    assert np.array_equal(masks[0], centre_cell_mask(image))
    assert np.sum(masks, axis=0).max() == 1
    for x, y in ((215, 50), (40, 215)):
        assert sum(bool(mask[y, x]) for mask in masks[1:]) == 1
    assert outline_cells(np.full((50, 50, 3), 230, np.uint8)) == []


def test_a_cell_is_found_in_a_few_hundredths_of_a_second():
    images = [draw_single(code, np.random.default_rng(seed)) for seed, code in enumerate(CODES)]
    start = time.process_time()
    for image in images:
        centre_cell_mask(image)
    assert (time.process_time() - start) / len(images) < 0.12  # about 0.015 on one core; room for slower ones


def test_empty_glass_has_no_cell_and_gives_the_middle():
    image = np.full((200, 300, 3), (235, 225, 215), np.uint8)
    assert centre_cell_mask(image) is None
    assert find_centre_cell(image) == (75, 50, 225, 150)


@pytest.mark.parametrize("shape", [(1, 1), (1, 60), (60, 1), (3, 3), (2, 300), (250, 20)])
def test_odd_shapes_give_a_box_in_the_image(shape):
    height, width = shape
    for image in (np.zeros((*shape, 3), np.uint8), np.random.default_rng(0).integers(0, 256, (*shape, 3), np.uint8)):
        x0, y0, x1, y1 = find_centre_cell(image)
        assert 0 <= x0 < x1 <= width and 0 <= y0 < y1 <= height
