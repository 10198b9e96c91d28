"""Comparing outlined cells with the truth: matching by overlap, and what follows from it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from scipy.optimize import linear_sum_assignment

from marrow.analysis import Detection


@dataclass(frozen=True)
class Match:
    """The comparison of one image.

    Attributes:
        overlaps: ``(truths, detections)`` intersection over union.
        scores: ``(detections,)`` segmenter scores.
    """

    overlaps: np.ndarray
    scores: np.ndarray

    def matched(self, confidence: float, overlap: float = 0.5) -> np.ndarray:
        """Give the overlaps of the pairs matched one to one, counting pairs of at least ``overlap``."""
        kept = self.overlaps[:, self.scores >= confidence]
        rows, columns = linear_sum_assignment(kept, maximize=True)
        values = kept[rows, columns]
        return values[values >= overlap]

    def found(self, confidence: float) -> int:
        """Count the detections with at least this score."""
        return int((self.scores >= confidence).sum())


def detection_mask(detection: Detection, shape: tuple[int, int]) -> np.ndarray:
    """Fill the outline of a detection: ``(height, width)`` bool."""
    mask = np.zeros(shape, np.uint8)
    cv2.fillPoly(mask, [np.floor(np.array(detection.polygon)).astype(np.int32)], 1)
    return mask.astype(bool)


def match_masks(truths: Sequence[np.ndarray], detections: Sequence[Detection], shape: tuple[int, int]) -> Match:
    """Compare bool masks of the true cells with the detections of one image."""
    masks = [detection_mask(detection, shape) for detection in detections]
    pixels = shape[0] * shape[1]
    a, b = (np.array(group, np.float32).reshape(len(group), pixels) for group in (truths, masks))
    both = a @ b.T
    either = a.sum(axis=1)[:, None] + b.sum(axis=1) - both
    return Match(both / np.maximum(either, 1), np.array([d.score for d in detections]))


def match_boxes(truths: np.ndarray, detections: Sequence[Detection]) -> Match:
    """Compare ``(n, 4)`` true boxes ``x0 y0 x1 y1`` with the detections' boxes."""
    boxes = np.array([d.box for d in detections]).reshape(-1, 4)
    a, b = truths.reshape(-1, 1, 4), boxes.reshape(1, -1, 4)
    sides = np.minimum(a[..., 2:], b[..., 2:]) - np.maximum(a[..., :2], b[..., :2])
    both = sides.clip(0).prod(axis=2)
    areas = (a[..., 2:] - a[..., :2]).prod(axis=2) + (b[..., 2:] - b[..., :2]).prod(axis=2)
    return Match(both / np.maximum(areas - both, 1e-9), np.array([d.score for d in detections]))


def mean(values: Sequence[float]) -> float:
    """Give the mean, ``nan`` of nothing."""
    return float(np.mean(values)) if len(values) else float("nan")


def summary(matches: Sequence[Match], confidence: float, overlap: float = 0.5) -> dict[str, float]:
    """Add matches up to recall, precision, F1, the mean overlap of the matched, and the mean count error.

    A figure without any cell to rest on is ``nan``.
    """
    pairs = [match.matched(confidence, overlap) for match in matches]
    right = sum(map(len, pairs))
    truths, found = sum(len(m.overlaps) for m in matches), sum(m.found(confidence) for m in matches)
    return {
        "cells": truths,
        "recall": right / truths if truths else float("nan"),
        "precision": right / found if found else float("nan"),
        "f1": 2 * right / (truths + found) if truths + found else float("nan"),
        "mean_iou": mean([value for values in pairs for value in values]),
        "count_error": mean([abs(m.found(confidence) - len(m.overlaps)) for m in matches]),
    }


def best_confidence(matches: Sequence[Match], tolerance: float = 0.005) -> float:
    """Give the lowest score threshold, in steps of 0.05, whose F1 is within ``tolerance`` of the highest.

    The lowest, as a reader sees a false cell and removes it, but a missed one is lost.
    """
    steps = [round(0.05 * i, 2) for i in range(2, 19)]
    scores = [np.nan_to_num(summary(matches, step)["f1"]) for step in steps]
    return next(step for step, score in zip(steps, scores, strict=True) if score >= max(scores) - tolerance)
