"""Contact sheets: fields with what the segmenter outlined in them, to be judged by eye.

Yellow is outlined and right, or nobody knows; red is missed, orange is a false cell. Where plasma cells alone are
annotated, white is the truth of one that was found.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from pycocotools import mask as coco_mask

from dataset_scripts.drawing.pictures import draw_field
from dataset_scripts.fields.splits import SPLITS
from marrow.errors import MarrowError
from marrow.geometry import contour
from marrow.segmenter import Segmenter
from training.common.files import check_outputs
from training.common.plots import lay_out, save_picture
from training.evaluation.ground_truth import GroundTruth, bccd_fields, segpc_fields, single_cells
from training.evaluation.matching import detection_rles, match_boxes, match_masks, match_rles, summary

YELLOW, RED, ORANGE, WHITE = (255, 221, 0), (220, 0, 30), (255, 120, 0), (255, 255, 255)
PANEL = 480  # pixels, the side of one field on a sheet
ROWS, COLUMNS = 3, 4
DRAWN = 48  # fields to choose successes and failures from
CARD = 3  # fields of each in the card
DRAWN_SHEETS = ("successes.png", "failures.png")
Outline = tuple[np.ndarray, tuple[int, int, int]]


@dataclass(frozen=True)
class Panel:
    """A field as it will be shown: its image, a title, and outlines in pixels with their colours."""

    image: np.ndarray
    title: str
    outlines: list[Outline]


def draw_panel(panel: Panel, side: int = PANEL) -> np.ndarray:
    """Draw one field, scaled to ``(side + 22, side, 3)`` uint8 RGB with the title above."""
    height, width = panel.image.shape[:2]
    scale = side / max(height, width)
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    picture = cv2.resize(panel.image, size, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC)
    for points, colour in panel.outlines:
        cv2.polylines(picture, [(points * scale).round().astype(np.int32)], True, colour, 2, cv2.LINE_AA)
    out = np.full((side + 22, side, 3), 255, np.uint8)
    out[22 : 22 + size[1], : size[0]] = picture
    cv2.putText(out, panel.title, (4, 15), cv2.FONT_HERSHEY_SIMPLEX, 0.42, (40, 40, 40), 1, cv2.LINE_AA)
    return out


def sheet(panels: Sequence[Panel], columns: int = COLUMNS, side: int = PANEL) -> np.ndarray:
    """Lay fields side by side: ``(height, width, 3)`` uint8 RGB."""
    return lay_out([draw_panel(panel, side) for panel in panels], columns)


def real_panel(field: GroundTruth, segmenter: Segmenter, confidence: float) -> Panel:
    """Outline a real field; the truth is red where missed and, where it is a mask, white where found."""
    image = field.image()
    detections = segmenter(image, confidence)
    if len(field.boxes):
        match = match_boxes(field.boxes, detections)
        truths = [box[[0, 1, 2, 1, 2, 3, 0, 3]].reshape(4, 2) for box in field.boxes]
    else:
        scores = [detection.score for detection in detections]
        match = match_rles(field.cells, detection_rles(detections, image.shape[:2]), scores)
        truths = [contour(coco_mask.decode(cell)) for cell in field.cells]
    missed = match.missed(0)
    outlines = [(np.array(detection.polygon), YELLOW) for detection in detections]
    outlines += [(truth, WHITE) for truth, miss in zip(truths, missed, strict=True) if not miss and field.cells]
    outlines += [(truth, RED) for truth, miss in zip(truths, missed, strict=True) if miss]
    return Panel(image, f"{field.name}: {len(detections)} outlined, {int(missed.sum())} missed", outlines)


def real_fields(benchmarks: Path) -> dict[str, list[GroundTruth]]:
    """List all real fields by the name of their folder; parts that are not there are left out."""
    boxed = [field for part in SPLITS for field in bccd_fields(benchmarks / "fields_bccd", part)]
    parts = {
        "segpc": list(segpc_fields(benchmarks / "fields_segpc")),
        "bccd": sorted(boxed, key=lambda field: field.name),
        "wbc": list(single_cells(benchmarks / "wbc_masks")),
    }
    return {name: fields for name, fields in parts.items() if fields}


def write_real_sheets(segmenter: Segmenter, confidence: float, benchmarks: Path, out: Path) -> None:
    """Write contact sheets of all real fields, ``NAME_01.png`` and so on.

    Raises:
        MarrowError: the folder holds no real field.
    """
    parts = real_fields(benchmarks)
    if not parts:
        raise MarrowError(f"There are no real fields in {benchmarks}: name a folder with fields_segpc or fields_bccd.")
    for name, fields in parts.items():
        for start in range(0, len(fields), ROWS * COLUMNS):
            some = fields[start : start + ROWS * COLUMNS]
            panels = [real_panel(field, segmenter, confidence) for field in some]
            save(sheet(panels), out / f"{name}_{start // (ROWS * COLUMNS) + 1:02d}.png")


def write_drawn_sheets(segmenter: Segmenter, confidence: float, out: Path, number: int, seed: int = 7) -> None:
    """Write ``DRAWN_SHEETS``: the best and the worst of some drawn fields, by F1, then by IoU."""
    panels = [_drawn_panel(segmenter, confidence, seed + i) for i in range(number)]
    ranked = [panel for _, panel in sorted(panels, key=lambda pair: pair[0])]
    for name, some in zip(DRAWN_SHEETS, (ranked[: -CARD - 1 : -1], ranked[:CARD]), strict=True):
        save(sheet(some, CARD), out / name)


def _drawn_panel(segmenter: Segmenter, confidence: float, seed: int) -> tuple[tuple[float, float], Panel]:
    rng = np.random.default_rng(seed)
    field = draw_field(rng, PANEL, PANEL, int(rng.integers(6, 36)))
    detections = segmenter(field.image, confidence)
    truths = [field.labels == cell for cell in range(1, field.labels.max() + 1)]
    match = match_masks(truths, detections, field.labels.shape)
    missed, false = match.missed(0), np.ones(len(detections), bool)
    false[match.pairs(0)[1]] = False
    outlines = [
        (np.array(detection.polygon), ORANGE if wrong else YELLOW)
        for detection, wrong in zip(detections, false, strict=True)
    ]
    outlines += [(contour(truth), RED) for truth, miss in zip(truths, missed, strict=True) if miss]
    title = f"{len(truths)} cells: {int(missed.sum())} missed, {int(false.sum())} false"
    metrics = summary([match], 0)
    rank = float(np.nan_to_num(metrics["f1"])), float(np.nan_to_num(metrics["mean_iou"]))
    return rank, Panel(field.image, title, outlines)


def save(picture: np.ndarray, path: Path) -> None:
    """Write a sheet as PNG, and say so.

    Raises:
        MarrowError: a file of somebody else is there.
    """
    check_outputs(path.parent, [path.name])
    save_picture(picture, path)
    print(f"wrote {path}", flush=True)
