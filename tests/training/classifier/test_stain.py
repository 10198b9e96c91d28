"""The colours of an image: varied at random, and those of another."""

import numpy as np
import pytest

from dataset_scripts.drawing.pictures import draw_single
from training.classifier.stain import colour_statistics, invented_colours, restain, transfer_colours


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
    assert colour_statistics(transfer_colours(cell, own, target)) == pytest.approx(target, abs=2)
    narrow = own * np.array([[1], [0.8]], np.float32)
    assert colour_statistics(transfer_colours(cell, own, narrow)) == pytest.approx(narrow, abs=2)
    assert colour_statistics(np.full((4, 4, 3), 128, np.uint8))[1].tolist() == [0, 0, 0]


def test_a_part_takes_the_colours_as_the_whole_does():
    cell = draw_single("MYB", np.random.default_rng(1))
    own, target = colour_statistics(cell), colour_statistics(draw_single("EOS", np.random.default_rng(2)))
    whole = transfer_colours(cell, own, target)
    assert np.array_equal(transfer_colours(cell[40:90, 30:80], own, target), whole[40:90, 30:80])


def test_crosstalk_mixes_the_channels_and_leaves_white_white():
    cell = draw_single("MYB", np.random.default_rng(1))
    none = np.abs(restain(cell, 0, 0, np.random.default_rng(0)).astype(int) - cell)
    assert none.max() <= 1
    for seed in range(5):
        changed = restain(cell, 0, 0, np.random.default_rng(seed), crosstalk=0.1)
        assert changed.shape == cell.shape and np.abs(changed.astype(int) - cell).mean() > 1
    white = np.full((4, 4, 3), 255, np.uint8)
    assert (restain(white, 0.3, 0, np.random.default_rng(0), crosstalk=0.2) == 255).all()
    pink = np.full((4, 4, 3), (255, 40, 255), np.uint8)  # absorbs green alone
    mixed = np.array([restain(pink, 0, 0, np.random.default_rng(seed), crosstalk=0.1)[0, 0] for seed in range(20)])
    assert 0.2 < (mixed[:, [0, 2]] < 250).mean() < 0.8, "a channel takes over as much as it gives"


def test_invented_colours_lie_about_the_line_through_two():
    one, other = (np.array([[level, 150, 110], [30, 8, 6]], np.float32) for level in (100, 200))
    drawn = np.stack([invented_colours(one, other, np.random.default_rng(seed)) for seed in range(400)])
    lightness = drawn[:, 0, 0]
    assert lightness.mean() == pytest.approx(150, abs=8) and lightness.min() < 90 and lightness.max() > 210
    assert drawn[:, 0, 1].std() == pytest.approx(6, rel=0.2) and (drawn[:, 1] > 0).all()
    assert np.log(drawn[:, 1, 0] / 30).std() == pytest.approx(0.2, rel=0.2)
