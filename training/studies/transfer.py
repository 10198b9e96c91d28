"""What the transfer brings: one small training, three starts of the backbone, three curves on one plot.

The curve is the mask mAP50 on the validation fields, as ultralytics measures it after each epoch.
"""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from training.common.files import write_report
from training.common.markdown import table
from training.common.plots import ACCENT, INK, PALE, make_axes, save_figure
from training.common.process import run_python

METRIC = "metrics/mAP50(M)"  # ultralytics' column
LEVEL = 0.8  # mAP50 that the table names the first epoch of


def run_study(starts: Mapping[str, str], data: Path, config: Path, out: Path) -> dict[str, list[float]]:
    """Train from each start, one after the other; those that are finished in ``out`` stay as they are.

    Args:
        starts: what ``train_segmenter --classifier`` takes, by name.
        data: folder that ``smear_fields.py`` wrote.
        config: TOML file.
        out: folder; a run folder in it for each start.

    Returns:
        Mask mAP50 on the validation fields after each epoch, by name.

    Raises:
        MarrowError: a training failed; its own message is on stderr.
    """
    curves = {}
    for name, start in starts.items():
        run_dir = out / name.replace(" ", "_")
        places = ("--config", config, "--run-dir", run_dir, "--output-dir", run_dir, "--train-only")
        print(f"== {name}", flush=True)
        run_python("-m", "training.train_segmenter", "--data", data, "--classifier", start, *places)
        curves[name] = read_curve(run_dir)
    return curves


def read_curve(run_dir: Path) -> list[float]:
    """Read the mask mAP50 after each epoch of a run."""
    with (run_dir / "train" / "results.csv").open(newline="") as file:
        return [float(row[METRIC]) for row in csv.DictReader(file, skipinitialspace=True)]


def markdown(study: Mapping[str, Any]) -> str:
    """Return ``transfer.json`` as Markdown."""
    rows = []
    for name, curve in study["curves"].items():
        first = next((epoch for epoch, value in enumerate(curve, start=1) if value >= LEVEL), None)
        rows.append([name, curve[0], max(curve), curve[-1], first])
    head = ["backbone starts from", "mask mAP50 after 1 epoch", "best", "last", f"first epoch of {LEVEL:g} or more"]
    config, fields = study["config"], study["fields"]
    numbers = " and ".join(f"{number} {kind}" for kind, number in fields.items() if number)
    caption = (
        f"The same training on {numbers} fields at {config['train_size']} px for {config['epochs']} epochs, "
        f"seed {config['seed']}; only the backbone's first weights differ. Mask mAP50 on the validation fields."
    )
    return f"{caption}\n\n{table(head, rows)}\n\n```sh\n{study['command']}\n```\n"


def draw(curves: Mapping[str, Sequence[float]], path: Path) -> None:
    """Draw the mask mAP50 on the validation fields after each epoch, one line for each start, into a PNG."""
    figure, (axis,) = make_axes(1)
    for (name, values), colour in zip(curves.items(), (ACCENT, INK, PALE), strict=False):
        axis.plot(range(1, len(values) + 1), values, "o-", color=colour, markersize=3, label=name)
    axis.set(xlabel="epoch", ylabel="mask mAP50, validation fields", ylim=(0, 1))
    axis.grid(alpha=0.2)
    axis.legend(frameon=False, loc="lower right")
    save_figure(figure, path)


def write_study(study: Mapping[str, Any], out: Path) -> str:
    """Write ``transfer.json``, ``transfer.md`` and ``transfer.png``; return the Markdown.

    Args:
        study: ``command``, ``config``, ``fields`` (number by kind) and ``curves`` by start.
        out: folder to write.
    """
    draw(study["curves"], out / "transfer.png")
    return write_report(out, "transfer", study, markdown(study))
