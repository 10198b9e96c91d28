"""Turn a finished training run into a Hub folder.

python -m training.export classifier --run-dir RUN --output-dir hub/bone-marrow-mobilenet
python -m training.export segmenter --run-dir RUN --output-dir hub/bone-marrow-yolov8-seg
python -m training.export keras --model hub/bone-marrow-mobilenet --out model.keras
"""

from __future__ import annotations

import argparse
import json
import os
import re
import sys
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from marrow.errors import MarrowError
from training.classifier.config import EXPORTED
from training.common.cost import training_cost
from training.common.files import output_folder, read_json, write_json

OPSET = 18
KERAS_EPSILON = 1e-3  # of every batch normalisation in training/classifier/architectures.py


def export_classifier(run_dir: Path, out: Path) -> None:
    """Write ``config.json``, ``preprocessor_config.json``, ``model.safetensors`` and ``model.onnx``.

    The temperature is 1 and nothing is uncertain until ``training.measure`` has seen the validation split.

    Args:
        run_dir: folder with ``run.json`` and ``weights.npz``, as ``train_classifier`` writes it.
        out: Hub folder.

    Raises:
        MarrowError: the run is not finished, or of an architecture that Transformers has no twin of.
    """
    import torch

    run = read_json(run_dir / "run.json")
    arch = run["config"].get("arch", EXPORTED)
    if arch != EXPORTED:
        raise MarrowError(f"{run_dir} holds a {arch}, whose model.keras is all there is: {EXPORTED} alone is exported.")
    model = transformers_model(np.load(run_dir / "weights.npz"), run["codes"], run["crop"]["size"])
    with torch.no_grad():  # half precision in the file, single precision when loaded
        for parameter in [*model.parameters(), *model.buffers()]:
            if parameter.is_floating_point():
                parameter.copy_(parameter.half().float())
    save_transformers(model, run["crop"]["size"], out)
    config = read_json(out / "config.json")
    config |= {
        "crop": run["crop"],
        "tta_rotations": run["config"].get("tta_rotations", 1),
        "trained_on": run["trained_on"],
    }
    config |= {"temperature": 1.0, "reject_logit": None, "uncertain_below": 0.0}
    config["outlier_exposure"] = {
        "share": run["config"].get("outlier_exposure", 0),
        "cells": run.get("outlier_exposure", {}),
    }
    config["initial_weights"] = run.get("initial_weights") or Path(run["config"]["init"]).name
    if "resumed_from" in run:
        config["resumed_from"] = run["resumed_from"]
    config["training"] = training_cost(run_dir)
    write_json(out / "config.json", config)
    export_onnx(model, run["crop"]["size"], out / "model.onnx")


def transformers_model(arrays: dict[str, np.ndarray], codes: Sequence[str], size: int):
    """Build the Transformers classifier with the weights of a Keras one, exact to 3e-6 in the logits.

    Args:
        arrays: Keras weights by ``layer/variable``.
        codes: class codes in the order of the outputs.
        size: side of the input in pixels.

    Returns:
        A ``MobileNetV2ForImageClassification`` in evaluation mode.
    """
    import torch
    from transformers import MobileNetV2Config, MobileNetV2ForImageClassification

    from training.weights.transfer import keras_to_torch

    config = MobileNetV2Config(
        image_size=size,
        tf_padding=True,
        layer_norm_eps=1e-3,
        finegrained_output=True,
        id2label=dict(enumerate(codes)),
        label2id={code: i for i, code in enumerate(codes)},
    )
    # one output per class: Transformers' own models add a background class, ours does not
    model = MobileNetV2ForImageClassification(config).eval()
    backbone = {k: v for k, v in arrays.items() if not k.startswith(("logits/", "head_norm/"))}
    keras_to_torch(backbone, model.mobilenet_v2)
    kernel, bias = folded_head(arrays)
    with torch.no_grad():
        model.classifier.weight.copy_(torch.from_numpy(kernel.T.copy()))
        model.classifier.bias.copy_(torch.from_numpy(bias))
    return model


def folded_head(arrays: dict[str, np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """Return kernel and bias of the last layer, with a batch normalisation of the features before it folded in."""
    kernel, bias = arrays["logits/kernel"], arrays["logits/bias"]
    if "head_norm/gamma" not in arrays:
        return kernel, bias
    gamma, beta, mean, variance = (
        arrays[f"head_norm/{name}"] for name in ("gamma", "beta", "moving_mean", "moving_variance")
    )
    gain = gamma / np.sqrt(variance + KERAS_EPSILON)
    return kernel * gain[:, None], bias + (beta - mean * gain) @ kernel


def save_transformers(model, size: int, out: Path) -> None:
    """Save a Transformers classifier with half-precision weights and its image processor."""
    from safetensors.torch import load_file, save_file
    from transformers import MobileNetV2ImageProcessor

    model.save_pretrained(out)
    path, beside = out / "model.safetensors", out / "model.safetensors.partial"
    tensors = {k: v.half() if v.is_floating_point() else v for k, v in load_file(path).items()}
    save_file(tensors, beside, metadata={"format": "pt"})
    os.replace(beside, path)
    MobileNetV2ImageProcessor(
        size={"height": size, "width": size},
        do_center_crop=False,
        image_mean=[0.5, 0.5, 0.5],
        image_std=[0.5, 0.5, 0.5],
    ).save_pretrained(out)


def export_onnx(model, size: int, path: Path) -> None:
    """Write a torch classifier as ONNX with a free batch size.

    Its input is ``pixels`` in -1…1. Its outputs are ``logits`` and ``maps`` of ``(n, classes, h, w)``, which split the
    logits over the places of the last feature map: the mean of a map plus the bias of its class is the logit. That is
    exact where one dense layer follows global average pooling (Zhou et al. 2016, arXiv:1512.04150).
    """
    import torch

    class LogitsAndMaps(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.model = model

        def forward(self, pixels: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
            features = self.model.mobilenet_v2(pixels).last_hidden_state
            head = self.model.classifier
            maps = torch.nn.functional.conv2d(features, head.weight[:, :, None, None])
            return head(features.mean(dim=(2, 3))), maps

    beside = path.with_name(path.name + ".partial")
    torch.onnx.export(
        LogitsAndMaps().eval(),
        (torch.zeros(2, 3, size, size),),
        str(beside),
        input_names=["pixels"],
        output_names=["logits", "maps"],
        dynamic_axes={name: {0: "batch"} for name in ("pixels", "logits", "maps")},
        opset_version=OPSET,
        # evaluation mode would fold normalisation into the weights, and halving those moves the logits by up to 0.1
        training=torch.onnx.TrainingMode.PRESERVE,
        dynamo=False,
    )
    store_halved(beside, path)
    beside.unlink()


def store_halved(source: Path, target: Path) -> None:
    """Store the large float32 weights of an ONNX file in half precision, cast back when it is loaded.

    The network still computes in the precision that the runtime chooses; only the file shrinks by half.
    """
    network = onnx.load(source)
    graph = network.graph
    casts = []
    for tensor in list(graph.initializer):
        if tensor.data_type != TensorProto.FLOAT or np.prod(tensor.dims) < 256:
            continue
        half = numpy_helper.from_array(numpy_helper.to_array(tensor).astype(np.float16), tensor.name + "_half")
        casts.append(helper.make_node("Cast", [half.name], [tensor.name], to=TensorProto.FLOAT))
        graph.initializer.remove(tensor)
        graph.initializer.append(half)
    nodes = [*casts, *graph.node]
    del graph.node[:]
    graph.node.extend(nodes)
    onnx.checker.check_model(network)
    beside = target.with_name(target.name + ".halved")
    onnx.save(network, beside)
    os.replace(beside, target)


def export_segmenter(run_dir: Path, out: Path) -> None:
    """Write ``model.pt``, ``model.onnx`` and ``config.json`` of a segmenter.

    Args:
        run_dir: folder with ``run.json``, as ``train_segmenter`` writes it.
        out: Hub folder.

    Raises:
        MarrowError: the run is not finished.
    """
    from ultralytics import YOLO

    run = read_json(run_dir / "run.json")
    weights = Path(run["weights"])
    if not weights.is_file():
        raise MarrowError(f"There are no weights at {weights}: run training.train_segmenter again.")
    publishable_checkpoint(weights, out / "model.pt")
    size = run["config"]["input_size"]
    exported = Path(YOLO(out / "model.pt").export(format="onnx", imgsz=size, opset=OPSET, simplify=False))
    store_halved(exported, out / "model.onnx")
    previous = read_json(out / "config.json") if (out / "config.json").is_file() else {}
    write_json(
        out / "config.json",
        {
            "model_type": "yolov8-seg",
            "input_size": size,
            "max_object_size": run["config"].get("max_object_size", 0),
            "confidence": previous.get("confidence", 0.5),
            "iou": 0.5,
            "labels": ["cell"],
            "trained_on": run["trained_on"],
            "initial_weights": Path(run["classifier"]).name.partition("@")[0],
            "training": training_cost(run_dir),
        },
    )


def publishable_checkpoint(source: Path, target: Path) -> None:
    """Copy an ultralytics checkpoint without the folders of the machine that it was trained on.

    Args:
        source: checkpoint of a finished training.
        target: file to write; plain ``YOLO(target)`` loads it.
    """
    import torch

    checkpoint = torch.load(source, weights_only=False, map_location="cpu")  # our own file, just trained
    checkpoint.pop("git", None)
    model = checkpoint["model"]
    for name in ("yaml", "args", "pt_path", "yaml_file"):
        if hasattr(model, name):
            setattr(model, name, _names_only(getattr(model, name)))
    beside = target.with_name("model.partial.pt")
    torch.save({key: _names_only(value) for key, value in checkpoint.items()}, beside)
    os.replace(beside, target)


def _names_only(value: Any) -> Any:
    """Replace paths by their last part, in dicts too."""
    if isinstance(value, dict):
        return {key: _names_only(item) for key, item in value.items()}
    if isinstance(value, str) and "/" in value and "://" not in value:
        return Path(value).name
    return value


def export_keras(model: Path, out: Path) -> None:
    """Write the ``.keras`` file of a classifier's Hub folder, from its ``model.safetensors``.

    The same weights give the same bytes, so that publishing them again is no change.

    Args:
        model: Hub folder of a classifier.
        out: file to write.
    """
    import keras
    from safetensors.numpy import load_file

    config = read_json(model / "config.json")
    size = config["crop"]["size"]
    base = keras.applications.MobileNetV2(input_shape=(size, size, 3), include_top=False, weights=None)
    features = keras.layers.GlobalAveragePooling2D(name="pool")(base.output)
    logits = keras.layers.Dense(len(config["id2label"]), name="logits")(features)
    network = keras.Model(base.input, logits, name="classifier")
    tensors = {k: v.astype(np.float32) for k, v in load_file(model / "model.safetensors").items()}
    fill_keras(network, tensors)
    beside = out.with_name(out.stem + ".partial.keras")
    network.save(beside)
    _make_repeatable(beside)
    os.replace(beside, out)


def _make_repeatable(path: Path) -> None:
    """Write a ``.keras`` file, a zip, anew without the time of saving and the numbers of objects in memory."""
    with zipfile.ZipFile(path) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    metadata = json.loads(parts["metadata.json"])
    parts["metadata.json"] = json.dumps({**metadata, "date_saved": ""}).encode()
    numbers: dict[bytes, bytes] = {}
    parts["config.json"] = re.sub(
        rb'(?<="shared_object_id": )\d+',
        lambda found: numbers.setdefault(found[0], str(len(numbers)).encode()),
        parts["config.json"],
    )
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in parts.items():
            archive.writestr(zipfile.ZipInfo(name), content)  # dated 1980, the earliest that a zip holds


def fill_keras(network, tensors: dict[str, np.ndarray]) -> None:
    """Set the weights of a Keras MobileNetV2 classifier from Transformers tensors, both in the order of the layers.

    Raises:
        KeyError, ValueError: a tensor is missing or has another shape.
    """
    order = _transformers_order(tensors)
    convolutions = [layer for layer in network.layers if "Conv2D" in type(layer).__name__]
    norms = [layer for layer in network.layers if type(layer).__name__ == "BatchNormalization"]
    for convolution, norm, prefix in zip(convolutions, norms, order, strict=True):
        axes = (2, 3, 0, 1) if "Depthwise" in type(convolution).__name__ else (2, 3, 1, 0)
        convolution.set_weights([tensors[f"{prefix}.convolution.weight"].transpose(axes)])
        names = ("weight", "bias", "running_mean", "running_var")
        norm.set_weights([tensors[f"{prefix}.normalization.{name}"] for name in names])
    network.get_layer("logits").set_weights([tensors["classifier.weight"].T, tensors["classifier.bias"]])


def _transformers_order(tensors: dict[str, np.ndarray]) -> list[str]:
    """Prefixes of the 52 pairs in the order of the layers: stem, blocks, last convolution."""
    steps = {"first_conv": 0, "expand_1x1": 0, "conv_3x3": 1, "reduce_1x1": 2}

    def position(prefix: str) -> tuple[int, int]:
        parts = prefix.split(".")
        block = {"conv_stem": -1, "layer": 0, "conv_1x1": 10_000}[parts[1]]
        return block + (int(parts[2]) if parts[1] == "layer" else 0), steps.get(parts[-1], 0)

    ending = ".convolution.weight"
    return sorted((name.removesuffix(ending) for name in tensors if name.endswith(ending)), key=position)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line; return the exit code (2 for bad input)."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    kinds = parser.add_subparsers(dest="kind", required=True)
    for kind in ("classifier", "segmenter"):
        one = kinds.add_parser(kind)
        one.add_argument("--run-dir", type=Path, required=True)
        one.add_argument("--output-dir", required=True)
    one = kinds.add_parser("keras")
    one.add_argument("--model", type=Path, required=True)
    one.add_argument("--out", type=Path, required=True)
    args = parser.parse_args(argv)
    try:
        if args.kind == "keras":
            export_keras(args.model, args.out)
        else:
            export = {"classifier": export_classifier, "segmenter": export_segmenter}[args.kind]
            export(args.run_dir, output_folder(args.output_dir))
    except (MarrowError, OSError) as error:
        print(f"export: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
