"""Whether pictures that are unlike the training get a warning, and others none."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np

from marrow.cell import Box, Detection
from marrow.pipeline import Models, analyze, classify_detections
from marrow.report import Report, make_report, wilson_interval
from training.classifier.data import Cells
from training.common.metrics_schema import SilenceMetrics, WarnedShare
from training.evaluation.foreign import laboratories_trained_on, load_foreign
from training.evaluation.ground_truth import bccd_fields, coco_fields, segpc_fields
from training.evaluation.non_smears import KINDS, draw_non_smears

EACH = 24
"""Pictures of each kind that is no smear."""


def measure_silence(
    models: Models, own: Cells, others: Mapping[str, np.ndarray], benchmarks: Path, fields: Path | None
) -> SilenceMetrics:
    """Measure the warnings of a classifier that says how unlike its training a cell is.

    Args:
        models: the segmenter and the classifier.
        own: test cells of the laboratories trained on.
        others: unlikeness of other cells, ``(n,)``, by group.
        benchmarks: folder of the laboratories of :mod:`training.evaluation.foreign`, and of ``fields_segpc``.
        fields: folder of composed fields, whose test split counts; ``None`` without.
    """
    known = _unlikeness(models, zip(own.images, own.boxes, strict=True))
    groups = dict(others)
    smears: dict[str, WarnedShare] = {}
    if fields:
        composed = [one.image() for one in coco_fields(fields, "test") if one.composed and one.cells]
        smears["composed"] = warned_share([analyze(image, models).report for image in composed])
    if boxed := list(bccd_fields(benchmarks / "fields_bccd")):
        smears["bccd_test"] = warned_share([analyze(one.image(), models).report for one in boxed])
    trained_on = laboratories_trained_on(models.classifier)
    for cells in load_foreign(benchmarks, models.segmenter, models.classifier.labels):
        rows = list(zip(cells.images, cells.boxes, cells.truths, strict=True))
        shown = [(image, box, codes) for image, box, codes in rows if box is not None]
        reports, right = [], []
        for image, box, codes in shown:
            (cell,) = classify_detections(image, [_outline(box)], models.classifier)
            distance = models.classifier.config.stain_distance(image)
            reports.append(make_report([cell], models.classifier.config.rules, stain_distance=distance))
            right.append(cell.label in codes)
        smears[cells.laboratory] = warned_share(reports, [] if cells.laboratory in trained_on else right)
        groups[cells.laboratory] = np.array([report.unlikeness for report in reports], float)
    if marrow := [one.image() for one in segpc_fields(benchmarks / "fields_segpc")]:
        smears["segpc"] = warned_share([analyze(image, models).report for image in marrow])
    non_smears = {}
    for kind in KINDS:
        analyses = [analyze(image, models) for image in draw_non_smears(kind, EACH)]
        non_smears[kind] = warned_share([one.report for one in analyses])
        found = [cell.unlikeness for one in analyses for cell in one.cells if cell.unlikeness is not None]
        groups["non_smears"] = np.append(groups.get("non_smears", ()), found)
    return SilenceMetrics(smears, non_smears, {name: auroc(known, values) for name, values in groups.items()})


def _outline(box: Box) -> Detection:
    x0, y0, x1, y1 = box
    return Detection(box, ((x0, y0), (x1, y0), (x1, y1), (x0, y1)), (x1 - x0) * (y1 - y0), 1.0)


def _unlikeness(models: Models, cells: Iterable[tuple[np.ndarray, Box]]) -> np.ndarray:
    rows: Iterator[np.ndarray | None] = (models.classifier.name(image, [box])[1] for image, box in cells)
    return np.concatenate([row for row in rows if row is not None])


def warned_share(reports: Sequence[Report], right: Sequence[bool] = ()) -> WarnedShare:
    """Count the reports with a warning.

    Args:
        reports: at least one.
        right: whether the cell of each is named right, where that is known of cells that were not trained on.
    """
    warned = np.array([bool(report.warnings) for report in reports])
    codes = Counter(warning.code for report in reports for warning in report.warnings)
    parts = {"warned": warned, "others": ~warned} if right else {}
    low, high = wilson_interval(int(warned.sum()), len(warned))
    return WarnedShare(
        n=len(reports),
        warned=float(warned.mean()),
        interval=(round(low / 100, 4), round(high / 100, 4)),
        codes={code: n / len(reports) for code, n in sorted(codes.items())},
        accuracy={name: float(np.array(right)[part].mean()) for name, part in parts.items() if part.any()},
    )


def auroc(known: np.ndarray, others: np.ndarray) -> float:
    """Return how often one of ``others`` is larger than one of ``known``, a tie counting half."""
    order = np.sort(known)
    below, above = (np.searchsorted(order, others, side).mean() for side in ("left", "right"))
    return float((below + above) / 2 / len(order))
