"""Ways of training compared by how cells are named in laboratories that were left out.

Each variant runs in a process of its own, once for each seed; one that is finished is not run again, and one that was
stopped goes on after its last epoch. Nothing is calibrated: names are those of the highest logit.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np

from marrow.classifier import probabilities
from marrow.crop import crop_cell
from marrow.segmenter import Segmenter
from training.classifier.config import EXPORTED, ClassifierTraining, chosen_cells
from training.classifier.data import Cells, TrainingMaterial, load_cells, load_stains, real_cells
from training.common.environment import machine
from training.common.files import lock_run, output_folder, read_json, write_json, write_report
from training.common.markdown import table
from training.common.own_process import in_own_process
from training.common.plots import ACCENT, INK, PALE, make_axes, save_figure
from training.evaluation.foreign import ForeignCells, foreign_metrics, load_foreign

SEALED = ("LISC", "CellaVision")
"""Laboratories that report on a release, and so choose nothing."""

Row = Mapping[str, Any]


def study_laboratories(
    variants: dict[str, ClassifierTraining], places: Mapping[str, Any], left_out: Sequence[str], out: Path
) -> list[dict[str, Any]]:
    """Train the variants that are not finished in ``out``, and measure each in the laboratories that are left out.

    Args:
        variants: by name.
        places: ``data``, ``benchmarks`` and ``segmenter``; ``unknown``, ``stains`` and ``resume_from``, the classifier
            to go on from, are ``None`` where there is none.
        left_out: laboratories of the data set to take out of the training split; what they hold in the validation
            split is measured too, unless the benchmarks hold them.
        out: folder; a folder in it for each variant.

    Returns:
        The results in the order of ``variants``.

    Raises:
        MarrowError: something cannot be loaded, a variant cannot run, or ``out`` holds one of another kind.
    """
    for name, config in variants.items():
        started_with = {"config": asdict(config), "places": {**places}, "left_out": list(left_out)}
        lock_run(output_folder(out / name), started_with)
    waiting = [name for name in variants if not (out / name / "result.json").is_file()]
    for name in waiting:
        print(f"{name} ({len(variants) - len(waiting) + waiting.index(name) + 1} of {len(variants)})", flush=True)
        result = in_own_process(run_variant, variants[name], places, left_out, out / name)
        write_json(out / name / "result.json", result)
    return [{"name": name} | read_json(out / name / "result.json") for name in variants]


def _load(places: Mapping[str, Any], left_out: Sequence[str]) -> tuple[TrainingMaterial, Cells, list[ForeignCells]]:
    """Return what to train on, the validation cells of the laboratories trained on, and those left out."""
    cells, validation = (load_cells(places["data"], split) for split in ("train", "validation"))
    unknown = load_cells(places["unknown"], "train") if places["unknown"] else None
    kept, home = (part.select(~np.isin(part.laboratories, left_out)) for part in (cells, real_cells(validation)))
    stains = load_stains(places["stains"]) if places["stains"] else ()
    segmenter = Segmenter.from_pretrained(places["segmenter"])
    foreign = list(load_foreign(Path(places["benchmarks"]), segmenter, cells.codes, SEALED))
    known = {kept.codes[label] for label in kept.labels}
    for laboratory in sorted(set(left_out) - {one.laboratory for one in foreign}):
        of_it = np.array([name == laboratory for name in validation.laboratories])
        named = validation.select(of_it & np.isin(np.array(cells.codes)[validation.labels], sorted(known)))
        truths: list[tuple[str, ...]] = [(named.codes[label],) for label in named.labels]
        foreign.append(ForeignCells(laboratory, named.images, list(named.boxes), truths))
    trained = set(kept.laboratories)
    return (
        TrainingMaterial(kept, unknown, stains=stains),
        home,
        [one for one in foreign if one.laboratory not in trained],
    )


def run_variant(
    config: ClassifierTraining, places: Mapping[str, Any], left_out: Sequence[str], run_dir: Path
) -> dict[str, Any]:
    """Train one variant and measure it.

    Args:
        config: the variant.
        places: as for :func:`study_laboratories`.
        left_out: laboratories of the data set not to train on.
        run_dir: its folder, which gets ``model.keras``, and ``logits.npz`` and ``unlikeness.npz`` of the foreign cells.

    Returns:
        Its results.

    Raises:
        MarrowError: something cannot be loaded, or the variant cannot run.
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    from training.classifier.pretrained import pull_published
    from training.classifier.training import history, network_input, save_run, train

    material, validation, foreign = _load(places, left_out)
    material = replace(material, cells=chosen_cells(material.cells, config))
    published = pull_published(places["resume_from"]) if places["resume_from"] else None
    model = train(config, material, validation, run_dir, published)
    save_run(model, config, material, run_dir, published)
    right = model.predict(network_input(validation, config.crop), batch_size=32, verbose=0).argmax(axis=1)
    home = {
        laboratory: float((right == validation.labels)[np.array(validation.laboratories) == laboratory].mean())
        for laboratory in sorted(set(validation.laboratories))
    }
    logits = {cells.laboratory: _logits(model, cells, config) for cells in foreign}
    none = 0.0 if config.outlier_exposure else None
    given = {name: np.nan_to_num(probabilities(one[None], 1, none)) for name, one in logits.items()}
    rows = [foreign_metrics(cells, given[cells.laboratory], material.cells.codes, 0) for cells in foreign]
    np.savez_compressed(run_dir / "logits.npz", allow_pickle=False, **logits)
    if config.arch == EXPORTED:
        with np.load(run_dir / "weights.npz") as weights:
            groups = weights["groups"]
        unlike = {cells.laboratory: _unlikeness(model, cells, config, groups) for cells in foreign}
        np.savez_compressed(run_dir / "unlikeness.npz", allow_pickle=False, **unlike)
    return {
        "config": asdict(config) | {"init": Path(config.init).name},
        "trained_on": material.cells.counts(),
        "home": home,
        "foreign": [asdict(row) for row in rows],
        "training_seconds": round(sum(epoch["seconds"] for epoch in history(run_dir)), 1),
    }


def _logits(model: Any, cells: ForeignCells, config: ClassifierTraining) -> np.ndarray:
    """Return the logits of a Keras model, ``(n, classes)``, rows of ``nan`` where no cell was found."""
    given = np.full((len(cells.images), model.output_shape[1]), np.nan, np.float32)
    found, crops = _found(cells, config)
    if found:
        given[found] = model.predict(crops / np.float32(127.5) - np.float32(1), batch_size=32, verbose=0)
    return given


def _unlikeness(model: Any, cells: ForeignCells, config: ClassifierTraining, groups: np.ndarray) -> np.ndarray:
    """Return how unlike the training cells are, ``(n,)``, ``nan`` where none was found."""
    from training.classifier.familiarity import unlikeness

    given = np.full(len(cells.images), np.nan, np.float32)
    found, crops = _found(cells, config)
    if found:
        given[found] = unlikeness(model, crops, groups)
    return given


def _found(cells: ForeignCells, config: ClassifierTraining) -> tuple[list[int], np.ndarray]:
    """Return the indices of the cells that were found, and their crops, uint8 RGB."""
    crops = {i: crop_cell(cells.images[i], box, config.crop) for i, box in enumerate(cells.boxes) if box is not None}
    return list(crops), np.stack(list(crops.values())) if crops else np.zeros((0, 1, 1, 3), np.uint8)


def write_study(rows: Sequence[Row], command: str, out: Path) -> str:
    """Write ``laboratories.json``, ``laboratories.md`` and ``laboratories.png``; return the Markdown.

    Args:
        rows: as :func:`study_laboratories` returns them.
        command: what makes the study again.
        out: folder to write.
    """
    study = {"command": command, "machine": machine(), "rows": list(rows)}
    _draw(rows, out / "laboratories.png")
    return write_report(out, "laboratories", study, markdown(study))


def markdown(study: Mapping[str, Any]) -> str:
    """Return the table as Markdown.

    Args:
        study: ``laboratories.json``.
    """
    rows = study["rows"]
    elsewhere = [one["laboratory"] for one in rows[0]["foreign"]]
    heads = ["variant", *(f"{name}, validation" for name in rows[0]["home"]), *elsewhere, "**mean**", "balanced", "s"]
    lines = [
        [
            row["name"],
            *row["home"].values(),
            *(one["accuracy"] for one in row["foreign"]),
            foreign_mean(row),
            foreign_mean(row, "balanced_accuracy"),
            f"{row['training_seconds']:.0f}",
        ]
        for row in rows
    ]
    return f"{table(heads, lines)}\n\n```sh\n{study['command']}\n```\n"


def foreign_mean(row: Row, figure: str = "accuracy") -> float:
    """Return the mean of a figure over the laboratories that were left out."""
    return float(np.mean([one[figure] for one in row["foreign"]]))


def _draw(rows: Sequence[Row], path: Path) -> None:
    """Draw the mean over the laboratories left out as bars, and each of them as a point, into a PNG."""
    figure, (axis,) = make_axes(1, (6.4, 0.8 + 0.35 * len(rows)))
    places = list(range(len(rows)))[::-1]
    axis.barh(places, [foreign_mean(row) for row in rows], color=PALE, height=0.65)
    for place, row in zip(places, rows, strict=True):
        axis.scatter([one["accuracy"] for one in row["foreign"]], [place] * len(row["foreign"]), color=ACCENT, s=12)
        axis.text(0.01, place, f"{foreign_mean(row):.3f}", va="center", color=INK, fontsize=8)
    axis.set_yticks(places, [row["name"] for row in rows], fontsize=8)
    axis.set(xlabel="share named right in laboratories left out (points), and their mean (bars)", xlim=(0, 1))
    save_figure(figure, path)
