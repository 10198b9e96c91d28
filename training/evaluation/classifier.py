"""Measuring the classifier: temperature, the bound of uncertainty, and figures on the test split."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cv2
import evaluate
import numpy as np
from scipy.optimize import minimize_scalar
from scipy.special import logsumexp

from marrow.analysis import Box
from marrow.classifier import Classifier, probabilities
from marrow.geometry import mask_box
from marrow.images import read_image
from marrow.report import wilson_interval
from training.classifier.data import Cells, load_cells, real_cells
from training.evaluation.bootstrap import RESAMPLES, intervals
from training.measure import update_config

METRICS = Path(__file__).parent / "metrics"
KNOWN_UNCERTAIN = 0.10  # share of known marrow cells that may become uncertain

FoundCells = tuple[np.ndarray, list[Box]]
"""An image, and the boxes of cells in it."""


def measure(model: Path, data: str, benchmarks: Path | None, unknown: str | None = None) -> dict[str, Any]:
    """Calibrate a classifier on the validation split and measure it on the test split.

    Args:
        model: Hub folder; what :func:`calibrate` chooses is set in its ``config.json``.
        data: data set with the splits ``validation`` and ``test``.
        benchmarks: folder with ``fields_segpc``, plasma cells that were never trained.
        unknown: data set of cells of no class, of which the validation and test splits were never trained.

    Returns:
        The figures for ``metrics.json``; real images only, where the set has any.
    """
    validation, test = (real_cells(load_cells(data, split)) for split in ("validation", "test"))
    calibrate(model, validation)
    classifier = Classifier.from_pretrained(str(model))
    config = classifier.config
    logits = classifier.logits(test.crops(classifier.crop))
    named, uncalibrated = probabilities(logits, config.temperature, config.reject_logit), probabilities(logits)
    # what the Transformers pipeline gives: the whole image, looked at once
    raw = probabilities(classifier.logits(test.raw(classifier.crop.size))[:1], config.temperature)
    uncertain = {
        key: getattr(config, key) for key in ("uncertain_below", "temperature", "reject_logit", "tta_rotations")
    }
    uncertain |= _known_uncertain(named, test, config.uncertain_below)
    unseen = _unknown_cells(unknown) | _plasma_cells(benchmarks)
    if unseen:
        uncertain["unseen"] = {name: _uncertain_share(classifier, cells) for name, cells in unseen.items()}
    return {
        "data": {"validation": len(validation), "test": len(test)},
        "test": figures(named, test),
        "test_one_view": figures(probabilities(logits[:1]), test),
        "test_raw": figures(raw, test),
        "bootstrap": {"resamples": RESAMPLES, "groups": len(set(test.groups)) or len(test)},
        "by_source": {source: _by_source(named, raw, test, source) for source in sorted(set(test.sources))},
        "across_sources": across_sources(named, raw, test),
        "calibration": {
            "temperature": config.temperature,
            "ece_uncalibrated": expected_calibration_error(uncalibrated, test.labels),
            "ece": expected_calibration_error(probabilities(logits, config.temperature), test.labels),
        },
        "uncertain": uncertain,
    }


def calibrate(model: Path, validation: Cells) -> None:
    """Set ``temperature``, ``reject_logit`` and ``uncertain_below`` in a Hub folder from validation cells.

    Args:
        model: Hub folder of a classifier.
        validation: cells of the classes that it knows; for the two bounds those of marrow alone, if there are any.
    """
    classifier = Classifier.from_pretrained(str(model))
    logits = classifier.logits(validation.crops(classifier.crop))
    marrow = np.array(["marrow" in source for source in validation.sources])
    known = marrow if marrow.any() else np.ones(len(validation), bool)
    temperature = fit_temperature(logits, validation.labels)
    reject_logit = round(float(np.quantile(evidence(logits, temperature)[:, known], KNOWN_UNCERTAIN)), 3)
    best = probabilities(logits, temperature, reject_logit).max(axis=1)[known]
    bound = float(np.floor(np.quantile(best, KNOWN_UNCERTAIN) * 1000) / 1000)
    update_config(model, temperature=temperature, reject_logit=reject_logit, uncertain_below=round(bound, 3))


def evidence(logits: np.ndarray, temperature: float) -> np.ndarray:
    """Return how strongly any class speaks up, ``(views, n)``; the negative energy of Liu et al. 2020, 2010.03759."""
    return temperature * logsumexp(logits / temperature, axis=2)


def fit_temperature(logits: np.ndarray, labels: np.ndarray) -> float:
    """Find the temperature that makes the true classes most likely (Guo et al. 2017, arXiv:1706.04599).

    Args:
        logits: ``(views, n, classes)``.
        labels: ``(n,)`` true class indices.

    Returns:
        A temperature between 0.2 and 5.
    """

    def loss(temperature: float) -> float:
        likely = probabilities(logits, temperature)[np.arange(len(labels)), labels]
        return -float(np.log(likely.clip(1e-12)).mean())

    return round(float(minimize_scalar(loss, bounds=(0.2, 5), method="bounded").x), 3)


def expected_calibration_error(given: np.ndarray, labels: np.ndarray) -> float:
    """Return the figure of ``training/evaluation/metrics/calibration_error``."""
    metric = evaluate.load(str(METRICS / "calibration_error"))
    return metric.compute(predictions=given, references=labels)["ece"]


def figures(given: np.ndarray, cells: Cells) -> dict[str, Any]:
    """Return the figures of ``training/evaluation/metrics/cell_classification`` and their 95 % ``intervals``."""
    metric = evaluate.load(str(METRICS / "cell_classification"))
    guesses = given.argmax(axis=1)
    values = metric.compute(predictions=guesses, references=cells.labels, codes=list(cells.codes))
    return values | {"intervals": intervals(guesses, cells.labels, cells.groups, cells.codes)}


def _by_source(named: np.ndarray, raw: np.ndarray, cells: Cells, source: str) -> dict[str, Any]:
    chosen = np.array([s == source for s in cells.sources])
    part = cells.select(chosen)
    values: dict[str, Any] = {"n": len(part)}
    for name, given in (("accuracy", named), ("accuracy_raw", raw)):
        guesses = given[chosen].argmax(axis=1)
        values[name] = float((guesses == part.labels).mean())
        values[f"{name}_interval"] = intervals(guesses, part.labels, part.groups, part.codes)["accuracy"]
    return values


def across_sources(named: np.ndarray, raw: np.ndarray, cells: Cells) -> dict[str, dict[str, dict[str, Any]]]:
    """Return the share named right by class and source, for the classes that more than one source holds.

    Args:
        named: ``(n, classes)`` probabilities of the crops.
        raw: the same of the whole images.
        cells: the ``n`` cells.

    Returns:
        By code and source: ``n``, ``accuracy`` with its Wilson ``interval``, and ``accuracy_raw``.
    """
    right, right_raw = (given.argmax(axis=1) == cells.labels for given in (named, raw))
    sources = np.array(cells.sources)
    table: dict[str, dict[str, dict[str, Any]]] = {}
    for index, code in enumerate(cells.codes):
        held = sorted(set(sources[cells.labels == index]))
        for source in held if len(held) > 1 else ():
            chosen = (cells.labels == index) & (sources == source)
            low, high = wilson_interval(int(right[chosen].sum()), int(chosen.sum()))
            table.setdefault(code, {})[str(source)] = {
                "n": int(chosen.sum()),
                "accuracy": float(right[chosen].mean()),
                "interval": [round(low / 100, 4), round(high / 100, 4)],
                "accuracy_raw": float(right_raw[chosen].mean()),
            }
    return table


def _known_uncertain(named: np.ndarray, cells: Cells, bound: float) -> dict[str, float | None]:
    uncertain = named.max(axis=1) < bound
    marrow = np.array(["marrow" in source for source in cells.sources])
    return {
        "known_test": float(uncertain.mean()),
        "known_marrow": float(uncertain[marrow].mean()) if marrow.any() else None,
    }


def _uncertain_share(classifier: Classifier, cells: Sequence[FoundCells]) -> dict[str, Any]:
    best = np.concatenate([classifier(image, boxes).max(axis=1) for image, boxes in cells])
    uncertain = int((best < classifier.config.uncertain_below).sum())
    low, high = wilson_interval(uncertain, len(best))
    interval = [round(low / 100, 4), round(high / 100, 4)]
    return {"n": len(best), "share": uncertain / len(best), "interval": interval}


def _unknown_cells(unknown: str | None) -> dict[str, list[FoundCells]]:
    """Read the cells of no class that were not trained, by the code that the data set gives them."""
    found: dict[str, list[FoundCells]] = {}
    for split in ("validation", "test") if unknown else ():
        cells = load_cells(unknown, split)
        for image, box, label in zip(cells.images, cells.boxes, cells.labels, strict=True):
            found.setdefault(f"{cells.codes[label]} images not trained on", []).append((image, [box]))
    return found


def _plasma_cells(benchmarks: Path | None) -> dict[str, list[FoundCells]]:
    """Read the plasma cells of SegPC-2021, a class without any real training image."""
    found = []
    for file in sorted((benchmarks / "fields_segpc" / "images").glob("*.jpg")) if benchmarks else ():
        labels = cv2.imread(str(benchmarks / "fields_segpc" / "labels" / f"{file.stem}.png"), cv2.IMREAD_UNCHANGED)
        if boxes := boxes_of(labels):
            found.append((read_image(file), boxes))
    return {"plasma cells (SegPC-2021)": found} if found else {}


def boxes_of(labels: np.ndarray) -> list[Box]:
    """Return the boxes of the cells in a label image, in the order of their numbers."""
    return [mask_box(labels == cell) for cell in np.unique(labels[labels > 0])]
