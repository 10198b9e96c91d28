"""The colours of a smear: measured where it was drawn in known ones, and changed to those of another."""

from __future__ import annotations

import numpy as np
import pytest

from dataset_scripts.drawing.pictures import draw_field
from dataset_scripts.drawing.stains import random_stain
from marrow.errors import MarrowError
from marrow.stain import Stain, measure_stain, normalize_stain, stain_distance


def field(seed: int, look: str) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return draw_field(rng, 320, 400, 12, stain=random_stain(rng, look)).image


@pytest.fixture(scope="module")
def fields() -> list[np.ndarray]:
    return [field(seed, look) for seed, look in ((1, "marrow"), (2, "marrow"), (3, "blood"), (4, "blood"))]


@pytest.mark.parametrize("look", ["marrow", "blood"])
def test_the_colours_of_a_drawn_field_are_found(look: str) -> None:
    rng = np.random.default_rng(5)
    drawn = random_stain(rng, look)
    stain = measure_stain(draw_field(rng, 320, 400, 12, stain=drawn).image)
    assert stain.ground == pytest.approx(drawn.background, abs=8)
    red, green, blue = stain.nuclei
    assert green > red > blue > 0, "nuclei are purple"
    assert sum(stain.others) < 0.6 * sum(stain.nuclei) and max(stain.others) == stain.others[1], "red cells are pink"


def test_a_smear_in_its_own_colours_is_the_same(fields: list[np.ndarray]) -> None:
    for image in fields:
        own = measure_stain(image)
        assert np.abs(normalize_stain(image, own, own).astype(int) - image).max() <= 1


def test_a_smear_takes_the_colours_of_another(fields: list[np.ndarray]) -> None:
    stains = [measure_stain(image) for image in fields]
    pairs = [
        (image, own, wanted) for image, own in zip(fields, stains, strict=True) for wanted in stains if wanted != own
    ]
    before = np.array([stain_distance(own, wanted) for _, own, wanted in pairs])
    after = np.array([stain_distance(measure_stain(normalize_stain(*pair)), pair[2]) for pair in pairs])
    assert before.min() > 0.05 and (after < 0.7 * before).all()
    assert after.mean() < 0.4 * before.mean()


def test_a_distance_is_that_of_densities() -> None:
    stain = Stain((200, 200, 200), (0.8, 1.4, 0.4), (0.2, 0.3, 0.2))
    assert stain_distance(stain, stain) == 0
    brighter = Stain((220.4, 220.4, 220.4), stain.nuclei, stain.others)
    assert stain_distance(stain, brighter) == stain_distance(brighter, stain) == pytest.approx(0.055, abs=0.001)
    darker = Stain(stain.ground, (1.1, 1.7, 0.7), stain.others)
    assert stain_distance(stain, darker) == pytest.approx(0.3 / 3**0.5)


def test_odd_shapes_end_in_a_stain_or_a_sentence() -> None:
    rng = np.random.default_rng(0)
    for shape in ((1, 6000), (6000, 1), (1, 1), (3, 2), (2500, 40)):
        image = rng.integers(0, 256, (*shape, 3)).astype(np.uint8)
        try:
            own = measure_stain(image)
        except MarrowError:
            continue
        assert normalize_stain(image, own, Stain((0, 128, 255), (0, 0, 0), (6, -6, 6))).shape == image.shape


@pytest.mark.parametrize("level", [0, 128, 255])
def test_a_picture_without_nuclei_has_no_stain(level: int) -> None:
    with pytest.raises(MarrowError, match="no stained nuclei"):
        measure_stain(np.full((100, 120, 3), level, np.uint8))
