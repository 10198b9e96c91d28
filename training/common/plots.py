"""Figures of the segmenter's card: the precision–recall curve, and the curves of the transfer study."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

INK, ACCENT, PALE = "#3b3355", "#8e3b8a", "#cdb4d4"


def draw_curve(curve: Sequence[Mapping[str, float]], chosen: float, path: Path) -> None:
    """Draw precision against recall, and F1 against the confidence, with the chosen point marked, into a PNG.

    Args:
        curve: points with ``confidence``, ``recall``, ``precision`` and ``f1``.
        chosen: the default confidence, one of the curve's.
        path: file to write.
    """
    figure, (left, right) = _axes(2)
    point = next(point for point in curve if point["confidence"] == chosen)
    for axis, x, y in ((left, "recall", "precision"), (right, "confidence", "f1")):
        axis.plot([p[x] for p in curve], [p[y] for p in curve], "o-", color=INK, markersize=3)
        axis.plot(point[x], point[y], "o", color=ACCENT, markersize=9)
        axis.annotate(f"confidence {chosen:g}", (point[x], point[y]), (-8, -16), textcoords="offset points", ha="right")
        axis.set(xlabel=x, ylabel="F1" if y == "f1" else y)
    left.set_title("Validation fields, mask IoU 0.5", fontsize=10)
    right.set_title("The same by confidence", fontsize=10)
    _save(figure, path)


def draw_transfer(curves: Mapping[str, Sequence[float]], path: Path) -> None:
    """Draw the mask mAP50 on the validation fields after each epoch, one line for each start, into a PNG."""
    figure, (axis,) = _axes(1)
    for (name, values), colour in zip(curves.items(), (ACCENT, INK, PALE), strict=False):
        axis.plot(range(1, len(values) + 1), values, "o-", color=colour, markersize=3, label=name)
    axis.set(xlabel="epoch", ylabel="mask mAP50, validation fields", ylim=(0, 1))
    axis.legend(frameon=False, loc="lower right")
    _save(figure, path)


def _axes(number: int) -> tuple[Any, Sequence[Any]]:
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(1, number, figsize=(5.2 * number, 4), squeeze=False, layout="constrained")
    for axis in axes[0]:
        axis.spines[["top", "right"]].set_visible(False)
        axis.grid(alpha=0.2)
    return figure, axes[0]


def _save(figure: Any, path: Path) -> None:
    import matplotlib.pyplot as plt

    beside = path.with_name(path.name + ".partial")
    figure.savefig(beside, dpi=110, format="png")
    plt.close(figure)
    os.replace(beside, path)
