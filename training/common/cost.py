"""What a training took, read from what it wrote while it ran."""

from __future__ import annotations

import csv
import json
import os
from pathlib import Path
from typing import Any

from training.common.environment import processor


def training_cost(run_dir: Path) -> dict[str, Any]:
    """Read time and machine of a finished training; to be asked on the machine that it ran on.

    Args:
        run_dir: run folder with ``history.jsonl`` (classifier) or ``train/results.csv`` (segmenter).

    Returns:
        ``epochs``, ``seconds`` (of training and validation, over all restarts), ``processor`` and ``cores``; empty
        if neither file is there.
    """
    history, results = run_dir / "history.jsonl", run_dir / "train" / "results.csv"
    if history.is_file():
        seconds = [json.loads(line)["seconds"] for line in history.read_text(encoding="utf-8").splitlines()]
    elif results.is_file():
        seconds = _seconds_by_epoch(results)
    else:
        return {}
    machine = {"processor": processor(), "cores": len(os.sched_getaffinity(0))}
    return {"epochs": len(seconds), "seconds": round(sum(seconds))} | machine


def _seconds_by_epoch(results: Path) -> list[float]:
    """Read ultralytics' clock, which runs on from epoch to epoch and begins again with every restart."""
    with results.open(newline="", encoding="utf-8") as file:
        clock = [float(row["time"]) for row in csv.DictReader(file, skipinitialspace=True)]
    before = [0.0, *clock]
    return [now - then if now >= then else now for then, now in zip(before, clock, strict=False)]
