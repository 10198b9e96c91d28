"""Matching outlined cells with the truth: exact small cases."""

import math

import numpy as np
import pytest

from marrow.cell import Detection
from training.common.segmenter_schema import CurvePoint, RecallOf
from training.evaluation.matching import (
    STEPS,
    Match,
    best_confidence,
    detection_rles,
    encode_rle,
    intervals,
    match_boxes,
    match_masks,
    precision_recall,
    recall_by,
    rle_box,
    summary,
)

SHAPE = (40, 60)


def square(x: int, y: int, side: int) -> np.ndarray:
    mask = np.zeros(SHAPE, bool)
    mask[y : y + side, x : x + side] = True
    return mask


def detected(x: int, y: int, side: int, score: float = 0.9) -> Detection:
    """A square whose outline runs through the middles of its outer pixels."""
    low_x, low_y, high_x, high_y = x + 0.5, y + 0.5, x + side - 0.5, y + side - 0.5
    polygon = ((low_x, low_y), (high_x, low_y), (high_x, high_y), (low_x, high_y))
    return Detection((x, y, x + side, y + side), polygon, side**2, score)


def chosen(matches: list[Match]) -> float:
    return best_confidence(precision_recall(matches))


def test_a_filled_outline_covers_its_pixels():
    assert detection_rles([detected(5, 7, 10)], SHAPE) == [encode_rle(square(5, 7, 10))]


def test_boxes_of_masks():
    labels = np.zeros((20, 30), np.uint16)
    labels[2:5, 3:9], labels[10:20, 20:30] = 7, 2
    assert [rle_box(encode_rle(labels == cell)) for cell in (2, 7)] == [(20, 10, 30, 20), (3, 2, 9, 5)]


def test_overlaps_of_masks_and_boxes_are_exact():
    found = [detected(0, 0, 10), detected(5, 0, 10), detected(30, 20, 8)]
    masks = match_masks([square(0, 0, 10)], found, SHAPE)
    boxes = match_boxes(np.array([[0.0, 0, 10, 10]]), found)
    for match in (masks, boxes):
        assert match.overlaps == pytest.approx(np.array([[1, 50 / 150, 0]]))
        assert match.scores.tolist() == [0.9, 0.9, 0.9]


def test_cells_are_matched_one_to_one():
    twice = match_masks([square(0, 0, 10)], [detected(0, 0, 10), detected(0, 0, 9)], SHAPE)
    assert twice.matched(0.5).tolist() == [1]
    result = summary([twice], 0.5)
    assert (result["recall"], result["precision"]) == (1, 0.5)
    assert result["f1"] == pytest.approx(2 / 3) and result["count_error"] == 1


def test_the_best_assignment_is_found_not_the_first():
    match = Match(np.array([[0.8, 0.7], [0.75, 0.0]]), np.array([0.9, 0.9]))
    assert sorted(match.matched(0.5)) == [0.7, 0.75]


def test_confidence_and_overlap_are_lower_bounds():
    match = match_masks(
        [square(0, 0, 10), square(20, 20, 10)], [detected(0, 0, 10, 0.6), detected(20, 25, 10, 0.4)], SHAPE
    )
    assert (match.found(0.6), match.found(0.61), match.found(0.3)) == (1, 0, 2)
    assert match.matched(0.3).tolist() == [1]
    assert sorted(match.matched(0.3, overlap=1 / 3)) == pytest.approx([1 / 3, 1])
    assert match.matched(0.7).tolist() == []


@pytest.mark.parametrize(
    ("truths", "found", "expected"),
    [
        ([], [], {"cells": 0, "recall": math.nan, "precision": math.nan, "f1": math.nan, "count_error": 0}),
        ([], [detected(0, 0, 9)], {"cells": 0, "recall": math.nan, "precision": 0, "f1": 0, "count_error": 1}),
        ([square(0, 0, 9)], [], {"cells": 1, "recall": 0, "precision": math.nan, "f1": 0, "count_error": 1}),
        ([square(0, 0, 9)], [detected(0, 0, 9)], {"cells": 1, "recall": 1, "precision": 1, "f1": 1, "count_error": 0}),
    ],
)
def test_no_truth_and_no_detection(truths, found, expected):
    boxes = np.array([[0.0, 0, 9, 9]] * len(truths)).reshape(-1, 4)
    for match in (match_masks(truths, found, SHAPE), match_boxes(boxes, found)):
        assert match.overlaps.shape == (len(truths), len(found))
        mean = 1 if truths and found else math.nan
        assert summary([match], 0.5) == pytest.approx({**expected, "mean_iou": mean}, nan_ok=True)


def test_the_summary_pools_cells_over_images():
    right = match_masks([square(0, 0, 10)] * 1, [detected(0, 0, 10)], SHAPE)
    wrong = match_masks([square(0, 0, 10), square(20, 0, 10), square(40, 0, 10)], [], SHAPE)
    half = match_masks([square(0, 0, 10)], [detected(2, 0, 10), detected(30, 30, 5)], SHAPE)
    result = summary([right, wrong, half], 0.5)
    assert result == pytest.approx(
        {
            "cells": 5,
            "recall": 2 / 5,
            "precision": 2 / 3,
            "f1": 4 / 8,
            "mean_iou": (1 + 80 / 120) / 2,
            "count_error": (0 + 3 + 1) / 3,
        }
    )


def test_the_best_confidence_separates_right_from_wrong():
    truth = [square(0, 0, 10), square(20, 0, 10)]
    found = [detected(0, 0, 10, 0.72), detected(20, 0, 10, 0.63), detected(40, 20, 10, 0.41)]
    assert chosen([match_masks(truth, found, SHAPE)]) == 0.45, "the lowest of equals"
    assert chosen([match_masks(truth, found[:2], SHAPE)]) == 0.1


def test_the_best_confidence_gives_up_little_precision_for_recall():
    truth = [square(20 * (i % 3), 20 * (i // 3), 10) for i in range(6)]
    right = [detected(20 * (i % 3), 20 * (i // 3), 10, 0.8) for i in range(6)]
    wrong = [detected(12, 32, 5, 0.33)]
    fields = [match_masks(truth, right, SHAPE)] * 40
    worse = match_masks(truth, right + wrong, SHAPE)
    assert chosen([*fields, worse]) == 0.1, "one false cell in 246 costs an F1 of 0.002"
    assert chosen([worse] * 2) == 0.35, "one in seven costs 0.08"


def test_pairs_name_the_cells_and_the_detections():
    match = Match(np.array([[0.0, 0.9, 0.0], [0.6, 0.0, 0.0], [0.0, 0.0, 0.4]]), np.array([0.8, 0.3, 0.7]))
    truths, found = match.pairs(0.5)
    assert (truths.tolist(), found.tolist()) == ([1], [0])
    assert match.missed(0.5).tolist() == [True, False, True]
    assert match.missed(0.2, overlap=0.3).tolist() == [False, False, False]


def test_the_curve_falls_in_recall_and_says_what_an_empty_place_is():
    truth = [square(0, 0, 10), square(20, 0, 10)]
    found = [detected(0, 0, 10, 0.72), detected(20, 0, 10, 0.33), detected(40, 20, 10, 0.41)]
    curve = precision_recall([match_masks(truth, found, SHAPE)])
    assert tuple(point.confidence for point in curve) == STEPS
    by_step = {point.confidence: point for point in curve}
    assert by_step[0.3] == CurvePoint(confidence=0.3, recall=1, precision=0.6667, f1=0.8)
    assert by_step[0.7] == CurvePoint(confidence=0.7, recall=0.5, precision=1, f1=0.6667)
    assert by_step[0.75] == CurvePoint(confidence=0.75, recall=0, precision=1, f1=0)


def test_intervals_hold_the_metric_and_narrow_with_more_fields():
    rng = np.random.default_rng(0)

    def field(right: bool) -> Match:
        return match_masks([square(0, 0, 10)], [detected(0 if right else 30, 0, 10)], SHAPE)

    widths = []
    for number in (20, 200):
        matches = [field(right) for right in rng.random(number) < 0.8]
        low, high = intervals(matches, 0.5)["recall"]
        assert low <= summary(matches, 0.5)["recall"] <= high and low < high
        widths.append(high - low)
    share = 0.8 * 0.2 / 200
    assert widths[1] == pytest.approx(2 * 1.96 * share**0.5, rel=0.25), "as the normal approximation says"
    assert widths[1] < widths[0]


def test_a_metric_without_cells_has_no_interval():
    assert set(intervals([match_masks([], [], SHAPE)] * 3, 0.5)) == {"count_error"}


def test_recall_by_a_quality_counts_cells_over_images():
    first = match_masks([square(0, 0, 10), square(20, 0, 10)], [detected(0, 0, 10)], SHAPE)
    second = match_masks([square(0, 0, 10), square(20, 20, 8)], [detected(20, 20, 8), detected(0, 0, 10, 0.2)], SHAPE)
    values = [np.array([0.0, 0.15]), np.array([0.1, np.nan])]
    bins = {"low": (0, 0.1), "high": (0.1, 1), "none": (2, 3)}
    expected = {"low": RecallOf(cells=1, recall=1), "high": RecallOf(cells=2, recall=0)}
    assert recall_by([first, second], values, bins, 0.5) == expected
    assert recall_by([first, second], values, bins, 0.1)["high"] == RecallOf(cells=2, recall=0.5)
