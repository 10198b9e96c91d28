"""Plots: one style for all, and the precision–recall curve of the segmenter's card."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from marrow.files import atomic_path
from training.common.metrics_schema import CurvePoint

INK, ACCENT, PALE = "#3b3355", "#8e3b8a", "#cdb4d4"


def draw_curve(curve: Sequence[CurvePoint], chosen: float, path: Path) -> None:
    """Draw precision against recall, and F1 against the confidence, with the chosen point marked, into a PNG.

    Args:
        curve: the points.
        chosen: the default confidence, one of the curve's.
        path: file to write.
    """
    figure, (left, right) = make_axes(2)
    point = next(point for point in curve if point.confidence == chosen)
    for axis, x, y in ((left, "recall", "precision"), (right, "confidence", "f1")):
        axis.plot([getattr(p, x) for p in curve], [getattr(p, y) for p in curve], "o-", color=INK, markersize=3)
        marked = getattr(point, x), getattr(point, y)
        axis.plot(*marked, "o", color=ACCENT, markersize=9)
        axis.annotate(f"confidence {chosen:g}", marked, (-8, -16), textcoords="offset points", ha="right")
        axis.set(xlabel=x, ylabel="F1" if y == "f1" else y)
        axis.grid(alpha=0.2)
    left.set_title("Validation fields, mask IoU 0.5", fontsize=10)
    right.set_title("The same by confidence", fontsize=10)
    save_figure(figure, path)


def make_axes(number: int, size: tuple[float, float] = (5.2, 4)) -> tuple[Any, Sequence[Any]]:
    """Make a matplotlib figure of several axes side by side, ``size`` each in inches; return it and the axes."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(1, number, figsize=(size[0] * number, size[1]), squeeze=False, layout="constrained")
    for axis in axes[0]:
        axis.spines[["top", "right"]].set_visible(False)
    return figure, axes[0]


def lay_out(pictures: Sequence[np.ndarray], columns: int) -> np.ndarray:
    """Lay pictures of one size in rows, the last one filled up with white: ``(height, width, 3)`` uint8 RGB."""
    filled = [*pictures, *[np.full_like(pictures[0], 255)] * (-len(pictures) % columns)]
    return np.vstack([np.hstack(filled[i : i + columns]) for i in range(0, len(filled), columns)])


def save_picture(picture: np.ndarray, path: Path) -> None:
    """Write a picture, ``(height, width, 3)`` uint8 RGB, as PNG, whole or not at all."""
    with atomic_path(path) as beside:
        cv2.imwrite(str(beside), cv2.cvtColor(picture, cv2.COLOR_RGB2BGR))


def save_figure(figure: Any, path: Path) -> None:
    """Write a matplotlib figure as PNG, whole or not at all, and close it."""
    import matplotlib.pyplot as plt

    with atomic_path(path) as beside:
        figure.savefig(beside, dpi=110, format="png")
    plt.close(figure)
