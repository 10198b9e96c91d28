"""What a classifier is familiar with: groups of like cells that it was trained on, and the stains of their pictures.

Whether a new cell is unlike all of them is told by the distance of the network's features to the nearest group (deep
nearest neighbours, Sun et al. 2022, arXiv:2204.06507, of centres in the place of all cells).
"""

from __future__ import annotations

import keras
import numpy as np
from sklearn.cluster import KMeans

from marrow.stain import Stain
from training.classifier.config import ClassifierTraining
from training.classifier.data import Cells, TrainingMaterial, find_stain, real_cells

GROUPS = 128
"""Groups of cells; with a tenth of them the distance tells less, with twice as many no more."""

STAINS = 32
"""Groups of stains."""

MOST = 4000
"""Cells that are grouped."""


def feature_groups(model: keras.Model, cells: Cells, config: ClassifierTraining) -> np.ndarray:
    """Group the training cells by the features that the network has of them.

    Args:
        model: a trained network with the layer ``pool``.
        cells: what it was trained on; of real ones, where there are any, at most :data:`MOST` count.
        config: the experiment, for the crop and the seed.

    Returns:
        ``(groups, features)`` float32 centres of length 1.
    """
    features = _features(model, _some(cells, config).crops(config.crop))
    return _unit(_centres(features, GROUPS, config.seed))


def unlikeness(model: keras.Model, crops: np.ndarray, groups: np.ndarray) -> np.ndarray:
    """Say how unlike all groups of training cells others are: ``(n,)`` float32, 0 to 2.

    Args:
        model: as for :func:`feature_groups`.
        crops: ``(n, size, size, 3)`` uint8 RGB.
        groups: as that function returns them.
    """
    return 1 - (_features(model, crops) @ groups.T).max(axis=1)


def _features(model: keras.Model, crops: np.ndarray) -> np.ndarray:
    """Return what the network makes of crops before it names them, ``(n, features)`` of length 1."""
    pooled = keras.Model(model.inputs, model.get_layer("pool").output)
    batches = (crops[i : i + 64] / np.float32(127.5) - np.float32(1) for i in range(0, len(crops), 64))
    return _unit(np.concatenate([pooled.predict_on_batch(batch) for batch in batches]))


def stain_groups(material: TrainingMaterial, config: ClassifierTraining) -> list[Stain]:
    """Group the stains of what a classifier was shown.

    Args:
        material: of the real cells, where there are any, at most :data:`MOST` count, and of the pictures that lent
            their colours all.
        config: the experiment, for the seed.

    Returns:
        At most :data:`STAINS` stains, the centres of the groups; none where no picture shows a stain.
    """
    stains = [find_stain(image) for image in _some(material.cells, config).images]
    known = [stain.densities() for stain in [*stains, *(one.stain for one in material.stains)] if stain]
    return [Stain.from_densities(row) for row in _centres(np.array(known), STAINS, config.seed)] if known else []


def _some(cells: Cells, config: ClassifierTraining) -> Cells:
    real = real_cells(cells)
    order = np.random.default_rng((config.seed, 13)).permutation(len(real))
    return real.select(np.isin(np.arange(len(real)), order[:MOST]))


def _centres(rows: np.ndarray, groups: int, seed: int) -> np.ndarray:
    few = min(groups, len(np.unique(rows, axis=0)))
    return KMeans(few, n_init=1, random_state=seed).fit(rows).cluster_centers_.astype(np.float32)


def _unit(rows: np.ndarray) -> np.ndarray:
    return rows / np.linalg.norm(rows, axis=1, keepdims=True).clip(1e-12)
