"""Labels that look wrong: every one of several networks that did not learn a cell names it otherwise.

The networks are other than a release, so that a release that is measured without these cells had no say in the list.
They propose; a person who looks at the contact sheets decides.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from marrow.crop import CropConfig, crop_cell
from marrow.errors import MarrowError
from marrow.outputs import MARK
from training.classifier.data import Cells
from training.common.files import read_json, write_json
from training.evaluation.contact_sheets import Panel, save, sheet

BELIEVED = 0.2
"""Mean probability that the networks may leave to the label of a suspicious cell."""

SHEET, COLUMNS, SIDE = 96, 12, 128
AROUND = 0.6


@dataclass(frozen=True)
class SuspiciousLabel:
    """A cell whose label looks wrong.

    Attributes:
        path: of the image in its source, as the data set names it.
        laboratory: of the image.
        label: code that the source gives it.
        proposed: code that the networks give it.
        probability: mean probability of the proposed class.
    """

    path: str
    laboratory: str
    label: str
    proposed: str
    probability: float


def suspicious_labels(cells: Cells, given: Sequence[np.ndarray]) -> dict[int, SuspiciousLabel]:
    """Find the cells that every network names otherwise, and whose label they hardly believe.

    Args:
        cells: the ``n`` cells, none of which the networks learned.
        given: of each network ``(n, classes)`` probabilities.

    Returns:
        By index of the cell, those first that the networks are surest of.
    """
    mean = np.mean(given, axis=0)
    wrong = np.all([one.argmax(axis=1) != cells.labels for one in given], axis=0)
    hardly = mean[np.arange(len(cells)), cells.labels] < BELIEVED
    found = np.flatnonzero(wrong & hardly)
    best = mean.argmax(axis=1)
    return {
        int(index): SuspiciousLabel(
            cells.paths[index],
            cells.laboratories[index],
            cells.codes[cells.labels[index]],
            cells.codes[best[index]],
            round(float(mean[index, best[index]]), 3),
        )
        for index in found[np.argsort(-mean[found, best[found]], kind="stable")]
    }


def write_sheets(cells: Cells, found: dict[int, SuspiciousLabel], out: Path) -> None:
    """Write contact sheets, ``suspicious_01.png`` and so on: above each cell its number, its label and the proposal."""
    panels = [
        Panel(_crop(cells, index), f"{number}: {one.label} > {one.proposed} {one.probability:.2f}", [])
        for number, (index, one) in enumerate(found.items(), start=1)
    ]
    for start in range(0, len(panels), SHEET):
        save(sheet(panels[start : start + SHEET], COLUMNS, SIDE), out / f"suspicious_{start // SHEET + 1:02d}.png")


def _crop(cells: Cells, index: int) -> np.ndarray:
    return crop_cell(cells.images[index], cells.boxes[index], CropConfig(size=SIDE, context=AROUND))


def write_list(path: Path, labels: Sequence[SuspiciousLabel], right: Collection[int] = ()) -> int:
    """Write a JSON file of suspicious labels, in the order of laboratory and path.

    Args:
        path: of the file.
        labels: in the order of the contact sheets.
        right: numbers, from 1, of those whose label a person finds right.

    Returns:
        How many were written.

    Raises:
        MarrowError: there is no such number.
    """
    if unknown := sorted(set(right) - set(range(1, len(labels) + 1))):
        raise MarrowError(f"There is no number {unknown[0]}: the sheets end with {len(labels)}.")
    kept = [one for number, one in enumerate(labels, start=1) if number not in right]
    ordered = sorted(kept, key=lambda one: (one.laboratory, one.path))
    write_json(path, {"written_by": MARK.decode(), "labels": [asdict(one) for one in ordered]})
    return len(kept)


def read_list(path: Path) -> set[tuple[str, str]]:
    """Read laboratory and path of the images in a list that :func:`write_list` wrote.

    Raises:
        MarrowError: it cannot be read.
    """
    try:
        return {(row["laboratory"], row["path"]) for row in read_json(path)["labels"]}
    except (KeyError, TypeError) as error:
        raise MarrowError(f"{path} is no list of suspicious labels: training.suspicious_labels writes one.") from error
