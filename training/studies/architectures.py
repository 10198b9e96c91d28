"""Architectures and ways of balancing compared: a list of experiments trained on the same split, laid side by side.

Each experiment runs in a process of its own; one that is finished is not run again, and one that was stopped goes on
after its last epoch. Everything is measured on the validation split: the test split is left for the release.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from marrow.errors import MarrowError
from training.classifier.config import EXPORTED, ClassifierTraining, chosen_cells
from training.classifier.data import Cells, TrainingMaterial, load_cells, real_cells
from training.common.config import load_config
from training.common.environment import machine
from training.common.files import lock_run, output_folder, read_json, write_json, write_report
from training.common.markdown import table, with_interval
from training.common.own_process import in_own_process
from training.common.plots import ACCENT, INK, PALE, make_axes, save_figure
from training.common.timing import median_milliseconds
from training.evaluation.bootstrap import intervals

BATCHES = (1, 16)
TRAINED = ("cells", "epochs", "accuracy", "macro F1")
Row = Mapping[str, Any]


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
        The results of each experiment, in the order of ``experiments``.

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
        result = in_own_process(run_experiment, experiments[name], *cells, out / name)
        # a process that has just trained runs a network up to ten times too slowly
        result["ms_per_cell"] = in_own_process(latency, out / name / "model.keras", experiments[name].size)
        write_json(out / name / "result.json", result)
    return [{"name": name} | read_json(out / name / "result.json") for name in experiments]


def run_experiment(config: ClassifierTraining, train_cells: Cells, validation: Cells, run_dir: Path) -> dict[str, Any]:
    """Train one experiment and measure it.

    Args:
        config: the experiment.
        train_cells: cells to choose the training cells from.
        validation: cells to measure on.
        run_dir: its folder, which gets ``model.keras``.

    Returns:
        Its results, all but the time per cell.
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    from sklearn.metrics import accuracy_score, f1_score

    from training.classifier.training import history, network_input, save_run, train

    chosen = chosen_cells(train_cells, config)
    model = train(config, TrainingMaterial(chosen), validation, run_dir)
    save_run(model, config, TrainingMaterial(chosen), run_dir)
    guesses = model.predict(network_input(validation, config.crop), batch_size=32, verbose=0).argmax(axis=1)
    bounds = intervals(guesses, validation.labels, validation.groups, validation.codes)
    present = np.unique(validation.labels)
    return {
        "arch": config.arch,
        "config": asdict(config) | {"init": Path(config.init).name},
        "training_cells": len(chosen),
        "validation_cells": len(validation),
        "accuracy": float(accuracy_score(validation.labels, guesses)),
        "macro_f1": float(f1_score(validation.labels, guesses, labels=present, average="macro", zero_division=0)),
        "intervals": {"accuracy": bounds.accuracy, "macro_f1": bounds.macro_f1},
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
            run = partial(compiled, np.zeros((batch, size, size, 3), np.float32))
            run()
            times[str(batch)] = round(median_milliseconds(run, repeats) / batch, 2)
        del compiled, run  # it maps the file that goes with the folder
    return times


def read_experiments(
    files: Sequence[Path], imagenet: str | None, base: Mapping[str, Any] | None = None, **overrides: int | None
) -> dict[str, ClassifierTraining]:
    """Read experiment files, named by their stems.

    Args:
        files: TOML files.
        imagenet: ``.weights.h5`` file to use where a ``mobilenet_v2`` is to start from ImageNet weights.
        base: options of every experiment over which the files win.
        overrides: options of every experiment that win over the files; ``None`` leaves the files'.

    Raises:
        MarrowError: a file cannot be read, or two have one name.
    """
    experiments: dict[str, ClassifierTraining] = {}
    for file in files:
        if file.stem in experiments:
            raise MarrowError(f"Two configs are called {file.stem}: rename one.")
        config = load_config(ClassifierTraining, file, base, **overrides)
        if imagenet and (config.arch, config.init) == (EXPORTED, "imagenet"):
            config = replace(config, init=imagenet)
        experiments[file.stem] = config
    return experiments


def write_comparison(rows: Sequence[Row], subset: int | None, command: str, out: Path) -> str:
    """Write ``comparison.json``, ``comparison.md`` and ``comparison.png``; return the Markdown.

    Args:
        rows: as :func:`compare` returns them.
        subset: training cells of each class at most.
        command: what makes the comparison again.
        out: folder to write.
    """
    comparison = {"caption": caption(rows, subset), "command": command, "machine": machine(), "rows": rows}
    draw(comparison, out / "comparison.png")
    return write_report(out, "comparison", comparison, markdown(comparison))


def caption(rows: Sequence[Row], subset: int | None) -> str:
    """Say in a sentence or two what the rows were trained and measured on."""
    sizes = sorted({row["config"]["size"] for row in rows})
    of_each = f"at most {subset} cells of each class" if subset else "the whole training split"
    return (
        f"Trained on {of_each}, crops of {' and '.join(map(str, sizes))} px, for the epochs and from the weights "
        "named, so that the study fits two cores: these are no measure of what each network can reach. Measured on "
        f"{rows[0]['validation_cells']} real cells of the validation split, with 95 % bootstrap intervals; the test "
        "split is left for the release. Time per cell: OpenVINO, single precision, all cores, at batch 1 and 16."
    )


def markdown(comparison: Mapping[str, Any]) -> str:
    """Return the tables as Markdown, networks first, then the study of balancing and augmentation.

    Args:
        comparison: ``comparison.json``, as ``training.compare`` writes it.
    """
    networks, studies = _parts(comparison["rows"])
    parts = [comparison["caption"], _network_table(networks)]
    if studies:
        ratio = studies[0]["config"]["imbalance"]
        parts += [f"Balancing and augmentation, the largest class {ratio:g} times the smallest:", _study_table(studies)]
    return "\n\n".join([*parts, f"```sh\n{comparison['command']}\n```"]) + "\n"


def _parts(rows: Sequence[Row]) -> tuple[list[Row], list[Row]]:
    """Tell the comparison of networks from the study on classes made unequal."""
    studies = [row for row in rows if row["config"]["imbalance"] > 1]
    return [row for row in rows if row not in studies], studies


def _network_table(rows: Sequence[Row]) -> str:
    lines = []
    for row in rows:
        size = [f"{row['parameters'] / 1e6:.2f} M", f"{row['file_mb']:.1f}"]
        times = [f"{milliseconds:.1f}" for milliseconds in row["ms_per_cell"].values()]
        lines.append([row["name"], _start(row), *_trained(row), *size, *times, f"{row['training_seconds']:.0f}"])
    times = [f"ms per cell, batch {batch}" for batch in (rows[0]["ms_per_cell"] if rows else ())]
    return table(["network", "start", *TRAINED, "parameters", "file, MB", *times, "training, s"], lines)


def _study_table(rows: Sequence[Row]) -> str:
    lines = []
    for row in rows:
        augmented = "on" if row["config"]["augment"] else "off"
        lines.append([row["config"]["balancing"], augmented, *_trained(row), f"{row['training_seconds']:.0f}"])
    return table(["balancing", "augmentation", *TRAINED, "training, s"], lines)


def _trained(row: Row) -> list[Any]:
    metrics = [with_interval(row[name], row["intervals"][name]) for name in ("accuracy", "macro_f1")]
    return [row["training_cells"], row["config"]["epochs"], *metrics]


def _start(row: Row) -> str:
    return {"none": "random"}.get(row["config"]["init"], "ImageNet")


def draw(comparison: Mapping[str, Any], path: Path) -> None:
    """Draw accuracy against time per cell, and the study of balancing and augmentation as bars, into a PNG."""
    parts = [(part, pen) for part, pen in zip(_parts(comparison["rows"]), (_scatter, _bars), strict=True) if part]
    figure, axes = make_axes(len(parts), (6.4, 4.6))
    for axis, (part, pen) in zip(axes, parts, strict=True):
        pen(axis, part)
    save_figure(figure, path)


def _scatter(axis: Any, rows: Sequence[Row]) -> None:
    for row in rows:
        x, y = row["ms_per_cell"]["1"], row["accuracy"]
        low, high = row["intervals"]["accuracy"]
        axis.errorbar(x, y, yerr=[[y - low], [high - y]], color=PALE, zorder=1)
        color = ACCENT if row["arch"] == "mobilenet_v2" else INK
        axis.scatter(x, y, s=12 + 14 * row["parameters"] / 1e6, color=color, alpha=0.8, zorder=2)
        text = f"{row['arch']}, {_start(row)}\n{row['parameters'] / 1e6:.1f} M"
        axis.annotate(text, (x, y), xytext=(7, 5), textcoords="offset points", fontsize=8, color=INK)
    axis.set(xscale="log", xlabel="ms per cell, batch 1 (OpenVINO, CPU)", ylabel="accuracy, validation")
    axis.margins(x=0.3, y=0.15)
    axis.set_title("Networks (area: parameters; bars: 95 % intervals)", fontsize=10)


def _bars(axis: Any, rows: Sequence[Row]) -> None:
    places = range(len(rows))[::-1]
    values = [row["macro_f1"] for row in rows]
    bounds = [row["intervals"]["macro_f1"] for row in rows]
    errors = [[v - low for v, (low, _) in zip(values, bounds, strict=True)]]
    errors += [[high - v for v, (_, high) in zip(values, bounds, strict=True)]]
    colors = [ACCENT if row["config"]["augment"] else PALE for row in rows]
    axis.barh(list(places), values, xerr=errors, color=colors, ecolor=INK, height=0.65)
    names = [f"{r['config']['balancing']}\n{'augmented' if r['config']['augment'] else 'plain'}" for r in rows]
    axis.set_yticks(list(places), names, fontsize=8)
    for place, value, (_, high) in zip(places, values, bounds, strict=True):
        axis.text(high + 0.01, place, f"{value:.3f}", va="center", color=INK, fontsize=8)
    axis.set(xlabel="macro F1, validation", xlim=(0, 1))
    axis.set_title("mobilenet_v2 on unequal classes: balancing and augmentation", fontsize=10)
