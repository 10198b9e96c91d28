"""A local `evaluate` metric for naming cells: overall and per class."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import datasets
import evaluate
import numpy as np
from sklearn.metrics import accuracy_score, balanced_accuracy_score, confusion_matrix, precision_recall_fscore_support

_DESCRIPTION = "Accuracy, balanced accuracy, macro F1, per-class precision, recall and F1, and the confusion matrix."


class CellClassification(evaluate.Metric):
    """Load it with ``evaluate.load("training/evaluation/metrics/cell_classification")``; needs no network."""

    def _info(self) -> evaluate.MetricInfo:
        return evaluate.MetricInfo(
            description=_DESCRIPTION,
            citation="",
            inputs_description="predictions and references: class indices; codes: class codes by index, or none.",
            features=datasets.Features({"predictions": datasets.Value("int64"), "references": datasets.Value("int64")}),
        )

    def _compute(
        self, predictions: Sequence[int], references: Sequence[int], codes: list[str] | None = None
    ) -> dict[str, Any]:
        """Return the metrics over the classes that occur among the references; a mean is over those alone."""
        truth, guess = np.asarray(references), np.asarray(predictions)
        codes = codes or [str(index) for index in range(int(max(truth.max(), guess.max())) + 1)]
        present = sorted(set(truth.tolist()))
        precision, recall, f1, support = precision_recall_fscore_support(truth, guess, labels=present, zero_division=0)
        return {
            "n": len(truth),
            "accuracy": float(accuracy_score(truth, guess)),
            "balanced_accuracy": float(balanced_accuracy_score(truth, guess)),
            "macro_f1": float(f1.mean()),
            "per_class": {
                codes[index]: {
                    "precision": float(precision[i]),
                    "recall": float(recall[i]),
                    "f1": float(f1[i]),
                    "support": int(support[i]),
                }
                for i, index in enumerate(present)
            },
            "labels": list(codes),
            "confusion": confusion_matrix(truth, guess, labels=range(len(codes))).tolist(),
        }
