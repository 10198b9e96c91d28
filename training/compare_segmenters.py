"""Lay the released segmenter beside stock YOLOv8 and beside a threshold with watershed, on the same fields.

``--stock`` names the Hub folder of a ``yolov8n-seg`` trained on the same fields, with ``--config
training/configs/segmenter_stock.toml --classifier none``. Each of the three is used at its own confidence, chosen on
the same validation fields. The folder of ``--model`` gets ``comparison.json`` and ``comparison.md``.

    python -m training.compare_segmenters --data FIELDS --model hub/bone-marrow-yolov8-seg --stock HUB_FOLDER
        [--benchmarks BENCHMARKS]
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from marrow.command import Command
from marrow.errors import MarrowError
from training.common.model_folder import check_model_folder
from training.studies.segmenters import compare, open_outliners, write_comparison


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; return the exit code."""
    command = Command("compare_segmenters", __doc__)
    command.add_argument("--data", type=Path, required=True, help="folder written by smear_fields.py")
    command.add_argument("--model", type=Path, required=True, help="Hub folder of the segmenter; the table goes there")
    command.add_argument("--stock", type=Path, help="Hub folder of a stock yolov8n-seg trained on the same data")
    command.add_argument("--benchmarks", type=Path, help="folder of real images kept out of training")
    return command.run(_compare, arguments)


def _compare(options: argparse.Namespace) -> None:
    check_model_folder(options.model)
    if options.benchmarks and not options.benchmarks.is_dir():
        raise MarrowError(f"There is no folder {options.benchmarks}: name one with --benchmarks, or leave it out.")
    rows = compare(open_outliners(options.model, options.stock), options.data, options.benchmarks)
    again = "python -m training.compare_segmenters --data DATA --model hub/bone-marrow-yolov8-seg"
    again += " --stock STOCK" * bool(options.stock) + " --benchmarks BENCHMARKS" * bool(options.benchmarks)
    print(write_comparison(rows, again, options.model))


if __name__ == "__main__":
    sys.exit(main())
