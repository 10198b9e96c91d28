"""Carrying MobileNetV2 weights from Keras to Transformers, and from Transformers into the YOLO backbone.

All three list the same 52 pairs of convolution and batch normalisation in the same order, so weights are carried
pair by pair and no table of names is needed. The YOLO backbone ends before the last pair, the one to 1280 channels.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from pathlib import Path

import h5py
import numpy as np
import torch
from torch import nn

N_PAIRS = 52
NORM_VARIABLES = ("gamma", "beta", "moving_mean", "moving_variance")  # of a Keras BatchNormalization, in order


def pairs(module: nn.Module) -> list[tuple[nn.Conv2d, nn.BatchNorm2d]]:
    """List the convolutions of a MobileNetV2 with the normalisation that follows each.

    Raises:
        ValueError: the module is not a MobileNetV2.
    """
    convolutions = [m for m in module.modules() if isinstance(m, nn.Conv2d)]
    norms = [m for m in module.modules() if isinstance(m, nn.BatchNorm2d)]
    if len(convolutions) not in (N_PAIRS - 1, N_PAIRS) or len(norms) != len(convolutions):
        raise ValueError(f"a MobileNetV2 has {N_PAIRS} convolutions, this module has {len(convolutions)}")
    return list(zip(convolutions, norms, strict=True))


@torch.no_grad()
def keras_to_torch(arrays: Mapping[str, np.ndarray], module: nn.Module) -> None:
    """Copy the backbone of a Keras MobileNetV2 into a torch one, in place.

    Args:
        arrays: by ``layer/variable``, in the order of the Keras layers.
        module: a MobileNetV2 in torch whose batch normalisation has Keras' epsilon of 1e-3.
    """
    kernels = [(name, np.asarray(array)) for name, array in arrays.items() if array.ndim == 4]
    norms = [name.removesuffix("/gamma") for name in arrays if name.endswith("/gamma")]
    for (name, kernel), prefix, (convolution, norm) in zip(kernels, norms, pairs(module), strict=True):
        # depthwise kernels are (h, w, in, mult) in Keras, ordinary ones (h, w, in, out)
        axes = (2, 3, 0, 1) if "depthwise" in name else (3, 2, 0, 1)
        convolution.weight.copy_(torch.from_numpy(kernel.transpose(axes).copy()))
        norm.weight.copy_(torch.from_numpy(arrays[f"{prefix}/gamma"]))
        norm.bias.copy_(torch.from_numpy(arrays[f"{prefix}/beta"]))
        mean, variance = _statistics(norm)
        mean.copy_(torch.from_numpy(arrays[f"{prefix}/moving_mean"]))
        variance.copy_(torch.from_numpy(arrays[f"{prefix}/moving_variance"]))


def _statistics(norm: nn.BatchNorm2d) -> tuple[torch.Tensor, torch.Tensor]:
    """Return the running mean and variance, which every normalisation of a MobileNetV2 keeps."""
    assert norm.running_mean is not None and norm.running_var is not None
    return norm.running_mean, norm.running_var


def keras_file_to_torch(path: Path, module: nn.Module) -> None:
    """Copy a Keras ``.weights.h5`` file of a MobileNetV2 without top into a torch one, in place, without Keras.

    Keras numbers the layers of each kind in the order of the network, so that walking through the torch module gives
    the place of each.

    Args:
        path: the file.
        module: a MobileNetV2 in torch whose batch normalisation has Keras' epsilon of 1e-3.

    Raises:
        OSError: the file cannot be read.
        KeyError: it lacks a layer.
        ValueError, RuntimeError: a layer has another shape.
    """
    seen: Counter[str] = Counter()

    def take(layers: h5py.Group, kind: str) -> tuple[str, list[np.ndarray]]:
        name = f"{kind}_{seen[kind]}" if seen[kind] else kind
        seen[kind] += 1
        variables = layers[name]["vars"]
        return name, [np.asarray(variables[str(i)], np.float32) for i in range(len(variables))]

    arrays: dict[str, np.ndarray] = {}
    with h5py.File(path) as file:
        for convolution, _ in pairs(module):
            kind = "conv2d" if convolution.groups == 1 else "depthwise_conv2d"
            name, (kernel,) = take(file["layers"], kind)
            arrays[f"{name}/kernel"] = kernel
            name, values = take(file["layers"], "batch_normalization")
            arrays |= {f"{name}/{key}": value for key, value in zip(NORM_VARIABLES, values, strict=True)}
    keras_to_torch(arrays, module)


@torch.no_grad()
def copy_backbone(source: nn.Module, target: nn.Module) -> None:
    """Copy a MobileNetV2 that sees pixels in -1…1 into one that sees 0…1, in place.

    The first convolution takes up the scaling, ``w·(2x − 1) = 2w·x − Σw``, with the constant moved into the running
    mean; zero padding makes a difference in the outermost pixels only.

    Args:
        source: the classifier's backbone, batch normalisation epsilon 1e-3.
        target: the segmenter's backbone; its epsilon may differ and is corrected for.
    """
    both = zip(pairs(source), pairs(target), strict=False)  # the target may end one pair earlier
    for index, ((conv_a, norm_a), (conv_b, norm_b)) in enumerate(both):
        (mean_a, variance_a), (mean_b, variance_b) = _statistics(norm_a), _statistics(norm_b)
        conv_b.weight.copy_(conv_a.weight * (2 if index == 0 else 1))
        norm_b.weight.copy_(norm_a.weight)
        norm_b.bias.copy_(norm_a.bias)
        mean_b.copy_(mean_a + conv_a.weight.sum(dim=(1, 2, 3)) if index == 0 else mean_a)
        variance_b.copy_(variance_a + (norm_a.eps - norm_b.eps))
