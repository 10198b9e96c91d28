"""A Transformers classifier with the weights of a Keras one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import torch
from transformers import MobileNetV2Config, MobileNetV2ForImageClassification

from training.weights.transfer import keras_to_torch

KERAS_EPSILON = 1e-3  # of every batch normalisation in training/classifier/architectures.py


def transformers_model(
    arrays: Mapping[str, np.ndarray], codes: Sequence[str], size: int
) -> MobileNetV2ForImageClassification:
    """Build the Transformers classifier with the weights of a Keras one, exact to 3e-6 in the logits.

    Args:
        arrays: Keras weights by ``layer/variable``.
        codes: class codes in the order of the outputs.
        size: side of the input in pixels.

    Returns:
        The model in evaluation mode.
    """
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


def folded_head(arrays: Mapping[str, np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """Return kernel and bias of the last layer, with a batch normalisation of the features before it folded in."""
    kernel, bias = arrays["logits/kernel"], arrays["logits/bias"]
    if "head_norm/gamma" not in arrays:
        return kernel, bias
    gamma, beta, mean, variance = (
        arrays[f"head_norm/{name}"] for name in ("gamma", "beta", "moving_mean", "moving_variance")
    )
    gain = gamma / np.sqrt(variance + KERAS_EPSILON)
    return kernel * gain[:, None], bias + (beta - mean * gain) @ kernel
