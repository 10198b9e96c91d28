"""Compare the outlines of single white cells with masks drawn by hand.

The folder holds N.jpg and N_mask.png (0 outside the cell, brighter than 64 inside), as in the sets of Zheng et al. 2018
(10.1016/j.micron.2018.01.010).

    python dataset_scripts/check_masks.py --masks FOLDER [--outlines MODEL] [--json]
"""

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path

from dataset_scripts.fields.outline_metrics import outline_metrics
from marrow.command import Command


def check(options: argparse.Namespace) -> None:
    """Measure the outlines and print what came out."""
    metrics = outline_metrics(options.masks, options.outlines)
    if options.json:
        print(json.dumps(metrics))
    else:
        print(
            f"{metrics['n_images']} cells: mean IoU {metrics['mean_iou']:.3f}, median {metrics['median_iou']:.3f}, "
            f"{metrics['share_above_0.8']:.0%} above 0.8"
        )


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; return the exit code (2 for bad input)."""
    command = Command("check_masks", __doc__)
    command.add_argument("--masks", type=Path, required=True, help="folder with N.jpg and N_mask.png")
    command.add_argument("--outlines", metavar="MODEL", help="segmenter to outline with; colour alone by default")
    command.add_argument("--json", action="store_true", help="print JSON")
    return command.run(check, arguments)


if __name__ == "__main__":
    sys.exit(main())
