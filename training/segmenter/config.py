"""One segmenter experiment: its options."""

from __future__ import annotations

from dataclasses import field
from typing import Any

from pydantic.dataclasses import dataclass

from marrow.records import STRICT

ARCHITECTURE = "yolov8-seg-mobilenetv2.yaml"


@dataclass(frozen=True, config=STRICT)
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
