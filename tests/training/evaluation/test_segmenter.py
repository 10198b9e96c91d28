"""Measuring what outlines cells: average precision on exact cases, true fields, and a baseline without training."""

import json

import cv2
import numpy as np
import pytest

from dataset_scripts.drawing.pictures import draw_field
from dataset_scripts.fields.field import Field
from dataset_scripts.fields.formats import write_coco, write_field
from marrow.cell import Detection
from marrow.errors import MarrowError
from training.common.segmenter_schema import FieldMetrics, RecallOf
from training.evaluation.ground_truth import GroundTruth, annotation_file, bccd_fields, coco_fields, segpc_fields
from training.evaluation.segmenter import average_precision, choose_confidence, measure_outliner, outline
from training.evaluation.watershed import outline_cells

SIDE = 200


def disc(x: int, y: int, radius: int) -> np.ndarray:
    mask = np.zeros((SIDE, SIDE), np.uint8)
    cv2.circle(mask, (x, y), radius, 1, -1)
    return mask


def detected(mask: np.ndarray, score: float) -> Detection:
    (contour,), _ = cv2.findContours(mask, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    points = contour[:, 0] + 0.5
    return Detection((*points.min(axis=0), *points.max(axis=0)), tuple(map(tuple, points)), float(mask.sum()), score)


DISCS = [disc(40, 40, 20), disc(140, 40, 33), disc(60, 140, 40)]
SHIFTED = disc(146, 40, 33)  # overlaps with the second by 0.79


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """Three validation and test fields: three cells, one cell, none."""
    out = tmp_path_factory.mktemp("true") / "fields"
    for split in ("validation", "test"):
        entries = []
        for number, masks in enumerate((DISCS, DISCS[:1], [])):
            labels = sum(((i + 1) * mask.astype(np.int32) for i, mask in enumerate(masks)), np.zeros((SIDE, SIDE), int))
            image = np.full((SIDE, SIDE, 3), number, np.uint8)  # so that an outliner can tell the fields apart
            hidden = np.array([0, 0.05, 0.3][: len(masks)])
            field = Field(image, labels.astype(np.int32), hidden)
            entries.append(write_field(out, split, f"composed_{number:05d}", field))
        write_coco(out, split, entries)
    return out


def outliner(*found: list[Detection]):
    """Return these detections in the first field, in the second, and so on."""
    return lambda image, confidence: [d for d in found[int(image[0, 0, 0])] if d.score >= confidence]


PERFECT = outliner([detected(mask, 0.9) for mask in DISCS], [detected(DISCS[0], 0.8)], [])


def test_the_fields_are_what_was_written(data):
    first, second, empty = coco_fields(data, "test")
    assert [len(field.cells) for field in (first, second, empty)] == [3, 1, 0] and first.composed
    assert first.hidden.tolist() == [0, 0.05, 0.3]
    assert first.diameters() == pytest.approx([40, 66, 80], abs=2), "small fields are not enlarged"
    assert empty.diameters().shape == (0,)
    assert first.image().shape == (SIDE, SIDE, 3)


def test_average_precision_of_the_truth_is_one(data):
    metrics = average_precision(annotation_file(data, "test"), outline(PERFECT, coco_fields(data, "test")))
    assert metrics == {"mask_map50": pytest.approx(1), "mask_map50_95": pytest.approx(1)}


def test_average_precision_falls_with_what_is_missed_false_and_loose(data):
    def metrics(*found):
        return average_precision(annotation_file(data, "test"), outline(outliner(*found), coco_fields(data, "test")))

    whole = [detected(mask, 0.9) for mask in DISCS]
    missed = metrics(whole, [], [])
    assert missed["mask_map50"] == pytest.approx(76 / 101), "recall ends at 3/4, and COCO samples it at 101 points"
    loose = metrics([whole[0], detected(SHIFTED, 0.85), whole[2]], [detected(DISCS[0], 0.8)], [])
    assert loose["mask_map50"] == pytest.approx(1) and 0.8 < loose["mask_map50_95"] < 0.95
    false = metrics(whole, [detected(DISCS[0], 0.8)], [detected(DISCS[1], 0.95)])
    assert 0.7 < false["mask_map50"] < 0.85, "the best scored is wrong, in a field without cells"
    assert metrics([], [], []) == {"mask_map50": 0, "mask_map50_95": 0}


def test_average_precision_without_a_cell_is_no_metric(data):
    fields = [field for field in coco_fields(data, "test") if not field.cells]
    assert average_precision(annotation_file(data, "test"), outline(PERFECT, fields))["mask_map50"] is None


def test_more_than_a_hundred_cells_of_a_field_count(tmp_path):
    labels = np.zeros((400, 400), np.int32)
    for i in range(144):
        labels[33 * (i // 12) : 33 * (i // 12) + 20, 33 * (i % 12) : 33 * (i % 12) + 20] = i + 1
    entry = write_field(tmp_path, "test", "composed_00000", Field(np.zeros((400, 400, 3), np.uint8), labels))
    write_coco(tmp_path, "test", [entry])
    found = [detected((labels == i + 1).astype(np.uint8), 0.9 - i / 1000) for i in range(144)]
    outlined = outline(lambda image, confidence: found, coco_fields(tmp_path, "test"))
    assert average_precision(annotation_file(tmp_path, "test"), outlined)["mask_map50"] == pytest.approx(1)


def test_the_metrics_of_one_missed_and_one_false_cell(data):
    found = outliner(
        [detected(DISCS[0], 0.9), detected(DISCS[2], 0.9)], [detected(DISCS[0], 0.8)], [detected(DISCS[1], 0.7)]
    )
    datasets = measure_outliner(found, 0.5, data, None)
    composed = datasets["composed"]
    assert (composed.n_images, composed.cells, composed.recall, composed.precision) == (3, 4, 0.75, 0.75)
    assert composed.count_error == pytest.approx(2 / 3)
    assert composed.recall_by_overlap == {
        "none": RecallOf(cells=2, recall=1),
        "below_10": RecallOf(cells=1, recall=0),
        "above_20": RecallOf(cells=1, recall=1),
    }
    assert composed.recall_by_diameter["60_120"] == RecallOf(cells=2, recall=0.5)
    assert datasets["empty"] == FieldMetrics(n_images=1, false_cells_per_field=1)
    assert measure_outliner(found, 0.75, data, None)["empty"].false_cells_per_field == 0


def test_the_confidence_is_chosen_on_the_validation_fields(data):
    found = outliner([detected(mask, 0.62) for mask in DISCS], [detected(DISCS[0], 0.7)], [detected(DISCS[1], 0.33)])
    confidence, curve = choose_confidence(found, data)
    assert confidence == 0.35
    assert [p.f1 for p in curve if p.confidence in (0.3, 0.35, 0.75)] == pytest.approx([0.8889, 1, 0])


def test_fields_that_are_not_there_are_refused(data, tmp_path):
    with pytest.raises(MarrowError, match=r"instances_train\.json.*smear_fields\.py"):
        coco_fields(data, "train")
    (tmp_path / "annotations").mkdir()
    empty = json.dumps({"images": [], "annotations": [], "categories": []})
    (tmp_path / "annotations" / "instances_test.json").write_text(empty)
    with pytest.raises(MarrowError, match="no test fields"):
        coco_fields(tmp_path, "test")


def test_diameters_are_given_at_the_input_size_of_the_network():
    from training.evaluation.matching import encode_rle

    big = cv2.resize(disc(100, 100, 50), (1280, 1280), interpolation=cv2.INTER_NEAREST)
    field = GroundTruth("big", "big.jpg", [encode_rle(big)])
    assert field.diameters() == pytest.approx([100 * 640 / SIDE], rel=0.02)


def test_the_real_fields_are_read(shared):
    plasma = list(segpc_fields(shared / "data" / "fields_segpc"))
    assert len(plasma) == 60 and sum(len(field.cells) for field in plasma) == 304
    parts = [list(bccd_fields(shared / "data" / "fields_bccd", part)) for part in ("train", "validation", "test")]
    assert [len(part) for part in parts] == [116, 16, 32]
    boxes = np.vstack([field.boxes for field in parts[2]])
    assert (boxes[:, 2:] > boxes[:, :2]).all() and boxes.max() <= 641


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_a_threshold_and_watershed_find_most_drawn_cells(seed):
    from training.evaluation.matching import match_masks, summary

    field = draw_field(np.random.default_rng(seed), 480, 640, 10)
    found = outline_cells(field.image)
    truths = [field.labels == cell for cell in range(1, field.labels.max() + 1)]
    metrics = summary([match_masks(truths, found, field.labels.shape)], 0)
    assert metrics["recall"] > 0.6 and metrics["mean_iou"] > 0.7
    scores = [detection.score for detection in found]
    assert scores == sorted(scores, reverse=True) and all(0 <= score < 1 for score in scores)
    points = np.vstack([detection.polygon for detection in found])
    assert (points >= 0).all() and (points <= (640, 480)).all()


def test_the_baseline_finds_nothing_where_there_is_nothing():
    assert outline_cells(np.full((100, 120, 3), 230, np.uint8)) == []


def test_the_baseline_scales_large_fields():
    field = draw_field(np.random.default_rng(2), 480, 640, 8)
    small, large = outline_cells(field.image), outline_cells(cv2.resize(field.image, (1280, 960)))
    assert len(small) == len(large)
    ratio = np.mean([d.area for d in large]) / np.mean([d.area for d in small])
    assert ratio == pytest.approx(4, rel=0.1)
