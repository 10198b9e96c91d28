"""Single cells for training: loading, crops, random changes."""

import cv2
import numpy as np
import pytest

from dataset_scripts.synthetic_cells import CODES, draw_single
from marrow.crop import CropConfig, crop_cell, find_centre_cell
from marrow.errors import MarrowError
from training.classifier.data import (
    Augmentation,
    Cells,
    augmented_crop,
    class_weights,
    colour_statistics,
    jittered,
    load_cells,
    restain,
    transfer_colours,
)

STILL = Augmentation(raw=0, jitter=0, stain=0, transfer=0, light=0, blur=0, noise=0)
CROP = CropConfig(size=65)


@pytest.fixture(scope="module")
def cells(cell_set) -> Cells:
    return load_cells(str(cell_set), "train")


@pytest.fixture(scope="module")
def cell() -> np.ndarray:
    return draw_single("MYB", np.random.default_rng(1))


def view(image: np.ndarray, strength: Augmentation, seed: int = 0) -> np.ndarray:
    colours = np.array([[160, 140, 120], [30, 8, 6]], np.float32)
    return augmented_crop(image, find_centre_cell(image), colours, CROP, strength, np.random.default_rng(seed))


def test_a_split_is_loaded_with_its_codes_sources_and_boxes(cells):
    assert len(cells) == 96 and cells.codes == CODES
    assert np.bincount(cells.labels).tolist() == [8] * 12
    assert cells.counts() == {code: {"drawn": 8} for code in CODES}
    for image, (x0, y0, x1, y1) in zip(cells.images, cells.boxes, strict=True):
        assert image.dtype == np.uint8 and image.shape == (250, 250, 3)
        assert 0 <= x0 < x1 <= 250 and 0 <= y0 < y1 <= 250


def test_crops_are_those_of_the_runtime_and_raw_views_the_whole_image(cells):
    few = cells.select(np.arange(96) < 3)
    assert len(few) == 3 and few.counts()["PMO"] in ({}, {"drawn": 1}, {"drawn": 2}, {"drawn": 3})
    expected = [crop_cell(image, find_centre_cell(image), CROP) for image in few.images]
    assert np.array_equal(few.crops(CROP), expected)
    assert few.raw(65).shape == (3, 65, 65, 3)
    assert few.raw(65)[0].mean() == pytest.approx(few.images[0].mean(), abs=1)


def test_select_keeps_what_belongs_together(cells):
    chosen = cells.select(cells.labels == CODES.index("EOS"))
    assert chosen.counts()["EOS"] == {"drawn": 8} and sum(map(len, chosen.counts().values())) == 1
    assert np.array_equal(chosen.images[2], cells.images[np.flatnonzero(cells.labels == CODES.index("EOS"))[2]])


@pytest.mark.parametrize(("data", "split"), [("no/such-folder", "train"), ("", "nonsense")])
def test_what_cannot_be_loaded_is_refused(data, split, cell_set, tmp_path):
    reference = str(tmp_path / data) if data else str(cell_set)
    with pytest.raises(MarrowError, match="cannot be loaded") as caught:
        load_cells(reference, split)
    assert reference in str(caught.value) and "bone_marrow_12.py" in str(caught.value)
    assert "\n" not in str(caught.value)


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
    strong = Augmentation(raw=0, jitter=0.2, stain=0.4, transfer=1, light=0.3, blur=0, noise=0)
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


def test_restaining_keeps_white_bright_and_order_of_grey_levels():
    ramp = np.repeat(np.arange(256, dtype=np.uint8)[None, :, None], 3, axis=2)
    assert np.abs(restain(ramp, STILL, np.random.default_rng(0)).astype(int) - ramp).max() <= 1
    changed = restain(ramp, Augmentation(stain=0.3, light=0), np.random.default_rng(0))
    assert (np.diff(changed[0].astype(int), axis=0) >= 0).all()
    assert changed[0, 255].min() >= 253 and np.abs(changed.astype(int) - ramp).max() > 10


def test_transferred_colours_are_those_of_the_other_image(cell):
    own = colour_statistics(cell)
    target = own + np.array([[-15, 6, 8], [0, 0, 0]], np.float32)
    assert colour_statistics(transfer_colours(cell, target)) == pytest.approx(target, abs=2)
    narrow = own * np.array([[1], [0.8]], np.float32)
    assert colour_statistics(transfer_colours(cell, narrow)) == pytest.approx(narrow, abs=2)
    assert colour_statistics(np.full((4, 4, 3), 128, np.uint8))[1].tolist() == [0, 0, 0]


def test_class_weights_balance_the_classes():
    weights = class_weights([0, 0, 0, 2], 4)
    assert weights.tolist() == pytest.approx([4 / 6, 0, 2, 0])
    assert weights[[0, 0, 0, 2]].mean() == pytest.approx(1)
