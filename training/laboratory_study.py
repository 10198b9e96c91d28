r"""Train variants of the classifier, and lay side by side how each names cells in laboratories that were left out.

Each variant runs in a process of its own, once for each seed; one that is finished in OUT is not run again, and one
that was stopped goes on after its last epoch. OUT gets ``laboratories.json``, ``laboratories.md`` and
``laboratories.png``.

    python -m training.laboratory_study --data SET --benchmarks DIR --configs training/configs/laboratories/*.toml \
        --out OUT
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from marrow.command import Command
from training.classifier.pretrained import pull_published
from training.common.files import output_folder, report_names
from training.common.paths import ROOT
from training.studies.architectures import read_experiments
from training.studies.laboratories import study_laboratories, write_study

SEGMENTER = ROOT / "hub" / "bone-marrow-yolov8-seg"
PLACES = ("data", "unknown", "stains", "benchmarks", "segmenter", "resume_from")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; return the exit code."""
    command = Command("laboratory_study", __doc__)
    command.add_argument("--data", required=True, help="folder written by bone_marrow_12.py, or a Hub id")
    command.add_argument("--benchmarks", required=True, help="folder of real images kept out of training")
    command.add_argument("--configs", nargs="+", type=Path, required=True, help="TOML files, one for each variant")
    command.add_argument("--out", required=True, help="folder for the runs, the table and the plot")
    command.add_argument("--leave-out", nargs="*", default=[], metavar="LABORATORY", help="laboratories of the set")
    command.add_argument("--seeds", nargs="+", type=int, default=[0], help="of each variant (0)")
    command.add_argument("--unknown", help="data set of cells of no class, as for train_classifier")
    command.add_argument("--stains", help="folder of pictures that lend their colours, as for train_classifier")
    command.add_argument("--segmenter", default=str(SEGMENTER), help="Hub id or folder; the embedded release")
    command.add_argument("--imagenet", help="MobileNetV2 .weights.h5 file to use for `imagenet`, instead of a download")
    command.add_argument(
        "--resume-from", metavar="REF", help="classifier to go on from, which has not seen the laboratories either"
    )
    return command.run(_study, arguments)


def _study(options: argparse.Namespace) -> None:
    variants = {
        f"{name}-{seed}" if len(options.seeds) > 1 else name: replace(config, seed=seed)
        for name, config in read_experiments(options.configs, options.imagenet, base=_base(options)).items()
        for seed in options.seeds
    }
    out = output_folder(options.out, report_names("laboratories"))
    places = {name: getattr(options, name) for name in PLACES}
    rows = study_laboratories(variants, places, options.leave_out, out)
    optional = {name: f" --{name.replace('_', '-')} {name.upper()}" for name in ("unknown", "stains", "resume_from")}
    given = "".join(text for name, text in optional.items() if places[name])
    given += f" --leave-out {' '.join(options.leave_out)}" if options.leave_out else ""
    given += f" --seeds {' '.join(map(str, options.seeds))}" if options.seeds != [0] else ""
    again = f"python -m training.laboratory_study --data DATA --benchmarks DIR --configs *.toml --out OUT{given}"
    print(write_study(rows, again, out))


def _base(options: argparse.Namespace) -> dict[str, Any] | None:
    """Return the options that variants take over from the classifier that they go on from."""
    return pull_published(options.resume_from).options() if options.resume_from else None


if __name__ == "__main__":
    sys.exit(main())
