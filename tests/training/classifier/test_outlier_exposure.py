"""Outliers: views that show none of the classes."""

import numpy as np
import pytest

from dataset_scripts.drawing.pictures import draw_single
from marrow.crop import CropConfig, find_centre_cell
from training.classifier.augmentation import Augmentation
from training.classifier.data import Cells
from training.classifier.outlier_exposure import _beside, _joined, draw_outlier
from training.classifier.stain import colour_statistics

STILL = Augmentation(raw=0, jitter=0, stain=0, transfer=0, light=0, blur=0, noise=0)
CROP = CropConfig(size=65)


def drawn(codes: list[str]) -> Cells:
    images = [draw_single(code, np.random.default_rng(i)) for i, code in enumerate(codes)]
    names = tuple(sorted(set(codes)))
    labels = np.array([names.index(code) for code in codes])
    return Cells(images, [find_centre_cell(image) for image in images], labels, ("drawn",) * len(codes), names)


@pytest.fixture(scope="module")
def cells() -> Cells:
    return drawn(["BLA", "BLA", "NGS", "EOS"])


def outlier(cells: Cells, unknown: Cells | None, seed: int) -> np.ndarray:
    colours = colour_statistics(cells.images[0])[None]
    return draw_outlier(cells, unknown, colours, CROP, STILL, np.random.default_rng(seed))


def test_an_outlier_is_a_view_of_the_right_size_that_its_seed_decides(cells):
    views = [outlier(cells, None, seed) for seed in range(12)]
    assert all(view.shape == (65, 65, 3) and view.dtype == np.uint8 for view in views)
    assert np.array_equal(views[3], outlier(cells, None, 3))
    assert len({view.tobytes() for view in views}) == 12


def test_the_box_beside_a_cell_holds_a_part_of_it_at_most():
    rng = np.random.default_rng(0)
    for _ in range(200):
        x0, y0, x1, y1 = _beside((100, 100, 180, 180), rng)
        centre = ((x0 + x1) / 2, (y0 + y1) / 2)
        assert 48 <= np.hypot(centre[0] - 140, centre[1] - 140) <= 80
        assert x1 - x0 == pytest.approx(y1 - y0)


def test_halves_of_two_cells_meet_in_the_middle():
    left, right = np.full((65, 65, 3), 200, np.uint8), np.full((65, 65, 3), 40, np.uint8)
    joined = _joined(left, right).astype(int)
    assert (joined[:, :16] > 195).all() and (joined[:, 49:] < 45).all()
    assert joined[0, 32, 0] == pytest.approx(120, abs=2) and (np.diff(joined[0, :, 0]) <= 0).all()


def test_cells_of_no_class_make_up_their_share(cells):
    grey = Cells([np.full((250, 250, 3), 77, np.uint8)], [(80, 80, 170, 170)], np.zeros(1, int), ("grey",), ("NIF",))
    shown = [np.ptp(outlier(cells, grey, seed)[20:45, 20:45]) == 0 for seed in range(200)]
    assert 0.3 < np.mean(shown) < 0.5
