"""One field, fast: this project against stock stacks, from the same pictures, in turn, each in processes of its own."""

from __future__ import annotations

import shutil
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from pycocotools import mask as coco_mask
from scipy.optimize import linear_sum_assignment

from benchmarks.past_release import fetch_release
from benchmarks.stacks import (
    CLASSIFIER,
    OPENVINO,
    SEGMENTER,
    NamedCell,
    OriginalStack,
    Worker,
    slow_path,
    stock,
    this_project,
)
from benchmarks.timed_fields import TimedField, recall
from marrow.geometry import polygon_mask
from training.common.files import read_json
from training.common.own_process import in_own_process
from training.common.paths import ROOT
from training.evaluation.matching import encode_rle
from training.weights.checkpoint import load_checkpoint

FIELDS = 20
"""Of each number of cells; none has the size of another, so that first-seen shapes are in the figures."""

PAUSE = 0.3
"""Seconds between two answers: what a framework's threads may go on spinning."""

LOOKS = {"as many as needed": False, "two, come what may": True}
"""How often the slow path looks at a picture, and whether that is more often than is needed."""

SAME = 0.7
"""Intersection over union of the outlines of one cell by two ways."""


class Timed(Protocol):
    """Looks at a picture; returns milliseconds and the cells."""

    def __call__(self, image: np.ndarray, /) -> tuple[float, list[NamedCell]]: ...

    def close(self) -> None: ...


def speed_rows(pictures: Mapping[int, list[TimedField]], work: Path) -> dict[str, Any]:
    """Time each stack on fields of each number of cells.

    Args:
        pictures: as many for each number of cells.
        work: folder for the past release and what is exported from both.

    Returns:
        The number of ``fields``, ``rows``, and what is the ``same`` as on the slow path.
    """
    now, past = present_release(work / "now"), fetch_release(work / "past")
    export_for_stock(now)
    export_for_stock(past)
    names = str(now / SEGMENTER), str(now / CLASSIFIER)
    stacks: dict[str, Timed] = {
        "this project": Worker(this_project, *names),
        "stock, same weights": Worker(stock, now),
        "stock, release of 24 November 2026": Worker(stock, past),
        "original, release of 24 November 2026": OriginalStack(past),
    }
    try:
        rows, found = _rows(stacks, pictures)
    finally:
        for stack in stacks.values():
            stack.close()
    same = []
    for looks, thorough in LOOKS.items():
        slow = Worker(slow_path, *names, thorough)
        try:
            for cells, of in pictures.items():
                other = [slow(one.image)[1] for one in of]
                same.append({"cells": cells, "looks": looks} | compared(found[cells], other))
        finally:
            slow.close()
    return {"fields": len(next(iter(pictures.values()))), "rows": rows, "same": same}


def _rows(
    stacks: Mapping[str, Timed], pictures: Mapping[int, list[TimedField]]
) -> tuple[list[dict[str, Any]], dict[int, list[list[NamedCell]]]]:
    """Return a row for each number of cells and stack, and what the first stack found."""
    rows, first = [], {}
    for stack in stacks.values():  # loads what is loaded late
        stack(np.full((333, 333, 3), 230, np.uint8))
    for cells, fields in pictures.items():
        times: dict[str, list[float]] = {name: [] for name in stacks}
        found: dict[str, list[list[NamedCell]]] = {name: [] for name in stacks}
        for index, field in enumerate(fields):
            for name in in_turn(list(stacks), index):
                time.sleep(PAUSE)
                milliseconds, answer = stacks[name](field.image)
                times[name].append(milliseconds)
                found[name].append(answer)
        ours = times["this project"]
        first[cells] = found["this project"]
        for name, own in times.items():
            low, middle, high = np.percentile(own, (25, 50, 75))
            row = {"cells": cells, "stack": name, "ms": middle, "low": low, "high": high}
            rows.append(row | {"times_ours": middle / np.median(ours), "recall": recall(fields, found[name])})
    return rows, first


def in_turn(names: Sequence[str], index: int) -> Sequence[str]:
    """Return the names, each time another one first."""
    start = index % len(names)
    return [*names[start:], *names[:start]]


def compared(ours: list[list[NamedCell]], others: list[list[NamedCell]]) -> dict[str, float]:
    """Compare what two ways find in the same pictures.

    Returns:
        ``kept``, the share of the other's cells that are found, ``known``, the share of ours that the other finds, both
        at :data:`SAME`, their mean ``iou`` and the share of them with the same ``name``.
    """
    overlaps, names, numbers = [], [], np.zeros(2, int)
    for mine, theirs in zip(ours, others, strict=True):
        numbers += len(mine), len(theirs)
        if not mine or not theirs:
            continue
        width, height = np.ceil(np.concatenate([one.polygon for one in mine + theirs]).max(axis=0)).astype(int) + 1
        rles = [[encode_rle(polygon_mask(one.polygon, (height, width))) for one in cells] for cells in (mine, theirs)]
        table = np.asarray(coco_mask.iou(rles[0], rles[1], [0] * len(theirs))).reshape(len(mine), len(theirs))
        rows, columns = linear_sum_assignment(table, maximize=True)
        good = table[rows, columns] >= SAME
        overlaps += table[rows, columns][good].tolist()
        names += [mine[i].code == theirs[j].code for i, j in zip(rows[good], columns[good], strict=True)]
    found, other = numbers.tolist()
    return {
        "kept": len(overlaps) / max(other, 1),
        "known": len(overlaps) / max(found, 1),
        "iou": float(np.mean(overlaps)) if overlaps else 0.0,
        "name": float(np.mean(names)) if names else 0.0,
    }


def present_release(out: Path) -> Path:
    """Copy the embedded release, so that what is exported from it lies elsewhere; return the folder."""
    for name in (SEGMENTER, CLASSIFIER):
        shutil.copytree(ROOT / "hub" / name, out / name, dirs_exist_ok=True)
    return out


def export_for_stock(release: Path) -> None:
    """Export what ultralytics and Keras run, in processes of their own; what is there already stays."""
    if not (release / SEGMENTER / OPENVINO).is_dir():
        in_own_process(_export_openvino, release / SEGMENTER)
    if not (keras := release / CLASSIFIER / "model.keras").is_file():
        command = [
            sys.executable,
            "-m",
            "training.export",
            "keras",
            "--model",
            str(release / CLASSIFIER),
            "--out",
            str(keras),
        ]
        subprocess.run(command, cwd=ROOT, check=True)


def _export_openvino(folder: Path) -> dict[str, Any]:
    from ultralytics import YOLO

    load_checkpoint(folder / "model.pt")  # refuses what holds more than layers, before ultralytics unpickles it
    return {
        "at": YOLO(folder / "model.pt").export(format="openvino", imgsz=read_json(folder / "config.json")["input_size"])
    }
