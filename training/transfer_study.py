"""Show what the transfer brings: one small training, three starts of the backbone, three curves on one plot.

The starts are the classifier's weights, ImageNet's and random ones; config, fields, seed and budget are the same
(``training/configs/transfer.toml``: 320 px and all layers, ten epochs). Each training runs in a process of its own; one
that is finished in DIR is not run again, and one that was stopped goes on. DIR gets ``transfer.json``, ``transfer.md``
and ``transfer.png``. The curve is the mask mAP50 on the validation fields, as ultralytics measures it after each epoch.
Small fields are enough: ``smear_fields.py --train 120 --validation 32 --test 0 --size 320``.

    python -m training.transfer_study --data FIELDS --classifier REF --imagenet FILE.weights.h5 --out DIR
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from marrow.command import Command
from training.common.config import load_config
from training.common.files import output_folder, read_json, report_names
from training.common.paths import CONFIGS
from training.segmenter.config import SegmenterTraining
from training.segmenter.training import data_folder
from training.studies.transfer import run_study, write_study


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; return the exit code."""
    command = Command("transfer_study", __doc__)
    command.add_argument("--data", type=Path, required=True, help="folder of small fields written by smear_fields.py")
    command.add_argument("--classifier", required=True, help="Hub id or folder")
    command.add_argument("--imagenet", required=True, help="MobileNetV2 .weights.h5 file")
    command.add_argument("--out", required=True, help="folder for the runs, the table and the plot")
    command.add_argument("--config", type=Path, default=CONFIGS / "transfer.toml", help="TOML file; %(default)s")
    return command.run(_study, arguments)


def _study(options: argparse.Namespace) -> None:
    config = load_config(SegmenterTraining, options.config)
    data, out = data_folder(options.data), output_folder(options.out, report_names("transfer"))
    starts = {"classifier": options.classifier, "ImageNet": options.imagenet, "random": "none"}
    study = {
        "command": "python -m training.transfer_study --data DATA --classifier REF --imagenet FILE --out DIR",
        "config": asdict(config),
        "fields": read_json(data / "sources.json")["fields"],
        "curves": run_study(starts, data, options.config, out),
    }
    print(write_study(study, out))


if __name__ == "__main__":
    sys.exit(main())
