"""Tables of the segmenter's figures, as ``training.evaluation.segmenter`` gives them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from training.common.markdown import table, with_interval

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
Datasets = Mapping[str, Mapping[str, Any]]


def results_table(datasets: Datasets) -> str:
    """Return the main figures, a row for each kind of images, with their intervals."""
    columns = [key for key in COLUMNS if any(figures.get(key) is not None for figures in datasets.values())]
    rows = [
        [name, figures.get("n_images"), figures.get("cells"), *(with_interval(figures, key) for key in columns)]
        for name, figures in datasets.items()
    ]
    return table(["images", "number", "cells", *(COLUMNS[key] for key in columns)], rows)


def recall_table(datasets: Datasets, key: str, quality: str) -> str:
    """Return recall by a quality of the cells, a row for each kind of images and value.

    Args:
        datasets: figures by the name of the images.
        key: ``recall_by_overlap`` or ``recall_by_diameter``.
        quality: what its values say, for the head of the table.
    """
    rows = [
        [name, value, entry["cells"], entry["recall"]]
        for name, figures in datasets.items()
        for value, entry in figures.get(key, {}).items()
    ]
    return table(["images", quality, "cells", "recall"], rows)


def curve_table(curve: Sequence[Mapping[str, float]]) -> str:
    """Return every other point of the precision–recall curve."""
    rows = [[f"{p['confidence']:g}", p["recall"], p["precision"], p["f1"]] for p in curve[::2]]
    return table(["confidence", "recall", "precision", "F1"], rows)


def failure_table(datasets: Datasets) -> str:
    """Return what is missed and what is outlined without need, worst first."""
    rows = [
        [name, 1 - figures["recall"], 1 - figures["precision"] if "precision" in figures else None]
        for name, figures in datasets.items()
        if "recall" in figures
    ]
    rows.sort(key=lambda row: row[1], reverse=True)
    return table(["images", "cells missed", "outlines that are no cell"], rows)
