"""Which cells an epoch shows."""

from collections import Counter

import numpy as np
import pytest

from training.classifier.config import ClassifierTraining
from training.classifier.data import Cells, TrainingMaterial
from training.classifier.fine_tuning import FineTuning
from training.classifier.sampling import DRAWN, laboratory_shares, shown_cells

OF = {("EOS", "bone_marrow", "A"): 64, ("EOS", "blood", "B"): 4, ("LYT", "blood", "B"): 30, ("EOS", "drawn", "D"): 16}
CODES = ("BLA", "EOS", "LYT")


@pytest.fixture(scope="module")
def cells() -> Cells:
    rows = [row for row, n in OF.items() for _ in range(n)]
    codes, origins, laboratories = zip(*rows, strict=True)
    labels = np.array([CODES.index(code) for code in codes])
    image, box = np.zeros((4, 4, 3), np.uint8), (0.0, 0.0, 4.0, 4.0)
    n = len(rows)
    return Cells([image] * n, [box] * n, labels, laboratories, CODES, (), origins, laboratories)


def test_laboratories_and_in_each_its_classes_are_shown_by_the_root_of_their_cells(cells):
    shares = laboratory_shares(cells)
    assert shares.sum() == pytest.approx(1)
    of = {row: shares[i] * n for (row, n), i in zip(OF.items(), np.cumsum([0, 64, 4, 30]), strict=True)}
    assert of["LYT", "blood", "B"] / of["EOS", "blood", "B"] == pytest.approx((30 / 4) ** 0.5)
    blood = of["LYT", "blood", "B"] + of["EOS", "blood", "B"]
    assert blood / of["EOS", "bone_marrow", "A"] == pytest.approx((34 / 64) ** 0.5)
    assert of["EOS", "drawn", "D"] / of["EOS", "bone_marrow", "A"] == pytest.approx(DRAWN * 4 / 8)


def test_an_epoch_draws_by_these_shares_and_no_class_weighs_more(cells):
    config = ClassifierTraining(balancing="laboratories", seed=3)
    shown = [shown_cells(TrainingMaterial(cells), config, epoch) for epoch in range(40)]
    assert all(len(order) == len(cells) and (weights == 1).all() for order, weights in shown)
    assert not np.array_equal(shown[0][0], shown[1][0])
    assert np.array_equal(shown[0][0], shown_cells(TrainingMaterial(cells), config, 0)[0])
    labels = Counter(cells.labels[np.concatenate([order for order, _ in shown])].tolist())
    shares = laboratory_shares(cells)
    assert labels[2] / labels[1] == pytest.approx(
        shares[cells.labels == 2].sum() / shares[cells.labels == 1].sum(), 0.1
    )


def test_otherwise_every_cell_is_shown_once(cells):
    order, weights = shown_cells(TrainingMaterial(cells), ClassifierTraining(balancing="weights"), 0)
    assert sorted(order) == list(range(len(cells))) and weights[0] == 0 < weights[1] < weights[2]
    order, weights = shown_cells(TrainingMaterial(cells), ClassifierTraining(balancing="none"), 0)
    assert sorted(order) == list(range(len(cells))) and (weights == 1).all()


def test_a_training_that_goes_on_without_corrected_cells_keeps_its_balancing(cells):
    going_on = FineTuning(balancing="laboratories", seed=3)
    order, _ = shown_cells(TrainingMaterial(cells), going_on, 5)
    first, _ = shown_cells(TrainingMaterial(cells), ClassifierTraining(balancing="laboratories", seed=3), 5)
    assert np.array_equal(order, first)
    mixed, _ = shown_cells(TrainingMaterial(cells, corrected=30), going_on, 5)
    assert np.isin(mixed, np.arange(len(cells) - 30, len(cells))).mean() == pytest.approx(going_on.corrected, abs=0.02)
