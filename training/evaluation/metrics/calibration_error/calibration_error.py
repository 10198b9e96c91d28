"""A local `evaluate` metric: how far probabilities are from what they promise."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import datasets
import evaluate
import numpy as np

_DESCRIPTION = (
    "Expected calibration error (Guo et al. 2017, arXiv:1706.04599): the gap between best probability and accuracy, "
    "averaged over equal-width bins by their share."
)


class CalibrationError(evaluate.Metric):
    """Load it with ``evaluate.load("training/evaluation/metrics/calibration_error")``; needs no network."""

    def _info(self) -> evaluate.MetricInfo:
        return evaluate.MetricInfo(
            description=_DESCRIPTION,
            citation="",
            inputs_description="predictions: a row of class probabilities each; references: class indices.",
            features=datasets.Features(
                {"predictions": datasets.Sequence(datasets.Value("float64")), "references": datasets.Value("int64")}
            ),
        )

    def _compute(
        self, predictions: Sequence[Sequence[float]], references: Sequence[int], bins: int = 15
    ) -> dict[str, Any]:
        probabilities = np.asarray(predictions)
        best, right = probabilities.max(axis=1), probabilities.argmax(axis=1) == np.asarray(references)
        places = np.minimum((best * bins).astype(int), bins - 1)
        gaps = [abs(best[places == b].mean() - right[places == b].mean()) * (places == b).mean() for b in set(places)]
        return {"ece": float(sum(gaps)), "bins": bins}
