"""Many fields: ``marrow batch`` with one process and with one for each core, against a loop over ``analyze``."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np

from benchmarks.runs import Run, analyze_files, batch_files
from marrow.images import encode_png

TIMES = 3
"""Every way, in turn."""


def batch_rows(
    images: Sequence[np.ndarray], work: Path, workers: Sequence[int] = (1, 2), times: int = TIMES
) -> list[dict[str, Any]]:
    """Time each way on the same pictures; starts and the loading of the models are in the figures.

    Args:
        images: ``(height, width, 3)`` uint8 RGB each.
        work: folder to write to.
        workers: numbers of processes.
        times: how often each way is timed.

    Returns:
        Of each way the median of the pictures per second and its range, the most memory of one of its processes, and
        how many times as fast as the loop it is.
    """
    pictures = [work / "pictures" / f"{number:04d}.png" for number in range(len(images))]
    pictures[0].parent.mkdir()
    for path, image in zip(pictures, images, strict=True):
        path.write_bytes(encode_png(image))
    ways: dict[str, list[Run]] = {"a loop over analyze": [], **{f"batch, {n} processes": [] for n in workers}}
    for _ in range(times):
        for name, number in zip(ways, (0, *workers), strict=True):
            out = work / "out"
            run = batch_files(pictures[0].parent, out, number) if number else analyze_files(pictures, out)
            ways[name].append(run)
            shutil.rmtree(out)
    loop = median(run.seconds for run in ways["a loop over analyze"])
    return [_row(name, runs, len(images), loop) for name, runs in ways.items()]


def _row(name: str, runs: Sequence[Run], pictures: int, loop: float) -> dict[str, Any]:
    rates = sorted(pictures / run.seconds for run in runs)
    return {
        "way": name,
        "pictures": pictures,
        "pictures_per_second": median(rates),
        "slowest": rates[0],
        "fastest": rates[-1],
        "times_the_loop": loop / median(run.seconds for run in runs),
        "peak_mb": max(run.peak_mb for run in runs),
    }
