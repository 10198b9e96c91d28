"""Calibrating a classifier: the temperature, and the bounds below which it says nothing."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from scipy.optimize import minimize_scalar
from scipy.special import logsumexp

from marrow.classifier import Classifier, probabilities
from training.classifier.data import Cells
from training.common.model_folder import update_config

KNOWN_UNCERTAIN = 0.10  # share of known marrow cells that may become uncertain


def calibrate(model: Path, validation: Cells) -> None:
    """Set ``temperature``, ``reject_logit`` and ``uncertain_below`` in a Hub folder from validation cells.

    Args:
        model: Hub folder of a classifier.
        validation: cells of the classes that it knows; for the two bounds those from bone marrow alone,
            if there are any.
    """
    classifier = Classifier.from_pretrained(str(model))
    logits = classifier.logits(validation.crops(classifier.crop))
    known = from_marrow(validation)
    if not known.any():
        known[:] = True
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


def from_marrow(cells: Cells) -> np.ndarray:
    return np.array([origin == "bone_marrow" for origin in cells.origins], bool)
