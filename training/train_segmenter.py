"""Train YOLOv8-seg on a MobileNetV2 backbone that starts from the classifier's weights.

python -m training.train_segmenter --data FIELDS --classifier REF --output-dir hub/bone-marrow-yolov8-seg

``--classifier`` may also be a Keras ``.weights.h5`` file of a MobileNetV2 without top (ImageNet's, for instance), or
``none`` for random weights. ``--model yolov8n-seg.yaml`` trains a network of ultralytics' own instead, from random
weights, on the same data and with the same export and measuring.

Several GPUs: ``--device 0,1`` goes to ultralytics as it is, which starts a process on each and shares the batch between
them; ``batch_size`` is that of all together. Measuring is done on the CPU whatever the device.

Resuming: the same command goes on after the last epoch that was saved in the run folder, with the optimiser's state,
and refuses if the config, the data or the start are others. The seed sets the head's weights, the order of the fields
and the augmentation; one seed gives one result on one machine, however often the run is stopped.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

import torch

from marrow.command import Command
from training.common.config import load_config
from training.common.files import lock_run, output_folder, read_json, write_json
from training.common.model_folder import refuse_foreign
from training.release.finish import export_and_measure
from training.segmenter.config import ARCHITECTURE, SegmenterTraining
from training.segmenter.model import build_model, pull_backbone
from training.segmenter.training import data_folder, train


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return the exit code."""
    command = Command("train_segmenter", __doc__)
    command.add_argument("--data", type=Path, required=True, help="folder written by smear_fields.py")
    command.add_argument(
        "--classifier", required=True, help="Hub id or folder, a .weights.h5 file, or 'none' for random weights"
    )
    command.add_argument("--output-dir", required=True, help="Hub folder to write")
    command.add_argument("--config", type=Path, help="TOML file, as in training/configs/")
    command.add_argument("--model", help=f"architecture: {ARCHITECTURE} (default) or one of ultralytics' .yaml files")
    command.add_argument("--epochs", type=int)
    command.add_argument("--seed", type=int)
    command.add_argument("--device", help="as ultralytics takes it, for instance 0,1")
    command.add_argument("--run-dir", help="checkpoints; default runs/<name of the output folder>")
    command.add_argument("--train-only", action="store_true", help="end with the run folder: no export, no measuring")
    return command.run(work, arguments)


def work(options: argparse.Namespace) -> None:
    """Train, and unless the training alone is wanted, export and measure."""
    overrides = {name: getattr(options, name) for name in ("model", "epochs", "seed", "device")}
    config = load_config(SegmenterTraining, options.config, **overrides)
    data, out = data_folder(options.data), output_folder(options.output_dir)
    refuse_foreign(out)
    run_dir = output_folder(options.run_dir or Path("runs") / out.name)
    backbone = pull_backbone(options.classifier)
    torch.manual_seed(config.seed)
    model = build_model(backbone, config.model)
    lock_run(run_dir, {"config": asdict(config), "data": str(data), "classifier": options.classifier})
    best = train(model, data, config, run_dir)
    run = {
        "config": asdict(config),
        "weights": str(best),
        "classifier": options.classifier,
        "trained_on": read_json(data / "sources.json"),
    }
    write_json(run_dir / "run.json", run)
    if not options.train_only:
        export_and_measure("segmenter", run_dir, out, data)


if __name__ == "__main__":
    sys.exit(main())
