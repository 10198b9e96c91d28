"""Measure an exported classifier as any Transformers model is measured: with `evaluate`'s evaluator and local metrics.

python -m training.evaluator --model hub/bone-marrow-mobilenet --data SET [--split test] [--crop]

Prints the figures of ``training/evaluation/metrics/cell_classification`` as JSON. It goes through the
Transformers pipeline, with none of the runtime, so it is an independent check on ``training.measure``;
slower, and without calibration.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import datasets
import evaluate
from PIL import Image

from marrow.crop import CropConfig
from marrow.errors import MarrowError
from training.classifier.data import Cells, load_cells, real_cells
from training.common.files import read_json

METRIC = Path(__file__).parent / "evaluation" / "metrics" / "cell_classification"


def evaluate_model(model: Path, cells: Cells, crop: bool = False) -> dict[str, Any]:
    """Run the evaluator on a classifier's Hub folder.

    Args:
        model: Hub folder in Transformers format.
        cells: what to measure on.
        crop: give the pipeline cropped cells, as the runtime does, instead of whole images.

    Returns:
        The figures of the metric, and the evaluator's times in seconds.

    Raises:
        MarrowError: the folder holds no such model.
    """
    config = read_json(model / "config.json")
    images = cells.crops(CropConfig(**config["crop"])) if crop else cells.images
    part = datasets.Dataset.from_dict(
        {"image": [Image.fromarray(image) for image in images], "label": cells.labels.tolist()},
        features=datasets.Features({"image": datasets.Image(), "label": datasets.ClassLabel(names=list(cells.codes))}),
    )
    # a path, and not a model: the evaluator tells models apart by a class that Transformers 5 no longer has
    values = evaluate.evaluator("image-classification").compute(
        model_or_pipeline=str(model),
        data=part,
        metric=evaluate.load(str(METRIC)),
        label_mapping=config["label2id"],
    )
    # it gives a metric predictions and references alone, so classes come back by index
    values["labels"] = list(cells.codes)
    values["per_class"] = {cells.codes[int(index)]: figures for index, figures in values["per_class"].items()}
    return values


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line; return the exit code (2 for bad input)."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--model", type=Path, required=True, help="Hub folder of a classifier")
    parser.add_argument("--data", required=True, help="folder written by bone_marrow_12.py, or a Hub id")
    parser.add_argument("--split", default="test")
    parser.add_argument("--crop", action="store_true", help="crop the cells first, as the runtime does")
    args = parser.parse_args(argv)
    try:
        values = evaluate_model(args.model, real_cells(load_cells(args.data, args.split)), args.crop)
    except MarrowError as error:
        print(f"evaluator: {error}", file=sys.stderr)
        return 2
    print(json.dumps(values, indent=1))
    return 0


if __name__ == "__main__":
    sys.exit(main())
