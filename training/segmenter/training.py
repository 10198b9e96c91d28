"""Training the segmenter with ultralytics, from which an interrupted run goes on.

One seed gives one result on one machine, however often the run is stopped; see ``training/segmenter/trainer.py``.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

os.environ.setdefault("YOLO_AUTOINSTALL", "false")
os.environ.setdefault("WANDB_MODE", "disabled")

from ultralytics import YOLO, settings

from marrow.errors import MarrowError
from training.segmenter.config import SegmenterTraining
from training.segmenter.trainer import STATE, ResumableTrainer, finish, read_state
from training.weights.checkpoint import load_checkpoint


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
    weights = run_dir / "train" / "weights"
    if (weights / STATE).is_file():
        state = read_state(weights)
        print(f"resuming after epoch {state['epoch'] + 1}", flush=True)
    elif (weights / "last.pt").is_file():
        state = {"finished": load_checkpoint(weights / "last.pt")["epoch"] < 0}
    else:
        state = {"finished": False}
    if not state["finished"]:
        _train(model, data, config, run_dir)
    if not state["finished"] or (weights / STATE).is_file():
        finish(weights)
    return weights / "best.pt"


def _train(model: YOLO, data: Path, config: SegmenterTraining, run_dir: Path) -> None:
    start = run_dir / "start.pt"
    model.save(start)  # ultralytics keeps weights from a file only
    _prepared(YOLO(start), config).train(
        trainer=ResumableTrainer,
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
