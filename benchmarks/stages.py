"""Where the time of an analysis goes: the share of each stage, by Python's own profiler."""

from __future__ import annotations

import cProfile
import pstats
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from marrow.pipeline import Models, analyze

STAGES = {
    "the segmenter's network": ("runtime.py", "__call__", "segmenter.py"),
    "the classifier's network": ("runtime.py", "__call__", "classifier.py"),
    "fitting a part into the input": ("letterbox.py", "letterbox", None),
    "choosing boxes": ("segmenter.py", "_decode", None),
    "masks in boxes": ("segmenter.py", "_mask_logits", None),
    "merging the scales": ("segmenter.py", "_merge_scales", None),
    "outlines": ("segmenter.py", "_detection", None),
    "crops": ("crop.py", "crop_cell", None),
    "the classifier's input": ("classifier.py", "_network_input", None),
    "probabilities": ("classifier.py", "probabilities", None),
    "the stain": ("stain.py", "nearest_stain", None),
    "the report": ("report.py", "make_report", None),
}
"""File and function of each stage, and the file that calls it where several do."""


def stage_rows(images: Sequence[np.ndarray], models: Models) -> list[dict[str, Any]]:
    """Profile analyses.

    Args:
        images: ``(height, width, 3)`` uint8 RGB.
        models: to analyze with; they have seen the sizes of these pictures before the profile begins.

    Returns:
        For each stage milliseconds a picture and the share of the whole; what is in none of them comes last.
    """
    for image in images:
        analyze(image, models)
    profiler = cProfile.Profile()
    profiler.enable()
    for image in images:
        analyze(image, models)
    profiler.disable()
    calls: dict[Any, Any] = pstats.Stats(profiler).stats  # type: ignore[attr-defined]
    total = _seconds(calls, "pipeline.py", "analyze", None)
    seconds = {stage: _seconds(calls, *place) for stage, place in STAGES.items()}
    seconds["all else"] = total - sum(seconds.values())
    return [
        {"stage": stage, "ms": 1000 * spent / len(images), "share": spent / total} for stage, spent in seconds.items()
    ]


def _seconds(calls: dict[Any, Any], file: str, function: str, caller: str | None) -> float:
    """Return the seconds that a function took, with all that it called; of the calls from one file if one is named."""
    spent = 0.0
    for (path, _, name), (*_, within, callers) in calls.items():
        if Path(path).name == file and Path(path).parent.name == "marrow" and name == function:
            spent += (
                within if caller is None else sum(one[3] for who, one in callers.items() if Path(who[0]).name == caller)
            )
    return spent
