"""Measure an exported classifier as any Transformers model is measured: with `evaluate`'s evaluator and local metrics.

Prints the values of ``training/evaluation/metrics/cell_classification`` as JSON. It goes through the Transformers
pipeline, with none of the runtime, so it is an independent check on ``training.measure``.

    python -m training.evaluator --model hub/bone-marrow-mobilenet --data SET [--split test] [--crop]
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path

from marrow.command import Command
from training.classifier.data import load_cells, real_cells
from training.evaluation.transformers_evaluator import evaluate_model


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; return the exit code."""
    command = Command("evaluator", __doc__)
    command.add_argument("--model", type=Path, required=True, help="Hub folder of a classifier")
    command.add_argument("--data", required=True, help="folder written by bone_marrow_12.py, or a Hub id")
    command.add_argument("--split", default="test")
    command.add_argument("--crop", action="store_true", help="crop the cells first, as the runtime does")
    return command.run(_evaluate, arguments)


def _evaluate(options: argparse.Namespace) -> None:
    values = evaluate_model(options.model, real_cells(load_cells(options.data, options.split)), options.crop)
    print(json.dumps(values, indent=1))


if __name__ == "__main__":
    sys.exit(main())
