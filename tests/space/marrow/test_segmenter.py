"""The segmenter: positions in pixels of the image, and agreement with ultralytics on the same weights."""

import json
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from dataset_scripts.drawing.pictures import draw_field
from marrow.cell import Detection
from marrow.errors import MarrowError
from marrow.geometry import polygon_mask
from marrow.letterbox import letterbox
from marrow.segmenter import Segmenter
from tests.space.known_models import DISCS, HUB, make_segmenter

RELEASE = HUB / "bone-marrow-yolov8-seg"


def filled(detection: Detection, shape: tuple[int, int]) -> np.ndarray:
    return polygon_mask(detection.polygon, shape)


def iou(a: np.ndarray, b: np.ndarray) -> float:
    return float(np.logical_and(a, b).sum() / np.logical_or(a, b).sum())


@pytest.mark.parametrize("shape", [(1, 5000), (5000, 1), (1, 1)])
def test_threads_of_images_still_fit(models, shape):
    inputs, _, _ = letterbox(np.zeros((*shape, 3), np.uint8), 320)
    assert inputs.shape == (1, 3, 320, 320)
    models.segmenter(np.zeros((*shape, 3), np.uint8))


def test_discs_are_found_where_they_are(models):
    found = models.segmenter(np.zeros((320, 320, 3), np.uint8), 0.05)
    assert [round(d.score, 3) for d in found] == [score for *_, score in DISCS], "by falling score"
    for detection, (x, y, radius, _) in zip(found, DISCS, strict=True):
        assert detection.box == pytest.approx((x - radius, y - radius, x + radius, y + radius), abs=0.1)
        assert detection.area == pytest.approx(np.pi * radius**2, rel=0.06)
        assert np.mean(detection.polygon, axis=0) == pytest.approx((x, y), abs=1.5)


@pytest.mark.parametrize("shape", [(480, 640), (640, 480), (160, 200), (1000, 300)])
def test_discs_are_found_in_pixels_of_an_image_that_is_not_square(models, shape):
    height, width = shape
    found = models.segmenter(np.zeros((height, width, 3), np.uint8), 0.05)
    scale = min(1, 320 / max(shape))
    left, top = (320 - width * scale) / 2, (320 - height * scale) / 2
    for detection in found:
        (x, y, radius, _), *_ = [disc for disc in DISCS if abs(disc[3] - detection.score) < 0.01]
        x, y, radius = (x - left) / scale, (y - top) / scale, radius / scale
        yy, xx = np.mgrid[:height, :width] + 0.5
        assert iou(filled(detection, shape), np.hypot(xx - x, yy - y) < radius) > 0.9
        box = np.array([x - radius, y - radius, x + radius, y + radius]).clip(0, [width, height] * 2)
        assert detection.box == pytest.approx(box, abs=1)
    seen = [(x, y) for x, y, r, _ in DISCS if x + r > left and x - r < 320 - left and y + r > top and y - r < 320 - top]
    assert len(found) == len(seen), "those in the grey border are none"


def test_everything_lies_inside_the_image(models):
    for height, width in ((100, 320), (320, 90), (701, 333)):
        for detection in models.segmenter(np.zeros((height, width, 3), np.uint8), 0.05):
            points = np.array([*detection.polygon, detection.box[:2], detection.box[2:]])
            assert (points >= 0).all() and (points <= (width, height)).all()


def test_the_confidence_is_the_models_own_unless_given(models):
    image = np.zeros((320, 320, 3), np.uint8)
    numbers = [len(models.segmenter(image, confidence)) for confidence in (None, 0.5, 0.85, 0.99)]
    assert numbers == [4, 4, 2, 0]


def test_of_overlapping_detections_the_weaker_is_dropped(tmp_path):
    discs = [(100, 100, 40, 0.9), (104, 100, 40, 0.8), (150, 100, 40, 0.7)]
    segmenter = Segmenter.from_pretrained(str(make_segmenter(tmp_path / "model", discs)))
    scores = [detection.score for detection in segmenter(np.zeros((320, 320, 3), np.uint8), 0.65)]
    assert scores == pytest.approx([0.9, 0.7])


@pytest.mark.parametrize("key", ["input_size", "iou", "confidence"])
def test_a_config_that_lacks_a_key_is_refused(key, model_folders, tmp_path):
    config = json.loads((model_folders[0] / "config.json").read_text())
    del config[key]
    (tmp_path / "config.json").write_text(json.dumps(config))
    (tmp_path / "model.onnx").write_bytes((model_folders[0] / "model.onnx").read_bytes())
    with pytest.raises(MarrowError, match=key):
        Segmenter.from_pretrained(str(tmp_path))


def test_a_damaged_network_is_refused(model_folders, tmp_path):
    (tmp_path / "config.json").write_bytes((model_folders[0] / "config.json").read_bytes())
    (tmp_path / "model.onnx").write_bytes((model_folders[0] / "model.onnx").read_bytes()[:500])
    with pytest.raises(MarrowError, match=r"model\.onnx is damaged"):
        Segmenter.from_pretrained(str(tmp_path))
    config = json.loads((tmp_path / "config.json").read_text())
    (tmp_path / "config.json").write_text(json.dumps(config | {"sha256": {}}))  # as before 0.2
    with pytest.raises(MarrowError, match=r"model\.onnx is not a usable"):
        Segmenter.from_pretrained(str(tmp_path))


# where the grey border is a multiple of 4 px, as ultralytics rounds it to whole cells of its mask grid
def test_it_agrees_with_ultralytics_on_the_released_weights():
    if not (RELEASE / "model.onnx").is_file():
        pytest.skip("needs hub/bone-marrow-yolov8-seg: the released segmenter")
    overlaps = [
        agreement(RELEASE, draw_field(np.random.default_rng(seed), *shape, 8).image)
        for shape in ((480, 640), (640, 400), (960, 1280))
        for seed in (20, 21, 22)
    ]
    assert np.mean(np.concatenate(overlaps)) >= 0.98


def agreement(folder: Path, image: np.ndarray) -> list[float]:
    """``marrow`` on ``model.onnx`` finds what ``YOLO("model.pt")`` finds; return the overlaps of the masks."""
    from ultralytics import YOLO

    segmenter = Segmenter.from_pretrained(str(folder))
    segmenter.config = replace(segmenter.config, max_object_size=0)  # ultralytics has one look
    segmenter._network.takes_any_size = False  # at a square
    ours = segmenter(image, 0.5)
    size, overlap = segmenter.config.input_size, segmenter.config.iou
    (theirs,) = YOLO(folder / "model.pt")(
        image[..., ::-1], imgsz=size, conf=0.5, iou=overlap, rect=False, retina_masks=True, verbose=False
    )
    assert len(theirs) > 3 and len(ours) == len(theirs)
    masks = [filled(detection, image.shape[:2]) for detection in ours]
    boxes = np.array([detection.box for detection in ours])
    overlaps = []
    for mask, box in zip(theirs.masks.data.numpy() > 0, theirs.boxes.xyxy.numpy(), strict=True):
        best = int(np.argmax([iou(mask, own) for own in masks]))
        overlaps.append(iou(mask, masks[best]))
        if overlaps[-1] > 0.8:
            # bfloat16 may prefer the other of two equally good candidates for a cell
            assert boxes[best] == pytest.approx(box, abs=0.08 * float((box[2:] - box[:2]).max()))
    return overlaps


def with_largest(segmenter: Segmenter, largest: int) -> Segmenter:
    segmenter.config = replace(segmenter.config, max_object_size=largest)
    return segmenter


def test_a_cell_too_large_for_the_first_look_is_found_in_the_second(tmp_path):
    # the network says the same at each look; in the second a pixel of its input is two of the image
    discs = [(160, 160, 40, 0.9), (60, 60, 20, 0.8)]
    segmenter = Segmenter.from_pretrained(str(make_segmenter(tmp_path / "model", discs)))
    image = np.zeros((320, 320, 3), np.uint8)
    assert [detection.area for detection in segmenter(image)] == pytest.approx([np.pi * 1600, np.pi * 400], rel=0.06)
    large, small = with_largest(segmenter, 60)(image)
    assert large.box == pytest.approx((80, 80, 240, 240), abs=0.1)
    assert large.area == pytest.approx(np.pi * 80**2, rel=0.03)
    assert small.box == pytest.approx((40, 40, 80, 80), abs=0.1), "the second look has it outside of the image"


# the second look leaves out discs as small as the last two
WITH_PARTS = [(160, 160, 40, 0.7), (130, 130, 9, 0.9), (84, 130, 9, 0.8), (20, 20, 12, 0.6)]


def test_a_part_of_a_large_cell_is_no_cell_but_a_neighbour_is(tmp_path):
    segmenter = Segmenter.from_pretrained(str(make_segmenter(tmp_path / "model", WITH_PARTS[:3])))
    found = with_largest(segmenter, 60)(np.zeros((320, 320, 3), np.uint8))
    assert [detection.score for detection in found] == pytest.approx([0.9, 0.8]), "the cell is as sure as its part"
    assert found[0].box == pytest.approx((80, 80, 240, 240), abs=0.1)


@pytest.mark.parametrize(("number", "cells"), [(8, 1), (9, 9)])
def test_what_holds_a_crowd_of_cells_is_no_cell(number, cells, tmp_path):
    # the second look has the large one around all the small ones of the first, and leaves these out
    small = [(x, y, 8, 0.6) for x in (90, 130, 200) for y in (90, 130, 200)][:number]
    segmenter = Segmenter.from_pretrained(str(make_segmenter(tmp_path / "model", [(160, 160, 60, 0.9), *small])))
    segmenter.thorough = True
    assert len(with_largest(segmenter, 60)(np.zeros((320, 320, 3), np.uint8), 0.5)) == cells


def test_a_large_cell_below_the_default_confidence_takes_no_surer_cell_with_it(tmp_path):
    discs = [(160, 160, 40, 0.3), (130, 130, 9, 0.9), (150, 150, 9, 0.2)]
    segmenter = Segmenter.from_pretrained(str(make_segmenter(tmp_path / "model", discs)))
    found = with_largest(segmenter, 60)(np.zeros((320, 320, 3), np.uint8), 0.1)
    assert [detection.score for detection in found] == pytest.approx([0.9, 0.3])


@pytest.mark.parametrize("weakest", [0.3, 0.7])
def test_leaving_out_low_scores_gives_what_a_higher_confidence_gives(weakest, tmp_path):
    discs = [(*WITH_PARTS[0][:3], weakest), *WITH_PARTS[1:]]
    segmenter = with_largest(Segmenter.from_pretrained(str(make_segmenter(tmp_path / "model", discs))), 60)
    image = np.zeros((320, 320, 3), np.uint8)
    found = segmenter(image, 0.05)
    for confidence in (0.2, 0.5, 0.65, 0.75, 0.85, 0.95):
        assert segmenter(image, confidence) == [cell for cell in found if cell.score >= confidence]


def test_what_is_outlined_without_a_nucleus_is_left_out(tmp_path):
    discs = [(60, 60, 30, 0.9), (220, 60, 30, 0.8), (60, 220, 30, 0.7)]
    segmenter = with_largest(Segmenter.from_pretrained(str(make_segmenter(tmp_path / "model", discs))), 100)
    image = np.full((320, 320, 3), (240, 230, 235), np.uint8)
    for x, y, radius, _ in discs:
        cv2.circle(image, (x, y), radius, (205, 150, 160), -1)
    for x, y, radius, _ in discs[::2]:
        cv2.circle(image, (x, y), radius // 2, (90, 40, 130), -1)
    assert [round(detection.score, 3) for detection in segmenter(image)] == [0.9, 0.7]


@pytest.mark.parametrize("confidence", [0.05, 0.5, 0.75])
def test_what_is_a_cell_does_not_depend_on_the_confidence_asked_for(confidence, tmp_path):
    discs = [(60, 60, 30, 0.9), (220, 60, 30, 0.8), (60, 220, 30, 0.7), (220, 220, 30, 0.3)]
    segmenter = with_largest(Segmenter.from_pretrained(str(make_segmenter(tmp_path / "model", discs))), 100)
    image = np.full((320, 320, 3), (240, 230, 235), np.uint8)
    for (x, y, radius, _), green in zip(discs, (40, 120, 115, 85), strict=True):  # the last closes the gap, unsure
        cv2.circle(image, (x, y), radius, (200, green, 215), -1)
    all_found = segmenter(image, 0.01)
    assert [round(detection.score, 3) for detection in all_found] == [0.9, 0.3]
    assert segmenter(image, confidence) == [one for one in all_found if one.score >= confidence]


@pytest.mark.parametrize(
    ("others", "looks"),
    [([], 1), ([(210, 110, 4, 0.9)], 2), ([(210, 110, 20, 0.3)], 2), ([(210, 110, 20, 0.1)], 1)],
    ids=["all shown well", "a small one", "an unsure one", "hardly any doubt"],
)
def test_a_picture_is_looked_at_once_where_the_coarse_look_shows_all_its_cells_well(others, looks, tmp_path):
    discs = [(160, 160, 30, 0.9), (105, 105, 20, 0.8), *others]  # the coarse look has the picture from 80 to 240
    segmenter = with_largest(Segmenter.from_pretrained(str(make_segmenter(tmp_path / "model", discs))), 60)
    look, looked = segmenter._look, []
    segmenter._look = lambda *asked: looked.append(asked) or look(*asked)
    for confidence in (0.01, None, 0.85):
        looked.clear()
        found = segmenter(np.zeros((320, 320, 3), np.uint8), confidence)
        assert len(looked) == looks, "whatever confidence is asked for"
        assert found[0].score == pytest.approx(0.9) and len(found) >= (1 if confidence == 0.85 else 2)
        assert found[0].box == pytest.approx((100, 100, 220, 220), abs=0.1), "two of its pixels in one of the input"


def test_an_image_without_cells_has_none_at_either_look(model_folders):
    image = np.zeros((320, 320, 3), np.uint8)
    assert with_largest(Segmenter.from_pretrained(str(model_folders[0])), 60)(image, 0.99) == []


@pytest.mark.parametrize("seed", range(3))
def test_the_release_outlines_cells_of_250_pixels_whole(seed):
    if not (RELEASE / "model.onnx").is_file():
        pytest.skip("needs hub/bone-marrow-yolov8-seg: the released segmenter")
    field = draw_field(np.random.default_rng(seed), 480, 640, ["NGS", "MYB", "BLA"], red_cell_diameter=150)
    truths = [field.labels == i for i in np.unique(field.labels) if i]
    segmenter = Segmenter.from_pretrained(str(RELEASE))

    def overlaps() -> list[float]:
        masks = [filled(detection, field.image.shape[:2]) for detection in segmenter(field.image)]
        assert len(masks) >= len(truths) == 3
        return [max(iou(truth, mask) for mask in masks) for truth in truths]

    two_looks = overlaps()
    with_largest(segmenter, 0)
    assert min(two_looks) > 0.85 and np.mean(two_looks) > np.mean(overlaps()) + 0.1
