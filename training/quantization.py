"""Compare the number formats that a model can be stored and run in: single and half precision, and eight bits.

Writes ``quantization.json`` and ``quantization.md`` into the model's folder. For a segmenter, ``--keep`` makes one of
the variants its ``model.onnx``; ``chosen`` is the fastest whose results stay the same within the tolerances of
``training/studies/segmenter_quantization.py``.

    python -m training.quantization segmenter --model hub/bone-marrow-yolov8-seg --data FIELDS [--keep chosen]
    python -m training.quantization classifier --model hub/bone-marrow-mobilenet --data DATASET
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from marrow.command import Command
from training.common.files import write_report
from training.common.model_folder import check_model_folder
from training.studies import classifier_quantization, segmenter_quantization


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; return the exit code."""
    command = Command("quantization", __doc__)
    kinds = command.add_subparsers(dest="kind", required=True, metavar="segmenter|classifier")
    segmenter = kinds.add_parser("segmenter", help="time, mask mAP50 and overlap with ultralytics", doc=__doc__)
    segmenter.add_argument("--model", type=Path, required=True, help="Hub folder of a segmenter, with model.pt")
    segmenter.add_argument("--data", type=Path, required=True, help="folder written by smear_fields.py")
    segmenter.add_argument("--fields", type=int, default=80, help="composed test fields to measure on (%(default)s)")
    segmenter.add_argument("--keep", choices=("f32", "f16", "int8", "chosen"), help="make this the model.onnx")
    classifier = kinds.add_parser("classifier", help="time, accuracy and names that change", doc=__doc__)
    classifier.add_argument("--model", type=Path, required=True, help="Hub folder of a classifier")
    classifier.add_argument("--data", required=True, help="data set that bone_marrow_12.py built")
    return command.run(_study, arguments)


def _study(options: argparse.Namespace) -> None:
    check_model_folder(options.model)
    if options.kind == "segmenter":
        result = segmenter_quantization.study(options.model, options.data, options.fields, options.keep)
        text = segmenter_quantization.markdown(result)
    else:
        result = classifier_quantization.study(options.model, options.data)
        text = classifier_quantization.markdown(result)
    print(write_report(options.model, "quantization", result, text))


if __name__ == "__main__":
    sys.exit(main())
