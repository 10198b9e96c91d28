"""The image pyramid: its scales and tiles, and cells that are found together as they are alone."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.optimize import linear_sum_assignment

from dataset_scripts.drawing.pictures import draw_field
from marrow.geometry import box_intersections, box_iou, mask_box
from marrow.pyramid import MARGIN, OVERLAP, Nuclei, Tile, scales, tiles
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
    assert tile == Tile((0, 0, 640, 480), 1) and tile.is_whole
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


def test_nuclei_are_known_by_their_place():
    image = np.full((3000, 4000, 3), (240, 230, 235), np.uint8)
    image[1000:1080, 2000:2080] = (90, 40, 130)
    nuclei = Nuclei.of(image)
    assert nuclei.are_in((1900, 900, 2200, 1200)) and nuclei.are_in((0, 0, 4000, 3000))
    assert not nuclei.are_in((0, 0, 1900, 900)) and not nuclei.are_in((2200, 1200, 4000, 3000))
    assert not Nuclei.of(np.full((500, 500, 3), 240, np.uint8)).are_in((0, 0, 500, 500))


def test_drawn_cells_have_a_nucleus_and_drawn_red_cells_have_none():
    rng = np.random.default_rng(2)
    field = draw_field(rng, 480, 640, 12)
    nuclei, boxes = Nuclei.of(field.image), np.array([mask_box(field.labels == i) for i in range(1, 13)])
    assert len(boxes) > 8 and all(nuclei.make_a_cell_of(box) for box in boxes)
    corners = rng.uniform((0, 0), (580, 420), (500, 2))
    elsewhere = np.concatenate([corners, corners + 60], axis=1)
    apart = elsewhere[box_intersections(elsewhere, boxes).max(axis=1) == 0]
    platelets = np.mean([nuclei.make_a_cell_of(box) for box in apart])
    assert len(apart) > 20 and platelets < 0.1


def test_a_nucleus_beside_a_box_is_not_its_own():
    image = np.full((400, 400, 3), (240, 230, 235), np.uint8)
    image[100:160, 100:160], image[100:160, 160:220] = (200, 150, 160), (90, 40, 130)
    nuclei = Nuclei.of(image)
    assert nuclei.make_a_cell_of((160, 100, 220, 160)) and nuclei.make_a_cell_of((100, 100, 220, 160))
    assert not nuclei.make_a_cell_of((96, 96, 162, 164))
    empty = Nuclei.of(np.full((400, 400, 3), 240, np.uint8))
    assert empty.make_a_cell_of((96, 96, 162, 164)), "nothing is stained there, which says nothing of cells"


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
