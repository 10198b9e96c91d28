"""Training the classifier: epoch by epoch, with a checkpoint after each from which an interrupted run goes on."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import asdict
from pathlib import Path
from time import perf_counter
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import keras
import numpy as np
from scipy.special import softmax

from marrow.crop import CropConfig
from marrow.errors import MarrowError
from marrow.files import atomic_path
from training.classifier.architectures import build_model
from training.classifier.batches import TrainingBatches
from training.classifier.config import EXPORTED, ClassifierTraining
from training.classifier.data import Cells, TrainingMaterial
from training.classifier.familiarity import feature_groups, stain_groups
from training.classifier.objective import ClassAccuracy, make_loss, make_optimizer
from training.classifier.pretrained import PretrainedClassifier
from training.common.files import read_json, write_json, write_text
from training.weights.transformers_to_keras import fill_keras

MEASURED = 200
"""Batches that the statistics of the batch normalisations are measured on."""


def train(
    config: ClassifierTraining,
    material: TrainingMaterial,
    validation: Cells,
    run_dir: Path,
    published: PretrainedClassifier | None = None,
) -> keras.Model:
    """Train, resuming from the last finished epoch in ``run_dir`` if there is one.

    Args:
        config: the experiment.
        material: what to learn from, its cells as :func:`training.classifier.config.chosen_cells` leaves them; where
            people corrected some of them, ``config`` is a :class:`training.classifier.fine_tuning.FineTuning`.
        validation: cells to watch; nothing is chosen by them here.
        run_dir: folder for the checkpoint of the last epoch and ``history.jsonl``.
        published: classifier whose weights the training starts from.

    Returns:
        The model after the last epoch, with the average of its weights where the experiment asks for it.

    Raises:
        MarrowError: the weights of ``published`` do not fit, or the experiment expects a class that nobody knows.
    """
    moved = _log_expected(material.cells.codes, config.expected)
    keras.utils.set_random_seed(config.seed)
    steps = len(TrainingBatches(material, config, 0))
    model, done = _begin(config, material, run_dir, published, steps)
    targets = np.eye(len(validation.codes), dtype=np.float32)[validation.labels]
    watched = network_input(validation, config.crop), targets
    _build(model, *watched)
    for epoch in range(done, config.epochs):
        start = perf_counter()
        if config.calm_epochs and epoch == config.lively_epochs:
            _take_average(model, config)
            _compile(model, config.of_epoch(epoch), steps)
            _build(model, *watched)
        fitted = model.fit(
            TrainingBatches(material, config.of_epoch(epoch), epoch),
            shuffle=False,  # Keras' own order would not survive an interruption
            validation_data=watched,
            initial_epoch=epoch,
            epochs=epoch + 1,
            callbacks=[KeepLastWeights()],
            verbose=1 if sys.stdout.isatty() else 2,
        )
        model.optimizer.use_ema = bool(config.average)
        metrics = {name: float(values[-1]) for name, values in fitted.history.items()}
        _save_checkpoint(model, run_dir, epoch + 1, metrics | {"seconds": round(perf_counter() - start, 2)})
    _take_average(model, config)
    measure_statistics(model, TrainingBatches(material, config.of_epoch(config.epochs), config.epochs))
    kernel, bias = model.get_layer("logits").get_weights()
    model.get_layer("logits").set_weights([kernel, bias + moved])
    return model


def _begin(
    config: ClassifierTraining,
    material: TrainingMaterial,
    run_dir: Path,
    published: PretrainedClassifier | None,
    steps: int,
) -> tuple[keras.Model, int]:
    """Return the model to go on with, and how many epochs are done."""
    checkpoint = _last_checkpoint(run_dir)
    if checkpoint is None:
        model = build_model(config, len(material.cells.codes))
        if published:
            start_from(published, model)
        _compile(model, config.of_epoch(0), steps)
        return model, 0
    model, done = keras.models.load_model(checkpoint), int(checkpoint.stem.split("-")[1])
    # a .keras file does not hold where dropout's random numbers stood: one draw a step
    if config.dropout:
        model.get_layer("dropout").seed_generator.state.assign([config.seed, done * steps])
    print(f"resuming after epoch {done}", flush=True)
    return model, done


def _compile(model: keras.Model, config: ClassifierTraining, steps: int) -> None:
    accuracy = ClassAccuracy(name="accuracy")
    model.compile(make_optimizer(config, steps), make_loss(config), weighted_metrics=[accuracy])


def _build(model: keras.Model, inputs: np.ndarray, targets: np.ndarray) -> None:
    """Build losses and metrics: fit on the torch backend would take its first batch for that, and put it last."""
    model.test_on_batch(inputs[:1], targets[:1])
    model.optimizer.build(model.trainable_variables)


def _take_average(model: keras.Model, config: ClassifierTraining) -> None:
    """Put the average of the weights in their place, where the experiment asks for one."""
    if config.average:
        model.optimizer.use_ema = True
        model.optimizer.finalize_variable_values(model.trainable_variables)


def _log_expected(codes: Sequence[str], expected: Mapping[str, float]) -> np.ndarray:
    """Return by how much to move the logit of each class, see ``ClassifierTraining.expected``.

    Raises:
        MarrowError: a class is none of the data set's.
    """
    if unknown := sorted(set(expected) - set(codes)):
        raise MarrowError(f"expected names {', '.join(unknown)}, of which the data set knows nothing: leave it out.")
    return np.log([expected.get(code, 1.0) for code in codes])


class KeepLastWeights(keras.callbacks.Callback):
    """Let a training go on from its last weights: at its end ``fit`` would put their average in their place."""

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        """Hide the average from what comes after the epoch."""
        self.model.optimizer.use_ema = False


def measure_statistics(model: keras.Model, batches: TrainingBatches) -> None:
    """Set the statistics of the batch normalisations to their mean over many batches (precise BN, arXiv:2105.07576).

    What a training leaves there is that of its last batches, by its momentum. Frozen layers keep theirs.

    Args:
        model: whose weights stay as they are.
        batches: views to measure on; the first :data:`MEASURED` batches count.
    """
    layers = [layer for layer in model.layers if isinstance(layer, keras.layers.BatchNormalization)]
    momenta = [layer.momentum for layer in layers]
    for index in range(min(MEASURED, len(batches)) if layers else 0):
        for layer in layers:
            layer.momentum = index / (index + 1)
        with _no_gradients():
            model(batches[index][0], training=True)
    for layer, momentum in zip(layers, momenta, strict=True):
        layer.momentum = momentum


def _no_gradients() -> AbstractContextManager[Any]:
    """Return a context in which torch keeps no activations for gradients: they are 3 GB of a batch of 64."""
    if keras.backend.backend() != "torch":
        return nullcontext()
    import torch

    return torch.no_grad()


def start_from(published: PretrainedClassifier, model: keras.Model) -> None:
    """Set the weights of a model to those of a published classifier.

    Raises:
        MarrowError: they do not fit.
    """
    try:
        fill_keras(model, published.tensors())
    except (KeyError, ValueError) as error:
        raise MarrowError(f"The weights of {published.name} are not those of a {EXPORTED} of full width.") from error


def network_input(cells: Cells, crop: CropConfig) -> np.ndarray:
    """Crop the cells for the network: ``(n, size, size, 3)`` float32 RGB in -1…1."""
    return cells.crops(crop) / np.float32(127.5) - np.float32(1)


def name_cells(run_dir: Path, cells: Cells) -> np.ndarray:
    """Return the probabilities, ``(n, classes)``, that a finished training gives to cells, at temperature 1.

    Raises:
        MarrowError: there is no finished training, or one of other classes.
    """
    try:
        run = read_json(run_dir / "run.json")
        model = keras.models.load_model(run_dir / "model.keras", compile=False)
        inputs = network_input(cells, CropConfig(**run["crop"]))
    except (OSError, KeyError, TypeError, ValueError) as error:
        raise MarrowError(f"{run_dir} holds no finished training of a classifier.") from error
    if tuple(run["codes"]) != cells.codes:
        raise MarrowError(f"{run_dir} holds a classifier of other classes: leave it out.")
    return softmax(model.predict(inputs, batch_size=32, verbose=0), axis=1)


def _last_checkpoint(run_dir: Path) -> Path | None:
    return max(run_dir.glob("epoch-*.keras"), default=None)


def _save_checkpoint(model: keras.Model, run_dir: Path, epoch: int, metrics: dict[str, float]) -> None:
    """Write the metrics, then the checkpoint, each whole or not at all, and drop the older one.

    A process killed between the two leaves metrics of an epoch that is trained again; they are written over then.
    """
    epochs = [*history(run_dir)[: epoch - 1], {"epoch": epoch, **metrics}]
    write_text(run_dir / "history.jsonl", "".join(f"{json.dumps(one)}\n" for one in epochs))
    with atomic_path(run_dir / f"epoch-{epoch:03d}.keras") as beside:
        model.save(beside)
    for old in sorted(run_dir.glob("epoch-*.keras"))[:-1]:
        old.unlink()


def history(run_dir: Path) -> list[dict[str, float]]:
    """Read the metrics of the finished epochs."""
    path = run_dir / "history.jsonl"
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()] if path.is_file() else []


def save_run(
    model: keras.Model,
    config: ClassifierTraining,
    material: TrainingMaterial,
    run_dir: Path,
    published: PretrainedClassifier | None = None,
) -> None:
    """Write what the export needs: ``model.keras``, ``weights.npz`` (by layer and variable), ``run.json``."""
    # without the optimizer, which only a checkpoint needs
    with atomic_path(run_dir / "model.keras") as beside:
        keras.Model(model.inputs, model.outputs, name=model.name).save(beside)
    arrays: dict[str, Any] = {
        f"{layer.name}/{variable.name}": np.array(variable) for layer in model.layers for variable in layer.weights
    }
    arrays |= {"groups": feature_groups(model, material.cells, config)} if config.arch == EXPORTED else {}
    with atomic_path(run_dir / "weights.npz") as beside:
        np.savez(beside, **arrays)
    run = {
        "config": asdict(config),
        "crop": asdict(config.crop),
        "codes": material.cells.codes,
        "trained_on": material.cells.counts(),
        "outlier_exposure": material.unknown.counts() if material.unknown else {},
        "parameters": model.count_params(),
        "stains": [asdict(stain) for stain in stain_groups(material, config)],
    }
    write_json(run_dir / "run.json", run | (published.history(run["trained_on"]) if published else {}))
