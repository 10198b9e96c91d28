"""Comparing outlined cells with the truth: matching by overlap, and the metrics that follow from it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from pycocotools import mask as coco_mask
from scipy.optimize import linear_sum_assignment

from marrow.cell import Box, Detection
from marrow.geometry import box_iou, polygon_mask
from training.common.metrics_schema import Interval
from training.common.segmenter_schema import CurvePoint, RecallOf
from training.evaluation.bootstrap import LEVELS, RESAMPLES

RLE = dict[str, Any]  # a mask in COCO's run-length encoding
F1_TOLERANCE = 0.005  # what the default confidence may lose
STEPS = tuple(round(0.05 * i, 2) for i in range(2, 19))  # score thresholds to choose from


@dataclass(frozen=True)
class Match:
    """The comparison of one image.

    Attributes:
        overlaps: ``(truths, detections)`` intersection over union.
        scores: ``(detections,)`` segmenter scores.
    """

    overlaps: np.ndarray
    scores: np.ndarray

    def pairs(self, confidence: float, overlap: float = 0.5) -> tuple[np.ndarray, np.ndarray]:
        """Match one to one: the true cells and the detections of the pairs that overlap by at least ``overlap``."""
        kept = np.flatnonzero(self.scores >= confidence)
        rows, columns = linear_sum_assignment(self.overlaps[:, kept], maximize=True)
        columns = kept[columns]
        good = self.overlaps[rows, columns] >= overlap
        return rows[good], columns[good]

    def matched(self, confidence: float, overlap: float = 0.5) -> np.ndarray:
        """Return the overlaps of the pairs matched one to one, counting pairs of at least ``overlap``."""
        return self.overlaps[self.pairs(confidence, overlap)]

    def missed(self, confidence: float, overlap: float = 0.5) -> np.ndarray:
        """Tell for each true cell, ``(truths,)`` bool, whether it is in no pair."""
        missed = np.ones(len(self.overlaps), bool)
        missed[self.pairs(confidence, overlap)[0]] = False
        return missed

    def found(self, confidence: float) -> int:
        """Count the detections with at least this score."""
        return int((self.scores >= confidence).sum())


def encode_rle(mask: np.ndarray) -> RLE:
    """Return a bool mask run-length encoded, which take little memory and compare fast."""
    return coco_mask.encode(np.asfortranarray(mask, np.uint8))


def rle_box(mask: RLE) -> Box:
    """Return the box around a mask, ``(x0, y0, x1, y1)`` in pixels."""
    x, y, width, height = coco_mask.toBbox(mask)
    return float(x), float(y), float(x + width), float(y + height)


def detection_rles(detections: Sequence[Detection], shape: tuple[int, int]) -> list[RLE]:
    """Return the filled outlines of the detections of one image."""
    return [encode_rle(polygon_mask(detection.polygon, shape)) for detection in detections]


def match_rles(truths: Sequence[RLE], found: Sequence[RLE], scores: Sequence[float]) -> Match:
    """Compare the true cells of one image with what was found, both run-length encoded."""
    overlaps = np.zeros((len(truths), len(found)))
    if truths and found:
        overlaps = coco_mask.iou(list(found), list(truths), [0] * len(truths)).T
    return Match(overlaps, np.array(scores, float))


def match_masks(truths: Sequence[np.ndarray], detections: Sequence[Detection], shape: tuple[int, int]) -> Match:
    """Compare bool masks of the true cells with the detections of one image."""
    scores = [detection.score for detection in detections]
    return match_rles([encode_rle(truth) for truth in truths], detection_rles(detections, shape), scores)


def match_boxes(truths: np.ndarray, detections: Sequence[Detection]) -> Match:
    """Compare ``(n, 4)`` true boxes ``x0 y0 x1 y1`` with the detections' boxes."""
    boxes = np.array([d.box for d in detections]).reshape(-1, 4)
    return Match(box_iou(truths, boxes), np.array([d.score for d in detections]))


def summary(matches: Sequence[Match], confidence: float, overlap: float = 0.5) -> dict[str, float]:
    """Add matches up to recall, precision, F1, the mean overlap of the matched, and the mean count error.

    A metric without any cell to rest on is ``nan``.
    """
    counts = _counts(matches, confidence, overlap)
    ratios = _ratios(counts.sum(axis=0, keepdims=True))
    return {"cells": int(counts[:, 1].sum()), **{name: float(value[0]) for name, value in ratios.items()}}


def intervals(matches: Sequence[Match], confidence: float, overlap: float = 0.5, seed: int = 0) -> dict[str, Interval]:
    """Return 95 % percentile bootstrap intervals, ``[low, high]``, of :func:`summary`; fields are drawn whole.

    A metric that a resample has no cell for is left out of its interval; one that no resample has any for, wholly.
    """
    counts = _counts(matches, confidence, overlap)
    fields = len(counts)
    draws = np.random.default_rng(seed).multinomial(fields, np.full(fields, 1 / fields), size=RESAMPLES)
    bounds = {
        name: np.nanpercentile(values, LEVELS)
        for name, values in _ratios(draws @ counts).items()
        if np.isfinite(values).any()
    }
    return {name: (round(float(low), 4), round(float(high), 4)) for name, (low, high) in bounds.items()}


def _counts(matches: Sequence[Match], confidence: float, overlap: float) -> np.ndarray:
    """By image: matched cells, true cells, detections, the sum of the overlaps, the count error, and 1."""
    rows = []
    for match in matches:
        pairs, found, truths = match.matched(confidence, overlap), match.found(confidence), len(match.overlaps)
        rows.append([len(pairs), truths, found, pairs.sum(), abs(found - truths), 1])
    return np.array(rows, float).reshape(-1, 6)


def _ratios(totals: np.ndarray) -> dict[str, np.ndarray]:
    right, truths, found, overlap, errors, images = totals.T
    with np.errstate(invalid="ignore", divide="ignore"):
        return {
            "recall": right / truths,
            "precision": right / found,
            "f1": 2 * right / (truths + found),
            "mean_iou": overlap / right,
            "count_error": errors / images,
        }


def recall_by(
    matches: Sequence[Match], values: Sequence[np.ndarray], bins: Mapping[str, tuple[float, float]], confidence: float
) -> dict[str, RecallOf]:
    """Return recall by a quality of the true cells.

    Args:
        matches: one for each image.
        values: for each image, ``(truths,)`` the quality; ``nan`` where it is not known.
        bins: lower bound, counted in, and upper bound, counted out, by name.
        confidence: lowest score that counts.

    Returns:
        The recall by the name of each bin that any cell falls into.
    """
    found = ~np.concatenate([match.missed(confidence) for match in matches])
    flat = np.concatenate(list(values))
    inside = {name: (flat >= low) & (flat < high) for name, (low, high) in bins.items()}
    return {
        name: RecallOf(int(chosen.sum()), float(found[chosen].mean()))
        for name, chosen in inside.items()
        if chosen.any()
    }


def precision_recall(matches: Sequence[Match]) -> list[CurvePoint]:
    """Return recall, precision and F1 at the confidence of each of :data:`STEPS`.

    Where nothing is found precision is 1, by convention; F1 is 0 where there is nothing to find and nothing is found.
    """
    points = []
    for step in STEPS:
        metrics, defaults = summary(matches, step), {"recall": 0.0, "precision": 1.0, "f1": 0.0}
        shares = {
            name: default if np.isnan(metrics[name]) else round(metrics[name], 4) for name, default in defaults.items()
        }
        points.append(CurvePoint(step, **shares))
    return points


def best_confidence(curve: Sequence[CurvePoint], tolerance: float = F1_TOLERANCE) -> float:
    """Return the lowest score threshold of a curve whose F1 is within ``tolerance`` of the highest.

    The lowest, as a reader sees a false cell and removes it, but a missed one is lost.
    """
    best = max(point.f1 for point in curve)
    return next(point.confidence for point in curve if point.f1 >= best - tolerance)
