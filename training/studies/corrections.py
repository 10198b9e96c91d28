"""What corrections bring: a stain that the classifier is bad at, corrected as on the screen, and the next model.

1. A stain is looked for, on validation cells, in which the classifier names fewer cells right by ``LOSS`` or more.
2. Fields of validation cells, which no training has seen, are composed in it and analyzed. A simulated person names
   the cells that were found, deletes what is none, and flags the field: the way from the screen to a folder of flags.
3. ``bone_marrow_12.py`` makes a set of the flags, and ``train_classifier`` goes on from the classifier with it; for
   comparison also without it, as more training alone may change the metrics.
4. All three classifiers name the test cells, in the stain of the training and in the new one.

A study that was stopped goes on where it stood.
"""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from scipy.stats import binomtest

from dataset_scripts.fields.compose import compose_field
from dataset_scripts.fields.field import Field
from dataset_scripts.fields.patch_bank import PatchBank, make_patch_bank
from marrow.analysis import Analysis
from marrow.classifier import Classifier
from marrow.errors import MarrowError
from marrow.flags import save_flag
from marrow.pipeline import Models, analyze
from marrow.stain import background_colour
from training.classifier.data import Cells, at_most, load_cells, real_cells
from training.common.cost import training_cost
from training.common.environment import machine
from training.common.files import lock_run, read_json, write_json
from training.common.markdown import number, table, with_interval
from training.common.paths import ROOT
from training.common.process import run_python
from training.evaluation.bootstrap import LEVELS, resampled_confusions
from training.evaluation.matching import match_masks

# log gain of the optical density of red, green and blue: redder nuclei and browner red cells, as of an acid buffer
DYE = np.array([-0.6, -0.15, 0.6], np.float32)
STRENGTHS = (0.4, 0.8, 1.2, 1.6, 2.0, 2.4, 2.8, 3.2)
TITLES = {"old": "test cells as they are", "new": "the same in the new stain"}
LOSS = 0.15  # of the accuracy
TRIED = 15  # cells of each class that a stain is tried on
PATCHES = 250  # cells of each source to compose fields from
FIELD, DIAMETERS = 640, (70.0, 130.0)  # pixels
MOST_FIELDS = 200
WHEN = "2026-01-01T00:00:00Z"  # of every simulated edit, so that a study can be repeated


@dataclass(frozen=True)
class CorrectionStudy:
    """What a study starts with.

    Attributes:
        model: Hub id or folder of the classifier.
        data: folder or Hub id of the data set that it was trained on.
        out: folder for the flags, the next classifiers and the table.
        segmenter: Hub id or folder.
        config: TOML file of the fine-tuning.
        cells: number of cells that the simulated person names.
        unknown: data set of cells of no class, as for ``train_classifier``.
    """

    model: str
    data: str
    out: Path
    segmenter: str
    config: Path
    cells: int
    unknown: str | None = None


def stained(image: np.ndarray, strength: float) -> np.ndarray:
    """Return a smear another stain; a strength of 0 changes nothing.

    Args:
        image: ``(height, width, 3)`` uint8 RGB.
        strength: what ``DYE`` is multiplied by.

    Returns:
        The same image with other dyes on the same ground.
    """
    ground = background_colour(image) + 1
    levels = np.arange(1, 257, dtype=np.float32)[:, None]
    values = ground * (levels / ground) ** np.exp(strength * DYE) - 1
    return cv2.LUT(image, values.clip(0, 255).round().astype(np.uint8)[None])


def in_stain(cells: Cells, strength: float) -> Cells:
    """Return the same cells, with the boxes found before, in another stain."""
    return replace(cells, images=[stained(image, strength) for image in cells.images])


def find_stain(classifier: Classifier, cells: Cells) -> tuple[float, dict[str, float]]:
    """Find the weakest stain that costs ``LOSS`` of the accuracy.

    Args:
        classifier: the classifier.
        cells: validation cells; at most ``TRIED`` of each class are looked at.

    Returns:
        Its strength, and the accuracy by strength up to there.

    Raises:
        MarrowError: the classifier stands every stain tried.
    """
    cells = cells.select(at_most(cells.labels, TRIED, np.random.default_rng(0)))
    accuracy: dict[str, float] = {}
    for strength in (0.0, *STRENGTHS):
        named = name_all(classifier, in_stain(cells, strength)).argmax(axis=1)
        accuracy[str(strength)] = round(float((named == cells.labels).mean()), 4)
        print(f"stain {strength}: {accuracy[str(strength)]:.3f} of {len(cells)} named right", flush=True)
        if accuracy["0.0"] - accuracy[str(strength)] >= LOSS:
            return strength, accuracy
    raise MarrowError("The classifier stands every stain that was tried: there is nothing to correct.")


def name_all(classifier: Classifier, cells: Cells) -> np.ndarray:
    """Return the probabilities of cells, ``(n, classes)``."""
    return classifier.predict(cells.crops(classifier.crop))


# The simulated person


@dataclass(frozen=True)
class Reviewed:
    """An analysis after a person went through it.

    Attributes:
        analysis: with the edits.
        counts: number of cells ``relabelled``, ``confirmed``, ``deleted``, ``left`` alone and ``missed`` by the model.
    """

    analysis: Analysis
    counts: Counter[str]


def review(analysis: Analysis, field: Field) -> Reviewed:
    """Correct an analysis as a person would who knows the truth, by the JSON that the screen sends.

    Args:
        analysis: of the field's image.
        field: with its cells' outlines and codes.

    Returns:
        The analysis: found cells of a known class are named, what lies on no cell is deleted, the rest is left alone.
    """
    masks = [field.labels == i + 1 for i in range(len(field.codes))]
    match = match_masks(masks, analysis.cells, field.labels.shape)
    truth = {int(column): field.codes[row] for row, column in zip(*match.pairs(0.0), strict=True)}
    plain = analysis.to_dict()
    cells, removed = [], []
    counts = Counter(missed=len(masks) - len(truth))
    for index, cell in enumerate(plain["cells"]):
        edit: dict[str, Any] = {"at": WHEN, "by": "simulated", "label": None, "shape": None, "from": []}
        code = truth.get(index)
        if code:
            counts["confirmed" if code == cell["label"] else "relabelled"] += 1
            probability = cell["probabilities"][code]
            cells.append(cell | {"label": code, "probability": probability, "edited": edit | {"label": code}})
        elif code is None and not (match.overlaps[:, index] > 0.1).any():
            counts["deleted"] += 1
            removed.append(cell | {"edited": edit | {"shape": "deleted"}})
        else:
            counts["left"] += 1
            cells.append(cell)
    return Reviewed(Analysis.from_dict(plain | {"cells": cells, "removed": removed}), counts)


def flag_fields(models: Models, stock: PatchBank, strength: float, wanted: int, flags: Path) -> dict[str, int]:
    """Compose fields in a stain, correct their analyses and flag them, until enough cells are named.

    Args:
        models: what finds and names the cells.
        stock: to compose from.
        strength: of the stain.
        wanted: number of cells to name.
        flags: folder for the flags.

    Returns:
        The sums of :attr:`Reviewed.counts`, and the number of ``fields``.

    Raises:
        MarrowError: the segmenter finds too few cells.
    """
    counts: Counter[str] = Counter()
    for seed in range(MOST_FIELDS):
        rng = np.random.default_rng((7, seed))
        field = compose_field(stock, FIELD, rng, overlap=0.1, mixed=False, diameters=DIAMETERS)
        image = stained(field.image, strength)
        reviewed = review(analyze(image, models), field)
        counts += reviewed.counts + Counter(fields=1)
        save_flag(flags, image, reviewed.analysis, "another stain")
        print(f"field {seed + 1}: {counts['confirmed'] + counts['relabelled']} cells named", flush=True)
        if counts["confirmed"] + counts["relabelled"] >= wanted:
            return dict(counts)
    raise MarrowError(f"{MOST_FIELDS} fields held too few cells that the segmenter found: ask for fewer with --cells.")


# Before and after


def compare(before: np.ndarray, after: np.ndarray, cells: Cells) -> dict[str, Any]:
    """Compare what two classifiers named the same cells.

    Args:
        before: ``(n, classes)`` probabilities.
        after: the same of the next classifier.
        cells: the ``n`` cells.

    Returns:
        Accuracies and their difference with 95 % bootstrap intervals over near-duplicate groups; the cells ``gained``
        and ``lost``, and the ``p`` of the exact McNemar test on them.
    """
    values, right, shares = {}, {}, {}
    for name, predicted in (("before", before), ("after", after)):  # the same seed draws the same groups for both
        guesses = predicted.argmax(axis=1)
        confusions = resampled_confusions(guesses, cells.labels, cells.groups, len(cells.codes))
        right[name] = guesses == cells.labels
        values[name] = float(right[name].mean())
        shares[name] = np.trace(confusions, axis1=1, axis2=2) / confusions.sum(axis=(1, 2))
    values["difference"] = values["after"] - values["before"]
    shares["difference"] = shares["after"] - shares["before"]
    gained, lost = (int((right[a] & ~right[b]).sum()) for a, b in (("after", "before"), ("before", "after")))
    return {
        "n": len(cells),
        **values,
        "intervals": {k: [round(float(v), 4) for v in np.percentile(share, LEVELS)] for k, share in shares.items()},
        "gained": gained,
        "lost": lost,
        "p": float(binomtest(gained, gained + lost).pvalue) if gained + lost else 1.0,
    }


def measure(models: Mapping[str, str], cells: Cells, strength: float) -> dict[str, dict[str, Any]]:
    """Compare the classifiers ``before``, ``after`` and ``control`` on test cells in the old stain and in the new one.

    Returns:
        For each stain what :func:`compare` returns of ``before`` and ``after``, the share of ``uncertain_`` cells of
        both, and ``control``, the accuracy of the third.
    """
    metrics = {}
    classifiers = {name: Classifier.from_pretrained(model) for name, model in models.items()}
    for kind in TITLES:
        shown = in_stain(cells, strength if kind == "new" else 0.0)
        named = {name: name_all(classifier, shown) for name, classifier in classifiers.items()}
        metrics[kind] = compare(named["before"], named["after"], shown)
        metrics[kind]["control"] = float((named["control"].argmax(axis=1) == shown.labels).mean())
        for name in ("before", "after"):
            below = classifiers[name].config.uncertain_below
            metrics[kind][f"uncertain_{name}"] = float((named[name].max(axis=1) < below).mean())
    return metrics


def markdown(study: Mapping[str, Any]) -> str:
    """Return ``correction.json`` as Markdown."""
    made, training = study["corrections"], study["training"]
    caption = (
        f"A simulated case: a stain in which the classifier loses {number(study['stain']['loss'])} of its accuracy on "
        f"validation cells. {made['fields']} fields of validation cells were composed in it and analyzed; "
        f"{made['relabelled']} of the cells found were relabelled, {made['confirmed']} confirmed and "
        f"{made.get('deleted', 0)} deleted, and the fields flagged. The classifier went on from its weights with the "
        f"{training['corrected']} cells of the flags for {training['epochs']} epochs ({training['seconds']:.0f} s on "
        f"{study['machine']['cores']} cores); the control went on as long without them. Test cells, none of which was "
        "corrected; 95 % bootstrap intervals, exact McNemar test:"
    )
    head = ["cells", "number", "accuracy before", "after", "control", "difference", "now right", "now wrong", "p"]
    head += ["uncertain before", "after"]
    rows = [_row(title, study["metrics"][kind]) for kind, title in TITLES.items()]
    return f"{caption}\n\n{table(head, rows)}\n\n```sh\n{study['command']}\n```\n"


def _row(title: str, metrics: Mapping[str, Any]) -> list[Any]:
    intervals = metrics["intervals"]
    difference = f"{metrics['difference']:+.3f} ({', '.join(f'{bound:+.3f}' for bound in intervals['difference'])})"
    accuracies = [with_interval(metrics[name], intervals[name]) for name in ("before", "after")]
    changed = [metrics["control"], difference, metrics["gained"], metrics["lost"], f"{metrics['p']:.2g}"]
    uncertain = [metrics["uncertain_before"], metrics["uncertain_after"]]
    return [title, metrics["n"], *accuracies, *changed, *uncertain]


# The steps


def correct(study: CorrectionStudy) -> None:
    """Find a stain, flag corrected fields in it and build a set of them, into ``flags``, ``corrected``, ``made.json``.

    Raises:
        MarrowError: one of these steps cannot be done.
    """
    models = Models.from_pretrained(study.segmenter, study.model)
    validation = real_cells(load_cells(study.data, "validation"))
    strength, tried = find_stain(models.classifier, validation)
    stock = make_patch_bank(study.data, "validation", PATCHES)
    flags = study.out / "flags"
    shutil.rmtree(flags, ignore_errors=True)  # a study that was stopped left a part of them
    counts = flag_fields(models, stock, strength, study.cells, flags)
    shares = ("--config", "imbalanced-12", "--allow-short", "--splits", "100/0/0")
    classes = ("--classes", *models.classifier.labels)
    source = ROOT / "dataset_scripts" / "bone_marrow_12.py"
    run_python(source, "--data-dir", flags, *shares, *classes, "--out", study.out / "corrected")
    loss = round(tried["0.0"] - tried[str(strength)], 4)
    stain = {"strength": strength, "loss": loss, "accuracy_by_strength": tried}
    write_json(study.out / "made.json", {"stain": stain, "corrections": counts})


def go_on(study: CorrectionStudy, classifier: Path, extra: Sequence[str | Path]) -> None:
    """Train from the classifier on, into the Hub folder ``classifier``, unless that is finished.

    Raises:
        MarrowError: the training failed.
    """
    if (classifier / "metrics.json").is_file():
        return
    unknown = ("--unknown", study.unknown) if study.unknown else ()
    places = ("--config", study.config, "--run-dir", run_folder(classifier), "--output-dir", classifier)
    start = ("--resume-from", study.model, "--data", study.data)
    run_python("-m", "training.train_classifier", *start, *extra, *unknown, *places)


def run_folder(classifier: Path) -> Path:
    """Return the folder for the checkpoints of a classifier of the study."""
    return classifier.with_name(f"{classifier.name}_run")


def run_study(study: CorrectionStudy) -> dict[str, Any]:
    """Run the steps that are not finished in ``study.out``; return the content of ``correction.json``."""
    out = study.out
    lock_run(out, {"model": study.model, "data": study.data, "segmenter": study.segmenter, "cells": study.cells})
    if not (out / "made.json").is_file():
        correct(study)
    made, corrected = read_json(out / "made.json"), ("--extra-data", out / "corrected")
    for name, extra in (("classifier", corrected), ("control", ())):
        go_on(study, out / name, extra)
    cost, audit = training_cost(run_folder(out / "classifier")), read_json(out / "corrected" / "audit.json")
    metrics = measure(
        {"before": study.model, "after": str(out / "classifier"), "control": str(out / "control")},
        real_cells(load_cells(study.data, "test")),
        made["stain"]["strength"],
    )
    given = " --unknown UNKNOWN" * bool(study.unknown)
    return {
        "command": f"python -m training.correction_study --model REF --data DATA{given} --out DIR",
        "machine": machine(),
        **made,
        "training": {name: cost[name] for name in ("epochs", "seconds")} | {"corrected": sum(audit["found"].values())},
        "metrics": metrics,
    }
