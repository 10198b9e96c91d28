"""What ``metrics.json`` of a segmenter holds; see :mod:`training.common.metrics_schema`."""

from __future__ import annotations

from dataclasses import field

from pydantic.dataclasses import dataclass

from marrow.records import STRICT
from training.common.metrics_schema import Interval


@dataclass(frozen=True, config=STRICT)
class RecallOf:
    """Recall of some of the true cells."""

    cells: int
    recall: float


@dataclass(frozen=True, config=STRICT)
class FieldMetrics:
    """How well cells are outlined in one kind of fields; what cannot be known there is ``None``.

    Attributes:
        mean_iou: of the cells found with the truth; of single cells of all, a missed one counting 0.
        count_error: mean difference of the numbers of cells found and true, per field.
        false_cells_per_field: in fields without cells.
        intervals: bootstrap intervals over fields, by the name of the metric.
        recall_by_overlap: by the share of a cell that lies under others, see ``training.evaluation.segmenter``.
        recall_by_diameter: by the diameter in pixels at a 640 px input, ``LOW_HIGH``.
    """

    n_images: int
    cells: int | None = None
    recall: float | None = None
    precision: float | None = None
    f1: float | None = None
    mean_iou: float | None = None
    count_error: float | None = None
    mask_map50: float | None = None
    mask_map50_95: float | None = None
    false_cells_per_field: float | None = None
    intervals: dict[str, Interval] = field(default_factory=dict)
    recall_by_overlap: dict[str, RecallOf] = field(default_factory=dict)
    recall_by_diameter: dict[str, RecallOf] = field(default_factory=dict)


@dataclass(frozen=True, config=STRICT)
class CurvePoint:
    """Recall, precision and F1 at a confidence."""

    confidence: float
    recall: float
    precision: float
    f1: float


@dataclass(frozen=True, config=STRICT)
class ChosenConfidence:
    """The default confidence: the lowest whose F1 on the validation fields is within a tolerance of the highest."""

    value: float
    f1_tolerance: float


@dataclass(frozen=True, config=STRICT)
class SegmenterMetrics:
    """A segmenter's ``metrics.json``.

    Attributes:
        datasets: by ``composed``, ``empty``, ``segpc``, ``bccd`` and ``single_cells``; those that were measured.
        precision_recall: on the validation fields.
        environment: version by package.
        command: what makes these metrics again.
        sha256: digests of the config and of the weights that were measured, by file name; none before release 0.2.
    """

    datasets: dict[str, FieldMetrics] = field(default_factory=dict)
    confidence: ChosenConfidence | None = None
    precision_recall: list[CurvePoint] = field(default_factory=list)
    environment: dict[str, str] = field(default_factory=dict)
    command: str = ""
    sha256: dict[str, str] = field(default_factory=dict)
