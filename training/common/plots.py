"""Plots: one style for all, and the curves of the cards."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from marrow.files import atomic_path
from marrow.images import encode_png
from marrow.outputs import MARK
from training.common.metrics_schema import COVERAGES, ForeignMetrics
from training.common.segmenter_schema import CurvePoint

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


def draw_risks(laboratories: Sequence[ForeignMetrics], path: Path) -> None:
    """Draw how many of the most certain cells are named wrong, for each laboratory, into a PNG.

    Args:
        laboratories: with their ``risks``; the share that is counted is marked.
        path: file to write.
    """
    figure, (axis,) = make_axes(1, (6.4, 4.2))
    for one, color in zip(laboratories, _colors(len(laboratories)), strict=True):
        (line,) = axis.plot(COVERAGES, one.risks, color=color, label=f"{one.laboratory} ({one.n})")
        if one.counted:
            axis.plot(one.counted, np.interp(one.counted, COVERAGES, one.risks), "o", color=line.get_color())
    axis.set(xlabel="share of the cells, the most certain first", ylabel="of these named wrong", xlim=(0, 1))
    axis.set_ylim(bottom=0)
    axis.grid(alpha=0.2)
    axis.legend(fontsize=8, frameon=False)
    axis.set_title("Laboratories not trained on (point: what is counted)", fontsize=10)
    save_figure(figure, path)


def draw_large(rows: Sequence[Mapping[str, Any]], path: Path) -> None:
    """Draw the seconds and the memory that large pictures take, into a PNG.

    Args:
        rows: with their ``megapixels``, the kind of ``picture``, ``seconds`` and ``peak_mb``.
        path: file to write.
    """
    figure, axes = make_axes(2, (4.6, 3.6))
    for kind, color in zip(dict.fromkeys(row["picture"] for row in rows), (ACCENT, INK), strict=False):
        of_kind = [row for row in rows if row["picture"] == kind]
        for axis, key in zip(axes, ("seconds", "peak_mb"), strict=True):
            axis.plot(
                [row["megapixels"] for row in of_kind], [row[key] for row in of_kind], "o-", color=color, label=kind
            )
    for axis, label in zip(axes, ("seconds", "most memory, MB"), strict=True):
        axis.set(xlabel="megapixels", ylabel=label, xlim=(0, None), ylim=(0, None))
        axis.grid(alpha=0.2)
    axes[0].legend(fontsize=8, frameon=False)
    save_figure(figure, path)


def _colors(number: int) -> list[Any]:
    import matplotlib

    return [matplotlib.colormaps["viridis"](0.9 * i / max(number - 1, 1)) for i in range(number)]


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
        beside.write_bytes(encode_png(picture, MARK.decode()))


def save_figure(figure: Any, path: Path) -> None:
    """Write a matplotlib figure as PNG, whole or not at all, and close it."""
    import matplotlib.pyplot as plt

    with atomic_path(path) as beside:
        figure.savefig(beside, dpi=110, format="png", metadata={"Software": MARK.decode()})
    plt.close(figure)
