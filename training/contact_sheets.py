"""Draw what the segmenter outlines and what the classifier names, to be judged by eye.

``real`` draws contact sheets of every real field: those are pictures of patients' cells under their own licences, so
they stay out of the repository. ``drawn`` writes ``successes.png`` and ``failures.png`` for the card into the model's
folder. ``names`` draws the cells of laboratories that the classifier was not trained on, each with its truth, its name
and the probability; they stay out of the repository too. ``example`` draws real fields of BCCD (MIT) for the README.

    python -m training.contact_sheets real --model hub/bone-marrow-yolov8-seg --benchmarks BENCHMARKS
    python -m training.contact_sheets drawn --model hub/bone-marrow-yolov8-seg
    python -m training.contact_sheets names --classifier hub/bone-marrow-mobilenet --benchmarks BENCHMARKS
    python -m training.contact_sheets example --benchmarks BENCHMARKS --out model_cards/figures
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from marrow.classifier import Classifier
from marrow.command import Command
from marrow.pipeline import Models
from marrow.segmenter import Segmenter
from training.common.files import output_folder
from training.evaluation.contact_sheets import DRAWN, DRAWN_SHEETS, write_drawn_sheets, write_real_sheets
from training.evaluation.foreign import laboratories_trained_on, load_foreign
from training.evaluation.name_sheets import write_name_sheets, write_real_example


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; return the exit code."""
    command = Command("contact_sheets", __doc__)
    command.add_argument("what", choices=("real", "drawn", "names", "example"))
    command.add_argument("--model", default="hub/bone-marrow-yolov8-seg", help="folder or Hub id of a segmenter")
    command.add_argument("--classifier", default="hub/bone-marrow-mobilenet", help="folder or Hub id, for names")
    command.add_argument("--benchmarks", type=Path, default=Path("../shared/data"), help="folder of real fields")
    command.add_argument("--confidence", type=float, help="lowest score to draw; the model's own by default")
    command.add_argument("--fields", type=int, default=DRAWN, help="drawn fields to choose from (%(default)s)")
    command.add_argument("--out", help="folder to write; the model's for drawn fields, else out/contact_sheets")
    return command.run(_draw, arguments)


def _draw(options: argparse.Namespace) -> None:
    drawn = options.what == "drawn"
    named = {"drawn": DRAWN_SHEETS, "example": ("real_blood.png",)}.get(options.what, ())
    out = output_folder(options.out or (options.model if drawn else "out/contact_sheets"), named)
    segmenter = Segmenter.from_pretrained(options.model)
    confidence = segmenter.config.confidence if options.confidence is None else options.confidence
    match options.what:
        case "real":
            write_real_sheets(segmenter, confidence, options.benchmarks, out)
        case "drawn":
            write_drawn_sheets(segmenter, confidence, out, options.fields)
        case "example":
            models = Models(segmenter, Classifier.from_pretrained(options.classifier))
            write_real_example(models, options.benchmarks, out)
        case "names":
            classifier = Classifier.from_pretrained(options.classifier)
            trained = laboratories_trained_on(classifier)
            laboratories = load_foreign(options.benchmarks, segmenter, classifier.labels, trained)
            write_name_sheets(classifier, laboratories, out)


if __name__ == "__main__":
    sys.exit(main())
