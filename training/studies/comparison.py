"""What a comparison of experiments looks like: a caption, a table and a figure."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from model_cards.render import table

Row = Mapping[str, Any]
INK, ACCENT, PALE = "#3b3355", "#8e3b8a", "#cdb4d4"


def caption(rows: Sequence[Row], subset: int | None) -> str:
    """Say in a sentence or two what the rows were trained and measured on."""
    sizes = sorted({row["config"]["size"] for row in rows})
    of_each = f"at most {subset} cells of each class" if subset else "the whole training split"
    return (
        f"Trained on {of_each}, crops of {' and '.join(map(str, sizes))} px, for the epochs and from the weights "
        "named, so that the study fits two cores: these are no figures of what each network can reach. Measured on "
        f"{rows[0]['validation_cells']} real cells of the validation split, with 95 % bootstrap intervals; the test "
        "split is left for the release. Time per cell: OpenVINO, single precision, all cores, at batch 1 and 16."
    )


def markdown(comparison: Mapping[str, Any]) -> str:
    """Return the tables as Markdown, networks first, then the study of balancing and augmentation.

    Args:
        comparison: ``comparison.json``, as ``training.compare`` writes it.
    """
    networks, studies = _parts(comparison["rows"])
    parts = [comparison["caption"], _network_table(networks)]
    if studies:
        ratio = studies[0]["config"]["imbalance"]
        parts += [f"Balancing and augmentation, the largest class {ratio:g} times the smallest:", _study_table(studies)]
    return "\n\n".join([*parts, f"```sh\n{comparison['command']}\n```"]) + "\n"


def _parts(rows: Sequence[Row]) -> tuple[list[Row], list[Row]]:
    """Tell the comparison of networks from the study on classes made unequal."""
    studies = [row for row in rows if row["config"]["imbalance"] > 1]
    return [row for row in rows if row not in studies], studies


def _network_table(rows: Sequence[Row]) -> str:
    head = ["network", "start", "cells", "epochs", "accuracy", "macro F1", "parameters", "file, MB"]
    lines = [
        [
            row["name"],
            _start(row),
            row["training_cells"],
            row["config"]["epochs"],
            _with_interval(row, "accuracy"),
            _with_interval(row, "macro_f1"),
            f"{row['parameters'] / 1e6:.2f} M",
            f"{row['file_mb']:.1f}",
            *(f"{milliseconds:.1f}" for milliseconds in row["ms_per_cell"].values()),
            f"{row['training_seconds']:.0f}",
        ]
        for row in rows
    ]
    times = [f"ms per cell, batch {batch}" for batch in (rows[0]["ms_per_cell"] if rows else ())]
    return table([*head, *times, "training, s"], lines)


def _study_table(rows: Sequence[Row]) -> str:
    lines = [
        [
            row["config"]["balancing"],
            "on" if row["config"]["augment"] else "off",
            row["training_cells"],
            row["config"]["epochs"],
            _with_interval(row, "accuracy"),
            _with_interval(row, "macro_f1"),
            f"{row['training_seconds']:.0f}",
        ]
        for row in rows
    ]
    return table(["balancing", "augmentation", "cells", "epochs", "accuracy", "macro F1", "training, s"], lines)


def _start(row: Row) -> str:
    return {"none": "random"}.get(row["config"]["init"], "ImageNet")


def _with_interval(row: Row, name: str) -> str:
    low, high = row["intervals"][name]
    return f"{row[name]:.3f} ({low:.3f}–{high:.3f})"


def draw(comparison: Mapping[str, Any], path: Path) -> None:
    """Draw accuracy against time per cell, and the study of balancing and augmentation as bars, into a PNG."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    parts = [(part, pen) for part, pen in zip(_parts(comparison["rows"]), (_scatter, _bars), strict=True) if part]
    figure, axes = plt.subplots(1, len(parts), figsize=(6.4 * len(parts), 4.6), squeeze=False, layout="constrained")
    for axis, (part, pen) in zip(axes[0], parts, strict=True):
        pen(axis, part)
        axis.spines[["top", "right"]].set_visible(False)
    beside = path.with_name(path.name + ".partial")
    figure.savefig(beside, dpi=110, format="png")
    plt.close(figure)
    os.replace(beside, path)


def _scatter(axis: Any, rows: Sequence[Row]) -> None:
    for row in rows:
        x, y = row["ms_per_cell"]["1"], row["accuracy"]
        low, high = row["intervals"]["accuracy"]
        axis.errorbar(x, y, yerr=[[y - low], [high - y]], color=PALE, zorder=1)
        color = ACCENT if row["arch"] == "mobilenet_v2" else INK
        axis.scatter(x, y, s=12 + 14 * row["parameters"] / 1e6, color=color, alpha=0.8, zorder=2)
        text = f"{row['arch']}, {_start(row)}\n{row['parameters'] / 1e6:.1f} M"
        axis.annotate(text, (x, y), xytext=(7, 5), textcoords="offset points", fontsize=8, color=INK)
    axis.set(xscale="log", xlabel="ms per cell, batch 1 (OpenVINO, CPU)", ylabel="accuracy, validation")
    axis.margins(x=0.3, y=0.15)
    axis.set_title("Networks (area: parameters; bars: 95 % intervals)", fontsize=10)


def _bars(axis: Any, rows: Sequence[Row]) -> None:
    places = range(len(rows))[::-1]
    values = [row["macro_f1"] for row in rows]
    bounds = [row["intervals"]["macro_f1"] for row in rows]
    errors = [[v - low for v, (low, _) in zip(values, bounds, strict=True)]]
    errors += [[high - v for v, (_, high) in zip(values, bounds, strict=True)]]
    colors = [ACCENT if row["config"]["augment"] else PALE for row in rows]
    axis.barh(list(places), values, xerr=errors, color=colors, ecolor=INK, height=0.65)
    names = [f"{r['config']['balancing']}\n{'augmented' if r['config']['augment'] else 'plain'}" for r in rows]
    axis.set_yticks(list(places), names, fontsize=8)
    for place, value, (_, high) in zip(places, values, bounds, strict=True):
        axis.text(high + 0.01, place, f"{value:.3f}", va="center", color=INK, fontsize=8)
    axis.set(xlabel="macro F1, validation", xlim=(0, 1))
    axis.set_title("mobilenet_v2 on unequal classes: balancing and augmentation", fontsize=10)
