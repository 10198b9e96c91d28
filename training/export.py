"""Turn a finished training run into a Hub folder.

python -m training.export classifier --run-dir RUN --output-dir hub/bone-marrow-mobilenet
python -m training.export segmenter --run-dir RUN --output-dir hub/bone-marrow-yolov8-seg
python -m training.export keras --model hub/bone-marrow-mobilenet --out model.keras

What ``classifier`` and ``segmenter`` write is loaded only after ``training.measure`` has chosen its thresholds.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from marrow.command import Command
from marrow.errors import MarrowError
from training.common.files import output_folder
from training.common.model_folder import OUTDATED, replaced


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return the exit code."""
    command = Command("export", __doc__)
    kinds = command.add_subparsers(dest="kind", required=True)
    for kind in ("classifier", "segmenter"):
        one = kinds.add_parser(kind)
        one.add_argument("--run-dir", type=Path, required=True)
        one.add_argument("--output-dir", required=True)
    one = kinds.add_parser("keras")
    one.add_argument("--model", type=Path, required=True)
    one.add_argument("--out", type=Path, required=True)
    return command.run(work, arguments)


def work(options: argparse.Namespace) -> None:
    """Export what is asked for; Keras and torchvision cannot live in one process, so each is imported when needed."""
    try:
        if options.kind == "keras":
            from training.release.keras_export import export_keras

            export_keras(options.model, options.out)
        elif options.kind == "classifier":
            from training.release.classifier_export import export_classifier

            with replaced(output_folder(options.output_dir), anew=True, dropped=OUTDATED) as folder:
                export_classifier(options.run_dir, folder)
        else:
            from training.release.segmenter_export import export_segmenter

            with replaced(output_folder(options.output_dir), anew=True, dropped=OUTDATED) as folder:
                export_segmenter(options.run_dir, folder)
    except OSError as error:
        raise MarrowError(str(error)) from error


if __name__ == "__main__":
    sys.exit(main())
