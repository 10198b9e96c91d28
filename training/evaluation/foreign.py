"""The foreign table: how cells are named in laboratories whose pictures were never trained on.

LMU and JTSC are pictures of single cells. BCCD, LISC and CellaVision are whole fields with one named cell each: they
are analyzed, and the largest cell that is found is taken for it. A cell that is not found is named wrong, and not
counted.
"""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from marrow.cell import Box, Detection
from marrow.classifier import Classifier
from marrow.crop import find_centre_cell
from marrow.geometry import polygon_area
from marrow.images import read_image
from marrow.report import LINEAGES, wilson_interval
from marrow.segmenter import Segmenter
from training.common.metrics_schema import COVERAGES, ClassShare, ForeignMetrics, Interval
from training.evaluation.bootstrap import LEVELS, RESAMPLES

BINS = 10
"""Of the calibration error, of equal width in the best probability."""

LINEAGE_OF = {code: lineage for lineage, codes in LINEAGES.items() for code in codes}


@dataclass(frozen=True)
class NamedImage:
    """A picture of which one cell is named; where the laboratory does not tell two classes apart both are right."""

    file: Path
    codes: tuple[str, ...]


def _folders(folder: Path, also: dict[str, tuple[str, ...]], left_out: tuple[str, ...]) -> Iterator[NamedImage]:
    for file in sorted(folder.glob("*/*.*")):
        if (code := file.parent.name) not in left_out:
            yield NamedImage(file, also.get(code, (code,)))


def _table(table: Path, images: Path) -> Iterator[NamedImage]:
    with table.open(encoding="utf-8", newline="") as lines:
        for row in csv.DictReader(lines):
            yield NamedImage(images / row["file"], tuple(row["codes"].split("|")))


NEUTROPHIL: dict[str, tuple[str, ...]] = {"NGS": ("NGS", "NGB")}

LABORATORIES: dict[str, tuple[bool, Callable[[Path], Iterator[NamedImage]]]] = {
    "LMU": (False, lambda data: _folders(data / "cells_lmu", {}, ("KSC",))),
    "JTSC": (False, lambda data: _table(data / "cells_jtsc" / "names.csv", data / "cells_jtsc")),
    "BCCD": (True, lambda data: _table(data / "fields_bccd" / "names.csv", data / "fields_bccd" / "images")),
    "LISC": (True, lambda data: _folders(data / "fields_lisc", NEUTROPHIL, ("BAS",))),
    "CellaVision": (True, lambda data: _table(data / "wbc_masks" / "names.csv", data / "wbc_masks")),
}
"""By laboratory: whether its pictures are fields, and what lists them in the folder of benchmarks."""


@dataclass(frozen=True)
class ForeignCells:
    """The named cells of a laboratory.

    Attributes:
        laboratory: its name.
        images: uint8 RGB pictures, one for each cell.
        boxes: box of the cell in each, in pixels; ``None`` where it is not found.
        truths: the codes that are right for each.
    """

    laboratory: str
    images: list[np.ndarray]
    boxes: list[Box | None]
    truths: list[tuple[str, ...]]


def load_foreign(
    benchmarks: Path, segmenter: Segmenter, labels: Sequence[str], left_out: Sequence[str] = ()
) -> Iterator[ForeignCells]:
    """Load the laboratories whose pictures lie in a folder, one after the other.

    Args:
        benchmarks: folder with ``cells_lmu``, ``cells_jtsc``, ``fields_bccd``, ``fields_lisc`` and ``wbc_masks``;
            what is not there is left out.
        segmenter: finds the cells in fields, of which the largest counts.
        labels: classes to name; cells of no other are loaded.
        left_out: laboratories to leave out.
    """
    for laboratory, (are_fields, find) in LABORATORIES.items():
        try:
            named = [] if laboratory in left_out else [one for one in find(benchmarks) if set(labels) & set(one.codes)]
        except FileNotFoundError:
            continue
        if named:
            images = [read_image(one.file) for one in named]
            boxes = [_largest(segmenter(image)) if are_fields else find_centre_cell(image) for image in images]
            yield ForeignCells(laboratory, images, boxes, [one.codes for one in named])


def _largest(found: Sequence[Detection]) -> Box | None:
    return max(found, key=lambda cell: polygon_area(cell.polygon)).box if found else None


def measure_foreign(
    classifier: Classifier, segmenter: Segmenter, benchmarks: Path, trained: Sequence[str] = ()
) -> list[ForeignMetrics]:
    """Measure a classifier on each laboratory whose pictures lie in a folder.

    Args:
        classifier: with its bound of uncertainty, and with a temperature that was chosen elsewhere.
        segmenter: as for :func:`load_foreign`, as are the benchmarks.
        benchmarks: folder of the laboratories.
        trained: laboratories that the classifier was trained on, which say nothing here.
    """
    rows = []
    for cells in load_foreign(benchmarks, segmenter, classifier.labels, trained):
        given = np.zeros((len(cells.images), len(classifier.labels)), np.float32)
        for row, image, box in zip(given, cells.images, cells.boxes, strict=True):
            if box is not None:
                row[:] = classifier(image, [box])[0]
        rows.append(foreign_metrics(cells, given, classifier.labels, classifier.config.uncertain_below))
    return rows


def laboratories_trained_on(classifier: Classifier) -> tuple[str, ...]:
    """Return the laboratories that a classifier has seen, which say nothing about others."""
    counts = classifier.config.trained_on.values()
    return tuple(sorted({laboratory for of in counts for names in of.values() for laboratory in names}))


def foreign_metrics(
    cells: ForeignCells, given: np.ndarray, labels: Sequence[str], uncertain_below: float
) -> ForeignMetrics:
    """Return the row of a laboratory.

    Args:
        cells: its cells.
        given: ``(n, classes)`` probabilities, rows of 0 where no cell was found.
        labels: class codes in the order of the columns.
        uncertain_below: best probability from which a cell is counted.
    """
    best, guesses = given.max(axis=1), [labels[index] for index in given.argmax(axis=1)]
    found = best > 0
    right = found & np.array([guess in codes for guess, codes in zip(guesses, cells.truths, strict=True)])
    lineages = [{LINEAGE_OF.get(code, code) for code in codes} for codes in cells.truths]
    kin = found & [LINEAGE_OF.get(guess, guess) in known for guess, known in zip(guesses, lineages, strict=True)]
    counted = found & (best >= uncertain_below)
    classes = np.array(["/".join(codes) for codes in cells.truths])
    per_class = {code: (right[classes == code], int((classes == code).sum())) for code in sorted(set(classes))}
    resampled = np.random.default_rng(0).integers(0, len(right), (RESAMPLES, len(right)))
    balanced = [_balanced(right[draw], classes[draw]) for draw in resampled]
    return ForeignMetrics(
        laboratory=cells.laboratory,
        n=len(right),
        found=int(found.sum()),
        accuracy=float(right.mean()),
        accuracy_interval=_interval(right[resampled].mean(axis=1)),
        balanced_accuracy=_balanced(right, classes),
        balanced_accuracy_interval=_interval(np.array(balanced)),
        lineage_accuracy=float(kin.mean()),
        counted=float(counted.mean()),
        precision=float(right[counted].mean()) if counted.any() else None,
        precision_interval=_wilson(int(right[counted].sum()), int(counted.sum())) if counted.any() else None,
        calibration_error=calibration_error(best, right),
        risk_coverage_area=risk_coverage_area(best, right),
        per_class={code: ClassShare(n, float(hits.mean())) for code, (hits, n) in per_class.items()},
        risks=risks(best, right),
    )


def calibration_error(best: np.ndarray, right: np.ndarray) -> float:
    """Return the expected calibration error (Guo et al. 2017, arXiv:1706.04599) of ``(n,)`` best probabilities."""
    bins = (best * BINS).astype(int).clip(0, BINS - 1)
    gaps = [abs(best[bins == one].mean() - right[bins == one].mean()) * (bins == one).mean() for one in np.unique(bins)]
    return float(np.sum(gaps))


def risk_coverage_area(best: np.ndarray, right: np.ndarray) -> float:
    """Return the area under the curve of risk over coverage (Geifman et al. 2019, arXiv:1805.08206).

    It is the mean share of wrong names among the most certain 1, 2, … n cells: 0 is best, and the share of wrong names
    among all is what a probability that says nothing would give.
    """
    return float(_risks(best, right).mean())


def risks(best: np.ndarray, right: np.ndarray) -> list[float]:
    """Return points of that curve: the share of wrong names among the most certain cells, at each of ``COVERAGES``."""
    every = _risks(best, right)
    return [round(float(every[max(round(share * len(every)), 1) - 1]), 4) for share in COVERAGES]


def _risks(best: np.ndarray, right: np.ndarray) -> np.ndarray:
    wrong = ~right[np.argsort(-best, kind="stable")]
    return np.cumsum(wrong) / np.arange(1, len(wrong) + 1)


def _balanced(right: np.ndarray, classes: np.ndarray) -> float:
    return float(np.mean([right[classes == code].mean() for code in np.unique(classes)]))


def _interval(values: np.ndarray) -> Interval:
    low, high = np.percentile(values, LEVELS)
    return round(float(low), 4), round(float(high), 4)


def _wilson(count: int, total: int) -> Interval:
    low, high = wilson_interval(count, total)
    return round(low / 100, 4), round(high / 100, 4)
