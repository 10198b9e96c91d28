"""Going on from a published classifier: the options of such a training, and how old and corrected cells are mixed."""

from __future__ import annotations

from typing import Annotated

import numpy as np
from pydantic import Field, NonNegativeInt, PositiveInt
from pydantic.dataclasses import dataclass

from marrow.records import STRICT
from training.classifier.config import ClassifierTraining
from training.common.paths import CONFIGS

CONFIG = CONFIGS / "fine_tune.toml"


@dataclass(frozen=True, config=STRICT)
class FineTuning(ClassifierTraining):
    """One fine-tuning: the options of a training, and how old and corrected cells are mixed.

    Attributes:
        corrected: share of corrected cells in every epoch; they are repeated for it, each view changed anew.
        repeats: most times that one corrected cell is shown in an epoch, whatever ``corrected`` says.
        old_cells: old training cells in an epoch, others each time; 0 shows all of them.
    """

    corrected: Annotated[float, Field(gt=0, lt=1)] = 0.3
    repeats: PositiveInt = 8
    old_cells: NonNegativeInt = 0


def mixed_order(old: int, corrected: int, config: FineTuning, epoch: int) -> np.ndarray:
    """Draw which cells one epoch shows, in which order.

    Args:
        old: number of old cells.
        corrected: number of corrected cells, which come after them.
        config: ``corrected``, ``repeats``, ``old_cells`` and ``seed`` count.
        epoch: number of the epoch.

    Returns:
        Indices; an old cell occurs at most once, and all corrected ones equally often or once more.
    """
    rng = np.random.default_rng((config.seed, epoch))
    shown = rng.permutation(old)[: config.old_cells or None]
    wanted = round(len(shown) * config.corrected / (1 - config.corrected))
    again = np.resize(rng.permutation(corrected), min(wanted, config.repeats * corrected))
    return rng.permutation(np.concatenate([shown, old + again]))
