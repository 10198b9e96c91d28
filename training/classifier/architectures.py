"""The networks of the study: one table of builders, all with the same input and the same head."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, TypeAlias

import keras

from marrow.errors import MarrowError
from training.classifier.config import ClassifierTraining
from training.classifier.torch_speed import channels_first

# mean of the ImageNet images in the order blue, green, red, which the weights of VGG and ResNet expect subtracted
CAFFE_MEAN = (103.939, 116.779, 123.68)

Tensor: TypeAlias = Any  # a keras.KerasTensor
Base = Callable[[Tensor, ClassifierTraining], keras.Model]


def build_model(config: ClassifierTraining, n_classes: int) -> keras.Model:
    """Build a network with one dense layer of logits on its pooled features.

    Args:
        config: ``arch``, ``init``, ``size``, ``dropout``, ``batch_norm`` and ``batch_norm_momentum`` count.
        n_classes: number of outputs.

    Returns:
        A model from ``(n, size, size, 3)`` RGB in -1…1 to ``(n, n_classes)`` logits, whatever the architecture:
        another scaling that its initial weights expect is a layer of the model.

    Raises:
        MarrowError: the initial weights cannot be loaded.
    """
    inputs = keras.Input((config.size, config.size, 3), name="pixels")
    base = _with_weights(BASES[config.arch], inputs, config)
    features = keras.layers.GlobalAveragePooling2D(name="pool", data_format=_data_format(base))(base.output)
    if config.batch_norm:
        features = keras.layers.BatchNormalization(epsilon=1e-3, name="head_norm")(features)
    features = keras.layers.Dropout(config.dropout, name="dropout", seed=config.seed)(features)
    model = keras.Model(inputs, keras.layers.Dense(n_classes, name="logits")(features), name="classifier")
    for layer in model.layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            layer.momentum = config.batch_norm_momentum
    _freeze(model, config.frozen_blocks)
    return model


def _freeze(model: keras.Model, blocks: int) -> None:
    """Keep the weights of a MobileNetV2 before block number ``blocks`` as they are; 0 freezes nothing."""
    if blocks:
        names = [layer.name for layer in model.layers]
        for layer in model.layers[: names.index(f"block_{blocks}_expand")]:
            layer.trainable = False


def _with_weights(build: Base, inputs: Tensor, config: ClassifierTraining) -> keras.Model:
    try:
        base = build(inputs, config)
        if config.init not in ("imagenet", "none"):
            base.load_weights(config.init)
    except MarrowError:
        raise
    except Exception as error:  # keras raises many kinds for a wrong or missing file
        reason = str(error).splitlines()[0]
        raise MarrowError(f"The initial weights {config.init} cannot be loaded into {config.arch}: {reason}") from error
    return base


def _application(
    build: Callable[..., keras.Model],
    inputs: Tensor,
    config: ClassifierTraining,
    scale: Callable[[Tensor], Tensor] = lambda pixels: pixels,
    **options: bool,
) -> keras.Model:
    """Build one of ``keras.applications`` without its top."""
    weights = "imagenet" if config.init == "imagenet" else None
    return build(input_tensor=scale(inputs), include_top=False, weights=weights, **options)


def _caffe(pixels: Tensor) -> Tensor:
    """From RGB in -1…1 to what VGG and ResNet expect: blue first, 0…255, less the mean."""
    offset = [127.5 - mean for mean in CAFFE_MEAN]
    return keras.layers.Rescaling(127.5, offset=offset, name="caffe")(keras.ops.flip(pixels, axis=-1))


def _simple_cnn(inputs: Tensor, config: ClassifierTraining) -> keras.Model:
    """Four convolutions with pooling, the plainest network of the study.

    Raises:
        MarrowError: ImageNet weights were asked for.
    """
    if config.init == "imagenet":
        raise MarrowError("There are no ImageNet weights of simple_cnn: give --init none or a .weights.h5 file.")
    x = inputs
    for width in (32, 64, 128, 256):
        x = keras.layers.Conv2D(width, 3, padding="same", use_bias=not config.batch_norm)(x)
        if config.batch_norm:
            x = keras.layers.BatchNormalization(epsilon=1e-3)(x)
        x = keras.layers.MaxPooling2D()(keras.layers.ReLU()(x))
    return keras.Model(inputs, x, name="simple_cnn")


def _mobilenet_v2(inputs: Tensor, config: ClassifierTraining) -> keras.Model:
    def build(pixels: Tensor) -> keras.Model:
        return _application(keras.applications.MobileNetV2, pixels, config)

    return channels_first(build, inputs, config.mixed_precision) if keras.config.backend() == "torch" else build(inputs)


def _data_format(base: keras.Model) -> str:
    """Return how the channels of a network's feature maps are counted."""
    return next(layer.data_format for layer in reversed(base.layers) if isinstance(layer, keras.layers.Conv2D))


BASES: dict[str, Base] = {
    "simple_cnn": _simple_cnn,
    "vgg16": partial(_application, keras.applications.VGG16, scale=_caffe),
    "resnet50": partial(_application, keras.applications.ResNet50, scale=_caffe),
    "mobilenet": partial(_application, keras.applications.MobileNet),
    "mobilenet_v2": _mobilenet_v2,
    # without its own preprocessing it expects -1…1
    "mobilenet_v3_small": partial(_application, keras.applications.MobileNetV3Small, include_preprocessing=False),
}
