"""Measure a Hub folder: choose its thresholds on validation data, then write ``metrics.json`` on test data.

python -m training.measure classifier --model hub/bone-marrow-mobilenet --data DATASET [--unknown DATASET]
                                   [--benchmarks DIR]
python -m training.measure segmenter --model hub/bone-marrow-yolov8-seg --data FIELDS [--benchmarks DIR]

``--benchmarks`` names a folder with real images kept out of training: ``fields_segpc``, ``fields_bccd`` and
``wbc_masks``.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from marrow.command import Command
from marrow.errors import MarrowError
from model_cards.segmenter_tables import results_table
from training.common.environment import runtime_versions
from training.common.metrics_schema import ClassifierMetrics, SegmenterMetrics, write_metrics


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return the exit code."""
    command = Command("measure", __doc__)
    command.add_argument("kind", choices=("classifier", "segmenter"))
    command.add_argument("--model", type=Path, required=True, help="Hub folder, as training.export writes it")
    command.add_argument("--data", required=True, help="data set (classifier) or folder of fields (segmenter)")
    command.add_argument("--benchmarks", type=Path, help="folder of real images kept out of training")
    command.add_argument("--unknown", help="classifier alone: data set of cells of no class, trained or not")
    return command.run(work, arguments)


def work(options: argparse.Namespace) -> None:
    """Measure, and write what was found, with what, and by which command."""
    if options.benchmarks and not options.benchmarks.is_dir():
        raise MarrowError(f"There is no folder {options.benchmarks}: name one with --benchmarks, or leave it out.")
    if options.unknown and options.kind != "classifier":
        raise MarrowError("--unknown is for the classifier: leave it out.")
    metrics: ClassifierMetrics | SegmenterMetrics
    # each import brings half of the machine learning stack
    if options.kind == "classifier":
        from training.evaluation import classifier

        metrics = classifier.measure(options.model, options.data, options.benchmarks, options.unknown)
    else:
        from training.evaluation import segmenter

        metrics = segmenter.measure(options.model, options.data, options.benchmarks)
        print(results_table(metrics.datasets))
    given = "".join(f" --{name} {name.upper()}" for name in ("unknown", "benchmarks") if getattr(options, name))
    again = f"python -m training.measure {options.kind} --model hub/{options.model.name} --data DATA{given}"
    write_metrics(options.model / "metrics.json", replace(metrics, environment=runtime_versions(), command=again))


if __name__ == "__main__":
    sys.exit(main())
