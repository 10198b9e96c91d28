"""Cut the cells of one class from annotated fields, for bone_marrow_12.py.

    python dataset_scripts/cut_cells.py --fields DIR --class PLM --out CELLS --origin bone_marrow --laboratory NAME
    python dataset_scripts/bone_marrow_12.py --data-dir CELLS --data-dir … --out SET

DIR holds label images, YOLO boxes or polygons, or COCO, as smear_fields.py reads them. Where its objects are of several
classes, --category says which are cells of the class. Cells that the border of the field cuts stay out. CELLS holds
FIELD/crops/CODE/*.png: bone_marrow_12.py keeps the cells of one field in one split.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from PIL import Image
from tqdm import tqdm

from dataset_scripts.bone_marrow_12 import CODES_21, MARKER, ORIGINS
from dataset_scripts.fields.field import Field
from dataset_scripts.fields.formats import list_categories, read_fields
from marrow.command import Command
from marrow.crop import cut_square
from marrow.errors import MarrowError
from marrow.files import atomic_path
from marrow.geometry import mask_box

WINDOW = 1.7
"""Side of a picture in longer sides of its cell, as in the public archives: about 150 of 250 pixels."""

SMALLEST = 16
"""Pixels of the longer side under which a cell is too small to be named."""


def cut(options: argparse.Namespace) -> None:
    """Cut the cells out and say how many there are.

    Raises:
        MarrowError: the fields cannot be read, hold several classes or none of the cells, or the target is no good.
    """
    if os.path.lexists(options.out):
        raise MarrowError(f"cannot write {options.out}: it exists; name a new place with --out.")
    if options.out.resolve().is_relative_to(options.fields.resolve()):
        raise MarrowError(f"{options.out} lies in {options.fields}, which is read: name another folder with --out.")
    _check_category(options.fields, options.category)
    left_out: Counter[str] = Counter()
    written: Counter[str] = Counter()
    try:
        with atomic_path(options.out) as beside:
            beside.mkdir()
            note = {"origin": options.origin, "laboratory": options.laboratory or options.fields.resolve().name}
            (beside / MARKER).write_text(json.dumps(note) + "\n", encoding="utf-8")
            for name, field in tqdm(read_fields(options.fields, options.category), desc="fields"):
                for picture in cut_field(field, left_out):
                    written[name] += 1  # two files of COCO may hold the same field
                    folder = beside / name / "crops" / options.code
                    folder.mkdir(parents=True, exist_ok=True)
                    Image.fromarray(picture).save(folder / f"{written[name]:04d}.png")
            if not written:
                raise MarrowError(f"There are no cells to cut out in {options.fields}: {_listed(left_out)}.")
    except OSError as error:
        raise MarrowError(f"cannot write {options.out}: {error.strerror}; choose another place.") from error
    print(f"{written.total()} cells of {options.code} in {options.out}; left out: {_listed(left_out)}")


def cut_field(field: Field, left_out: Counter[str]) -> Iterator[np.ndarray]:
    """Cut the cells of a field out, at its own scale.

    Args:
        field: the field.
        left_out: counts the cells that stay out, by reason.

    Yields:
        ``(side, side, 3)`` uint8 RGB with the cell in the middle; the field's median colour lies beyond its border.
    """
    height, width = field.labels.shape
    ground = np.median(field.image.reshape(-1, 3), axis=0).tolist()
    for number in range(1, int(field.labels.max()) + 1):
        mask = field.labels == number
        if not mask.any():
            continue
        x0, y0, x1, y1 = (round(side) for side in mask_box(mask))
        longer = max(x1 - x0, y1 - y0)
        if min(x0, y0) <= 1 or x1 >= width - 1 or y1 >= height - 1:  # a polygon ends a pixel before the border
            left_out["cut by the border"] += 1
        elif longer < SMALLEST:
            left_out[f"smaller than {SMALLEST} pixels"] += 1
        else:
            side = round(WINDOW * longer)
            left, top = (x0 + x1 - side) // 2, (y0 + y1 - side) // 2
            yield cut_square(field.image, (left, top, left + side, top + side), side, side, ground)


def _check_category(fields: Path, category: str | None) -> None:
    known = list_categories(fields)
    if category is None and len(known) > 1:
        raise MarrowError(f"The objects in {fields} are of several classes: name one with --category: {_some(known)}.")
    if category is not None and category not in known:
        named = f"it has {_some(known)}" if known else "label images name no classes"
        raise MarrowError(f"There is no class {category!r} in {fields}: {named}.")


def _some(names: Sequence[str]) -> str:
    return ", ".join(names[:20]) + (", …" if len(names) > 20 else "")


def _listed(left_out: Counter[str]) -> str:
    return ", ".join(f"{n} {reason}" for reason, n in sorted(left_out.items())) or "none"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; return the exit code (2 for bad input)."""
    command = Command("cut_cells", __doc__)
    command.add_argument("--fields", type=Path, required=True, help="folder of annotated fields")
    command.add_argument("--class", dest="code", choices=CODES_21, required=True, metavar="CODE", help="their class")
    command.add_argument("--category", help="name (COCO) or number (YOLO) of the objects that are cells of the class")
    command.add_argument("--out", type=Path, required=True, help="new folder to write")
    command.add_argument("--origin", choices=ORIGINS, default="unknown", help="where the cells are from (%(default)s)")
    command.add_argument("--laboratory", help="who stained and photographed them; by default the name of the folder")
    return command.run(cut, arguments)


if __name__ == "__main__":
    sys.exit(main())
