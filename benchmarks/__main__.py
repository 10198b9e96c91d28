"""Measure the embedded release, and keep the figures in benchmarks/results.json.

python -m benchmarks speed --cells out/release/set
python -m benchmarks batch --cells out/release/set
python -m benchmarks scale --data ../shared/data
python -m benchmarks browser --data ../shared/data
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from benchmarks.batch import batch_rows
from benchmarks.browser import browser_rows
from benchmarks.large import large_rows
from benchmarks.scale import mosaic_rows, read_fields, shift_rows, size_rows
from benchmarks.service import service_rows
from benchmarks.slicing import slicing_rows
from benchmarks.speed import FIELDS, speed_rows
from benchmarks.stages import stage_rows
from benchmarks.timed_fields import CELLS, compose, cut_out
from marrow.command import Command
from marrow.defaults import default_reference
from marrow.errors import MarrowError
from marrow.files import write_whole
from marrow.pipeline import Models
from marrow.segmenter import Segmenter
from training.common.environment import machine
from training.common.files import read_json

BATCH = 100
"""Fields of 30 cells that are analyzed in a row."""

RESULTS = Path(__file__).parent / "results.json"

Measure = Callable[[argparse.Namespace, Path], dict[str, Any]]


@dataclass(frozen=True)
class Part:
    """A part of the benchmarks: the option that it needs, about how many minutes it takes, and what measures it."""

    needs: str
    minutes: int
    measure: Measure


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; return the exit code."""
    command = Command("benchmarks", __doc__)
    command.add_argument("part", choices=PARTS, help="what to measure")
    command.add_argument("--data", help="folder of real fields; scale and browser need it")
    command.add_argument("--cells", help="data set of the cells of composed fields; speed and batch need it")
    command.add_argument("--fields", type=int, default=FIELDS, help="of each number of cells (%(default)s); of speed")
    command.add_argument("--pictures", type=Path, metavar="DIR", help="folder for pictures of the screen; of browser")
    command.add_argument("--out", type=Path, default=RESULTS, help="JSON file to keep the figures in (%(default)s)")
    return command.run(_measure, arguments)


def _measure(options: argparse.Namespace) -> None:
    part = PARTS[options.part]
    if not getattr(options, part.needs):
        raise MarrowError(f"{options.part} needs real images: name them with --{part.needs}.")
    known = read_json(options.out) if options.out.is_file() else {}
    print(f"{options.part}: about {part.minutes} minutes on two cores", flush=True)
    with TemporaryDirectory() as work:
        figures = part.measure(options, Path(work))
    again = f"python -m benchmarks {options.part} --{part.needs} {part.needs.upper()}"
    known[options.part] = figures | {"command": again, "machine": machine(), "date": date.today().isoformat()}
    write_whole(options.out, (json.dumps(known, indent=2, ensure_ascii=False) + "\n").encode())
    print(json.dumps(figures, indent=1, ensure_ascii=False))


def _speed(options: argparse.Namespace, work: Path) -> dict[str, Any]:
    references = default_reference("segmenter"), default_reference("classifier")
    bank = cut_out(options.cells, references[0])
    pictures = {cells: compose(bank, cells, options.fields) for cells in CELLS}
    thirty = [field.image for field in pictures[30]]
    return (
        speed_rows(pictures, work)
        | service_rows(thirty, work)
        | {"stages": stage_rows(thirty, Models.from_pretrained(*references))}
    )


def _batch(options: argparse.Namespace, work: Path) -> dict[str, Any]:
    bank = cut_out(options.cells, default_reference("segmenter"))
    return {"ways": batch_rows([field.image for field in compose(bank, 30, BATCH)], work)}


def _scale(options: argparse.Namespace, work: Path) -> dict[str, Any]:
    fields = _fields(options)
    together = [one for part in fields.values() for one in part]
    segmenter = Segmenter.from_pretrained(default_reference("segmenter"))
    return {
        "mosaics": mosaic_rows(segmenter, fields),
        "sizes": size_rows(segmenter, fields),
        "shifted": shift_rows(segmenter, fields),
        "slicing": slicing_rows(together, work),
        "large": large_rows(together, work),
    }


def _fields(options: argparse.Namespace) -> dict[str, list[np.ndarray]]:
    fields = read_fields(Path(options.data))
    if not all(fields.values()):
        raise MarrowError(f"{options.data} holds no fields_segpc and fields_bccd: name their folder with --data.")
    return fields


def _browser(options: argparse.Namespace, work: Path) -> dict[str, Any]:
    fields = _fields(options)
    return {
        "pictures": browser_rows([one for part in fields.values() for one in part], work, pictures=options.pictures)
    }


PARTS = {
    "speed": Part("cells", 20, _speed),
    "batch": Part("cells", 12, _batch),
    "scale": Part("data", 25, _scale),
    "browser": Part("data", 10, _browser),
}


if __name__ == "__main__":
    sys.exit(main())
