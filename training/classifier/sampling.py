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
        config: ``balancing`` and ``seed`` count, and where people corrected some of the cells, how a
            :class:`FineTuning` mixes these with the others.
        epoch: number of the epoch.

    Returns:
        Indices into ``material.cells`` in the order in which they are shown, and ``(classes,)`` float32 weights.
    """
    cells, rng = material.cells, np.random.default_rng((config.seed, epoch))
    if isinstance(config, FineTuning) and material.corrected:
        order = mixed_order(len(cells) - material.corrected, material.corrected, config, epoch)
    elif config.balancing == "laboratories":
        order = rng.choice(len(cells), len(cells), p=laboratory_shares(cells))
    else:
        order = rng.permutation(len(cells))
    if config.balancing == "weights":
        return order, class_weights(cells.labels[order], len(cells.codes))
    return order, np.ones(len(cells.codes), np.float32)


def laboratory_shares(cells: Cells) -> np.ndarray:
    """Return how often each cell is shown, so that no class stands for a laboratory, nor a laboratory for a class.

    A laboratory weighs the square root of its cells, so that ten of them are not shown all day, and drawn cells weigh
    :data:`DRAWN` of that; in it a class weighs the square root of its own. To draw the classes first would show one
    laboratory's only cells of a class several times as often as its others, and teach that its stain means that class.

    Returns:
        ``(n,)`` with a sum of 1.
    """
    members: defaultdict[tuple[str, str], defaultdict[int, list[int]]] = defaultdict(lambda: defaultdict(list))
    for i, place in enumerate(zip(cells.origins, cells.laboratories, strict=True)):
        members[place][int(cells.labels[i])].append(i)
    shares = np.zeros(len(cells))
    for (origin, _), of_laboratory in members.items():
        sizes = np.array([len(indices) for indices in of_laboratory.values()])
        weight = (DRAWN if origin == "drawn" else 1.0) * sizes.sum() ** 0.5 / (sizes**0.5).sum()
        for indices in of_laboratory.values():
            shares[indices] = weight * len(indices) ** -0.5
    return shares / shares.sum()
