"""Cut the cells of one class from annotated fields, for bone_marrow_12.py.

    python dataset_scripts/cut_cells.py --fields DIR --class PLM --out CELLS --origin bone_marrow --laboratory NAME
    python dataset_scripts/bone_marrow_12.py --data-dir CELLS --data-dir … --out SET

DIR holds label images, YOLO boxes or polygons, or COCO, as smear_fields.py reads them. Where its objects are of several
classes, --category says which are cells of the class. Cells that the border of the field cuts stay out. CELLS holds
FIELD/crops/CODE/*.png: bone_marrow_12.py keeps the cells of one field in one split.

Where each field shows one cell, and a table says of which class, --names CSV takes the place of --class: its columns
are ``file`` and ``codes``, and of ``A|B``, two classes that nobody told apart, the first counts. --part train leaves
out the fields that smear_fields.py keeps for validation and test.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from PIL import Image
from tqdm import tqdm

from dataset_scripts.bone_marrow_12 import CODES_21, MARKER, ORIGINS, SPLITS
from dataset_scripts.fields.field import Field
from dataset_scripts.fields.formats import field_name, list_categories, read_fields
from dataset_scripts.fields.splits import split_boxed
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
    names = read_names(options.names) if options.names else {}
    left_out: Counter[str] = Counter()
    written: Counter[str] = Counter()
    try:
        with atomic_path(options.out) as beside:
            beside.mkdir()
            note = {"origin": options.origin, "laboratory": options.laboratory or options.fields.resolve().name}
            (beside / MARKER).write_text(json.dumps(note) + "\n", encoding="utf-8")
            for name, field in tqdm(_chosen(options), desc="fields"):
                code = options.code or _named(name, field, names, left_out)
                for picture in cut_field(field, left_out) if code else ():
                    written[name] += 1  # two files of COCO may hold the same field
                    folder = beside / name / "crops" / code
                    folder.mkdir(parents=True, exist_ok=True)
                    Image.fromarray(picture).save(folder / f"{written[name]:04d}.png")
            if not written:
                raise MarrowError(f"There are no cells to cut out in {options.fields}: {_listed(left_out)}.")
    except OSError as error:
        raise MarrowError(f"cannot write {options.out}: {error.strerror}; choose another place.") from error
    of = options.code or options.names.name
    print(f"{written.total()} cells of {of} in {options.out}; left out: {_listed(left_out)}")


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


def read_names(table: Path) -> dict[str, str]:
    """Read the class of the cell of each field, by the field's name.

    Raises:
        MarrowError: the table cannot be read, or names what is no class.
    """
    try:
        with table.open(encoding="utf-8", newline="") as lines:
            names = {field_name(row["file"]): row["codes"].split("|")[0] for row in csv.DictReader(lines)}
    except (OSError, UnicodeError, csv.Error, KeyError, AttributeError) as error:
        raise MarrowError(
            f"{table} cannot be read: give --names a CSV file with the columns file and codes."
        ) from error
    if unknown := sorted(set(names.values()) - set(CODES_21)):
        raise MarrowError(f"{table} names {_some(unknown)}, which is no class: use {', '.join(CODES_21)}.")
    return names


def _named(name: str, field: Field, names: dict[str, str], left_out: Counter[str]) -> str | None:
    if name not in names:
        left_out["in fields without a name"] += 1
    elif len(np.unique(field.labels[field.labels > 0])) > 1:
        left_out["in fields of several cells"] += 1
    else:
        return names[name]
    return None


def _chosen(options: argparse.Namespace) -> Iterator[tuple[str, Field]]:
    fields = read_fields(options.fields, options.category)
    if options.part is None:
        return fields
    return ((name, field) for part, name, field in split_boxed(fields) if part == options.part)


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
    named = command.add_mutually_exclusive_group(required=True)
    named.add_argument("--class", dest="code", choices=CODES_21, metavar="CODE", help="their class")
    named.add_argument("--names", type=Path, metavar="CSV", help="class of the one cell of each field: file,codes")
    command.add_argument("--part", choices=SPLITS, help="take the fields of this part alone")
    command.add_argument("--category", help="name (COCO) or number (YOLO) of the objects that are cells of the class")
    command.add_argument("--out", type=Path, required=True, help="new folder to write")
    command.add_argument("--origin", choices=ORIGINS, default="unknown", help="where the cells are from (%(default)s)")
    command.add_argument("--laboratory", help="who stained and photographed them; by default the name of the folder")
    return command.run(cut, arguments)


if __name__ == "__main__":
    sys.exit(main())
