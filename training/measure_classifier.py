"""Measuring the classifier: temperature, the bound of uncertainty, and figures on the test split."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cv2
import evaluate
import numpy as np
from scipy.optimize import minimize_scalar

from marrow.analysis import Box
from marrow.classifier import Classifier
from marrow.crop import find_centre_cell
from marrow.images import read_image
from training.cells import Cells, load_cells
from training.files import read_json
from training.measure import update_config

METRIC = Path(__file__).parent / "metrics" / "cell_classification"
KNOWN_UNCERTAIN = 0.10  # share of known marrow cells that may become uncertain


def measure(model: Path, data: str, benchmarks: Path | None) -> dict[str, Any]:
    """Calibrate a classifier on the validation split and measure it on the test split.

    Args:
        model: Hub folder; ``temperature`` and ``uncertain_below`` of its ``config.json`` are set.
        data: data set with the splits ``validation`` and ``test``.
        benchmarks: folder with ``marrow/NIF`` and ``fields_segpc``, cells of kinds that were never trained.

    Returns:
        The figures for ``metrics.json``; real images only, where the set has any.
    """
    validation, test = (real_cells(load_cells(data, split)) for split in ("validation", "test"))
    update_config(model, temperature=1.0, uncertain_below=0.0)
    temperature = fit_temperature(_predict(model, validation), validation.labels)
    update_config(model, temperature=temperature)
    marrow = validation.select(np.array(["marrow" in source for source in validation.sources]))
    known = marrow if len(marrow) else validation
    bound = float(np.floor(np.quantile(_predict(model, known).max(axis=1), KNOWN_UNCERTAIN) * 1000) / 1000)
    update_config(model, uncertain_below=bound)
    probabilities = _predict(model, test)
    raw = Classifier.from_pretrained(str(model)).predict(test.raw(_size(model)))
    uncertain: dict[str, Any] = {"uncertain_below": bound, "temperature": temperature}
    uncertain["known_test"] = float((probabilities.max(axis=1) < bound).mean())
    uncertain["known_marrow"] = _share_uncertain(probabilities, test, "marrow", bound)
    if benchmarks is not None:
        uncertain["unseen"] = _measure_unseen(model, benchmarks, bound)
    return {
        "data": {"validation": len(validation), "test": len(test)},
        "test": figures(probabilities, test),
        "test_raw": figures(raw, test),
        "by_source": {source: _by_source(probabilities, raw, test, source) for source in sorted(set(test.sources))},
        "calibration": {"ece": expected_calibration_error(probabilities, test.labels), "temperature": temperature},
        "uncertain": uncertain,
    }


def real_cells(cells: Cells) -> Cells:
    """Leave drawn cells out, unless there are no others."""
    real = np.array([source != "drawn" for source in cells.sources])
    return cells.select(real) if real.any() else cells


def fit_temperature(probabilities: np.ndarray, labels: np.ndarray) -> float:
    """Find the temperature that makes the probabilities most likely (Guo et al. 2017, arXiv:1706.04599).

    Args:
        probabilities: ``(n, classes)`` at temperature 1.
        labels: ``(n,)`` true class indices.

    Returns:
        A temperature between 0.2 and 5.
    """
    logits = np.log(probabilities.astype(np.float64).clip(1e-12))

    def loss(temperature: float) -> float:
        scaled = logits / temperature
        scaled -= np.log(np.exp(scaled).sum(axis=1, keepdims=True))
        return -float(scaled[np.arange(len(labels)), labels].mean())

    return round(float(minimize_scalar(loss, bounds=(0.2, 5), method="bounded").x), 3)


def expected_calibration_error(probabilities: np.ndarray, labels: np.ndarray, bins: int = 15) -> float:
    """Give the gap between best probability and accuracy, averaged over equal-width bins by their share."""
    best, right = probabilities.max(axis=1), probabilities.argmax(axis=1) == labels
    places = np.minimum((best * bins).astype(int), bins - 1)
    gaps = [abs(best[places == b].mean() - right[places == b].mean()) * (places == b).mean() for b in set(places)]
    return float(sum(gaps))


def figures(probabilities: np.ndarray, cells: Cells) -> dict[str, Any]:
    """Give the figures of ``training/metrics/cell_classification``."""
    metric = evaluate.load(str(METRIC))
    return metric.compute(predictions=probabilities.argmax(axis=1), references=cells.labels, codes=list(cells.codes))


def _by_source(probabilities: np.ndarray, raw: np.ndarray, cells: Cells, source: str) -> dict[str, float]:
    chosen = np.array([s == source for s in cells.sources])
    truth = cells.labels[chosen]
    return {
        "n": int(chosen.sum()),
        "accuracy": float((probabilities[chosen].argmax(axis=1) == truth).mean()),
        "accuracy_raw": float((raw[chosen].argmax(axis=1) == truth).mean()),
    }


def _share_uncertain(probabilities: np.ndarray, cells: Cells, source: str, bound: float) -> float | None:
    chosen = np.array([source in s for s in cells.sources])
    return float((probabilities[chosen].max(axis=1) < bound).mean()) if chosen.any() else None


def _measure_unseen(model: Path, benchmarks: Path, bound: float) -> dict[str, Any]:
    classifier = Classifier.from_pretrained(str(model))
    nif = [read_image(file) for file in sorted((benchmarks / "marrow" / "NIF").glob("*.jpg"))]
    best = {"NIF (not identifiable)": [_best(classifier, image, [find_centre_cell(image)]) for image in nif]}
    plasma = []
    for file in sorted((benchmarks / "fields_segpc" / "images").glob("*.jpg")):
        labels = cv2.imread(str(benchmarks / "fields_segpc" / "labels" / f"{file.stem}.png"), cv2.IMREAD_UNCHANGED)
        plasma.append(_best(classifier, read_image(file), boxes_of(labels)))
    best["plasma cells (SegPC-2021)"] = plasma
    values = {name: np.concatenate(parts) for name, parts in best.items() if parts}
    return {name: {"n": len(v), "share": float((v < bound).mean())} for name, v in values.items()}


def boxes_of(labels: np.ndarray) -> list[Box]:
    """Give the boxes of the cells in a label image, in the order of their numbers."""
    boxes = []
    for cell in np.unique(labels[labels > 0]):
        x, y, w, h = cv2.boundingRect((labels == cell).astype(np.uint8))
        boxes.append((float(x), float(y), float(x + w), float(y + h)))
    return boxes


def _best(classifier: Classifier, image: np.ndarray, boxes: Sequence[Box]) -> np.ndarray:
    return classifier(image, boxes).max(axis=1)


def _predict(model: Path, cells: Cells) -> np.ndarray:
    classifier = Classifier.from_pretrained(str(model))
    return classifier.predict(cells.crops(classifier.crop))


def _size(model: Path) -> int:
    return int(read_json(model / "config.json")["crop"]["size"])
