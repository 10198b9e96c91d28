"""Random changes to a training cell."""

import cv2
import numpy as np
import pytest

from dataset_scripts.drawing.pictures import draw_single
from marrow.crop import CropConfig, crop_cell, find_centre_cell
from training.classifier.augmentation import Augmentation, augmented_crop, jittered
from training.classifier.optics import Optics

STILL = Augmentation(raw=0, jitter=0, stain=0, transfer=0, light=0, blur=0, noise=0)
CROP = CropConfig(size=65)


@pytest.fixture(scope="module")
def cell() -> np.ndarray:
    return draw_single("MYB", np.random.default_rng(1))


def view(image: np.ndarray, strength: Augmentation, seed: int = 0) -> np.ndarray:
    colours = np.array([[[160, 140, 120], [30, 8, 6]], [[180, 135, 125], [25, 9, 7]]], np.float32)
    return augmented_crop(image, find_centre_cell(image), colours, CROP, strength, np.random.default_rng(seed))


def test_the_same_random_state_gives_the_same_view(cell):
    views = [view(cell, Augmentation(), seed) for seed in (3, 3, 4)]
    assert views[0].shape == (65, 65, 3) and views[0].dtype == np.uint8
    assert np.array_equal(views[0], views[1]) and not np.array_equal(views[0], views[2])


@pytest.mark.parametrize("seed", range(4))
def test_without_strength_a_view_is_the_crop_turned(seed, cell):
    crop = crop_cell(cell, find_centre_cell(cell), CROP)
    turned = view(cell, STILL, seed)
    assert (turned[[0, 0, -1, -1], [0, -1, 0, -1]] == CROP.background).all()
    inner = np.hypot(*(np.mgrid[:65, :65] - 32)) < 28
    for ours, theirs in zip(turned[inner].T, crop[inner].T, strict=True):
        assert np.sort(ours).mean() == pytest.approx(theirs.mean(), abs=3)
        assert np.percentile(ours, [10, 50, 90]) == pytest.approx(np.percentile(theirs, [10, 50, 90]), abs=8)


def test_colour_changes_leave_the_background_alone(cell):
    faults = Optics(enlarged=1, defocus=0.5, sharpened=0.5, noise=1, compressed=1, aberration=1, shading=1, gamma=1)
    wild = {"crosstalk": 0.1, "invented": 1.0, "optics": faults}
    strong = Augmentation(raw=0, jitter=0.2, stain=0.4, transfer=1, light=0.3, blur=2, noise=9, **wild)
    for seed in range(10):
        changed = view(cell, strong, seed)
        assert (changed[[0, 0, -1, -1], [0, -1, 0, -1]] == CROP.background).all()
        assert np.abs(changed.astype(int) - view(cell, STILL, seed)).mean() > 2


def test_raw_views_show_the_whole_image(cell):
    raw = view(cell, Augmentation(raw=1, jitter=0, stain=0, transfer=0, light=0, blur=0, noise=0))
    whole = cv2.resize(cell, (65, 65), interpolation=cv2.INTER_AREA)
    ways = [np.rot90(side, turn) for side in (whole, whole[:, ::-1]) for turn in range(4)]
    assert min(np.abs(raw.astype(int) - way).max() for way in ways) <= 1


def test_jitter_moves_and_scales_by_a_share_of_the_cell():
    box = (10.0, 20.0, 50.0, 80.0)
    assert jittered(box, 0, np.random.default_rng(0)) == pytest.approx(box)
    rng = np.random.default_rng(0)
    boxes = np.array([jittered(box, 0.1, rng) for _ in range(4000)])
    centres, widths = (boxes[:, :2] + boxes[:, 2:]) / 2, boxes[:, 2] - boxes[:, 0]
    assert centres.mean(axis=0) == pytest.approx((30, 50), abs=0.5)
    assert centres.std(axis=0) == pytest.approx((6, 6), rel=0.05)
    assert np.log(widths / 40).std() == pytest.approx(0.15, rel=0.05)
