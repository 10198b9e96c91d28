"""Train a classifier on single cells and export it as a Hub folder.

python -m training.train_classifier --data FOLDER_OR_ID --output-dir hub/bone-marrow-mobilenet [--config FILE]

``--resume-from REF --extra-data FLAGS`` goes on from a published classifier instead, with cells that people corrected;
see ``training/classifier/fine_tuning.py``. Without ``--extra-data`` it goes on with the cells of the set alone.

Runs on Keras' tensorflow backend, and on its torch backend with ``KERAS_BACKEND=torch``. Any architecture of
``training/classifier/architectures.py`` can be trained; ``mobilenet_v2`` alone is exported.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from marrow.command import Command
from marrow.errors import MarrowError
from training.classifier.config import ARCHITECTURES, EXPORTED, ClassifierTraining, chosen_cells
from training.classifier.corrected import cells_digest, joined, load_corrected
from training.classifier.data import TrainingMaterial, load_cells, load_stains
from training.classifier.fine_tuning import CONFIG, FineTuning
from training.classifier.pretrained import PretrainedClassifier, pull_published
from training.classifier.training import save_run, train
from training.common.config import load_config
from training.common.files import lock_run, output_folder
from training.common.model_folder import refuse_foreign
from training.release.finish import export_and_measure


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return the exit code."""
    command = Command("train_classifier", __doc__)
    command.add_argument("--data", required=True, help="folder written by bone_marrow_12.py, or a Hub id")
    command.add_argument("--output-dir", required=True, help="Hub folder to write")
    command.add_argument("--config", type=Path, help="TOML file, as in training/configs/")
    command.add_argument("--unknown", help="data set of cells of no class, as outliers; they need outlier_exposure > 0")
    command.add_argument("--stains", help="folder of pictures of other laboratories, which lend their colours alone")
    command.add_argument("--resume-from", metavar="REF", help="classifier to go on from: Hub id, id@revision or folder")
    command.add_argument(
        "--extra-data", metavar="FLAGS", help="corrected cells: folder of flags, zip of crops, or a set"
    )
    command.add_argument("--arch", choices=ARCHITECTURES, help="network; mobilenet_v2 alone is exported")
    command.add_argument("--init", help="imagenet, none, or a .weights.h5 file")
    command.add_argument("--epochs", type=int)
    command.add_argument("--seed", type=int)
    command.add_argument("--run-dir", help="checkpoints; default runs/<name of the output folder>")
    return command.run(work, arguments)


def work(options: argparse.Namespace) -> None:
    """Train, export and measure."""
    published, config = read_experiment(options)
    out = output_folder(options.output_dir)
    refuse_foreign(out)
    run_dir = output_folder(options.run_dir or Path("runs") / out.name)
    started_with: dict[str, Any] = {"config": asdict(config)}
    started_with |= {name: getattr(options, name) for name in ("data", "unknown", "stains")}
    if published and out.resolve() == published.folder.resolve():
        raise MarrowError(f"{out} holds the model to go on from: name another --output-dir.")
    cells, corrected = chosen_cells(load_cells(options.data, "train"), config), 0
    if published:
        extra = load_corrected(options.extra_data or None, published.config.labels)
        started_with |= {"weights": published.digest(), "corrected": cells_digest(extra)}
        cells, corrected = joined(cells, extra), len(extra)
    validation = load_cells(options.data, "validation")
    unknown = load_cells(options.unknown, "train") if options.unknown else None
    lock_run(run_dir, started_with)
    material = TrainingMaterial(cells, unknown, corrected, load_stains(options.stains) if options.stains else ())
    model = train(config, material, validation, run_dir, published)
    save_run(model, config, material, run_dir, published)
    if config.arch == EXPORTED:
        export_and_measure("classifier", run_dir, out, options.data, options.unknown)
    else:
        print(f"{run_dir / 'model.keras'} is trained; {EXPORTED} alone is exported to a Hub folder.")


def read_experiment(options: argparse.Namespace) -> tuple[PretrainedClassifier | None, ClassifierTraining]:
    """Return the classifier to go on from, if any, and the experiment; both from the command line.

    Raises:
        MarrowError: the options do not go together, or one of them is wrong.
    """
    overrides = {name: getattr(options, name) for name in ("arch", "init", "epochs", "seed")}
    if options.extra_data and not options.resume_from:
        raise MarrowError("--extra-data needs --resume-from: name the model that was corrected.")
    published: PretrainedClassifier | None = None
    config: ClassifierTraining
    if options.resume_from:
        published = pull_published(options.resume_from)
        config = load_config(FineTuning, options.config or CONFIG, published.options(), **overrides)
    else:
        config = load_config(ClassifierTraining, options.config, **overrides)
    if options.unknown and not config.outlier_exposure:
        raise MarrowError("Cells of no class are shown as outliers: set outlier_exposure above 0 in the config.")
    return published, config


if __name__ == "__main__":
    sys.exit(main())
