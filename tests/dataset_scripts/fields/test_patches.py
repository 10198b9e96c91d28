"""Cells and ground cut out of single-cell images, and the outlines they are cut along."""

import json

import cv2
import numpy as np
import pytest

from dataset_scripts.drawing.pictures import CODES, draw_cell, draw_single
from dataset_scripts.drawing.stains import random_stain
from dataset_scripts.fields.outline_metrics import outline_metrics
from dataset_scripts.fields.outlines import cell_labels, stack
from dataset_scripts.fields.patches import cut_background, cut_patch
from tests.commands import ROOT, assert_refused, python, succeed

NUCLEATED = [code for code in CODES if code != "ART"]


def on_glass(cells: list[tuple[str, int, int]], seed: int, size: int = 250) -> tuple[np.ndarray, np.ndarray]:
    """Drawn cells with their middles at ``(x, y)`` on empty glass; return the image and the cells' numbers, from 1."""
    rng = np.random.default_rng(seed)
    stain = random_stain(rng, "marrow")
    drawn = [draw_cell(code, rng, diameter=90, stain=stain) for code, _, _ in cells]
    image = np.empty((2 * size, 2 * size, 3), np.uint8)
    image[:] = np.percentile(drawn[0].image.reshape(-1, 3), 90, axis=0)
    labels = np.zeros((2 * size, 2 * size), np.int32)
    for number, (cell, (_, x, y)) in reversed(list(enumerate(zip(drawn, cells, strict=True), start=1))):
        height, width = cell.mask.shape
        top, left = y + size // 2 - height // 2, x + size // 2 - width // 2
        place = np.s_[top : top + height, left : left + width]
        image[place][cell.mask] = cell.image[cell.mask]
        labels[place][cell.mask] = number
    middle = np.s_[size // 2 : size // 2 + size, size // 2 : size // 2 + size]
    return np.ascontiguousarray(image[middle]), labels[middle]


def iou(a: np.ndarray, b: np.ndarray) -> float:
    return float((a & b).sum() / max((a | b).sum(), 1))


@pytest.mark.parametrize("code", NUCLEATED)
def test_a_clear_cell_is_cut_out_along_its_outline(code):
    image, truth = on_glass([(code, 125, 125)], seed=3)
    patch = cut_patch(image, cell_labels(image), code)
    assert patch is not None and patch.code == code
    assert patch.image.shape[:2] == patch.labels.shape and patch.labels.max() == 1
    assert patch.labels.sum() == pytest.approx(truth.sum(), rel=0.2)


def test_a_whole_neighbour_that_touches_comes_along_with_a_mask_of_its_own():
    image, truth = on_glass([("LYT", 125, 125), ("LYT", 58, 80)], seed=1)
    patch = cut_patch(image, truth, "LYT")
    assert patch is not None and np.unique(patch.labels).tolist() == [0, 1, 2]
    assert (patch.labels == 2).sum() == (truth == 2).sum()


@pytest.mark.parametrize("place", [(10, 90), (225, 225)])
def test_a_neighbour_that_is_cut_or_apart_is_left_behind(place):
    image, truth = on_glass([("LYT", 125, 125), ("LYT", *place)], seed=1)
    assert (truth == 2).any()
    patch = cut_patch(image, truth, "LYT")
    assert patch is not None and np.unique(patch.labels).tolist() == [0, 1]


@pytest.mark.parametrize("seed", range(4))
def test_neighbours_are_outlined_too(seed):
    image, truth = on_glass([("MYB", 125, 125), ("LYT", 215, 50), ("LYT", 45, 210)], seed)
    labels = cell_labels(image)
    assert iou(labels == 1, truth == 1) > 0.8
    others = [iou(labels == number, truth == i) for i in (2, 3) for number in range(2, labels.max() + 1)]
    assert sum(value > 0.7 for value in others) == 2, others


def test_doubtful_cells_are_not_cut_out():
    image, _ = on_glass([("LYT", 125, 125)], seed=3)
    glass = image[:3, :3].mean(axis=(0, 1)).astype(np.uint8)
    shifted, halved, spread = (np.full_like(image, glass) for _ in range(3))
    shifted[:, 45:] = image[:, :-45]  # off the middle
    halved[125:] = image[:-125]  # cut by the border
    spread[:] = cv2.resize(image[85:165, 85:165], (250, 250))  # fills the image
    assert cut_patch(image, cell_labels(image), "LYT") is not None
    for doubtful in (np.full_like(image, glass), shifted, halved, spread):
        assert cut_patch(doubtful, cell_labels(doubtful), "LYT") is None


def test_ground_is_whole_red_cells_and_no_nucleated_one():
    image, _ = on_glass([("LYT", 125, 125), ("LYT", 215, 215)], seed=1)
    red = np.array([200, 150, 140], np.uint8)
    for x, y in ((40, 40), (40, 200), (245, 60)):  # the last one is cut by the border
        cv2.circle(image, (x, y), 18, red.tolist(), -1)
    labels = cell_labels(image)
    ground = cut_background(image, labels)
    assert ground is not None and ground.alpha[labels > 0].max() < 0.02
    assert ground.alpha[40, 40] > 0.99 and ground.alpha[200, 40] > 0.99
    assert ground.alpha[60, 240] == 0
    assert cut_background(np.full_like(image, 230), np.zeros((250, 250), np.int32)) is None


def test_the_first_mask_lies_on_top():
    first, second = np.eye(3, dtype=bool), np.ones((3, 3), bool)
    assert stack([first, second], (3, 3)).tolist() == [[1, 2, 2], [2, 1, 2], [2, 2, 1]]


def test_a_model_outlines_where_colour_agrees():
    image = draw_single("MYB", np.random.default_rng(5))
    by_colour = cell_labels(image) == 1
    by_model = cell_labels(image, str(ROOT / "hub" / "bone-marrow-yolov8-seg")) == 1
    assert not np.array_equal(by_colour, by_model)
    assert not by_model.any() or iou(by_colour, by_model) >= 0.7


def test_outlines_agree_with_hand_drawn_masks(shared):
    figures = outline_metrics(shared / "data" / "wbc_masks")
    assert figures["n_images"] == 40
    assert figures["mean_iou"] >= 0.88 and figures["median_iou"] >= 0.92


def test_the_check_prints_its_figures(tmp_path):
    for number in range(2):
        image, truth = on_glass([("MYB", 125, 125)], seed=number)
        cv2.imwrite(str(tmp_path / f"{number}.jpg"), image[..., ::-1])
        cv2.imwrite(str(tmp_path / f"{number}_mask.png"), (truth > 0).astype(np.uint8) * 128)
    command = ("dataset_scripts/check_masks.py", "--masks", tmp_path)
    figures = json.loads(succeed(*command, "--json").stdout)
    assert figures["n_images"] == 2 and 0.8 < figures["mean_iou"] <= 1
    assert f"mean IoU {figures['mean_iou']:.3f}" in succeed(*command).stdout
    assert_refused(python("dataset_scripts/check_masks.py", "--masks", tmp_path / "no"), "N_mask.png")
