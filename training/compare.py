"""Train a list of experiments on the same split and lay them side by side.

Each experiment runs in a process of its own; one that is finished in DIR is not run again, and one that was stopped
goes on after its last epoch. DIR gets ``comparison.json``, ``comparison.md`` and ``comparison.png``. Everything is
measured on the validation split: the test split is left for the release.

    python -m training.compare --data SET --configs training/configs/study/*.toml --out DIR [--subset N] [--size PX]
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from marrow.command import Command
from training.common.files import output_folder, report_names
from training.studies.architectures import compare, read_experiments, write_comparison

OVERRIDES = ("size", "epochs", "seed")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; return the exit code."""
    command = Command("compare", __doc__)
    command.add_argument("--data", required=True, help="folder written by bone_marrow_12.py, or a Hub id")
    command.add_argument(
        "--configs", nargs="+", type=Path, required=True, help="TOML files, as in training/configs/study/"
    )
    command.add_argument("--out", required=True, help="folder for the runs, the table and the plot")
    command.add_argument("--subset", type=int, help="training cells of each class at most")
    command.add_argument("--size", type=int, help="side of the crop in pixels, for all")
    command.add_argument("--epochs", type=int, help="for all, instead of what the configs say")
    command.add_argument("--seed", type=int, help="for all")
    command.add_argument("--imagenet", help="MobileNetV2 .weights.h5 file to use for `imagenet`, instead of a download")
    return command.run(_compare, arguments)


def _compare(options: argparse.Namespace) -> None:
    overrides = {name: getattr(options, name) for name in OVERRIDES}
    experiments = read_experiments(options.configs, options.imagenet, **overrides)
    out = output_folder(options.out, report_names("comparison"))
    rows = compare(experiments, options.data, out, options.subset)
    given = {"subset": options.subset, **overrides}
    again = "python -m training.compare --data DATA --configs training/configs/study/*.toml --out DIR"
    again += "".join(f" --{name} {value}" for name, value in given.items() if value is not None)
    print(write_comparison(rows, options.subset, again, out))


if __name__ == "__main__":
    sys.exit(main())
