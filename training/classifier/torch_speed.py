"""MobileNetV2 for Keras' torch backend, a training step in half the time that Keras leaves it with on a CPU.

Keras computes batch normalisation in a dozen steps there, where torch has one; and it moves the channels first and last
again around every convolution, where torch computes both ways of counting on the same pixels. The weights, their names
and shapes are those of ``keras.applications``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import keras


@keras.saving.register_keras_serializable("training")
class BatchNormalization(keras.layers.BatchNormalization):
    """Batch normalisation in one step of torch; its moving variance is the unbiased one.

    Its name is that of the layer it stands for, by which Keras finds its weights in a file.
    """

    def call(self, inputs: Any, training: bool | None = None, mask: Any = None) -> Any:
        """Normalise, and in training move the statistics."""
        if isinstance(inputs, keras.KerasTensor):
            return super().call(inputs, training=training, mask=mask)
        import torch

        return torch.nn.functional.batch_norm(
            inputs,
            self.moving_mean.value.detach(),
            self.moving_variance.value.detach(),
            self.gamma.value,
            self.beta.value,
            training=bool(training and self.trainable),
            momentum=1 - self.momentum,
            eps=self.epsilon,
        )


def channels_first(build: Callable[[Any], keras.Model], pixels: Any, mixed_precision: bool = False) -> keras.Model:
    """Build a network of convolutions for torch.

    Args:
        build: makes the network of its input tensor, in Keras' layout of the moment.
        pixels: input tensor of ``(n, height, width, channels)``.
        mixed_precision: compute in bfloat16, but for the depthwise convolutions, which are slower in it.

    Returns:
        A model whose output is ``(n, channels, height, width)``; channels come first to Keras, and lie last in memory.
    """
    with _channels_first():
        turned = keras.layers.Permute((3, 1, 2), name="channels_first")(pixels)
        fused = partial(_fused, mixed_precision)
        return keras.models.clone_model(build(turned), input_tensors=[pixels], clone_function=fused)


def _fused(mixed_precision: bool, layer: keras.layers.Layer) -> keras.layers.Layer:
    kind = BatchNormalization if isinstance(layer, keras.layers.BatchNormalization) else type(layer)
    config = layer.get_config()
    if mixed_precision and not isinstance(layer, keras.layers.DepthwiseConv2D):
        config["dtype"] = "mixed_bfloat16"
    return kind.from_config(config)


@contextmanager
def _channels_first() -> Iterator[None]:
    before = keras.config.image_data_format()
    keras.config.set_image_data_format("channels_first")
    try:
        yield
    finally:
        keras.config.set_image_data_format(before)
