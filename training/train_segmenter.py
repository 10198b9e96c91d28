"""Train YOLOv8-seg on a MobileNetV2 backbone that starts from the classifier's weights.

python -m training.train_segmenter --data FIELDS --classifier REF --output-dir hub/bone-marrow-yolov8-seg

``--classifier`` may also be a Keras ``.weights.h5`` file of a MobileNetV2 without top (ImageNet's, for instance), or
``none`` for random weights. ``--model yolov8n-seg.yaml`` trains a network of ultralytics' own instead, from random
weights, on the same data and with the same export and measuring.

Several GPUs: ``--device 0,1`` goes to ultralytics as it is, which starts a process on each and shares the batch between
them; ``batch_size`` is that of all together. Measuring is done on the CPU whatever the device.

Resuming: the same command goes on after the last epoch that was saved in the run folder, with the optimiser's state,
and refuses if the config, the data or the start are others. The seed sets the head's weights, the order of the fields
and the augmentation; one seed gives one result on one machine. A run that was stopped comes near to one that was not,
but is not the same: ultralytics keeps the averaged weights and the optimiser in half precision, and no state of its
random numbers, so that the fields come in another order.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

os.environ.setdefault("YOLO_AUTOINSTALL", "false")
os.environ.setdefault("WANDB_MODE", "disabled")

import torch
from torch import nn
from transformers import MobileNetV2Config, MobileNetV2ForImageClassification, MobileNetV2Model
from ultralytics import YOLO, settings

from marrow.errors import MarrowError
from training.common.config import load_config
from training.common.files import lock_run, output_folder, read_json, write_json
from training.release.finish import export_and_measure
from training.weights.transfer import copy_backbone, keras_file_to_torch

CONFIGS = Path(__file__).parent / "configs"
ARCHITECTURE = "yolov8-seg-mobilenetv2.yaml"


@dataclass(frozen=True)
class SegmenterTraining:
    """One experiment; see ``training/configs/``.

    Attributes:
        model: architecture, a YAML file in ``training/configs/`` or one of ultralytics' own.
        epochs: passes over the training fields.
        batch_size: fields per step.
        train_size: side of the training input in pixels; cells keep their size in pixels at ``input_size``.
        input_size: side of the network input when the model is used.
        max_object_size: longest side of a cell, in pixels of the input, up to which the boxes are whole; see
            :class:`marrow.segmenter.SegmenterConfig`. Fields of ``train_size`` hold few larger ones.
        learning_rate: start of the linear schedule of AdamW.
        seed: of the head's weights, the order and the augmentation.
        device: as ultralytics takes it: ``cpu``, ``0``, ``0,1`` for two GPUs; empty chooses.
        bfloat16: compute on a CPU in bfloat16, which takes two thirds of the time where it has instructions for it; a
            GPU has ultralytics' own ``amp``.
        options: further ultralytics training options, which win over ours.
    """

    model: str = ARCHITECTURE
    epochs: int = 20
    batch_size: int = 8
    train_size: int = 448
    input_size: int = 640
    max_object_size: int = 170
    learning_rate: float = 1e-3
    seed: int = 0
    device: str = ""
    bfloat16: bool = False
    options: dict[str, Any] = field(default_factory=dict)


def pull_classifier(reference: str, revision: str | None = None) -> MobileNetV2ForImageClassification:
    """Load the Transformers model of a classifier from a Hub id or a folder.

    Raises:
        MarrowError: it cannot be had.
    """
    reference, _, at = reference.partition("@")
    try:
        return MobileNetV2ForImageClassification.from_pretrained(
            reference, revision=revision or at or "main", dtype=torch.float32
        )
    except (OSError, ValueError) as error:
        raise MarrowError(
            f"The classifier {reference} cannot be loaded: name a Hub id or a folder with model.safetensors."
        ) from error


def pull_backbone(start: str) -> nn.Module | None:
    """Load what the backbone starts from.

    Args:
        start: a classifier's Hub id or folder, a Keras ``.weights.h5`` file, or ``none``.

    Returns:
        A Transformers MobileNetV2; ``None`` for random weights.

    Raises:
        MarrowError: it cannot be had.
    """
    if start == "none":
        return None
    if not start.endswith(".weights.h5"):
        return pull_classifier(start).mobilenet_v2
    backbone = MobileNetV2Model(MobileNetV2Config(tf_padding=True, layer_norm_eps=1e-3, finegrained_output=True))
    try:
        keras_file_to_torch(Path(start), backbone)
    except (OSError, KeyError, ValueError, RuntimeError) as error:
        raise MarrowError(f"{start} cannot be read: name a .weights.h5 file of a MobileNetV2 (alpha 1).") from error
    return backbone


def build_model(backbone: nn.Module | None, model: str = ARCHITECTURE) -> YOLO:
    """Build the segmenter with the weights of a MobileNetV2 in its backbone.

    Args:
        backbone: a Transformers MobileNetV2; ``None`` leaves random weights.
        model: as in :class:`SegmenterTraining`.

    Raises:
        MarrowError: there is no such architecture, or it has another backbone.
    """
    if not model.endswith(".yaml"):
        raise MarrowError(f"The model {model} is no architecture: name a .yaml file, such as {ARCHITECTURE}.")
    if backbone is not None and model != ARCHITECTURE:
        raise MarrowError(f"{model} has no MobileNetV2 to put weights in: give --classifier none.")
    own = CONFIGS / model
    try:
        built = YOLO(own if own.is_file() else model, task="segment", verbose=False)
    except OSError as error:
        raise MarrowError(f"There is no architecture {model}: name {ARCHITECTURE} or one of ultralytics.") from error
    if backbone is not None:
        copy_backbone(backbone, built.model.model[0].m)
    return built


def train(model: YOLO, data: Path, config: SegmenterTraining, run_dir: Path) -> Path:
    """Train, resuming if ``run_dir`` holds an interrupted run.

    Args:
        model: the model to start from.
        data: folder with ``data.yaml``, as ``smear_fields.py`` writes it.
        config: the experiment.
        run_dir: folder for ultralytics' own results.

    Returns:
        The weights file of the best epoch on the validation fields.
    """
    settings.update({"sync": False})
    last = run_dir / "train" / "weights" / "last.pt"
    best = last.with_name("best.pt")
    if last.is_file():
        if torch.load(last, weights_only=False, map_location="cpu")["epoch"] < 0:
            return best  # finished before
        print("resuming", last.parent.parent, flush=True)
        _prepared(YOLO(last), config).train(resume=True)
        return best
    start = run_dir / "start.pt"
    model.save(start)  # ultralytics keeps weights from a file only
    _prepared(YOLO(start), config).train(
        data=str((data / "data.yaml").resolve()),
        project=str(run_dir.resolve()),
        name="train",
        exist_ok=True,
        imgsz=config.train_size,
        batch=config.batch_size,
        seed=config.seed,
        deterministic=True,
        device=config.device or None,
        optimizer="AdamW",
        lr0=config.learning_rate,
        lrf=0.02,
        epochs=config.epochs,
        **({"mosaic": 0.0, "flipud": 0.5, "scale": 0.3, "hsv_h": 0.03, "hsv_s": 0.4, "hsv_v": 0.3} | config.options),
    )
    return best


def _prepared(model: YOLO, config: SegmenterTraining) -> YOLO:
    """Have a CPU compute the steps in bfloat16 if the config says so, which ultralytics itself offers on GPUs alone."""

    def start_autocast(trainer: Any) -> None:
        trainer.amp = trainer.amp or trainer.device.type == "cpu"  # torch's autocast on a CPU is in bfloat16

    if config.bfloat16:
        model.add_callback("on_pretrain_routine_end", start_autocast)
    return model


def data_folder(data: Path) -> Path:
    """Check that a folder has ``data.yaml`` and ``sources.json``.

    Raises:
        MarrowError: it has not.
    """
    for name in ("data.yaml", "sources.json"):
        if not (data / name).is_file():
            raise MarrowError(f"There is no {name} in {data}: compose fields with dataset_scripts/smear_fields.py.")
    return data.resolve()


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line; return the exit code (2 for bad input)."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--data", type=Path, required=True, help="folder written by smear_fields.py")
    parser.add_argument(
        "--classifier", required=True, help="Hub id or folder, a .weights.h5 file, or 'none' for random weights"
    )
    parser.add_argument("--output-dir", required=True, help="Hub folder to write")
    parser.add_argument("--config", type=Path, help="TOML file, as in training/configs/")
    parser.add_argument("--model", help=f"architecture: {ARCHITECTURE} (default) or one of ultralytics' .yaml files")
    parser.add_argument("--epochs", type=int)
    parser.add_argument("--seed", type=int)
    parser.add_argument("--device", help="as ultralytics takes it, for instance 0,1")
    parser.add_argument("--run-dir", help="checkpoints; default runs/<name of the output folder>")
    parser.add_argument("--train-only", action="store_true", help="end with the run folder: no export, no measuring")
    args = parser.parse_args(argv)
    try:
        given = {name: getattr(args, name) for name in ("model", "epochs", "seed", "device")}
        config = load_config(SegmenterTraining, args.config, **given)
        data, out = data_folder(args.data), output_folder(args.output_dir)
        run_dir = output_folder(args.run_dir or Path("runs") / out.name)
        backbone = pull_backbone(args.classifier)
        torch.manual_seed(config.seed)
        model = build_model(backbone, config.model)
        lock_run(run_dir, {"config": asdict(config), "data": str(data), "classifier": args.classifier})
        best = train(model, data, config, run_dir)
    except MarrowError as error:
        print(f"train_segmenter: {error}", file=sys.stderr)
        return 2
    run = {
        "config": asdict(config),
        "weights": str(best),
        "classifier": args.classifier,
        "trained_on": read_json(data / "sources.json"),
    }
    write_json(run_dir / "run.json", run)
    return 0 if args.train_only else export_and_measure("segmenter", run_dir, out, data)


if __name__ == "__main__":
    sys.exit(main())
