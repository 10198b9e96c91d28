"""Show what corrections bring: a stain that the classifier is bad at, corrected as on the screen, and the next model.

The steps are told in ``training/studies/corrections.py``; a study that was stopped goes on where it stood. DIR gets
``correction.json`` and ``correction.md``, and the next classifier in ``DIR/classifier`` (``DIR/control`` is the one
without corrected cells).

    python -m training.correction_study --model hub/bone-marrow-mobilenet --data SET --out DIR
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from marrow.command import Command
from training.classifier.fine_tuning import CONFIG
from training.common.files import output_folder, write_report
from training.common.paths import ROOT
from training.studies.corrections import CorrectionStudy, markdown, run_study

SEGMENTER = ROOT / "hub" / "bone-marrow-yolov8-seg"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; return the exit code."""
    command = Command("correction_study", __doc__)
    command.add_argument("--model", required=True, help="classifier: Hub id or folder")
    command.add_argument("--data", required=True, help="data set that it was trained on: folder or Hub id")
    command.add_argument("--out", required=True, help="folder for the flags, the next classifier and the table")
    command.add_argument("--segmenter", default=str(SEGMENTER), help="Hub id or folder; the embedded release")
    command.add_argument("--unknown", help="data set of cells of no class, as for train_classifier")
    command.add_argument("--config", type=Path, default=CONFIG, help="TOML file; %(default)s")
    command.add_argument("--cells", type=int, default=200, help="cells that the simulated person names; %(default)s")
    return command.run(_study, arguments)


def _study(options: argparse.Namespace) -> None:
    study = CorrectionStudy(**vars(options) | {"out": output_folder(options.out)})
    result = run_study(study)
    print(write_report(study.out, "correction", result, markdown(result)))


if __name__ == "__main__":
    sys.exit(main())
