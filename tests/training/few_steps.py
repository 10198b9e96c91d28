"""Short trainings for tests, in a process of their own: Keras cannot live beside torchvision.

python -m tests.training.few_steps SET DIR '[{"arch": "simple_cnn", …}, …]'

Trains each config once without a break and once with one after the first epoch, and prints a JSON line: for each, the
largest difference between the two, how much training moved the weights, and in the last checkpoint those that are
learned, how far the learned ones in the end are from the checkpoint's, the losses, and the cells of each class.
"""

import contextlib
import json
import sys
from pathlib import Path

import keras
import numpy as np

from training.classifier import training
from training.classifier.architectures import build_model
from training.classifier.config import ClassifierTraining, chosen_cells
from training.classifier.data import TrainingMaterial, load_cells


class BreakError(Exception):
    """The training was interrupted."""


def train_with_break(config: ClassifierTraining, cells, validation, run_dir: Path) -> keras.Model:
    """Train, stop after the first epoch's checkpoint, and go on."""
    save = training._save_checkpoint

    def save_and_break(*arguments) -> None:
        save(*arguments)
        raise BreakError

    training._save_checkpoint = save_and_break
    with contextlib.suppress(BreakError):
        training.train(config, TrainingMaterial(cells), validation, run_dir)
    training._save_checkpoint = save
    assert [path.name for path in run_dir.glob("epoch-*")] == ["epoch-001.keras"], "the break came"
    return training.train(config, TrainingMaterial(cells), validation, run_dir)


def main(data: str, folder: str, configs: str) -> None:
    train_cells, validation = load_cells(data, "train"), load_cells(data, "validation")
    results = []
    for number, options in enumerate(json.loads(configs)):
        config = ClassifierTraining(**{"size": 33, "epochs": 2, "batch_size": 24, **options})
        cells = chosen_cells(train_cells, config)
        places = [Path(folder) / f"{number} {kind}" for kind in ("whole", "broken")]
        for place in places:
            place.mkdir()
        whole = training.train(config, TrainingMaterial(cells), validation, places[0])
        broken = train_with_break(config, cells, validation, places[1])
        keras.utils.set_random_seed(config.seed)
        start = build_model(config, len(cells.codes))
        last = keras.models.load_model(places[0] / "epoch-002.keras")
        training.save_run(whole, config, TrainingMaterial(cells), places[0])
        results.append(
            {
                "backend": keras.config.backend(),
                "apart": distance(whole, broken),
                "moved": distance(whole, start),
                "learned": distance(last, start, "trainable_weights"),
                "from_last": distance(whole, last, "trainable_weights"),
                "losses": [line["loss"] for line in training.history(places[0])],
                "counts": np.bincount(cells.labels).tolist(),
                "files": sorted(path.name for path in places[0].iterdir()),
            }
        )
    print(json.dumps(results))


def distance(one: keras.Model, other: keras.Model, of: str = "weights") -> float:
    """Largest difference of any weight."""
    pairs = zip(getattr(one, of), getattr(other, of), strict=True)
    return float(max(np.abs(np.array(a) - np.array(b)).max() for a, b in pairs))


if __name__ == "__main__":
    main(*sys.argv[1:])
