"""Measuring the segmenter: its default confidence, and metrics on composed and real fields."""

from __future__ import annotations

import contextlib
import io
import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval
from tqdm import tqdm

from dataset_scripts.drawing.pictures import draw_field
from marrow.cell import Detection
from marrow.segmenter import Segmenter
from training.common.files import read_json
from training.common.model_folder import note_self_test, note_weights, update_config
from training.common.plots import draw_curve
from training.common.segmenter_schema import ChosenConfidence, CurvePoint, FieldMetrics, RecallOf, SegmenterMetrics
from training.evaluation import matching
from training.evaluation.ground_truth import (
    GroundTruth,
    annotation_file,
    bccd_fields,
    coco_fields,
    segpc_fields,
    single_cells,
)

Outliner = Callable[[np.ndarray, float], Sequence[Detection]]  # of an image and the lowest score to keep

PICTURE = 640  # pixels of the field that the self-test is made of
LOWEST = 0.01  # detections below are not looked at
MATCHED = ("recall", "precision", "f1", "mean_iou", "count_error")  # metrics of matched cells
MOST = 300  # detections of one field that are looked at, the best first
OVERLAP_BINS = {"none": (0, 1e-9), "below_10": (1e-9, 0.1), "10_20": (0.1, 0.2), "above_20": (0.2, 1.01)}  # names in %
DIAMETER_BINS = {f"{low}_{high}": (low, high) for low, high in ((30, 60), (60, 120), (120, 250))}


@dataclass(frozen=True)
class Outlined:
    """A field with what was found in it: the masks, and the comparison with the truth."""

    field: GroundTruth
    found: list[matching.RLE]
    match: matching.Match


def measure(model: Path, data: str, benchmarks: Path | None) -> SegmenterMetrics:
    """Choose the confidence on the validation fields and measure on test and benchmark fields.

    Draws the curve that the confidence was chosen from, ``precision_recall.png``, into the folder of the model.

    Args:
        model: Hub folder; ``confidence`` of its ``config.json`` is set, with digests of the weights and a self-test.
        data: folder that ``smear_fields.py`` wrote, with ``validation`` and ``test`` fields.
        benchmarks: folder with ``fields_segpc``, ``fields_bccd`` and ``wbc_masks``.

    Returns:
        The metrics, but for ``environment`` and ``command``.
    """
    note_weights(model)
    update_config(model, confidence=read_json(model / "config.json").get("confidence", 0.5))  # an export has none
    segmenter = Segmenter.from_pretrained(str(model))
    confidence, curve = choose_confidence(segmenter, Path(data))
    datasets = measure_outliner(segmenter, confidence, Path(data), benchmarks)
    update_config(model, confidence=confidence)
    note_self_test(model, segmenter, draw_field(np.random.default_rng(0), PICTURE, PICTURE, 14).image)
    draw_curve(curve, confidence, model / "precision_recall.png")
    return SegmenterMetrics(datasets, ChosenConfidence(confidence, matching.F1_TOLERANCE), curve)


def choose_confidence(outliner: Outliner, data: Path) -> tuple[float, list[CurvePoint]]:
    """Choose the default confidence on the validation fields; return it and the curve it was chosen from."""
    curve = matching.precision_recall([one.match for one in outline(outliner, coco_fields(data, "validation"))])
    return matching.best_confidence(curve), curve


def measure_outliner(
    outliner: Outliner, confidence: float, data: Path, benchmarks: Path | None
) -> dict[str, FieldMetrics]:
    """Measure what outlines cells, be it a network or not.

    Args:
        outliner: returns the detections of an image.
        confidence: lowest score that counts; average precision looks at all.
        data: folder that ``smear_fields.py`` wrote, with ``test`` fields.
        benchmarks: folder with ``fields_segpc``, ``fields_bccd`` and ``wbc_masks``, or ``None``.

    Returns:
        The metrics by the kind of fields; those that the benchmarks lack are left out.
    """
    fields = [field for field in coco_fields(data, "test") if field.composed]
    composed = outline(outliner, fields)
    datasets: dict[str, FieldMetrics] = {}
    if composed:
        datasets["composed"] = _field_metrics(
            composed,
            confidence,
            MATCHED,
            **average_precision(annotation_file(data, "test"), composed),
            recall_by_overlap=matching.recall_by(*_values(composed, lambda f: f.hidden), OVERLAP_BINS, confidence),
            recall_by_diameter=_recall_by_diameter(composed, confidence),
        )
    empty = [one.match.found(confidence) for one in composed if not one.field.cells]
    if empty:
        datasets["empty"] = FieldMetrics(len(empty), false_cells_per_field=float(np.mean(empty)))
    return datasets | (_benchmark(outliner, benchmarks, confidence) if benchmarks else {})


def _benchmark(outliner: Outliner, folder: Path, confidence: float) -> dict[str, FieldMetrics]:
    """Measure on what the folder holds of SegPC plasma cells, BCCD boxes not trained on, and single white cells."""
    parts: dict[str, FieldMetrics] = {}
    if plasma := outline(outliner, segpc_fields(folder / "fields_segpc")):
        # other cells are there but have no mask, so that nothing found is known to be wrong
        by_diameter = _recall_by_diameter(plasma, confidence)
        parts["segpc"] = _field_metrics(plasma, confidence, ("recall", "mean_iou"), recall_by_diameter=by_diameter)
    if boxed := outline(outliner, bccd_fields(folder / "fields_bccd")):
        parts["bccd"] = _field_metrics(boxed, confidence, ("recall", "precision", "f1"))
    if single := outline(outliner, single_cells(folder / "wbc_masks")):
        best = [one.match.overlaps[0, one.match.scores >= confidence].max(initial=0) for one in single]
        parts["single_cells"] = FieldMetrics(len(single), mean_iou=float(np.mean(best)))
    return parts


def outline(outliner: Outliner, fields: Iterable[GroundTruth]) -> list[Outlined]:
    """Outline the cells of each field and compare them with the truth, by boxes where these are the truth."""
    return [_outline(outliner, field) for field in tqdm(list(fields), desc="fields", disable=None)]


def _outline(outliner: Outliner, field: GroundTruth) -> Outlined:
    image = field.image()
    detections = list(outliner(image, LOWEST))[:MOST]
    found = matching.detection_rles(detections, image.shape[:2])
    if len(field.boxes):
        return Outlined(field, found, matching.match_boxes(field.boxes, detections))
    return Outlined(
        field, found, matching.match_rles(field.cells, found, [detection.score for detection in detections])
    )


def _field_metrics(
    outlined: Sequence[Outlined], confidence: float, names: Sequence[str] = MATCHED, **others: Any
) -> FieldMetrics:
    """Return those metrics of the matches that are known in these fields, and others that were measured already."""
    matches = [one.match for one in outlined]
    values, bounds = matching.summary(matches, confidence), matching.intervals(matches, confidence)
    known: dict[str, Any] = {name: values[name] for name in names if not np.isnan(values[name])}
    return FieldMetrics(
        n_images=len(outlined),
        cells=int(values["cells"]),
        intervals={name: bounds[name] for name in names if name in bounds},
        **known,
        **others,
    )


def _recall_by_diameter(outlined: Sequence[Outlined], confidence: float) -> dict[str, RecallOf]:
    return matching.recall_by(*_values(outlined, GroundTruth.diameters), DIAMETER_BINS, confidence)


def _values(
    outlined: Sequence[Outlined], quality: Callable[[GroundTruth], np.ndarray]
) -> tuple[list[matching.Match], list[np.ndarray]]:
    return [one.match for one in outlined], [quality(one.field) for one in outlined]


def average_precision(coco_file: Path, outlined: Sequence[Outlined]) -> dict[str, float | None]:
    """Return COCO's mask average precision over the fields given.

    Args:
        coco_file: annotations that hold these fields by ``file_name``.
        outlined: what was found in each.

    Returns:
        ``mask_map50`` and ``mask_map50_95``, 0 to 1; ``None`` where no field has a cell. As in COCO's own evaluation,
        but for up to 300 detections a field: a crowded one has more cells than COCO's hundred.
    """
    content = json.loads(coco_file.read_text(encoding="utf-8"))
    ids = {entry["file_name"]: entry["id"] for entry in content["images"]}
    results = [
        {"image_id": ids[one.field.name], "category_id": 1, "segmentation": mask, "score": float(score)}
        for one in outlined
        for mask, score in zip(one.found, one.match.scores, strict=True)
    ]
    if not any(one.field.cells for one in outlined):
        return {"mask_map50": None, "mask_map50_95": None}
    if not results:
        return {"mask_map50": 0.0, "mask_map50_95": 0.0}
    with contextlib.redirect_stdout(io.StringIO()):  # it reports each of its steps
        truth = COCO()
        truth.dataset = content
        truth.createIndex()
        evaluation = COCOeval(truth, truth.loadRes(results), "segm")
        evaluation.params.imgIds = [ids[one.field.name] for one in outlined]
        evaluation.params.maxDets = [MOST]
        evaluation.params.areaRng, evaluation.params.areaRngLbl = [[0, 1e10]], ["all"]
        evaluation.evaluate()
        evaluation.accumulate()
    by_overlap = evaluation.eval["precision"][:, :, 0, 0, 0].mean(axis=1)
    return {"mask_map50": float(by_overlap[0]), "mask_map50_95": float(by_overlap.mean())}
