"""Large pictures against SAHI and ultralytics, whose slices have one scale and lie everywhere."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.mosaics import compare, make_mosaic
from benchmarks.speed import export_for_stock, present_release
from benchmarks.stacks import SEGMENTER, Worker, outlining, sahi_on_openvino

GRIDS = (2, 4, 8)
"""Blocks on each side of the mosaics."""


class TimedLook:
    """Looks in a process of its own; ``seconds`` is what the last look took."""

    def __init__(self, worker: Worker) -> None:
        self._worker, self.seconds = worker, 0.0

    def __call__(self, image: np.ndarray) -> np.ndarray:
        """Return the boxes of the cells."""
        milliseconds, boxes = self._worker(image)
        self.seconds = milliseconds / 1000
        return np.asarray(boxes)


def slicing_rows(fields: Sequence[np.ndarray], work: Path, grids: Sequence[int] = GRIDS) -> list[dict[str, Any]]:
    """Outline mosaics with the same weights in both ways.

    Args:
        fields: as :func:`benchmarks.mosaics.make_mosaic` takes them.
        work: folder for what ultralytics exports.
        grids: blocks on each side.

    Returns:
        For each mosaic and way the seconds, and how many of the cells that it finds in the windows alone it finds in
        the mosaic, as :meth:`benchmarks.mosaics.Found.figures` counts them.
    """
    release = present_release(work / "now")
    export_for_stock(release)
    ways = {
        "this project": Worker(outlining, str(release / SEGMENTER)),
        "SAHI and ultralytics on OpenVINO": Worker(sahi_on_openvino, release),
    }
    rows = []
    try:
        for side in grids:
            mosaic = make_mosaic(fields, side, side, [1.0], np.random.default_rng(0))
            height, width = mosaic.image.shape[:2]
            for name, worker in ways.items():
                look = TimedLook(worker)
                figures = compare(mosaic, look).figures()
                rows.append(
                    {"megapixels": round(width * height / 1e6, 2), "way": name, "seconds": look.seconds} | figures
                )
    finally:
        for worker in ways.values():
            worker.close()
    return rows
