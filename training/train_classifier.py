"""Train the MobileNetV2 classifier on single cells and export it as a Hub folder.

python -m training.train_classifier --data FOLDER_OR_ID --output-dir hub/bone-marrow-mobilenet [--config FILE]
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import keras
import numpy as np

from marrow.crop import CropConfig
from marrow.errors import MarrowError
from training.cells import (
    Augmentation,
    Cells,
    augmented_crop,
    class_weights,
    colour_statistics,
    load_cells,
)
from training.config import load_config
from training.files import claim_run, output_folder, write_json
from training.finish import export_and_measure


@dataclass(frozen=True)
class ClassifierTraining:
    """One experiment; see ``training/configs/``.

    Attributes:
        epochs: passes over the training split.
        batch_size: cells per step.
        learning_rate: peak of the cosine schedule (one epoch of warm-up).
        weight_decay: of AdamW.
        dropout: before the last layer.
        label_smoothing: share of each target spread over all classes.
        size: side of the crop in pixels.
        context: margin around the cell, as a share of its size.
        batch_norm_momentum: Keras' own 0.999 leaves stale statistics after a short training.
        init: ``imagenet``, ``none``, or a ``.weights.h5`` file of MobileNetV2 without top.
        augmentation: strength of each random change.
        seed: of weights, order and augmentation.
    """

    epochs: int = 16
    batch_size: int = 32
    learning_rate: float = 1e-3
    weight_decay: float = 1e-4
    dropout: float = 0.3
    label_smoothing: float = 0.05
    size: int = 129
    context: float = 0.15
    batch_norm_momentum: float = 0.9
    init: str = "none"
    augmentation: Augmentation = field(default_factory=Augmentation)
    seed: int = 0

    @property
    def crop(self) -> CropConfig:
        """The crop that the model is trained for."""
        return CropConfig(size=self.size, context=self.context)


def build_model(config: ClassifierTraining, n_classes: int) -> keras.Model:
    """Build MobileNetV2 with one dense layer of logits on its pooled features.

    Raises:
        MarrowError: the initial weights cannot be loaded.
    """
    shape = (config.size, config.size, 3)
    weights = "imagenet" if config.init == "imagenet" else None
    try:
        base = keras.applications.MobileNetV2(input_shape=shape, include_top=False, weights=weights)
        if config.init not in ("imagenet", "none"):
            base.load_weights(config.init)
    except Exception as error:  # keras raises many kinds for a wrong or missing file
        reason = str(error).splitlines()[0]
        raise MarrowError(f"The initial weights {config.init} cannot be loaded: {reason}") from error
    for layer in base.layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            layer.momentum = config.batch_norm_momentum
    features = keras.layers.GlobalAveragePooling2D(name="pool")(base.output)
    features = keras.layers.Dropout(config.dropout, name="dropout", seed=config.seed)(features)
    return keras.Model(base.input, keras.layers.Dense(n_classes, name="logits")(features), name="classifier")


class TrainingBatches(keras.utils.PyDataset):
    """Augmented batches of one epoch; the same seed and epoch give the same batches on any machine."""

    def __init__(self, cells: Cells, config: ClassifierTraining, epoch: int) -> None:
        super().__init__(workers=2, max_queue_size=8)
        self.cells, self.config, self.epoch = cells, config, epoch
        self.weights = class_weights(cells.labels, len(cells.codes))
        self.order = np.random.default_rng((config.seed, epoch)).permutation(len(cells))
        self.colours = [colour_statistics(image) for image in cells.images[:: max(1, len(cells) // 500)]]

    def __len__(self) -> int:
        return max(1, len(self.order) // self.config.batch_size)

    def __getitem__(self, index: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Give network inputs in -1…1, one-hot labels and sample weights."""
        size = self.config.batch_size
        chosen = self.order[index * size : (index + 1) * size]
        crops = np.stack([self._view(int(i)) for i in chosen])
        labels = self.cells.labels[chosen]
        targets = np.eye(len(self.cells.codes), dtype=np.float32)[labels]
        return crops / np.float32(127.5) - np.float32(1), targets, self.weights[labels]

    def _view(self, i: int) -> np.ndarray:
        rng = np.random.default_rng((self.config.seed, self.epoch, i))
        colours = self.colours[rng.integers(len(self.colours))]
        image, box = self.cells.images[i], self.cells.boxes[i]
        return augmented_crop(image, box, colours, self.config.crop, self.config.augmentation, rng)


def train(config: ClassifierTraining, train_cells: Cells, validation: Cells, run_dir: Path) -> keras.Model:
    """Train, resuming from the last finished epoch in ``run_dir`` if there is one.

    Args:
        config: the experiment.
        train_cells: cells to learn from.
        validation: cells to watch; nothing is chosen by them here.
        run_dir: folder for the checkpoint of the last epoch and ``history.json``.

    Returns:
        The model after the last epoch.
    """
    keras.utils.set_random_seed(config.seed)
    checkpoint = _last_checkpoint(run_dir)
    steps = len(TrainingBatches(train_cells, config, 0))
    if checkpoint is None:
        model, done = build_model(config, len(train_cells.codes)), 0
        schedule = keras.optimizers.schedules.CosineDecay(
            config.learning_rate / 20,
            steps * max(config.epochs - 1, 1),
            alpha=0.01,
            warmup_target=config.learning_rate,
            warmup_steps=steps,
        )
        model.compile(
            keras.optimizers.AdamW(schedule, weight_decay=config.weight_decay),
            keras.losses.CategoricalCrossentropy(from_logits=True, label_smoothing=config.label_smoothing),
            weighted_metrics=["accuracy"],
        )
    else:
        model, done = keras.models.load_model(checkpoint), int(checkpoint.stem.split("-")[1])
        # a .keras file does not hold where dropout's random numbers stood: one draw a step
        if config.dropout:
            model.get_layer("dropout").seed_generator.state.assign([config.seed, done * steps])
        print(f"resuming after epoch {done}", flush=True)
    inputs = validation.crops(config.crop) / np.float32(127.5) - np.float32(1)
    targets = np.eye(len(validation.codes), dtype=np.float32)[validation.labels]
    for epoch in range(done, config.epochs):
        history = model.fit(
            TrainingBatches(train_cells, config, epoch),
            shuffle=False,  # Keras' own order would not survive an interruption
            validation_data=(inputs, targets),
            initial_epoch=epoch,
            epochs=epoch + 1,
            verbose=1 if sys.stdout.isatty() else 2,
        )
        _save_checkpoint(model, run_dir, epoch + 1, {k: float(v[-1]) for k, v in history.history.items()})
    return model


def _last_checkpoint(run_dir: Path) -> Path | None:
    return max(run_dir.glob("epoch-*.keras"), default=None)


def _save_checkpoint(model: keras.Model, run_dir: Path, epoch: int, figures: dict[str, float]) -> None:
    """Write the checkpoint whole, then drop the older one."""
    beside = run_dir / "writing.keras"
    model.save(beside)
    os.replace(beside, run_dir / f"epoch-{epoch:03d}.keras")
    for old in sorted(run_dir.glob("epoch-*.keras"))[:-1]:
        old.unlink()
    with (run_dir / "history.jsonl").open("a", encoding="utf-8") as file:
        file.write(json.dumps({"epoch": epoch, **figures}) + "\n")


def save_run(model: keras.Model, config: ClassifierTraining, cells: Cells, run_dir: Path) -> None:
    """Write what the export needs: ``model.keras``, ``weights.npz`` (by layer and variable), ``run.json``."""
    model.save(run_dir / "model.keras")
    arrays = {
        f"{layer.name}/{variable.name}": np.array(variable) for layer in model.layers for variable in layer.weights
    }
    np.savez(run_dir / "weights.npz", **arrays)
    run = {
        "config": asdict(config),
        "crop": asdict(config.crop),
        "codes": cells.codes,
        "trained_on": cells.counts(),
        "parameters": model.count_params(),
    }
    write_json(run_dir / "run.json", run)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line; gives the exit code (2 for bad input)."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--data", required=True, help="folder written by bone_marrow_12.py, or a Hub id")
    parser.add_argument("--output-dir", required=True, help="Hub folder to write")
    parser.add_argument("--config", type=Path, help="TOML file, as in training/configs/")
    parser.add_argument("--init", help="imagenet, none, or a .weights.h5 file")
    parser.add_argument("--epochs", type=int)
    parser.add_argument("--seed", type=int)
    parser.add_argument("--run-dir", help="checkpoints; default runs/<name of the output folder>")
    args = parser.parse_args(argv)
    try:
        config = load_config(ClassifierTraining, args.config, init=args.init, epochs=args.epochs, seed=args.seed)
        out = output_folder(args.output_dir)
        run_dir = output_folder(args.run_dir or Path("runs") / out.name)
        train_cells, validation = load_cells(args.data, "train"), load_cells(args.data, "validation")
        claim_run(run_dir, {"config": asdict(config), "data": args.data})
        model = train(config, train_cells, validation, run_dir)
        save_run(model, config, train_cells, run_dir)
    except MarrowError as error:
        print(f"train_classifier: {error}", file=sys.stderr)
        return 2
    return export_and_measure("classifier", run_dir, out, args.data)


if __name__ == "__main__":
    sys.exit(main())
