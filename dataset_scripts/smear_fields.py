"""Compose smear fields of many, partly overlapping cells, with a mask for every nucleated cell.

The cells come from a data set that bone_marrow_12.py built, each split's fields from that split's cells, and some are
drawn. Real annotated fields can be mixed in (--fields DIR, once for each folder). The result has the YOLO segmentation
layout (images/SPLIT, labels/SPLIT, data.yaml) and COCO (annotations/instances_SPLIT.json).

    python dataset_scripts/smear_fields.py --data set --out fields --train 800 --validation 80 --test 80
"""

import argparse
import dataclasses
import os
import sys
from collections.abc import Sequence
from pathlib import Path

import cv2

from dataset_scripts.fields.field_set import FieldSet, write_field_set
from marrow.command import Command
from marrow.errors import MarrowError
from marrow.files import atomic_path
from marrow.hub import resolve


def compose(options: argparse.Namespace) -> None:
    """Compose and write the set that the command line asks for.

    Raises:
        MarrowError: an argument is no good, or the set cannot be read or written.
    """
    cv2.setNumThreads(1)  # OpenCV's threads and forked workers hang together
    if os.path.lexists(options.out):
        raise MarrowError(f"{options.out} exists: name a new folder with --out.")
    for source in (Path(options.data), *options.fields):
        if source.exists() and options.out.resolve().is_relative_to(source.resolve()):
            raise MarrowError(f"{options.out} lies in {source}, which is read: name another folder with --out.")
    if len({folder.resolve().name for folder in options.fields}) < len(options.fields):
        raise MarrowError("Two folders of --fields have the same name: rename one.")
    if options.outlines:
        resolve(options.outlines)  # pulled once, before the workers ask for it
    wanted = FieldSet(**{setting.name: getattr(options, setting.name) for setting in dataclasses.fields(FieldSet)})
    try:
        with atomic_path(options.out) as beside:
            write_field_set(wanted, beside)
    except OSError as error:
        raise MarrowError(f"The fields cannot be written ({error}): name another folder with --out.") from error
    print(f"wrote {sum(1 for _ in options.out.glob('images/*/*.jpg'))} fields to {options.out}")


def share(text: str) -> float:
    """Return a number from 0 to 1 from the command line."""
    value = float(text)
    if not 0 <= value <= 1:
        raise argparse.ArgumentTypeError(f"{text} is not a share: give a number from 0 to 1")
    return value


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; return the exit code (2 for bad input)."""
    command = Command("smear_fields", __doc__)
    command.add_argument("--data", required=True, help="folder written by bone_marrow_12.py, or a Hub id")
    command.add_argument("--out", type=Path, required=True, help="new folder to write")
    command.add_argument("--train", type=int, default=800, metavar="N", help="fields to compose")
    command.add_argument("--validation", type=int, default=80, metavar="N")
    command.add_argument("--test", type=int, default=80, metavar="N")
    command.add_argument("--size", type=int, default=640, help="side of a composed field in pixels")
    command.add_argument("--cells", type=int, default=3000, help="most cells to use of each source and split")
    command.add_argument("--overlap", type=share, default=0.3, help="most of a cell that may lie under others")
    command.add_argument("--empty", type=share, default=0.15, help="share of fields without nucleated cells")
    command.add_argument("--plain", action="store_true", help="cells as photographed, nothing drawn or altered")
    command.add_argument("--outlines", metavar="MODEL", help="segmenter to outline the cells with; colour by default")
    command.add_argument(
        "--fields",
        type=Path,
        action="append",
        default=[],
        metavar="DIR",
        help="annotated fields to mix in: YOLO boxes or polygons, COCO, or label images; may be repeated",
    )
    command.add_argument("--seed", type=int, default=0)
    return command.run(compose, arguments)


if __name__ == "__main__":
    sys.exit(main())
