"""The Hub folder of a segmenter, from a finished training run."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from ultralytics import YOLO

from marrow.errors import MarrowError
from marrow.files import atomic_path
from training.common.cost import training_cost
from training.common.files import read_json, write_json
from training.weights.checkpoint import load_checkpoint
from training.weights.onnx_storage import OPSET, store_halved


def export_segmenter(run_dir: Path, out: Path) -> None:
    """Write ``model.pt``, ``model.onnx`` and ``config.json`` of a segmenter.

    The confidence is left to ``training.measure``, without which it is not loaded.

    Args:
        run_dir: folder with ``run.json``, as ``train_segmenter`` writes it.
        out: Hub folder.

    Raises:
        MarrowError: the run is not finished.
    """
    run = read_json(run_dir / "run.json")
    weights = Path(run["weights"])
    if not weights.is_file():
        raise MarrowError(f"There are no weights at {weights}: run training.train_segmenter again.")
    publishable_checkpoint(weights, out / "model.pt")
    size = run["config"]["input_size"]
    export_onnx(out, size)
    write_json(
        out / "config.json",
        {
            "model_type": "yolov8-seg",
            "input_size": size,
            "max_object_size": run["config"].get("max_object_size", 0),
            "iou": 0.5,
            "labels": ["cell"],
            "trained_on": run["trained_on"],
            "initial_weights": Path(run["classifier"]).name.partition("@")[0],
            "training": training_cost(run_dir),
        },
    )


def export_onnx(folder: Path, size: int) -> None:
    """Write the ``model.onnx`` of a folder from its ``model.pt``; height and width of its input are free.

    Args:
        folder: Hub folder of a segmenter.
        size: side of the input that it is traced with, in pixels.
    """
    options: dict[str, Any] = {"imgsz": size, "opset": OPSET, "simplify": False, "dynamic": True}
    store_halved(Path(YOLO(folder / "model.pt").export(format="onnx", **options)), folder / "model.onnx")


def publishable_checkpoint(source: Path, target: Path) -> None:
    """Copy an ultralytics checkpoint without the folders of the machine that it was trained on.

    Args:
        source: checkpoint of a finished training.
        target: file to write; plain ``YOLO(target)`` loads it.
    """
    checkpoint = load_checkpoint(source)
    checkpoint.pop("git", None)
    model = checkpoint["model"]
    for name in ("yaml", "args", "pt_path", "yaml_file"):
        if hasattr(model, name):
            setattr(model, name, _names_only(getattr(model, name)))
    with atomic_path(target) as beside:
        torch.save({key: _names_only(value) for key, value in checkpoint.items()}, beside)


def _names_only(value: Any) -> Any:
    """Replace paths by their last part, in dicts too."""
    if isinstance(value, dict):
        return {key: _names_only(item) for key, item in value.items()}
    if isinstance(value, str) and "/" in value and "://" not in value:
        return Path(value).name
    return value
