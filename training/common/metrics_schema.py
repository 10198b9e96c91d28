"""What ``metrics.json`` of a model holds: ``training.evaluation`` writes it, the cards and the chain read it.

Keys are identifiers; how a card words them is the card's matter. Intervals are 95 % intervals, ``[low, high]``; shares
and probabilities lie between 0 and 1. A model that was not measured in some respect lacks that part, but no part is
there by halves.
"""

from __future__ import annotations

import json
from dataclasses import asdict, field
from pathlib import Path
from typing import Any, TypeVar

from pydantic.dataclasses import dataclass

from marrow.errors import MarrowError
from marrow.records import STRICT, parse
from training.common.files import write_json

Interval = tuple[float, float]


@dataclass(frozen=True, config=STRICT)
class ClassMetrics:
    """How well one class is recognised; ``support`` is its number of images."""

    precision: float
    recall: float
    f1: float
    support: int


@dataclass(frozen=True, config=STRICT)
class ClassIntervals:
    """The intervals of one class."""

    precision: Interval
    recall: Interval


@dataclass(frozen=True, config=STRICT)
class ClassificationIntervals:
    """Bootstrap intervals over groups of near-duplicate images; ``per_class`` by the codes that occur."""

    accuracy: Interval
    balanced_accuracy: Interval
    macro_f1: Interval
    per_class: dict[str, ClassIntervals]


@dataclass(frozen=True, config=STRICT)
class ClassificationMetrics:
    """How well ``n`` images are named.

    Attributes:
        per_class: by the codes that occur.
        labels: all codes in the order of ``confusion``.
        confusion: number of images, a row for each true class, a column for each predicted one.
    """

    n: int
    accuracy: float
    balanced_accuracy: float
    macro_f1: float
    per_class: dict[str, ClassMetrics]
    labels: list[str]
    confusion: list[list[int]]
    intervals: ClassificationIntervals


@dataclass(frozen=True, config=STRICT)
class LaboratoryMetrics:
    """How well the images of one origin and laboratory are named, as cropped cells and as whole (raw) images."""

    origin: str
    laboratory: str
    n: int
    accuracy: float
    accuracy_interval: Interval
    accuracy_raw: float
    accuracy_raw_interval: Interval


@dataclass(frozen=True, config=STRICT)
class ClassInLaboratory:
    """Share of a class named right in one laboratory, with its Wilson interval; ``accuracy_raw`` of whole images."""

    code: str
    origin: str
    laboratory: str
    n: int
    accuracy: float
    interval: Interval
    accuracy_raw: float


@dataclass(frozen=True, config=STRICT)
class SplitSizes:
    """Number of images to calibrate and to test on."""

    validation: int
    test: int


@dataclass(frozen=True, config=STRICT)
class Bootstrap:
    """What the intervals rest on: ``groups`` of near-duplicates, drawn ``resamples`` times."""

    resamples: int
    groups: int


@dataclass(frozen=True, config=STRICT)
class Calibration:
    """Expected calibration error on the test split, before and after dividing the logits by the temperature."""

    temperature: float
    ece_uncalibrated: float
    ece: float


@dataclass(frozen=True, config=STRICT)
class UncertainShare:
    """Share of ``n`` cells called uncertain, with its Wilson interval."""

    n: int
    share: float
    interval: Interval


@dataclass(frozen=True, config=STRICT)
class UncertainMetrics:
    """How often cells are called uncertain, with the keys of ``config.json`` that decide it.

    Attributes:
        known_test: share of the test cells.
        known_bone_marrow: share of those from bone marrow, if there are any.
        unseen: of cells of no class by their code, and of ``segpc_plasma_cells``, a class without a training image.
    """

    uncertain_below: float
    temperature: float
    tta_rotations: int
    known_test: float
    reject_logit: float | None = None
    known_bone_marrow: float | None = None
    unseen: dict[str, UncertainShare] = field(default_factory=dict)


@dataclass(frozen=True, config=STRICT)
class ClassShare:
    """Share of the ``n`` cells of a class that are named right."""

    n: int
    accuracy: float


COVERAGES = tuple(round(0.05 * step, 2) for step in range(1, 21))
"""Shares of the cells, the most certain first, at which :class:`ForeignMetrics` has the risk."""


@dataclass(frozen=True, config=STRICT)
class ForeignMetrics:
    """How cells are named in a laboratory that was not trained on; see ``training.evaluation.foreign``.

    Attributes:
        n: cells that the laboratory named.
        found: how many of them the segmenter found; all, where they are pictures of single cells.
        lineage_accuracy: share whose lineage is right.
        counted: share that is certain enough to be counted.
        precision: share of the counted that is named right; ``None`` where none is counted.
        calibration_error: expected calibration error of the best probability.
        risk_coverage_area: area under the curve of risk over coverage, 0 is best.
        risks: the curve: share named wrong of the most certain 5 %, 10 %, … 100 % of the cells; empty before 0.3.
        per_class: by code, ``A/B`` where the laboratory does not tell two classes apart.
        left_out: the release was trained on this laboratory, and the figures are those of a network that was trained in
            the same way without it, its temperature and bounds chosen without it.
    """

    laboratory: str
    n: int
    found: int
    accuracy: float
    accuracy_interval: Interval
    balanced_accuracy: float
    balanced_accuracy_interval: Interval
    lineage_accuracy: float
    counted: float
    calibration_error: float
    risk_coverage_area: float
    per_class: dict[str, ClassShare]
    precision: float | None = None
    precision_interval: Interval | None = None
    risks: list[float] = field(default_factory=list)
    left_out: bool = False


@dataclass(frozen=True, config=STRICT)
class WarnedShare:
    """How many of ``n`` pictures get a warning, and under which codes; see :mod:`training.evaluation.silence`.

    Attributes:
        interval: Wilson interval of the share.
        codes: share of the pictures that get each warning.
        accuracy: share of their cells named right, in the pictures with and without a warning; where names are known.
    """

    n: int
    warned: float
    interval: Interval
    codes: dict[str, float] = field(default_factory=dict)  # an empty one is not written
    accuracy: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True, config=STRICT)
class SilenceMetrics:
    """Whether a picture unlike the training is noticed.

    Attributes:
        smears: by kind of smear, which should get no warning where the names can be trusted.
        non_smears: by kind of picture that is no smear, which should all get one.
        auroc: by group of cells, how often one of them is more unlike the training than a test cell of its own.
    """

    smears: dict[str, WarnedShare]
    non_smears: dict[str, WarnedShare]
    auroc: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True, config=STRICT)
class CleanedMetrics:
    """How the marrow cells of the test split are named with and without those whose label looks wrong.

    The list of such labels is made by other networks and by a person's eye, before a release is measured; see
    ``training.suspicious_labels``. Artefacts are left out: they are no cells.

    Attributes:
        codes: classes that were seen in marrow.
        n: images of these classes.
        removed: how many of them are on the list.
        accuracy: share named right of the others, and ``full_accuracy`` of all.
    """

    codes: list[str]
    n: int
    removed: int
    accuracy: float
    accuracy_interval: Interval
    full_accuracy: float
    full_accuracy_interval: Interval


@dataclass(frozen=True, config=STRICT)
class FramedShare:
    """Whether cells keep their name in another framing; see :mod:`training.evaluation.framing`.

    Attributes:
        n: cells that the framing hides nothing of.
        found: share of them that is found again.
        same: share of those found that has the same name.
        same_counted: the same among those that were certain enough to be counted.
    """

    n: int
    found: float
    same: float
    same_counted: float | None = None


@dataclass(frozen=True, config=STRICT)
class ClassifierMetrics:
    """A classifier's ``metrics.json``.

    Attributes:
        test: cells cropped and turned as the runtime does.
        test_without_tta: cells cropped, not turned.
        test_raw: whole images, as the Transformers pipeline takes them.
        across_laboratories: the classes that more than one laboratory holds.
        foreign: laboratories that were not trained on.
        silence: whether pictures unlike the training are noticed; none before release 0.3.
        cleaned: marrow cells with and without suspicious labels.
        framing: whether cells keep their name, by framing; see ``training.evaluation.framing``.
        environment: version by package.
        command: what makes these metrics again.
        sha256: digests of the config and of the weights that were measured, by file name; none before release 0.2.
    """

    data: SplitSizes | None = None
    test: ClassificationMetrics | None = None
    test_without_tta: ClassificationMetrics | None = None
    test_raw: ClassificationMetrics | None = None
    bootstrap: Bootstrap | None = None
    by_laboratory: list[LaboratoryMetrics] = field(default_factory=list)
    across_laboratories: list[ClassInLaboratory] = field(default_factory=list)
    foreign: list[ForeignMetrics] = field(default_factory=list)
    calibration: Calibration | None = None
    uncertain: UncertainMetrics | None = None
    silence: SilenceMetrics | None = None
    cleaned: CleanedMetrics | None = None
    framing: dict[str, FramedShare] = field(default_factory=dict)
    environment: dict[str, str] = field(default_factory=dict)
    command: str = ""
    sha256: dict[str, str] = field(default_factory=dict)


Metrics = TypeVar("Metrics")


def to_plain(metrics: Any) -> dict[str, Any]:
    """Return a dataclass of this file as plain JSON, without what is ``None`` or empty."""

    def kept(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        return {key: value for key, value in pairs if value not in (None, "", {}, [])}

    return asdict(metrics, dict_factory=kept)


def write_metrics(path: Path, metrics: Any) -> None:
    """Write a ``metrics.json``, whole or not at all."""
    write_json(path, to_plain(metrics))


def read_metrics(kind: type[Metrics], path: Path) -> Metrics:
    """Read a ``metrics.json``.

    Raises:
        MarrowError: it cannot be read, or is not what ``kind`` says; release 0.1 wrote another layout.
    """
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise MarrowError(f"{path} cannot be read ({error.strerror}): run training.measure first.") from error
    except (ValueError, RecursionError) as error:
        raise MarrowError(f"{path} is not JSON ({error}): run training.measure again.") from error
    try:
        return parse(kind, value, path.name)
    except ValueError as error:
        raise MarrowError(f"{error}, so it is of another release: run training.measure again ({path}).") from error
