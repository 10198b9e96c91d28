"""Train a classifier on single cells and export it as a Hub folder.

python -m training.train_classifier --data FOLDER_OR_ID --output-dir hub/bone-marrow-mobilenet [--config FILE]

``--resume-from REF --extra-data FLAGS`` goes on from a published classifier instead, with cells that people corrected;
see ``training/classifier/fine_tuning.py``. Without ``--extra-data`` it goes on with the cells of the set alone.

Runs on Keras' tensorflow backend, and on its torch backend with ``KERAS_BACKEND=torch``. Any architecture of
``training/classifier/architectures.py`` can be trained; ``mobilenet_v2`` alone is exported.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import asdict
from itertools import count
from pathlib import Path
from time import perf_counter
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import keras
import numpy as np

from marrow.crop import crop_cell
from marrow.errors import MarrowError
from training.classifier.architectures import build_model
from training.classifier.config import ARCHITECTURES, EXPORTED, ClassifierTraining, chosen_cells
from training.classifier.data import Cells, augmented_crop, class_weights, colour_statistics, load_cells
from training.classifier.fine_tuning import (
    CONFIG,
    FineTuning,
    PretrainedClassifier,
    cells_digest,
    joined,
    load_corrected,
    mixed_order,
    pull_published,
)
from training.classifier.objective import ClassAccuracy, make_loss, make_optimizer
from training.classifier.outlier_exposure import draw_outlier
from training.common.config import load_config
from training.common.files import lock_run, output_folder, write_json
from training.export import fill_keras
from training.release.finish import export_and_measure


class TrainingBatches(keras.utils.PyDataset):
    """The batches of one epoch; the same seed and epoch give the same batches on any machine."""

    def __init__(
        self, cells: Cells, unknown: Cells | None, config: ClassifierTraining, epoch: int, corrected: int = 0
    ) -> None:
        super().__init__(workers=2, max_queue_size=8)
        self.cells, self.unknown, self.config, self.epoch = cells, unknown, config, epoch
        n_classes = len(cells.codes)
        if isinstance(config, FineTuning):
            self.order = mixed_order(len(cells) - corrected, corrected, config, epoch)
        else:
            self.order = np.random.default_rng((config.seed, epoch)).permutation(len(cells))
        seen: defaultdict[int, count[int]] = defaultdict(count)
        self.showings = [next(seen[i]) for i in self.order]
        balanced = config.balancing == "weights"
        self.weights = (
            class_weights(cells.labels[self.order], n_classes) if balanced else np.ones(n_classes, np.float32)
        )
        # with corrected cells their stain too, as often as they are shown
        models = self.order if corrected else np.arange(len(cells))
        self.colours = [colour_statistics(cells.images[i]) for i in models[:: max(1, len(models) // 500)]]

    def __len__(self) -> int:
        return max(1, len(self.order) // self.config.batch_size)

    def __getitem__(self, index: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return network inputs in -1…1, one-hot labels and sample weights; the label of an outlier is all 0."""
        size = self.config.batch_size
        place = slice(index * size, (index + 1) * size)
        chosen = self.order[place]
        outliers = [self._outlier(index, n) for n in range(round(size * self.config.outlier_exposure))]
        crops = np.stack([*map(self._view, chosen, self.showings[place]), *outliers])
        labels = self.cells.labels[chosen]
        targets = np.zeros((len(crops), len(self.cells.codes)), np.float32)
        targets[np.arange(len(labels)), labels] = 1
        weights = np.append(self.weights[labels], np.ones(len(outliers), np.float32))
        return crops / np.float32(127.5) - np.float32(1), targets, weights

    def _view(self, i: int, showing: int) -> np.ndarray:
        if not self.config.augment:
            return crop_cell(self.cells.images[i], self.cells.boxes[i], self.config.crop)
        rng = np.random.default_rng((self.config.seed, self.epoch, int(i), showing))
        colours = self._colours(rng)
        image, box = self.cells.images[i], self.cells.boxes[i]
        return augmented_crop(image, box, colours, self.config.crop, self.config.augmentation, rng)

    def _outlier(self, index: int, n: int) -> np.ndarray:
        rng = np.random.default_rng((self.config.seed, self.epoch, index, n))
        strength = self.config.augmentation
        return draw_outlier(self.cells, self.unknown, self._colours(rng), self.config.crop, strength, rng)

    def _colours(self, rng: np.random.Generator) -> np.ndarray:
        return self.colours[rng.integers(len(self.colours))]


def train(
    config: ClassifierTraining,
    train_cells: Cells,
    validation: Cells,
    run_dir: Path,
    unknown: Cells | None = None,
    published: PretrainedClassifier | None = None,
    corrected: int = 0,
) -> keras.Model:
    """Train, resuming from the last finished epoch in ``run_dir`` if there is one.

    Args:
        config: the experiment.
        train_cells: cells to learn from, as :func:`training.classifier.config.chosen_cells` leaves them.
        validation: cells to watch; nothing is chosen by them here.
        run_dir: folder for the checkpoint of the last epoch and ``history.jsonl``.
        unknown: cells of no class, some of the outliers.
        published: classifier whose weights the training starts from.
        corrected: how many of the last training cells people corrected; ``config`` is a :class:`FineTuning` then.

    Returns:
        The model after the last epoch.

    Raises:
        MarrowError: the weights of ``published`` do not fit.
    """
    keras.utils.set_random_seed(config.seed)
    checkpoint = _last_checkpoint(run_dir)
    steps = len(TrainingBatches(train_cells, unknown, config, 0, corrected))
    if checkpoint is None:
        model, done = build_model(config, len(train_cells.codes)), 0
        if published:
            _start_from(published, model)
        model.compile(
            make_optimizer(config, steps),
            make_loss(config),
            weighted_metrics=[ClassAccuracy(name="accuracy")],
        )
    else:
        model, done = keras.models.load_model(checkpoint), int(checkpoint.stem.split("-")[1])
        # a .keras file does not hold where dropout's random numbers stood: one draw a step
        if config.dropout:
            model.get_layer("dropout").seed_generator.state.assign([config.seed, done * steps])
        print(f"resuming after epoch {done}", flush=True)
    inputs = network_input(validation, config)
    targets = np.eye(len(validation.codes), dtype=np.float32)[validation.labels]
    # builds losses and metrics: fit on the torch backend would take the first batch for that, and put it last
    model.test_on_batch(inputs[:1], targets[:1])
    for epoch in range(done, config.epochs):
        start = perf_counter()
        fitted = model.fit(
            TrainingBatches(train_cells, unknown, config, epoch, corrected),
            shuffle=False,  # Keras' own order would not survive an interruption
            validation_data=(inputs, targets),
            initial_epoch=epoch,
            epochs=epoch + 1,
            verbose=1 if sys.stdout.isatty() else 2,
        )
        figures = {name: float(values[-1]) for name, values in fitted.history.items()}
        _save_checkpoint(model, run_dir, epoch + 1, figures | {"seconds": round(perf_counter() - start, 2)})
    return model


def _start_from(published: PretrainedClassifier, model: keras.Model) -> None:
    try:
        fill_keras(model, published.tensors())
    except (KeyError, ValueError) as error:
        raise MarrowError(f"The weights of {published.name} are not those of a {EXPORTED} of full width.") from error


def network_input(cells: Cells, config: ClassifierTraining) -> np.ndarray:
    """Crop the cells for the network: ``(n, size, size, 3)`` float32 RGB in -1…1."""
    return cells.crops(config.crop) / np.float32(127.5) - np.float32(1)


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


def history(run_dir: Path) -> list[dict[str, float]]:
    """Read the figures of the finished epochs."""
    return [json.loads(line) for line in (run_dir / "history.jsonl").read_text(encoding="utf-8").splitlines()]


def save_run(
    model: keras.Model,
    config: ClassifierTraining,
    cells: Cells,
    run_dir: Path,
    unknown: Cells | None = None,
    published: PretrainedClassifier | None = None,
) -> None:
    """Write what the export needs: ``model.keras``, ``weights.npz`` (by layer and variable), ``run.json``."""
    # without the optimizer, which only a checkpoint needs
    keras.Model(model.inputs, model.outputs, name=model.name).save(run_dir / "model.keras")
    arrays = {
        f"{layer.name}/{variable.name}": np.array(variable) for layer in model.layers for variable in layer.weights
    }
    np.savez(run_dir / "weights.npz", **arrays)
    run = {
        "config": asdict(config),
        "crop": asdict(config.crop),
        "codes": cells.codes,
        "trained_on": cells.counts(),
        "outlier_exposure": unknown.counts() if unknown else {},
        "parameters": model.count_params(),
    }
    write_json(run_dir / "run.json", run | (published.history(run["trained_on"]) if published else {}))


def _experiment(args: argparse.Namespace) -> tuple[PretrainedClassifier | None, ClassifierTraining]:
    """Return the classifier to go on from, if any, and the experiment; both from the command line.

    Raises:
        MarrowError: the options do not go together, or one of them is wrong.
    """
    options = {name: getattr(args, name) for name in ("arch", "init", "epochs", "seed")}
    if args.extra_data and not args.resume_from:
        raise MarrowError("--extra-data needs --resume-from: name the model that was corrected.")
    if args.resume_from:
        published = pull_published(args.resume_from)
        config = load_config(FineTuning, args.config or CONFIG, published.options(), **options)
    else:
        published, config = None, load_config(ClassifierTraining, args.config, **options)
    if args.unknown and not config.outlier_exposure:
        raise MarrowError("Cells of no class are shown as outliers: set outlier_exposure above 0 in the config.")
    return published, config


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line; return the exit code (2 for bad input)."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--data", required=True, help="folder written by bone_marrow_12.py, or a Hub id")
    parser.add_argument("--output-dir", required=True, help="Hub folder to write")
    parser.add_argument("--config", type=Path, help="TOML file, as in training/configs/")
    parser.add_argument("--unknown", help="data set of cells of no class, as outliers; they need outlier_exposure > 0")
    parser.add_argument("--resume-from", metavar="REF", help="classifier to go on from: Hub id, id@revision or folder")
    parser.add_argument(
        "--extra-data", metavar="FLAGS", help="corrected cells: folder of flags, zip of crops, or a set"
    )
    parser.add_argument("--arch", choices=ARCHITECTURES, help="network; mobilenet_v2 alone is exported")
    parser.add_argument("--init", help="imagenet, none, or a .weights.h5 file")
    parser.add_argument("--epochs", type=int)
    parser.add_argument("--seed", type=int)
    parser.add_argument("--run-dir", help="checkpoints; default runs/<name of the output folder>")
    args = parser.parse_args(argv)
    try:
        published, config = _experiment(args)
        out = output_folder(args.output_dir)
        run_dir = output_folder(args.run_dir or Path("runs") / out.name)
        started_with: dict[str, Any] = {"config": asdict(config), "data": args.data, "unknown": args.unknown}
        if published and out.resolve() == published.folder.resolve():
            raise MarrowError(f"{out} holds the model to go on from: name another --output-dir.")
        train_cells, corrected = chosen_cells(load_cells(args.data, "train"), config), 0
        if published:
            extra = load_corrected(args.extra_data or None, published.config.labels)
            started_with |= {"weights": published.digest(), "corrected": cells_digest(extra)}
            train_cells, corrected = joined(train_cells, extra), len(extra)
        validation = load_cells(args.data, "validation")
        unknown = load_cells(args.unknown, "train") if args.unknown else None
        lock_run(run_dir, started_with)
        model = train(config, train_cells, validation, run_dir, unknown, published, corrected)
        save_run(model, config, train_cells, run_dir, unknown, published)
    except MarrowError as error:
        print(f"train_classifier: {error}", file=sys.stderr)
        return 2
    if config.arch != EXPORTED:
        print(f"{run_dir / 'model.keras'} is trained; {EXPORTED} alone is exported to a Hub folder.")
        return 0
    return export_and_measure("classifier", run_dir, out, args.data, args.unknown)


if __name__ == "__main__":
    sys.exit(main())
