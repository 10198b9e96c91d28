"""An exported classifier measured as any Transformers model is: with `evaluate`'s evaluator and the local metrics.

It goes through the Transformers pipeline, with none of the runtime, so it is an independent check on
``training.evaluation.classifier``; slower, and without calibration.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import datasets
import evaluate
from PIL import Image

from marrow.crop import CropConfig
from training.classifier.data import Cells
from training.common.files import read_json

METRIC = Path(__file__).parent / "metrics" / "cell_classification"


def evaluate_model(model: Path, cells: Cells, crop: bool = False) -> dict[str, Any]:
    """Run the evaluator on a classifier's Hub folder.

    Args:
        model: Hub folder in Transformers format.
        cells: what to measure on.
        crop: pass the pipeline cropped cells, as the runtime does, instead of whole images.

    Returns:
        The values of the metric, and the evaluator's times in seconds.

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
    # it passes a metric predictions and references alone, so classes come back by index
    values["labels"] = list(cells.codes)
    values["per_class"] = {cells.codes[int(index)]: one for index, one in values["per_class"].items()}
    return values
