"""The segmenter's network, and the MobileNetV2 whose weights its backbone starts from."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

os.environ.setdefault("YOLO_AUTOINSTALL", "false")

import torch
from torch import nn
from transformers import MobileNetV2Config, MobileNetV2ForImageClassification, MobileNetV2Model
from ultralytics import YOLO

from marrow.errors import MarrowError
from training.common.paths import CONFIGS
from training.segmenter.config import ARCHITECTURE
from training.weights.transfer import copy_backbone, keras_file_to_torch


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
        model: as in :class:`training.segmenter.config.SegmenterTraining`.

    Raises:
        MarrowError: there is no such architecture, or it has another backbone.
    """
    if not model.endswith(".yaml"):
        raise MarrowError(f"The model {model} is no architecture: name a .yaml file, such as {ARCHITECTURE}.")
    if backbone is not None and model != ARCHITECTURE:
        raise MarrowError(f"{model} has no MobileNetV2 to put weights in: give --classifier none.")
    own = CONFIGS / model
    try:
        built: Any = YOLO(own if own.is_file() else model, task="segment", verbose=False)
    except OSError as error:
        raise MarrowError(f"There is no architecture {model}: name {ARCHITECTURE} or one of ultralytics.") from error
    if backbone is not None:
        copy_backbone(backbone, built.model.model[0].m)
    return built
