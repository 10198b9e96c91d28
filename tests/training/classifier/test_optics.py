"""Faults of microscopes, cameras and files."""

from dataclasses import asdict

import cv2
import numpy as np
import pytest

from dataset_scripts.drawing.pictures import draw_single
from training.classifier.optics import FAULTS, Optics, photographed


@pytest.fixture(scope="module")
def view() -> np.ndarray:
    return cv2.resize(draw_single("EOS", np.random.default_rng(1)), (97, 97), interpolation=cv2.INTER_AREA)


def sharpness(image: np.ndarray) -> float:
    return float(cv2.Laplacian(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY), cv2.CV_32F).std())


def always(fault: str, view: np.ndarray, seed: int) -> np.ndarray:
    return photographed(view, Optics(**{fault: 1.0}), np.random.default_rng(seed))


def test_every_fault_has_its_share():
    assert list(asdict(Optics())) == list(FAULTS) and not any(asdict(Optics()).values())
    with pytest.raises(ValueError):
        Optics(noise=1.5)


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_changes_the_view_a_little_and_the_same_way_each_time(fault, view):
    for seed in range(8):
        changed = always(fault, view, seed)
        assert changed.shape == view.shape and changed.dtype == np.uint8
        assert np.array_equal(changed, always(fault, view, seed))
        assert 0 < np.abs(changed.astype(int) - view).mean() < 40
    assert not np.array_equal(always(fault, view, 0), always(fault, view, 1))


def test_without_faults_a_view_is_left_alone(view):
    rng = np.random.default_rng(0)
    assert photographed(view, Optics(), rng) is view
    assert rng.random() == np.random.default_rng(0).random(), "nothing was drawn"


def test_faults_do_what_they_are_called(view):
    seeds = range(8)
    assert all(sharpness(always("defocus", view, seed)) < sharpness(view) for seed in seeds)
    assert all(sharpness(always("enlarged", view, seed)) < sharpness(view) for seed in seeds)
    assert all(sharpness(always("sharpened", view, seed)) > sharpness(view) for seed in seeds)
    grey = np.full((97, 97, 3), 128, np.uint8)
    lit = always("shading", grey, 3)
    assert np.ptp(lit[..., 0]) > 5 and np.array_equal(lit[..., 0], lit[..., 2])
    shifted = always("aberration", view, 2)
    assert np.array_equal(shifted[..., 1], view[..., 1]) and not np.array_equal(shifted[..., 0], view[..., 0])
    assert abs(always("compressed", view, 1).astype(int) - view).mean(axis=(0, 1)).max() < 12, "colours stay in place"


def test_a_share_is_how_often_it_happens(view):
    rng = np.random.default_rng(0)
    shown = [photographed(view, Optics(gamma=0.3), rng) is not view for _ in range(400)]
    assert 0.24 < np.mean(shown) < 0.36
