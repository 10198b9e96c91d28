"""The segmenter beside others: stock YOLOv8, and a threshold with watershed, on the same fields.

Each is used at its own confidence, chosen on the same validation fields.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from statistics import median

from marrow.errors import MarrowError
from marrow.segmenter import Segmenter
from training.common.environment import machine
from training.common.files import read_json, write_report
from training.common.markdown import table, with_interval
from training.common.metrics_schema import to_plain
from training.common.segmenter_schema import FieldMetrics
from training.common.timing import median_milliseconds
from training.evaluation.ground_truth import coco_fields
from training.evaluation.segmenter import Outliner, choose_confidence, measure_outliner
from training.evaluation.watershed import outline_cells

TIMED = 12  # fields to take the median time of
# kind of fields, metric, head of the column; in the order of the table
COLUMNS = (
    ("composed", "mask_map50", "composed: mask mAP50"),
    ("composed", "mask_map50_95", "mAP50-95"),
    ("composed", "count_error", "count error per field"),
    ("empty", "false_cells_per_field", "empty: false cells per field"),
    ("segpc", "recall", "SegPC: recall"),
    ("segpc", "mean_iou", "mean IoU"),
    ("bccd", "recall", "BCCD: recall"),
    ("bccd", "precision", "precision"),
    ("single_cells", "mean_iou", "single cells: mean IoU"),
)


@dataclass(frozen=True)
class Row:
    """One way of outlining cells: its name, its confidence, and what was measured at it."""

    name: str
    confidence: float
    ms_per_field: float
    datasets: dict[str, FieldMetrics]


def open_outliners(model: Path, stock: Path | None) -> dict[str, Outliner]:
    """Open the segmenter, the stock one if there is one, and the baseline, by name.

    Args:
        model: Hub folder of the segmenter.
        stock: Hub folder of a stock ``yolov8n-seg`` trained on the same fields.

    Raises:
        MarrowError: a folder holds no segmenter, or the two were trained on different fields.
    """
    outliners: dict[str, Outliner] = {"this model": Segmenter.from_pretrained(str(model))}
    if stock:
        if read_json(model / "config.json")["trained_on"] != read_json(stock / "config.json")["trained_on"]:
            raise MarrowError(f"{model} and {stock} were trained on different fields: train one again.")
        outliners["stock YOLOv8n-seg, random start"] = Segmenter.from_pretrained(str(stock))
    return outliners | {"threshold and watershed": outline_cells}


def compare(outliners: Mapping[str, Outliner], data: Path, benchmarks: Path | None) -> list[Row]:
    """Measure each at the confidence that is best for it on the validation fields.

    Args:
        outliners: by name.
        data: folder that ``smear_fields.py`` wrote.
        benchmarks: as in ``training.measure``.
    """
    rows = []
    for name, outliner in outliners.items():
        print(name, flush=True)
        confidence, _ = choose_confidence(outliner, data)
        milliseconds = _milliseconds(outliner, data, confidence)
        rows.append(Row(name, confidence, milliseconds, measure_outliner(outliner, confidence, data, benchmarks)))
    return rows


def _milliseconds(outliner: Outliner, data: Path, confidence: float) -> float:
    images = [field.image() for field in coco_fields(data, "test")[:TIMED]]
    return round(median(median_milliseconds(partial(outliner, image, confidence), 1) for image in images), 1)


def markdown(rows: Sequence[Row], command: str) -> str:
    """Return a comparison as Markdown: a row for each way, a column for each metric that any has."""
    columns = [
        (kind, metric, head)
        for kind, metric, head in COLUMNS
        if any(kind in row.datasets and getattr(row.datasets[kind], metric) is not None for row in rows)
    ]
    lines = []
    for row in rows:
        metrics = [_cell(row.datasets.get(kind), metric) for kind, metric, _ in columns]
        lines.append([row.name, row.confidence, *metrics, row.ms_per_field])
    head = ["outlined by", "confidence", *(head for _, _, head in columns), "ms per field"]
    return f"{table(head, lines)}\n\n```sh\n{command}\n```\n"


def _cell(metrics: FieldMetrics | None, name: str) -> str:
    return with_interval(getattr(metrics, name), metrics.intervals.get(name)) if metrics else with_interval(None, None)


def write_comparison(rows: Sequence[Row], command: str, out: Path) -> str:
    """Write ``comparison.json`` and ``comparison.md``; return the Markdown.

    Args:
        rows: as :func:`compare` returns them.
        command: what makes the comparison again.
        out: folder to write.
    """
    comparison = {"command": command, "machine": machine(), "rows": [to_plain(row) for row in rows]}
    return write_report(out, "comparison", comparison, markdown(rows, command))
