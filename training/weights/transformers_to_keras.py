"""A Keras classifier with the weights of a Transformers one."""

from __future__ import annotations

from collections.abc import Mapping

import keras
import numpy as np


def fill_keras(network: keras.Model, tensors: Mapping[str, np.ndarray]) -> None:
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


def _transformers_order(tensors: Mapping[str, np.ndarray]) -> list[str]:
    """Return the prefixes of the 52 pairs in the order of the layers: stem, blocks, last convolution."""
    steps = {"first_conv": 0, "expand_1x1": 0, "conv_3x3": 1, "reduce_1x1": 2}

    def position(prefix: str) -> tuple[int, int]:
        parts = prefix.split(".")
        block = {"conv_stem": -1, "layer": 0, "conv_1x1": 10_000}[parts[1]]
        return block + (int(parts[2]) if parts[1] == "layer" else 0), steps.get(parts[-1], 0)

    ending = ".convolution.weight"
    return sorted((name.removesuffix(ending) for name in tensors if name.endswith(ending)), key=position)
