"""The Hub folder of a classifier, from a finished training run."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import torch
from safetensors.torch import load_file, save_file
from transformers import MobileNetV2ForImageClassification, MobileNetV2ImageProcessor

from marrow.errors import MarrowError
from marrow.files import atomic_path
from training.classifier.config import EXPORTED
from training.common.cost import training_cost
from training.common.files import read_json
from training.common.model_folder import update_config
from training.weights.keras_to_transformers import transformers_model
from training.weights.onnx_storage import OPSET, store_halved


def export_classifier(run_dir: Path, out: Path) -> None:
    """Write ``config.json``, ``preprocessor_config.json``, ``model.safetensors`` and ``model.onnx``.

    The temperature and the bounds of uncertainty are left to ``training.measure``, without which it is not loaded.

    Args:
        run_dir: folder with ``run.json`` and ``weights.npz``, as ``train_classifier`` writes it.
        out: Hub folder.

    Raises:
        MarrowError: the run is not finished, or of an architecture that Transformers has no twin of.
    """
    run = read_json(run_dir / "run.json")
    arch = run["config"].get("arch", EXPORTED)
    if arch != EXPORTED:
        raise MarrowError(f"{run_dir} holds a {arch}, whose model.keras is all there is: {EXPORTED} alone is exported.")
    arrays = dict(np.load(run_dir / "weights.npz"))
    groups = arrays.pop("groups", None)
    model = transformers_model(arrays, run["codes"], run["crop"]["size"])
    with torch.no_grad():  # half precision in the file, single precision when loaded
        for parameter in [*model.parameters(), *model.buffers()]:
            if parameter.is_floating_point():
                parameter.copy_(parameter.half().float())
    save_transformers(model, run["crop"]["size"], out)
    exposure = {"share": run["config"].get("outlier_exposure", 0), "cells": run.get("outlier_exposure", {})}
    update_config(
        out,
        crop=run["crop"],
        tta_rotations=run["config"].get("tta_rotations", 1),
        trained_on=run["trained_on"],
        stains=run.get("stains", []),
        outlier_exposure=exposure,
        initial_weights=run.get("initial_weights") or Path(run["config"]["init"]).name,
        **({"resumed_from": run["resumed_from"]} if "resumed_from" in run else {}),
        training=training_cost(run_dir),
    )
    export_onnx(model, run["crop"]["size"], out / "model.onnx", groups)


def save_transformers(model: MobileNetV2ForImageClassification, size: int, out: Path) -> None:
    """Save a Transformers classifier with half-precision weights and its image processor."""
    model.save_pretrained(out)
    path = out / "model.safetensors"
    tensors = {k: v.half() if v.is_floating_point() else v for k, v in load_file(path).items()}
    with atomic_path(path) as beside:
        save_file(tensors, beside, metadata={"format": "pt"})
    sides, half = {"height": size, "width": size}, [0.5, 0.5, 0.5]
    MobileNetV2ImageProcessor(size=sides, do_center_crop=False, image_mean=half, image_std=half).save_pretrained(out)


def export_onnx(
    model: MobileNetV2ForImageClassification, size: int, path: Path, groups: np.ndarray | None = None
) -> None:
    """Write a torch classifier as ONNX with a free batch size.

    Its input is ``pixels`` in -1…1. Its outputs are ``logits``, ``maps`` of ``(n, classes, h, w)``, which split the
    logits over the places of the last feature map: the mean of a map plus the bias of its class is the logit. That is
    exact where one dense layer follows global average pooling (Zhou et al. 2016, arXiv:1512.04150). And, with groups,
    ``unlikeness`` of ``(n, 1)``.

    Args:
        model: the classifier.
        size: side of its input in pixels.
        path: file to write.
        groups: ``(groups, features)`` of :func:`training.classifier.familiarity.feature_groups`; ``None`` without.
    """
    centres = None if groups is None else torch.from_numpy(groups.astype(np.float16).astype(np.float32).T)
    names = ["logits", "maps", *([] if centres is None else ["unlikeness"])]

    class Outputs(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.model = model

        def forward(self, pixels: torch.Tensor) -> tuple[torch.Tensor, ...]:
            places = self.model.mobilenet_v2(pixels).last_hidden_state
            features = places.mean(dim=(2, 3))
            head: Any = self.model.classifier
            outputs = head(features), torch.nn.functional.conv2d(places, head.weight[:, :, None, None])
            if centres is None:
                return outputs
            likeness = torch.nn.functional.normalize(features) @ centres
            return *outputs, 1 - likeness.amax(dim=1, keepdim=True)

    with TemporaryDirectory() as folder:
        whole = Path(folder) / path.name
        torch.onnx.export(
            Outputs().eval(),
            (torch.zeros(2, 3, size, size),),
            str(whole),
            input_names=["pixels"],
            output_names=names,
            dynamic_axes={name: {0: "batch"} for name in ("pixels", *names)},
            opset_version=OPSET,
            # evaluation mode would fold normalisation into the weights, and halving those moves the logits by up to 0.1
            training=torch.onnx.TrainingMode.PRESERVE,
            dynamo=False,
        )
        store_halved(whole, path)
