r"""List the test images whose labels look wrong, for a person to decide.

Networks that did not learn these images, and that are other than the release, name them: variants of
training.laboratory_study. Where all of them contradict the label and hardly believe it, the image gets a number on a
contact sheet, ``OUT/suspicious_01.png`` and so on, and a row in ``OUT/suspicious_labels.json``. Look at the sheets, and
run the command again with the numbers of the labels that you find right.

    python -m training.suspicious_labels --data SET --runs out/left_out/*/classifier_left_out --laboratory MLL --out OUT
    python -m training.suspicious_labels … --right 3 17 25
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from marrow.command import Command
from marrow.errors import MarrowError
from training.common.files import output_folder


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; return the exit code."""
    command = Command("suspicious_labels", __doc__)
    command.add_argument("--data", required=True, help="folder written by bone_marrow_12.py, or a Hub id")
    command.add_argument("--split", default="test", help="%(default)s")
    command.add_argument("--laboratory", help="look at the images of this one alone")
    command.add_argument("--runs", nargs="+", type=Path, required=True, help="finished trainings, at least two")
    command.add_argument("--right", nargs="+", type=int, default=[], metavar="NUMBER", help="labels that are right")
    command.add_argument("--out", required=True, help="folder for the contact sheets and the list")
    return command.run(_list, arguments)


def _list(options: argparse.Namespace) -> None:
    # brings half of the machine learning stack
    from training.classifier.data import load_cells, real_cells
    from training.classifier.training import name_cells
    from training.evaluation.suspicious import suspicious_labels, write_list, write_sheets

    if len({run.resolve() for run in options.runs}) < 2:
        raise MarrowError("One network is no second opinion: name at least two trainings with --runs.")
    out = output_folder(options.out, ["suspicious_labels.json"])
    cells = real_cells(load_cells(options.data, options.split))
    if options.laboratory:
        cells = cells.select(np.array([one == options.laboratory for one in cells.laboratories]))
    if not len(cells):
        raise MarrowError(f"There are no images of {options.laboratory} in {options.split}.")
    found = suspicious_labels(cells, [name_cells(run, cells) for run in options.runs])
    write_sheets(cells, found, out)
    written = write_list(out / "suspicious_labels.json", list(found.values()), options.right)
    print(f"{written} of {len(cells)} labels look wrong: {out / 'suspicious_labels.json'}")


if __name__ == "__main__":
    sys.exit(main())
