"""Whether a cell keeps its name however the picture around it is framed: the frames themselves, and a drawn field."""

from __future__ import annotations

import numpy as np
import pytest

from dataset_scripts.drawing.pictures import draw_field
from marrow.defaults import default_reference
from marrow.pipeline import Models
from training.evaluation.framing import half_empty, measure_framing, through_eyepiece


@pytest.fixture(scope="module")
def picture() -> np.ndarray:
    return draw_field(np.random.default_rng(3), 480, 640, 12).image


def test_an_eyepiece_shows_the_middle_and_black_around_it(picture):
    framed, corner = through_eyepiece(picture)
    height, width = picture.shape[:2]
    assert framed.shape == picture.shape and corner == (0, 0)
    assert (framed[height // 2, width // 2] == picture[height // 2, width // 2]).all()
    assert not framed[0, 0].any() and not framed[-1, -1].any()
    seen = (framed == picture).all(axis=2).mean()
    assert seen == pytest.approx(np.pi / 4 * min(height, width) / max(height, width), abs=0.01)


def test_half_empty_puts_bare_ground_on_the_left(picture):
    framed, (left, top) = half_empty(picture)
    width = picture.shape[1]
    assert (left, top) == (width, 0)
    assert (framed[:, width:] == picture).all()
    assert len(np.unique(framed[:, :width].reshape(-1, 3), axis=0)) == 1


def test_each_cell_is_looked_for_in_every_framing(picture):
    models = Models.from_pretrained(default_reference("segmenter"), default_reference("classifier"))
    shares = measure_framing(models, [picture])
    assert set(shares) == {"eyepiece", "half_empty", "one_cell", "single"}
    assert shares["half_empty"].n == shares["single"].n > shares["eyepiece"].n > 0
    assert shares["single"].found == 1 and shares["half_empty"].found > 0.9
    assert all(0 <= one.same <= 1 for one in shares.values()) and shares["half_empty"].same > 0.5
    assert measure_framing(models, []) == {}
