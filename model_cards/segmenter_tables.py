"""Tables of a segmenter's metrics."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from training.common.markdown import table, with_interval
from training.common.segmenter_schema import ChosenConfidence, CurvePoint, FieldMetrics, RecallOf

# a column for each that any row has
COLUMNS = {
    "recall": "recall",
    "precision": "precision",
    "mean_iou": "mean IoU",
    "mask_map50": "mask mAP50",
    "mask_map50_95": "mask mAP50-95",
    "count_error": "count error per field",
    "false_cells_per_field": "false cells per field",
}
TITLES = {
    "composed": "composed fields",
    "empty": "empty composed fields",
    "segpc": "SegPC-2021 plasma cells",
    "bccd": "BCCD white cells, boxes (test part)",
    "single_cells": "single white cells (Zheng et al. 2018)",
}
"""What the kinds of fields are called."""
OVERLAPS = {"none": "none", "below_10": "under 10 %", "10_20": "10–20 %", "above_20": "over 20 %"}
Datasets = Mapping[str, FieldMetrics]


def results_table(datasets: Datasets) -> str:
    """Return the main metrics, a row for each kind of fields, with their intervals."""
    columns = [key for key in COLUMNS if any(getattr(metrics, key) is not None for metrics in datasets.values())]
    rows = []
    for kind, metrics in datasets.items():
        values = [with_interval(getattr(metrics, key), metrics.intervals.get(key)) for key in columns]
        rows.append([TITLES[kind], metrics.n_images, metrics.cells, *values])
    return table(["images", "number", "cells", *(COLUMNS[key] for key in columns)], rows)


def overlap_table(datasets: Datasets) -> str:
    """Return recall by how much of a cell lies under others."""
    parts = {kind: metrics.recall_by_overlap for kind, metrics in datasets.items()}
    return _recall_table(parts, OVERLAPS, "share under other cells")


def diameter_table(datasets: Datasets) -> str:
    """Return recall by the diameter of a disc of a cell's visible area."""
    parts = {kind: metrics.recall_by_diameter for kind, metrics in datasets.items()}
    words = {name: f"{name.replace('_', '–')} px" for by_diameter in parts.values() for name in by_diameter}
    return _recall_table(parts, words, "diameter at a 640 px input")


def _recall_table(parts: Mapping[str, Mapping[str, RecallOf]], words: Mapping[str, str], head: str) -> str:
    rows = [
        [TITLES[kind], words[name], recall.cells, recall.recall]
        for kind, by_name in parts.items()
        for name, recall in by_name.items()
    ]
    return table(["images", head, "cells", "recall"], rows)


def confidence_text(chosen: ChosenConfidence) -> str:
    """Say how the default confidence was chosen."""
    return (
        f"lowest within {chosen.f1_tolerance:g} of the highest F1 at mask IoU 0.5 on the validation fields, composed "
        "and boxed"
    )


def curve_table(curve: Sequence[CurvePoint]) -> str:
    """Return every other point of the precision–recall curve."""
    rows = [[f"{point.confidence:g}", point.recall, point.precision, point.f1] for point in curve[::2]]
    return table(["confidence", "recall", "precision", "F1"], rows)


def failure_table(datasets: Datasets) -> str:
    """Return what is missed and what is outlined without need, worst first."""
    missed = [
        (TITLES[kind], 1 - metrics.recall, None if metrics.precision is None else 1 - metrics.precision)
        for kind, metrics in datasets.items()
        if metrics.recall is not None
    ]
    missed.sort(key=lambda row: row[1], reverse=True)
    return table(["images", "cells missed", "outlines that are no cell"], missed)
