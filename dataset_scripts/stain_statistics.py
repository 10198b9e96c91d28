"""Measure the stain of each laboratory in a data set.

Prints JSON: for each laboratory its origin, the number of images and of those whose stain can be measured, the median
stain (colour of the empty ground, 0 to 255; optical density of nuclei and of all else that is stained, in red, green
and blue), and `reach`: 99 % of its own images lie within this distance of the median.

    python dataset_scripts/stain_statistics.py --data SET [--images N] > stains.json
"""

import argparse
import json
import sys
from collections.abc import Iterable, Sequence
from dataclasses import astuple
from typing import Any

import datasets
import numpy as np

from marrow.command import Command
from marrow.errors import MarrowError
from marrow.images import to_rgb
from marrow.schema import stain_to_dict
from marrow.stain import Stain, measure_stain, stain_distance

REACH = 0.99


def stain_statistics(stains: Sequence[Stain]) -> dict[str, Any]:
    """Return the median stain of some images as plain values, and how far they lie around it.

    Args:
        stains: one at least.
    """
    median = Stain(*map(tuple, np.median([astuple(stain) for stain in stains], axis=0).round(4).tolist()))
    apart = [stain_distance(stain, median) for stain in stains]
    return {"stain": stain_to_dict(median), "reach": round(float(np.quantile(apart, REACH)), 4)}


def measure_set(data: str, split: str, most: int) -> dict[str, Any]:
    """Measure each laboratory of a split.

    Args:
        data: folder or Hub id of the data set.
        split: of the data set.
        most: images of each laboratory to look at, chosen at random.

    Returns:
        By laboratory its ``origin``, ``images``, ``measured``, ``stain`` and ``reach``; without the last two where
        nothing could be measured.

    Raises:
        MarrowError: the data set cannot be loaded, or is of a version that knew no laboratories.
    """
    try:
        cells = datasets.load_dataset(data, split=split).shuffle(seed=0)
    except (OSError, ValueError, datasets.exceptions.DatasetsError) as error:
        raise MarrowError(f"The data set {data} cannot be loaded: build it with bone_marrow_12.py first.") from error
    if not {"origin", "laboratory"} <= set(cells.column_names):
        raise MarrowError(f"The data set {data} names no laboratories: build it anew with bone_marrow_12.py.")
    laboratories, measured = np.array(cells["laboratory"]), {}
    for laboratory in sorted(set(laboratories)):
        chosen = cells.select(np.flatnonzero(laboratories == laboratory)[:most])
        stains = list(_measured(row["image"] for row in chosen))
        counts = {"origin": chosen[0]["origin"], "images": len(chosen), "measured": len(stains)}
        measured[str(laboratory)] = counts | (stain_statistics(stains) if stains else {})
    return measured


def _measured(images: Iterable[Any]) -> Iterable[Stain]:
    for image in images:
        try:
            yield measure_stain(to_rgb(image))
        except MarrowError:
            continue  # an artefact, or a cell that fills its image


def measure(options: argparse.Namespace) -> None:
    """Measure what the command line asks for, and print it."""
    print(json.dumps(measure_set(options.data, options.split, options.images), indent=1))


def positive(text: str) -> int:
    """Return a whole number of 1 or more from the command line."""
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError("give a number that is 1 or larger")
    return int(text)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; return the exit code (2 for bad input)."""
    command = Command("stain_statistics", __doc__)
    command.add_argument("--data", required=True, help="folder written by bone_marrow_12.py, or a Hub id")
    command.add_argument("--split", default="train", help="of the data set (%(default)s)")
    command.add_argument("--images", type=positive, default=500, help="images of each laboratory at most (%(default)s)")
    return command.run(measure, arguments)


if __name__ == "__main__":
    sys.exit(main())
