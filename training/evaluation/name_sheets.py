"""Contact sheets of names: the cells of laboratories that were not trained on, to be judged by eye.

Above each cell stand what its laboratory calls it, what the classifier calls it, and the probability of that. A frame
is red where a cell that is counted is named wrong, orange where one that is not counted would be, and grey otherwise.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import numpy as np

from marrow.cell import Box
from marrow.classifier import Classifier
from marrow.crop import CropConfig, crop_cell
from marrow.drawing import draw_annotations
from marrow.errors import MarrowError
from marrow.images import read_image
from marrow.pipeline import Models, analyze
from training.evaluation.contact_sheets import ORANGE, RED, Panel, save, sheet
from training.evaluation.foreign import LABORATORIES, ForeignCells
from training.evaluation.ground_truth import bccd_fields

GREY = (150, 150, 150)
SIDE, COLUMNS, ROWS = 128, 12, 8
FIELD_SIDE = 320
AROUND = 0.6
"""Margin around a cell on the sheet, as a share of its size: more than the classifier sees."""


def write_name_sheets(classifier: Classifier, laboratories: Iterable[ForeignCells], out: Path) -> None:
    """Write contact sheets of every laboratory, ``names_LABORATORY_01.png`` and so on.

    Args:
        classifier: names the cells.
        laboratories: as :func:`training.evaluation.foreign.load_foreign` gives them.
        out: folder to write.

    Raises:
        MarrowError: there are none.
    """
    written = False
    for cells in laboratories:
        panels = [_panel(classifier, *row) for row in zip(cells.images, cells.boxes, cells.truths, strict=True)]
        for start in range(0, len(panels), ROWS * COLUMNS):
            number = start // (ROWS * COLUMNS) + 1
            some = panels[start : start + ROWS * COLUMNS]
            save(sheet(some, COLUMNS, SIDE), out / f"names_{cells.laboratory}_{number:02d}.png")
            written = True
    if not written:
        raise MarrowError("There are no named cells of other laboratories there: name their folder with --benchmarks.")


def write_real_example(models: Models, benchmarks: Path, out: Path) -> None:
    """Write ``real_blood.png``: two fields of BCCD's test part, as the program draws them.

    They are the first in which the cell is named right, and the first in which it is not, as far as there are both.
    Above each stand what BCCD calls its cell, and what the largest cell is called here; frames as for cells.

    Args:
        models: the segmenter and the classifier.
        benchmarks: folder with ``fields_bccd``.
        out: folder to write.

    Raises:
        MarrowError: the fields are not there.
    """
    kept = {one.file for one in bccd_fields(benchmarks / "fields_bccd")}
    named = [one for one in LABORATORIES["BCCD"][1](benchmarks) if one.file in kept] if kept else []
    if not named:
        raise MarrowError(f"There are no named fields of BCCD in {benchmarks}: name their folder with --benchmarks.")
    shown: dict[bool, Panel] = {}
    for one in named:
        panel = _field_panel(models, read_image(one.file), one.codes)
        shown.setdefault(panel.outlines[0][1] == GREY, panel)
        if len(shown) == 2:
            break
    save(sheet([shown[right] for right in (True, False) if right in shown], 2, FIELD_SIDE), out / "real_blood.png")


def _field_panel(models: Models, image: np.ndarray, truth: tuple[str, ...]) -> Panel:
    """Draw the square part of a field around its largest cell."""
    analysis = analyze(image, models)
    picture, name, colour = draw_annotations(image, analysis), "not found", RED
    side = min(image.shape[:2])
    left = (image.shape[1] - side) // 2
    if analysis.cells:
        largest = max(analysis.cells, key=lambda cell: cell.area)
        uncertain = largest.is_uncertain(analysis.report.uncertain_below)
        name = f"{largest.label}{'?' * uncertain} {largest.probability:.2f}"
        colour = GREY if largest.label in truth else ORANGE if uncertain else RED
        middle = round((largest.box[0] + largest.box[2] - side) / 2)
        left = min(max(middle, 0), image.shape[1] - side)
    return Panel(picture[:side, left : left + side], f"BCCD: {'/'.join(truth)}, here: {name}", [(_frame(side), colour)])


def _panel(classifier: Classifier, image: np.ndarray, box: Box | None, truth: tuple[str, ...]) -> Panel:
    if box is None:
        height, width = image.shape[:2]
        return Panel(image, f"{'/'.join(truth)}: not found", [(_frame(max(height, width)), RED)])
    given = classifier(image, [box])[0]
    best = int(given.argmax())
    name, counted = classifier.labels[best], given[best] >= classifier.config.uncertain_below
    colour = GREY if name in truth else RED if counted else ORANGE
    crop = crop_cell(image, box, CropConfig(size=SIDE, context=AROUND))
    title = f"{'/'.join(truth)}: {name} {given[best]:.2f}"
    return Panel(crop, title, [(_frame(SIDE), colour)])


def _frame(side: int) -> np.ndarray:
    low, high = 1, side - 2
    return np.array([[low, low], [high, low], [high, high], [low, high]], float)
