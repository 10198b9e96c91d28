"""Lay the released segmenter beside stock YOLOv8 and beside a threshold with watershed, on the same images.

python -m training.compare_segmenters --data FIELDS --model hub/bone-marrow-yolov8-seg --stock HUB_FOLDER
    [--benchmarks BENCHMARKS]

``--stock`` names what ``python -m training.train_segmenter --config training/configs/segmenter_stock.toml
--classifier none --data FIELDS --output-dir HUB_FOLDER`` wrote: a ``yolov8n-seg`` trained on the same fields. Each of
the three is used at its own confidence, chosen on the same validation fields. The folder of ``--model`` gets
``comparison.json`` and ``comparison.md``.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import Any

from marrow.errors import MarrowError
from marrow.segmenter import Segmenter
from training.common.files import read_json, write_json, write_text
from training.common.markdown import table, with_interval
from training.compare import machine
from training.evaluation.ground_truth import coco_fields
from training.evaluation.segmenter import Outliner, choose_confidence, measure_outliner
from training.evaluation.watershed import outline_cells

TIMED = 12  # fields to take the median time of
# data set, figure, head of the column; in the order of the table
COLUMNS = (
    ("composed fields", "mask_map50", "composed: mask mAP50"),
    ("composed fields", "mask_map50_95", "mAP50-95"),
    ("composed fields", "count_error", "count error per field"),
    ("empty composed fields", "false_cells_per_field", "empty: false cells per field"),
    ("SegPC-2021 plasma cells", "recall", "SegPC: recall"),
    ("SegPC-2021 plasma cells", "mean_iou", "mean IoU"),
    ("BCCD white cells, boxes (test part)", "recall", "BCCD: recall"),
    ("BCCD white cells, boxes (test part)", "precision", "precision"),
    ("single white cells (Zheng et al. 2018)", "mean_iou", "single cells: mean IoU"),
)


def compare(outliners: Mapping[str, Outliner], data: Path, benchmarks: Path | None) -> list[dict[str, Any]]:
    """Measure each at the confidence that is best for it on the validation fields.

    Args:
        outliners: by name.
        data: folder that ``smear_fields.py`` wrote.
        benchmarks: as in ``training.measure``.

    Returns:
        For each its name, confidence, milliseconds per field, and figures.
    """
    rows = []
    for name, outliner in outliners.items():
        print(name, flush=True)
        confidence, _ = choose_confidence(outliner, data)
        rows.append(
            {
                "name": name,
                "confidence": confidence,
                "ms_per_field": _milliseconds(outliner, data, confidence),
                "datasets": measure_outliner(outliner, confidence, data, benchmarks),
            }
        )
    return rows


def _milliseconds(outliner: Outliner, data: Path, confidence: float) -> float:
    times = []
    for field in coco_fields(data, "test")[:TIMED]:
        image = field.image()
        start = perf_counter()
        outliner(image, confidence)
        times.append(1000 * (perf_counter() - start))
    return round(median(times), 1)


def markdown(comparison: Mapping[str, Any]) -> str:
    """Return ``comparison.json`` as Markdown: a row for each, a column for each figure that any has."""
    rows = comparison["rows"]
    columns = [
        (part, key, head)
        for part, key, head in COLUMNS
        if any(row["datasets"].get(part, {}).get(key) is not None for row in rows)
    ]
    lines = [
        [
            row["name"],
            row["confidence"],
            *(with_interval(row["datasets"].get(part, {}), key) for part, key, _ in columns),
            row["ms_per_field"],
        ]
        for row in rows
    ]
    head = ["outlined by", "confidence", *(head for _, _, head in columns), "ms per field"]
    command = f"```sh\n{comparison['command']}\n```"
    return f"{table(head, lines)}\n\n{command}\n"


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line; return the exit code (2 for bad input)."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--data", type=Path, required=True, help="folder written by smear_fields.py")
    parser.add_argument("--model", type=Path, required=True, help="Hub folder of the segmenter; the table goes there")
    parser.add_argument("--stock", type=Path, help="Hub folder of a stock yolov8n-seg trained on the same data")
    parser.add_argument("--benchmarks", type=Path, help="folder of real images kept out of training")
    args = parser.parse_args(argv)
    try:
        if args.benchmarks and not args.benchmarks.is_dir():
            raise MarrowError(f"There is no folder {args.benchmarks}: name one with --benchmarks, or leave it out.")
        outliners: dict[str, Outliner] = {"this model": Segmenter.from_pretrained(str(args.model))}
        if args.stock:
            trained_on = [read_json(folder / "config.json")["trained_on"] for folder in (args.model, args.stock)]
            if trained_on[0] != trained_on[1]:
                raise MarrowError(f"{args.model} and {args.stock} were trained on different fields: train one again.")
            outliners["stock YOLOv8n-seg, random start"] = Segmenter.from_pretrained(str(args.stock))
        outliners["threshold and watershed"] = outline_cells
        rows = compare(outliners, args.data, args.benchmarks)
    except MarrowError as error:
        print(f"compare_segmenters: {error}", file=sys.stderr)
        return 2
    command = "python -m training.compare_segmenters --data DATA --model hub/bone-marrow-yolov8-seg"
    command += " --stock STOCK" * bool(args.stock) + " --benchmarks BENCHMARKS" * bool(args.benchmarks)
    comparison = {"command": command, "machine": machine(), "rows": rows}
    write_json(args.model / "comparison.json", comparison)
    write_text(args.model / "comparison.md", markdown(comparison))
    print(markdown(comparison))
    return 0


if __name__ == "__main__":
    sys.exit(main())
