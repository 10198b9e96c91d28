"""Draw stained blood and marrow cells of twelve classes, with masks.

For trying the whole chain, and for tests and demonstrations, where there are no images of patients. Drawn cells
resemble Wright or May-Grünwald-Giemsa stained cells in size, colour, nucleus shape and texture; they prove nothing
about how well a model works on real ones. Beside the cells lies origin.json, by which bone_marrow_12.py knows them as
drawn.

    python dataset_scripts/synthetic_cells.py --out DIR --per-class 60 --fields 10
    python dataset_scripts/synthetic_cells.py --plate dataset_scripts/figures/plate.jpg --seed 5
"""

import argparse
import json
import os
import sys
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np

from dataset_scripts.drawing.pictures import CODES, draw_field, draw_plate, draw_single
from marrow.command import Command
from marrow.errors import MarrowError
from marrow.files import atomic_path

JPEG_QUALITY = 92
ORIGIN = {"origin": "drawn", "laboratory": "drawn"}


def write_image(path: Path, image: np.ndarray) -> None:
    """Write a picture, RGB or 16-bit grey."""
    pixels = cv2.cvtColor(image, cv2.COLOR_RGB2BGR) if image.ndim == 3 else image
    options = [] if path.suffix.lower() == ".png" else [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY]
    _, data = cv2.imencode(path.suffix, pixels, options)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data.tobytes())


def write_set(out: Path, per_class: int, fields: int, seed: int, codes: Sequence[str] = CODES) -> None:
    """Write ``CODE/CODE_00001.jpg`` and so on, and ``fields/images/*.jpg`` with ``fields/labels/*.png`` (16-bit ids).

    Every picture has a random generator of its own, so that a larger set contains the smaller one.
    """
    out.mkdir()
    (out / "origin.json").write_text(json.dumps(ORIGIN) + "\n", encoding="utf-8")
    for class_number, code in enumerate(CODES):
        if code not in codes:
            continue
        for k in range(1, per_class + 1):
            rng = np.random.default_rng([seed, class_number, k])
            write_image(out / code / f"{code}_{k:05d}.jpg", draw_single(code, rng))
    for k in range(1, fields + 1):
        rng = np.random.default_rng([seed, len(CODES), k])
        field = draw_field(rng, cells=int(rng.integers(3, 31)))
        write_image(out / "fields" / "images" / f"field_{k:05d}.jpg", field.image)
        write_image(out / "fields" / "labels" / f"field_{k:05d}.png", field.labels.astype(np.uint16))


def draw(options: argparse.Namespace) -> None:
    """Draw what the command line asks for.

    Raises:
        MarrowError: nothing is asked for, something is there already, or a file cannot be written.
    """
    if not options.out and not options.plate:
        raise MarrowError("Nothing to draw: give --out DIR, --plate FILE, or both.")
    if options.plate and options.plate.suffix.lower() not in (".png", ".jpg", ".jpeg"):
        raise MarrowError(f"--plate {options.plate}: end the file name in .png or .jpg.")
    for name, target in (("--out", options.out), ("--plate", options.plate)):
        if target and os.path.lexists(target):
            raise MarrowError(f"cannot write {target}: it exists; name a new place with {name}.")
    try:
        if options.out:
            with atomic_path(options.out) as beside:
                write_set(beside, options.per_class, options.fields, options.seed, options.classes)
        if options.plate:
            with atomic_path(options.plate) as beside:
                write_image(beside, draw_plate(np.random.default_rng(options.seed)))
    except OSError as error:
        raise MarrowError(f"cannot write {error.filename}: {error.strerror}; choose another place.") from error


def not_negative(text: str) -> int:
    """Return a whole number from the command line that is 0 or larger."""
    if not text.isdecimal():
        raise argparse.ArgumentTypeError("give a number that is 0 or larger")
    return int(text)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; return the exit code, 2 when the arguments or the target are no good."""
    command = Command("synthetic_cells", __doc__)
    command.add_argument("--out", type=Path, help="new folder to write CODE/CODE_00001.jpg and fields/ to")
    command.add_argument("--per-class", type=not_negative, default=60, help="single-cell images per class")
    command.add_argument("--classes", nargs="+", choices=CODES, default=CODES, metavar="CODE", help="classes to draw")
    command.add_argument("--fields", type=not_negative, default=0, help="microscope fields with masks")
    command.add_argument("--seed", type=not_negative, default=0, help="same seed, same files")
    command.add_argument(
        "--plate", type=Path, help="write a plate of all classes with their names to this .png or .jpg"
    )
    return command.run(draw, arguments)


if __name__ == "__main__":
    sys.exit(main())
