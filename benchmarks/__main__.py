"""Measure the embedded release, and keep the figures in benchmarks/results.json.

python -m benchmarks scale --data ../shared/data
python -m benchmarks speed --cells out/release/set
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from benchmarks.scale import mosaic_rows, read_fields, shift_rows, size_rows
from benchmarks.speed import FIELDS, speed_rows
from marrow.command import Command
from marrow.defaults import default_reference
from marrow.errors import MarrowError
from marrow.files import write_whole
from marrow.segmenter import Segmenter
from training.common.environment import machine
from training.common.files import read_json

RESULTS = Path(__file__).parent / "results.json"
NEEDED = {"scale": "--data DATA", "speed": "--cells SET"}
"""By part, the option that it needs."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; return the exit code."""
    command = Command("benchmarks", __doc__)
    command.add_argument("part", choices=NEEDED, help="what to measure")
    command.add_argument("--data", type=Path, help="folder of real fields; scale needs it")
    command.add_argument("--cells", help="data set whose held-out cells are composed; speed needs it")
    command.add_argument("--fields", type=int, default=FIELDS, help="of each number of cells (%(default)s); of speed")
    command.add_argument("--model", help="segmenter: Hub id or folder; the embedded release")
    command.add_argument("--out", type=Path, default=RESULTS, help="JSON file to keep the figures in (%(default)s)")
    return command.run(_measure, arguments)


def _measure(options: argparse.Namespace) -> None:
    known = read_json(options.out) if options.out.is_file() else {}
    figures = {"scale": _scale, "speed": _speed}[options.part](options)
    again = f"python -m benchmarks {options.part} {NEEDED[options.part]}"
    known[options.part] = figures | {"command": again, "machine": machine()}
    write_whole(options.out, (json.dumps(known, indent=2, ensure_ascii=False) + "\n").encode())
    print(json.dumps(figures, indent=1, ensure_ascii=False))


def _scale(options: argparse.Namespace) -> dict[str, Any]:
    if not options.data:
        raise MarrowError("The mosaics are made of real fields: name their folder with --data.")
    fields = read_fields(options.data)
    if not all(fields.values()):
        raise MarrowError(f"{options.data} holds no fields_segpc and fields_bccd: name their folder with --data.")
    segmenter = Segmenter.from_pretrained(options.model or default_reference("segmenter"))
    return {
        "mosaics": mosaic_rows(segmenter, fields),
        "sizes": size_rows(segmenter, fields),
        "shifted": shift_rows(segmenter, fields),
    }


def _speed(options: argparse.Namespace) -> dict[str, Any]:
    if not options.cells:
        raise MarrowError("The fields are composed of held-out cells: name a data set with --cells.")
    with TemporaryDirectory() as work:
        return speed_rows(options.cells, Path(work), options.fields)


if __name__ == "__main__":
    sys.exit(main())
