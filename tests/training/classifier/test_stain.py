"""The colours of an image: varied at random, and those of another."""

import numpy as np
import pytest

from dataset_scripts.drawing.pictures import draw_single
from training.classifier.stain import colour_statistics, restain, transfer_colours


def test_restaining_keeps_white_bright_and_order_of_grey_levels():
    ramp = np.repeat(np.arange(256, dtype=np.uint8)[None, :, None], 3, axis=2)
    assert np.abs(restain(ramp, 0, 0, np.random.default_rng(0)).astype(int) - ramp).max() <= 1
    changed = restain(ramp, 0.3, 0, np.random.default_rng(0))
    assert (np.diff(changed[0].astype(int), axis=0) >= 0).all()
    assert changed[0, 255].min() >= 253 and np.abs(changed.astype(int) - ramp).max() > 10


def test_transferred_colours_are_those_of_the_other_image():
    cell = draw_single("MYB", np.random.default_rng(1))
    own = colour_statistics(cell)
    target = own + np.array([[-15, 6, 8], [0, 0, 0]], np.float32)
    assert colour_statistics(transfer_colours(cell, target)) == pytest.approx(target, abs=2)
    narrow = own * np.array([[1], [0.8]], np.float32)
    assert colour_statistics(transfer_colours(cell, narrow)) == pytest.approx(narrow, abs=2)
    assert colour_statistics(np.full((4, 4, 3), 128, np.uint8))[1].tolist() == [0, 0, 0]
