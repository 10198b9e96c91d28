"""Which cells an epoch shows, in which order, and how much each of them weighs."""

from __future__ import annotations

from collections import defaultdict

import numpy as np

from training.classifier.config import ClassifierTraining
from training.classifier.data import Cells, TrainingMaterial, class_weights
from training.classifier.fine_tuning import FineTuning, mixed_order

DRAWN = 0.15
"""Weight of drawn cells, where those of a laboratory weigh 1."""


def shown_cells(material: TrainingMaterial, config: ClassifierTraining, epoch: int) -> tuple[np.ndarray, np.ndarray]:
    """Choose the cells of an epoch.

    Args:
        material: what there is to show.
        config: ``balancing`` and ``seed`` count, and the options of a :class:`FineTuning`.
        epoch: number of the epoch.

    Returns:
        Indices into ``material.cells`` in the order in which they are shown, and ``(classes,)`` float32 weights.
    """
    cells, rng = material.cells, np.random.default_rng((config.seed, epoch))
    if isinstance(config, FineTuning):
        order = mixed_order(len(cells) - material.corrected, material.corrected, config, epoch)
    elif config.balancing == "laboratories":
        order = rng.choice(len(cells), len(cells), p=laboratory_shares(cells))
    else:
        order = rng.permutation(len(cells))
    if config.balancing == "weights":
        return order, class_weights(cells.labels[order], len(cells.codes))
    return order, np.ones(len(cells.codes), np.float32)


def laboratory_shares(cells: Cells) -> np.ndarray:
    """Return how often each cell is shown, so that a class shows its laboratories, and not the largest of them.

    Returns:
        ``(n,)`` with a sum of 1, and the same sum in every class. In a class a laboratory weighs the square root of its
        cells, so that ten of them are not shown all day; drawn cells weigh :data:`DRAWN` of that.
    """
    members: defaultdict[int, defaultdict[tuple[str, str], list[int]]] = defaultdict(lambda: defaultdict(list))
    laboratories = list(zip(cells.origins, cells.laboratories, strict=True))
    for i, label in enumerate(cells.labels):
        members[int(label)][laboratories[i]].append(i)
    shares = np.zeros(len(cells))
    for of_class in members.values():
        weights = [(DRAWN if lab[0] == "drawn" else 1.0) * len(of) ** 0.5 for lab, of in of_class.items()]
        for weight, indices in zip(weights, of_class.values(), strict=True):
            shares[indices] = weight / sum(weights) / len(indices) / len(members)
    return shares
