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

from marrow.errors import MarrowError
from model_cards.segmenter_tables import results_table
from training.common.environment import runtime_versions
from training.common.metrics_schema import ClassifierMetrics, SegmenterMetrics, write_metrics


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line; return the exit code (2 for bad input)."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("kind", choices=("classifier", "segmenter"))
    parser.add_argument("--model", type=Path, required=True, help="Hub folder, as training.export writes it")
    parser.add_argument("--data", required=True, help="data set (classifier) or folder of fields (segmenter)")
    parser.add_argument("--benchmarks", type=Path, help="folder of real images kept out of training")
    parser.add_argument("--unknown", help="classifier alone: data set of cells of no class, trained or not")
    args = parser.parse_args(argv)
    options = {"unknown": args.unknown} if args.unknown else {}
    # each import brings half of the machine learning stack
    if args.kind == "classifier":
        from training.evaluation.classifier import measure
    else:
        from training.evaluation.segmenter import measure
    try:
        if args.benchmarks and not args.benchmarks.is_dir():
            raise MarrowError(f"There is no folder {args.benchmarks}: name one with --benchmarks, or leave it out.")
        if args.unknown and args.kind != "classifier":
            raise MarrowError("--unknown is for the classifier: leave it out.")
        metrics: ClassifierMetrics | SegmenterMetrics = measure(args.model, args.data, args.benchmarks, **options)
    except MarrowError as error:
        print(f"measure: {error}", file=sys.stderr)
        return 2
    given = "".join(f" --{name} {name.upper()}" for name in ("unknown", "benchmarks") if getattr(args, name))
    again = f"python -m training.measure {args.kind} --model hub/{args.model.name} --data DATA{given}"
    write_metrics(args.model / "metrics.json", replace(metrics, environment=runtime_versions(), command=again))
    if isinstance(metrics, SegmenterMetrics):
        print(results_table(metrics.datasets))
    return 0


if __name__ == "__main__":
    sys.exit(main())
