"""Train a list of experiments on the same split and lay them side by side.

python -m training.compare --data SET --configs training/configs/study/*.toml --out DIR [--subset N] [--size PX]

Each experiment runs in a process of its own; one that is finished in DIR is not run again, and one that was stopped
goes on after its last epoch. DIR gets ``comparison.json``, ``comparison.md`` and ``comparison.png``. Everything is
measured on the validation split: the test split is left for the release.
"""

from __future__ import annotations

import argparse
import os
import platform
import sys
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import asdict, replace
from multiprocessing import get_context
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from time import perf_counter
from typing import Any

import numpy as np

from marrow.errors import MarrowError
from training.classifier.config import EXPORTED, ClassifierTraining, chosen_cells
from training.classifier.data import Cells, load_cells, real_cells
from training.common.config import load_config
from training.common.files import lock_run, output_folder, read_json, write_json, write_text
from training.studies.comparison import caption, draw, markdown

BATCHES = (1, 16)


def compare(
    experiments: dict[str, ClassifierTraining], data: str, out: Path, subset: int | None = None
) -> list[dict[str, Any]]:
    """Run the experiments that are not finished in ``out``, one after the other.

    Args:
        experiments: by name.
        data: data set with the splits ``train`` and ``validation``.
        out: folder; a folder in it for each experiment.
        subset: training cells of each class to read at most, the same ones for all.

    Returns:
        The figures of each experiment, in the order given.

    Raises:
        MarrowError: the data cannot be loaded, an experiment cannot run, or ``out`` holds one of another kind.
    """
    for name, config in experiments.items():
        started_with = {"config": asdict(config), "data": data, "subset": subset}
        lock_run(output_folder(out / name), started_with)
    waiting = [name for name in experiments if not (out / name / "result.json").is_file()]
    if waiting:
        cells = load_cells(data, "train", per_class=subset), real_cells(load_cells(data, "validation"))
    for name in waiting:
        print(f"{name} ({len(experiments) - len(waiting) + waiting.index(name) + 1} of {len(experiments)})", flush=True)
        result = _in_own_process(run_experiment, experiments[name], *cells, out / name)
        # a process that has just trained runs a network up to ten times too slowly
        result["ms_per_cell"] = _in_own_process(latency, out / name / "model.keras", experiments[name].size)
        write_json(out / name / "result.json", result)
    return [{"name": name} | read_json(out / name / "result.json") for name in experiments]


def _in_own_process(work: Callable[..., dict[str, Any]], *arguments: Any) -> dict[str, Any]:
    """Run something in a fresh process, so that nothing slows down or sways the next."""
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        try:
            return pool.submit(work, *arguments).result()
        except BrokenProcessPool as error:
            raise MarrowError("The training was killed, perhaps for want of memory: repeat the command.") from error


def run_experiment(config: ClassifierTraining, train_cells: Cells, validation: Cells, run_dir: Path) -> dict[str, Any]:
    """Train one experiment and measure it.

    Args:
        config: the experiment.
        train_cells: cells to choose the training cells from.
        validation: cells to measure on.
        run_dir: its folder, which gets ``model.keras``.

    Returns:
        Its figures, all but the time per cell.
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    from sklearn.metrics import accuracy_score, f1_score

    from training.evaluation.bootstrap import intervals
    from training.train_classifier import history, network_input, save_run, train

    chosen = chosen_cells(train_cells, config)
    model = train(config, chosen, validation, run_dir)
    save_run(model, config, chosen, run_dir)
    guesses = model.predict(network_input(validation, config), batch_size=32, verbose=0).argmax(axis=1)
    bounds = intervals(guesses, validation.labels, validation.groups, validation.codes)
    present = np.unique(validation.labels)
    return {
        "arch": config.arch,
        "config": asdict(config) | {"init": Path(config.init).name},
        "training_cells": len(chosen),
        "validation_cells": len(validation),
        "accuracy": float(accuracy_score(validation.labels, guesses)),
        "macro_f1": float(f1_score(validation.labels, guesses, labels=present, average="macro", zero_division=0)),
        "intervals": {name: bounds[name] for name in ("accuracy", "macro_f1")},
        "parameters": model.count_params(),
        "file_mb": round((run_dir / "model.keras").stat().st_size / 1e6, 2),
        "training_seconds": round(sum(epoch["seconds"] for epoch in history(run_dir)), 1),
    }


def latency(file: Path, size: int, repeats: int = 30) -> dict[str, float]:
    """Time a network on the CPU as the Space runs it: OpenVINO in single precision on all cores.

    Args:
        file: Keras model.
        size: side of its input in pixels.
        repeats: runs to take the median of.

    Returns:
        Milliseconds per cell by batch size.
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    import keras
    import openvino as ov

    model = keras.saving.load_model(file, compile=False)
    with TemporaryDirectory() as folder:
        path = Path(folder) / "model.xml"
        model.export(str(path), format="openvino", verbose=False)
        options = {"PERFORMANCE_HINT": "LATENCY", "INFERENCE_PRECISION_HINT": "f32"}
        compiled = ov.Core().compile_model(path, "CPU", options)
        times = {}
        for batch in BATCHES:
            pixels = np.zeros((batch, size, size, 3), np.float32)
            compiled(pixels)
            times[str(batch)] = round(median(_timed(compiled, pixels) for _ in range(repeats)) / batch * 1000, 2)
        del compiled  # it maps the file that goes with the folder
    return times


def _timed(network: Any, pixels: np.ndarray) -> float:
    start = perf_counter()
    network(pixels)
    return perf_counter() - start


def read_experiments(
    files: Sequence[Path], imagenet: str | None, **overrides: int | None
) -> dict[str, ClassifierTraining]:
    """Read experiment files, named by their stems.

    Args:
        files: TOML files.
        imagenet: ``.weights.h5`` file to use where a ``mobilenet_v2`` is to start from ImageNet weights.
        overrides: options of every experiment that win over the files; ``None`` leaves the files'.

    Raises:
        MarrowError: a file cannot be read, or two have one name.
    """
    experiments: dict[str, ClassifierTraining] = {}
    for file in files:
        if file.stem in experiments:
            raise MarrowError(f"Two configs are called {file.stem}: rename one.")
        config = load_config(ClassifierTraining, file, **overrides)
        if imagenet and (config.arch, config.init) == (EXPORTED, "imagenet"):
            config = replace(config, init=imagenet)
        experiments[file.stem] = config
    return experiments


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line; return the exit code (2 for bad input)."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--data", required=True, help="folder written by bone_marrow_12.py, or a Hub id")
    parser.add_argument(
        "--configs", nargs="+", type=Path, required=True, help="TOML files, as in training/configs/study/"
    )
    parser.add_argument("--out", required=True, help="folder for the runs, the table and the figure")
    parser.add_argument("--subset", type=int, help="training cells of each class at most")
    parser.add_argument("--size", type=int, help="side of the crop in pixels, for all")
    parser.add_argument("--epochs", type=int, help="for all, instead of what the configs say")
    parser.add_argument("--seed", type=int, help="for all")
    parser.add_argument("--imagenet", help="MobileNetV2 .weights.h5 file to use for `imagenet`, instead of a download")
    args = parser.parse_args(argv)
    try:
        overrides = {name: getattr(args, name) for name in ("size", "epochs", "seed")}
        experiments = read_experiments(args.configs, args.imagenet, **overrides)
        out = output_folder(args.out)
        rows = compare(experiments, args.data, out, args.subset)
        command = "python -m training.compare --data DATA --configs training/configs/study/*.toml --out DIR" + "".join(
            f" --{name} {getattr(args, name)}" for name in ("subset", *overrides) if getattr(args, name) is not None
        )
        table = {"caption": caption(rows, args.subset), "command": command, "machine": machine(), "rows": rows}
        write_json(out / "comparison.json", table)
        write_text(out / "comparison.md", markdown(table))
        draw(table, out / "comparison.png")
    except MarrowError as error:
        print(f"compare: {error}", file=sys.stderr)
        return 2
    print(markdown(table))
    return 0


def machine() -> dict[str, Any]:
    """Name what the times were measured on."""
    return {"machine": platform.machine(), "cores": os.cpu_count(), "python": platform.python_version()}


if __name__ == "__main__":
    sys.exit(main())
