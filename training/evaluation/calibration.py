"""Calibrating a classifier: its temperature, and the bounds below which it says nothing.

A visitor's picture comes from a laboratory that nobody trained on. So the temperature and the bound of uncertainty are
chosen on cells of laboratories that were left out of a training in turn, where there are such cells, and otherwise on
validation cells of the laboratories trained on.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from itertools import compress
from pathlib import Path

import numpy as np
from scipy.optimize import minimize, minimize_scalar
from scipy.special import logsumexp

from marrow.classifier import LEAST_UNLIKE, Classifier, ClassifierConfig, Softening, probabilities, soften
from marrow.errors import MarrowError
from training.classifier.data import Cells
from training.common.files import read_json
from training.common.metrics_schema import ForeignMetrics
from training.common.model_folder import update_config
from training.evaluation.foreign import LABORATORIES, ForeignCells, foreign_metrics

KNOWN_UNCERTAIN = 0.10
"""Share of known marrow cells that may become uncertain."""

PRECISION = 0.92
"""Share of the counted cells that is to be right in laboratories that were left out: the aim of .90, and as much more
as choosing the bound on the same cells may flatter."""

COUNTED = 0.5
"""Share of the cells left out that is counted at least, whatever the precision: who names half of them by hand has no
help. The aim is .40, and the rest again for the choice on the same cells."""

KNOWN_UNLIKE = 0.01
"""Share of known cells, and of the stains of their pictures, that may count as unlike the training."""


@dataclass(frozen=True)
class NamedLogits:
    """What a network said of cells whose names are known.

    Attributes:
        laboratory: of the cells.
        logits: ``(views, n, classes)``; ``nan`` for a cell that was not found.
        right: ``(n, classes)`` bool, the classes that are right for each; several where nobody told them apart.
        unlikeness: ``(n,)`` of the cells to those of the network's training; ``None`` where it does not say.
    """

    laboratory: str
    logits: np.ndarray
    right: np.ndarray
    unlikeness: np.ndarray | None = None

    def found(self) -> NamedLogits:
        """Leave out the cells that were not found."""
        there = np.isfinite(self.logits).all(axis=(0, 2))
        unlikeness = None if self.unlikeness is None else self.unlikeness[there]
        return NamedLogits(self.laboratory, self.logits[:, there], self.right[there], unlikeness)

    def given(
        self, temperature: float, softening: Softening | None = None, reject_logit: float | None = None
    ) -> np.ndarray:
        """Return the probabilities, ``(n, classes)``, at values of a :class:`ClassifierConfig`."""
        return probabilities(self.logits, soften(temperature, softening, self.unlikeness), reject_logit)


def calibrate(model: Path, validation: Cells, left_out: Sequence[NamedLogits] = ()) -> list[ForeignMetrics]:
    """Set what :func:`chosen` chooses in a Hub folder's ``config.json``, and when a picture is unlike the training.

    Args:
        model: Hub folder of a classifier.
        validation: cells of the classes that it knows; for the bounds those from bone marrow alone, if there are any.
        left_out: as for :func:`chosen`.

    Returns:
        A row for each laboratory left out, with what is chosen without it.
    """
    classifier = Classifier.from_pretrained(str(model))
    logits, unlikeness = classifier.answers(validation.crops(classifier.crop))
    right = np.eye(len(classifier.labels), dtype=bool)[validation.labels]
    home, known = NamedLogits("", logits, right, unlikeness), from_marrow(validation)
    known = known if known.any() else np.ones_like(known)
    values = chosen(home, known, left_out)
    softening = asdict(values.softening) if values.softening else None
    update_config(model, **vars(values) | {"softening": softening}, **_familiar(classifier, validation))
    rows = []
    for one in left_out:
        values = chosen(home, known, [other for other in left_out if other is not one])
        given = one.given(values.temperature, values.softening, values.reject_logit)
        truths = [tuple(compress(classifier.labels, row)) for row in one.right]
        cells = ForeignCells(one.laboratory, [], [], truths)
        row = foreign_metrics(cells, np.nan_to_num(given), classifier.labels, values.uncertain_below)
        rows.append(replace(row, left_out=True))
    return rows


@dataclass(frozen=True)
class Chosen:
    """The values of a :class:`ClassifierConfig` that are chosen after the training."""

    temperature: float
    softening: Softening | None
    reject_logit: float
    uncertain_below: float


def chosen(home: NamedLogits, known: np.ndarray, left_out: Sequence[NamedLogits] = ()) -> Chosen:
    """Choose what makes the probabilities of a classifier honest.

    Args:
        home: validation cells of the laboratories trained on.
        known: ``(n,)`` bool, the cells of them that count for bounds.
        left_out: what networks said of laboratories that they were not trained on, each laboratory weighing the same.

    Returns:
        The temperature under which the names that are right are most likely, and how it grows with the unlikeness,
        where cells left out and at home both have one; the logit that leaves :data:`KNOWN_UNCERTAIN` of the known cells
        without a class that speaks up; the bound of :func:`precise_bound` for the cells left out, or without such cells
        the one that leaves :data:`KNOWN_UNCERTAIN` of the known cells uncertain.
    """
    away = [one.found() for one in left_out]
    if away and home.unlikeness is not None and all(one.unlikeness is not None for one in away):
        temperature, softening = fit_softening([home, *away], float(np.median(home.unlikeness)))
    else:
        temperature, softening = fit_temperature(away or [home]), None
    speaks = evidence(home.logits, soften(temperature, softening, home.unlikeness))
    reject_logit = round(float(np.quantile(speaks[:, known], KNOWN_UNCERTAIN)), 3)
    if away:
        bound = precise_bound([(one.given(temperature, softening, reject_logit), one.right) for one in away])
    else:
        best = home.given(temperature, softening, reject_logit).max(axis=1)[known]
        bound = float(np.floor(np.quantile(best, KNOWN_UNCERTAIN) * 1000) / 1000)
    return Chosen(temperature, softening, reject_logit, round(bound, 3))


def precise_bound(laboratories: Sequence[tuple[np.ndarray, np.ndarray]]) -> float:
    """Return the lowest bound from which :data:`PRECISION` of the counted cells are named right.

    Where :data:`COUNTED` of the cells would not be counted any more, it is the highest bound that counts so many.

    Args:
        laboratories: for each, ``(n, classes)`` probabilities and which of them are right; each weighs the same.

    Returns:
        A bound between 0 and 1, in thousandths.
    """
    best = np.concatenate([given.max(axis=1) for given, _ in laboratories])
    right = np.concatenate([_hits(given, truth) for given, truth in laboratories])
    weights = np.concatenate([np.full(len(truth), 1 / len(truth)) for _, truth in laboratories])
    before = 0.0
    for bound in np.arange(0, 1, 0.001):
        counted = best >= bound
        if weights[counted].sum() < COUNTED * weights.sum():
            break
        before = float(bound)
        if weights[counted & right].sum() >= PRECISION * weights[counted].sum():
            break
    return before


def _hits(given: np.ndarray, right: np.ndarray) -> np.ndarray:
    return right[np.arange(len(given)), given.argmax(axis=1)]


def evidence(logits: np.ndarray, temperature: float | np.ndarray) -> np.ndarray:
    """Return how strongly any class speaks up, ``(views, n)``; the negative energy of Liu et al. 2020, 2010.03759.

    Args:
        logits: ``(views, n, classes)``.
        temperature: as for :func:`marrow.classifier.probabilities`.
    """
    temperature = np.reshape(temperature, (-1, 1))
    return temperature[:, 0] * logsumexp(logits / temperature, axis=2)


def fit_temperature(laboratories: Sequence[NamedLogits]) -> float:
    """Find the temperature that makes the names that are right most likely (Guo et al. 2017, arXiv:1706.04599).

    Args:
        laboratories: each weighs the same; of classes that nobody told apart the probabilities add up.

    Returns:
        A temperature between 0.2 and 5.
    """
    found = minimize_scalar(lambda temperature: _loss(laboratories, temperature), bounds=(0.2, 5), method="bounded")
    return round(float(found.x), 3)


def fit_softening(laboratories: Sequence[NamedLogits], common: float) -> tuple[float, Softening]:
    """Find the temperature, and how it grows with the unlikeness, that make the names that are right most likely.

    One temperature for all is a compromise: at home it makes a network less sure than it may be, and surer elsewhere.

    Args:
        laboratories: as for :func:`fit_temperature`, with unlikenesses.
        common: unlikeness of a common cell.

    Returns:
        The temperature of such a cell, between 0.2 and 5, and the softening.
    """
    common = max(round(common, 4), LEAST_UNLIKE)
    found = minimize(
        lambda values: _loss(laboratories, values[0], Softening(common, values[1])),
        x0=(1.0, 0.2),
        bounds=((0.2, 5), (0, 2)),
        method="Nelder-Mead",
    )
    temperature, exponent = (round(float(value), 3) for value in found.x)
    return temperature, Softening(common, exponent)


def _loss(laboratories: Sequence[NamedLogits], temperature: float, softening: Softening | None = None) -> float:
    """Return how unlikely the names that are right are: the mean over laboratories of the negative log-likelihood."""
    likely = [(one.given(temperature, softening) * one.right).sum(axis=1) for one in laboratories]
    return -float(np.mean([np.log(shares.clip(1e-12)).mean() for shares in likely]))


def _familiar(classifier: Classifier, validation: Cells) -> dict[str, float]:
    """Return the bounds above which a picture is unlike the training, where the model says how unlike one is."""
    config, bounds = classifier.config, {}
    shown = zip(validation.images, validation.boxes, strict=True)
    unlikeness = [classifier.name(image, [box])[1] for image, box in shown] if classifier.knows else []
    distances = [config.stain_distance(image) for image in validation.images] if config.stains else []
    for name, values in (("unlike_above", unlikeness), ("stain_far_above", distances)):
        if values:
            bounds[name] = round(float(np.quantile(np.array(values, float), 1 - KNOWN_UNLIKE)), 4)
    return bounds


def from_marrow(cells: Cells) -> np.ndarray:
    """Mark the cells from bone marrow, ``(n,)`` bool."""
    return np.array([origin == "bone_marrow" for origin in cells.origins], bool)


def read_left_out(folders: Sequence[Path], benchmarks: Path, config: ClassifierConfig) -> list[NamedLogits]:
    """Read what networks said of the laboratories that were left out of their training.

    Args:
        folders: each a variant of a study by :mod:`training.laboratory_study`, for other laboratories.
        benchmarks: the folder of pictures that the study was given.
        config: of the model that is calibrated with them, which was trained in the same way.

    Raises:
        MarrowError: a folder holds no finished variant, or one of other classes or of another way of training.
    """
    return [one for folder in folders for one in _read_variant(folder, benchmarks, config)]


def _read_variant(folder: Path, benchmarks: Path, config: ClassifierConfig) -> list[NamedLogits]:
    try:
        labels = tuple(read_json(folder / "result.json")["trained_on"])
        logits = _read_arrays(folder / "logits.npz")
        says = (folder / "unlikeness.npz").is_file()  # not every architecture does
        unlikeness = _read_arrays(folder / "unlikeness.npz") if says else {}
        named = {laboratory: list(LABORATORIES[laboratory][1](benchmarks)) for laboratory in logits}
    except (OSError, KeyError, TypeError, ValueError) as error:
        raise MarrowError(f"{folder} holds no finished variant of a study of pictures in {benchmarks}.") from error
    if labels != config.labels:
        raise MarrowError(f"{folder} holds a classifier of other classes: leave it out of --left-out.")
    rows = []
    for laboratory, given in logits.items():
        ours = [one.codes for one in named[laboratory] if set(one.codes) & set(labels)]
        right = np.array([[code in codes for code in labels] for codes in ours])
        if given.shape != right.shape or len(unlikeness.get(laboratory, given)) != len(given):
            raise MarrowError(f"{folder} was measured on other pictures than those in {benchmarks}.")
        rows.append(NamedLogits(laboratory, given[None], right, unlikeness.get(laboratory)))
    return rows


def _read_arrays(path: Path) -> dict[str, np.ndarray]:
    with np.load(path) as file:
        return dict(file)
