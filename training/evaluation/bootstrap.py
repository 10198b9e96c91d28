"""Bootstrap intervals of classification metrics, by resampling groups of near-duplicate images."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from training.common.metrics_schema import ClassificationIntervals, ClassIntervals, Interval

RESAMPLES = 1000
LEVELS = (2.5, 97.5)  # percentiles of a 95 % interval (Efron and Tibshirani 1993, chapter 13)


def intervals(
    predictions: np.ndarray, references: np.ndarray, groups: Sequence[int], codes: Sequence[str], seed: int = 0
) -> ClassificationIntervals:
    """Return 95 % percentile intervals of what ``training/evaluation/metrics/cell_classification`` returns.

    Args:
        predictions: ``(n,)`` class indices.
        references: ``(n,)`` true class indices.
        groups: ``(n,)`` near-duplicate groups, drawn whole; empty if every image is a group of its own.
        codes: class codes by index.
        seed: of the resampling.

    Returns:
        The intervals, ``per_class`` for the classes that occur among the references. A resample without a class says
        nothing of it.
    """
    confusions = resampled_confusions(predictions, references, groups, len(codes), seed)
    present = np.unique(references)
    right = np.diagonal(confusions, axis1=1, axis2=2)[:, present]
    truths, guesses = confusions.sum(axis=2)[:, present], confusions.sum(axis=1)[:, present]
    with np.errstate(invalid="ignore"):
        recall, f1 = right / truths, 2 * right / (truths + guesses)
    precision = np.where(truths + guesses > 0, right / guesses.clip(1), np.nan)
    per_class = {
        codes[index]: ClassIntervals(_interval(precision[:, i]), _interval(recall[:, i]))
        for i, index in enumerate(present)
    }
    return ClassificationIntervals(
        accuracy=_interval(right.sum(axis=1) / confusions.sum(axis=(1, 2))),
        balanced_accuracy=_interval(np.nanmean(recall, axis=1)),
        macro_f1=_interval(np.nanmean(f1, axis=1)),
        per_class=per_class,
    )


def resampled_confusions(
    predictions: np.ndarray, references: np.ndarray, groups: Sequence[int], n_classes: int, seed: int = 0
) -> np.ndarray:
    """Count confusions in resamples of the groups: ``(RESAMPLES, n_classes, n_classes)``, rows are the truth."""
    _, group = np.unique(groups if len(groups) else np.arange(len(references)), return_inverse=True)
    n_groups = group.max() + 1
    counts = np.zeros((n_groups, n_classes**2))
    np.add.at(counts, (group, references * n_classes + predictions), 1)
    draws = np.random.default_rng(seed).multinomial(n_groups, np.full(n_groups, 1 / n_groups), size=RESAMPLES)
    return (draws @ counts).reshape(RESAMPLES, n_classes, n_classes)


def _interval(values: np.ndarray) -> Interval:
    low, high = np.nanpercentile(values, LEVELS)
    return round(float(low), 4), round(float(high), 4)
