"""What a classifier is trained for: the loss, the accuracy that is watched, and the optimizer."""

from __future__ import annotations

from math import pi
from typing import Any

import keras

from training.classifier.config import ClassifierTraining


@keras.saving.register_keras_serializable("training")
class CrossEntropyWithNone(keras.losses.Loss):
    """Cross-entropy from logits, with "none of these" at a constant logit of 0; its target is what the labels leave.

    Args:
        label_smoothing: share of each target spread over all classes and "none of these".
    """

    def __init__(self, label_smoothing: float = 0.0, **options: Any) -> None:
        super().__init__(**options)
        self.label_smoothing = label_smoothing

    def call(self, y_true: Any, y_pred: Any) -> Any:
        """Return the loss of each sample from ``(n, classes)`` labels and logits."""
        none = 1 - keras.ops.sum(y_true, axis=1, keepdims=True)
        targets = keras.ops.concatenate([y_true, none], axis=1)
        logits = keras.ops.concatenate([y_pred, keras.ops.zeros_like(none)], axis=1)
        smoothed = targets * (1 - self.label_smoothing) + self.label_smoothing / targets.shape[1]
        return keras.ops.categorical_crossentropy(smoothed, logits, from_logits=True)

    def get_config(self) -> dict[str, Any]:
        """Return what rebuilds it."""
        return super().get_config() | {"label_smoothing": self.label_smoothing}


@keras.saving.register_keras_serializable("training")
class ClassAccuracy(keras.metrics.CategoricalAccuracy):
    """Accuracy over the samples that have a class."""

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        """Add a batch, outliers at no weight."""
        known = keras.ops.sum(y_true, axis=1)
        super().update_state(y_true, y_pred, known if sample_weight is None else known * sample_weight)


@keras.saving.register_keras_serializable("training")
class WarmUpThenCosine(keras.optimizers.schedules.LearningRateSchedule):
    """A rate that grows in a line, then falls along half a cosine.

    It is what ``CosineDecay(peak / 20, decay, alpha=last, warmup_target=peak, warmup_steps=warm_up)`` gives, without a
    branch: tensorflow would trace one for each variable of the network, which takes longer than ten epochs of a small
    training.

    Args:
        peak: the highest rate; the first is a twentieth of it.
        warm_up: steps to the peak.
        decay: steps from the peak on.
        last: the last rate, as a share of the peak.
    """

    def __init__(self, peak: float, warm_up: int, decay: int, last: float) -> None:
        self.options = {"peak": peak, "warm_up": warm_up, "decay": decay, "last": last}
        self.peak, self.warm_up, self.decay, self.last = peak, warm_up, decay, last

    def __call__(self, step: Any) -> Any:
        """Return the rate at a step, a scalar."""
        ops, step = keras.ops, keras.ops.cast(step, "float32")
        rising = 0.05 + 0.95 * step / self.warm_up
        fallen = ops.clip((step - self.warm_up) / self.decay, 0.0, 1.0)
        falling = self.last + (1 - self.last) * 0.5 * (1 + ops.cos(pi * fallen))
        return self.peak * ops.where(step < self.warm_up, rising, falling)

    def get_config(self) -> dict[str, Any]:
        """Return what rebuilds it."""
        return self.options


def make_loss(config: ClassifierTraining) -> keras.losses.Loss:
    """Build the loss: plain cross-entropy, or with "none of these" where there are outliers."""
    if config.outlier_exposure:
        return CrossEntropyWithNone(config.label_smoothing)
    return keras.losses.CategoricalCrossentropy(from_logits=True, label_smoothing=config.label_smoothing)


def make_optimizer(config: ClassifierTraining, steps: int) -> keras.optimizers.Optimizer:
    """Build the optimizer, with its schedule after one epoch of warm-up, and the average of the weights.

    Args:
        config: the experiment.
        steps: steps per epoch.
    """
    last = 1.0 if config.constant_rate else 0.01
    rate = WarmUpThenCosine(config.learning_rate, steps, steps * max(config.epochs - 1, 1), last)
    average: dict[str, Any] = {"use_ema": True, "ema_momentum": config.average} if config.average else {}
    match config.optimizer:
        case "adamw":
            return keras.optimizers.AdamW(rate, weight_decay=config.weight_decay, **average)
        case "sgd":
            return keras.optimizers.SGD(rate, momentum=0.9, nesterov=True, **average)
        case "rmsprop":
            return keras.optimizers.RMSprop(rate, **average)
    return keras.optimizers.Adam(rate, **average)
