"""The image pyramid: its scales and tiles, and cells that are found together as they are alone."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.optimize import linear_sum_assignment

from dataset_scripts.drawing.pictures import draw_field
from marrow.geometry import box_iou
from marrow.pyramid import MARGIN, OVERLAP, Tile, scales, tiles
from marrow.segmenter import Segmenter
from tests.space.known_models import HUB


@pytest.mark.parametrize(
    ("width", "height", "expected"),
    [
        (640, 480, [0.5, 1]),
        (1, 1, [0.5, 1]),
        (641, 480, [0.25, 0.5, 1]),
        (1280, 960, [0.25, 0.5, 1]),
        (5120, 3800, [0.0625, 0.125, 0.25, 0.5, 1]),
    ],
)
def test_scales_are_powers_of_a_half_down_to_half_of_what_fits(width, height, expected):
    assert scales(width, height, 640) == expected


@pytest.mark.parametrize(("width", "height"), [(640, 480), (1281, 640), (3000, 2001), (200, 4000)])
@pytest.mark.parametrize("scale", [1, 0.5, 0.25])
@pytest.mark.parametrize("shift", [0, 0.5])
def test_every_cell_lies_whole_in_a_tile(width, height, scale, shift):
    made = list(tiles(width, height, 640, scale, shift))
    covered = np.zeros((height, width), bool)
    for tile in made:
        left, top, right, bottom = tile.box
        assert 0 <= left < right <= width and 0 <= top < bottom <= height
        assert max(right - left, bottom - top) * scale <= 640
        assert left * scale % 1 == top * scale % 1 == 0, "a tile begins on a pixel of its scale"
        covered[top:bottom, left:right] = True
    assert covered.all()
    rng, size = np.random.default_rng(0), (OVERLAP - 2 * MARGIN - 2) / scale
    for x, y in rng.uniform(0, 1, (200, 2)) * (width, height):
        box = np.array([[x, y, min(x + size, width), min(y + size, height)]])
        assert any(tile.holds(box)[0] for tile in made)


def test_a_picture_that_fits_is_one_tile_with_no_border_through_it():
    (tile,) = tiles(640, 480, 640, 1)
    assert tile == Tile((0, 0, 640, 480), 1) and not any(tile.cut)
    assert tile.holds(np.array([[0, 0, 640, 480.0]])).all()


def test_a_border_that_cuts_a_cell_does_not_hold_it():
    tile = Tile((1000, 0, 2280, 50), 0.5, (True, False, True, False))
    large = np.array([[1015, 0, 1260, 50], [1017, 0, 1260, 50], [2017, 0, 2265, 40.0]])
    assert tile.holds(large).tolist() == [False, True, False]  # eight pixels of the scale are sixteen of the picture
    small = np.array([[1017, 0, 1083, 50], [1100, 0, 1140, 50], [2000, 10, 2065, 40], [2150, 0, 2200, 40.0]])
    assert tile.holds(small).tolist() == [False, True, True, False], "what a neighbour shows whole and further inside"


def test_two_tiles_share_no_small_cell_but_where_both_place_it_in_the_middle():
    one, other = (
        Tile((0, 0, 640, 640), 1, (False, False, True, False)),
        Tile((512, 0, 1152, 640), 1, (True,) + (False,) * 3),
    )
    centres = np.arange(520, 640, 4.0)
    boxes = np.stack([centres - 30, np.full_like(centres, 300), centres + 30, np.full_like(centres, 360)], axis=1)
    held = one.holds(boxes).astype(int) + other.holds(boxes)
    assert held.min() == 1 and set(centres[held == 2]) == {572, 576, 580}


@pytest.fixture(scope="module")
def segmenter() -> Segmenter:
    release = HUB / "bone-marrow-yolov8-seg"
    if not (release / "model.onnx").is_file():
        pytest.skip("needs hub/bone-marrow-yolov8-seg: the released segmenter")
    return Segmenter.from_pretrained(str(release))


def matched(found: np.ndarray, truth: np.ndarray, at: float = 0.5) -> int:
    overlap = box_iou(found, truth)
    return int((overlap[linear_sum_assignment(-overlap)] >= at).sum())


def boxes_of(segmenter: Segmenter, image: np.ndarray) -> np.ndarray:
    return np.array([detection.box for detection in segmenter(image)]).reshape(-1, 4)


@pytest.mark.parametrize("red_cell", [50, 100])
def test_cells_are_found_in_a_large_picture_as_they_are_in_its_parts(segmenter, red_cell):
    codes = ["NGS", "LYT", "MYB", "EOS", "MON", "BLA"]
    fields = [draw_field(np.random.default_rng(i), 480, 640, codes, red_cell_diameter=red_cell) for i in range(9)]
    alone = [boxes_of(segmenter, field.image) + (640 * (i % 3), 480 * (i // 3)) * 2 for i, field in enumerate(fields)]
    rows = [np.hstack([field.image for field in fields[i : i + 3]]) for i in (0, 3, 6)]
    together, truth = boxes_of(segmenter, np.vstack(rows)), np.concatenate(alone)
    assert len(truth) > 40
    assert matched(together, truth) >= 0.97 * len(truth)
    assert len(together) <= 1.02 * len(truth) + 1


def test_each_tile_is_told_and_can_end_the_work(segmenter):
    shares: list[float] = []
    segmenter(np.full((700, 1280, 3), 235, np.uint8), progress=shares.append)
    assert shares == sorted(shares) and shares[-1] == 1 and len(shares) == 8  # at a quarter and half its size 1 each

    def stop(share: float) -> None:
        raise InterruptedError

    with pytest.raises(InterruptedError):
        segmenter(np.full((700, 1280, 3), 235, np.uint8), progress=stop)
