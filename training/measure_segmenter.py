"""Measuring the segmenter: its default confidence, and figures on composed and real fields."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from tqdm import tqdm

from dataset_scripts.smear_fields import split_boxed
from marrow.errors import MarrowError
from marrow.images import read_image
from marrow.segmenter import Segmenter
from training.matching import Match, best_confidence, match_boxes, match_masks, mean, summary
from training.measure import update_config

LOWEST = 0.05  # detections below are not looked at


def measure(model: Path, data: str, benchmarks: Path | None) -> dict[str, Any]:
    """Choose the confidence on the validation fields and measure on test and benchmark fields.

    Args:
        model: Hub folder; ``confidence`` of its ``config.json`` is set.
        data: folder that ``smear_fields.py`` wrote, with ``validation`` and ``test`` fields.
        benchmarks: folder with ``fields_segpc``, ``fields_bccd`` and ``wbc_masks``.

    Returns:
        The figures for ``metrics.json``.
    """
    segmenter = Segmenter.from_pretrained(str(model))
    confidence = best_confidence(list(_field_matches(segmenter, Path(data), "validation", "*")))
    update_config(model, confidence=confidence)
    datasets: dict[str, Any] = {}
    composed = list(_field_matches(segmenter, Path(data), "test", "composed_*"))
    datasets["composed fields"] = {"n_images": len(composed), **_finite(summary(composed, confidence))}
    empty = [match for match in composed if len(match.overlaps) == 0]
    if empty:
        false_cells = float(np.mean([match.found(confidence) for match in empty]))
        datasets["empty composed fields"] = {"n_images": len(empty), "false_cells_per_field": false_cells}
    if benchmarks is not None:
        datasets |= _benchmark(segmenter, benchmarks, confidence)
    chosen_on = "lowest within 0.005 of the highest F1 at mask IoU 0.5 on the validation fields, composed and boxed"
    return {"datasets": datasets, "confidence": {"value": confidence, "chosen_on": chosen_on}}


def _benchmark(segmenter: Segmenter, folder: Path, confidence: float) -> dict[str, Any]:
    """Measure on what the folder holds of SegPC plasma cells, BCCD boxes not trained on, and single white cells."""
    plasma = list(_segpc_matches(segmenter, folder / "fields_segpc"))
    found = summary(plasma, confidence)
    boxed = list(_bccd_matches(segmenter, folder / "fields_bccd"))
    single = [_best_overlap(segmenter, file, confidence) for file in sorted((folder / "wbc_masks").glob("*.jpg"))]
    boxes = summary(boxed, confidence)
    parts = {
        "SegPC-2021 plasma cells": {
            "n_images": len(plasma),
            "cells": found["cells"],
            "recall": found["recall"],
            "mean_iou": found["mean_iou"],
        },
        "BCCD white cells, boxes (test part)": {
            "n_images": len(boxed),
            **{key: boxes[key] for key in ("cells", "recall", "precision", "f1")},
        },
        "single white cells (Zheng et al. 2018)": {"n_images": len(single), "mean_iou": mean(single)},
    }
    return {name: _finite(figures) for name, figures in parts.items() if figures["n_images"]}


def _field_matches(segmenter: Segmenter, data: Path, split: str, pattern: str) -> Iterator[Match]:
    files = sorted((data / "images" / split).glob(f"{pattern}.jpg"))
    if not files:
        raise MarrowError(f"There are no {split} fields in {data}: compose some with dataset_scripts/smear_fields.py.")
    for file in tqdm(files, desc=f"{split} fields", disable=None):
        image = read_image(file)
        shape = image.shape[:2]
        text = (data / "labels" / split / f"{file.stem}.txt").read_text(encoding="utf-8")
        truths = [_polygon_mask(line, shape) for line in text.splitlines() if line.strip()]
        yield match_masks(truths, segmenter(image, LOWEST), shape)


def _polygon_mask(line: str, shape: tuple[int, int]) -> np.ndarray:
    points = np.array(line.split()[1:], float).reshape(-1, 2) * (shape[1], shape[0])
    mask = np.zeros(shape, np.uint8)
    cv2.fillPoly(mask, [np.floor(points).astype(np.int32)], 1)
    return mask.astype(bool)


def _segpc_matches(segmenter: Segmenter, folder: Path) -> Iterator[Match]:
    for file in sorted((folder / "images").glob("*.jpg")):
        image = read_image(file)
        labels = cv2.imread(str(folder / "labels" / f"{file.stem}.png"), cv2.IMREAD_UNCHANGED)
        truths = [labels == cell for cell in np.unique(labels[labels > 0])]
        yield match_masks(truths, segmenter(image, LOWEST), labels.shape)


def _bccd_matches(segmenter: Segmenter, folder: Path) -> Iterator[Match]:
    files = sorted((folder / "images").glob("*.jpg"))
    for split, name, file in split_boxed([(file.stem, file) for file in files]):
        if split == "test":
            image = read_image(file)
            text = (folder / "labels" / f"{name}.txt").read_text(encoding="utf-8")
            rows = np.array([line.split()[1:5] for line in text.splitlines() if line.strip()], float).reshape(-1, 4)
            corners = np.hstack([rows[:, :2] - rows[:, 2:] / 2, rows[:, :2] + rows[:, 2:] / 2])
            yield match_boxes(corners * np.tile(image.shape[1::-1], 2), segmenter(image, LOWEST))


def _best_overlap(segmenter: Segmenter, file: Path, confidence: float) -> float:
    """Overlap of the true cell with the best detection; 0 where none is found."""
    image = read_image(file)
    truth = cv2.imread(str(file.with_name(f"{file.stem}_mask.png")), cv2.IMREAD_GRAYSCALE) > 64
    overlaps = match_masks([truth], segmenter(image, confidence), truth.shape).overlaps
    return float(overlaps.max(initial=0))


def _finite(values: dict[str, float]) -> dict[str, float | None]:
    return {key: None if value != value else value for key, value in values.items()}
