"""Show what a class brings that the classifier never saw, when its cells are cut from annotated fields and learned.

The steps are told in ``training/studies/missing_class.py``; a study that was stopped goes on where it stood. DIR gets
``missing_class.json`` and ``missing_class.md``, and the next classifier in ``DIR/classifier``. Look at the licence of
the fields before you give those weights away.

    python -m training.missing_class_study --model hub/bone-marrow-mobilenet --data SET --fields FIELDS --class PLM \
        --out DIR
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
from training.studies.missing_class import MissingClassStudy, markdown, run_study

SEGMENTER = ROOT / "hub" / "bone-marrow-yolov8-seg"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; return the exit code."""
    command = Command("missing_class_study", __doc__)
    command.add_argument("--model", required=True, help="classifier: Hub id or folder")
    command.add_argument("--data", required=True, help="data set that it was trained on: folder or Hub id")
    command.add_argument("--fields", type=Path, required=True, help="fields in which every cell of the class is marked")
    command.add_argument("--class", dest="code", required=True, help="its code")
    command.add_argument("--out", required=True, help="folder for the cells, the next classifier and the table")
    command.add_argument("--segmenter", default=str(SEGMENTER), help="Hub id or folder; the embedded release")
    command.add_argument("--unknown", help="data set of cells of no class, as for train_classifier")
    command.add_argument("--config", type=Path, default=CONFIG, help="TOML file; %(default)s")
    return command.run(_study, arguments)


def _study(options: argparse.Namespace) -> None:
    study = MissingClassStudy(**vars(options) | {"out": output_folder(options.out)})
    result = run_study(study)
    print(write_report(study.out, "missing_class", result, markdown(result)))


if __name__ == "__main__":
    sys.exit(main())
