"""Reading a saved analysis back: nothing is believed unseen, and the report is counted anew."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from marrow.analysis import Analysis, Cell, CountingRules, Detection, Edit, ModelInfo
from marrow.errors import MarrowError
from marrow.images import MAX_PIXELS
from marrow.report import make_report

MAX_CELLS = 20_000
"""Most cells of an analysis, removed ones included; a segmenter gives at most one for each of its 8,400 anchors."""

MAX_POINTS = 10_000
"""Most points of one outline."""

MAX_NAME = 100
"""Longest name of a reviewer, in characters."""

MAX_ID = 65_535
"""Highest id of a cell, so that a 16-bit mask holds it."""

OUTLINE_ORIGINS = (None, "added", "merged", "split")
"""How the outline of a cell can have come about, see :class:`marrow.analysis.Edit`."""

REMOVAL_REASONS = ("deleted", "merged", "split")
"""How a removed cell can have gone."""

ROUNDING = 0.1
"""Pixels by which rounding can push a point out of the image."""

TOLERANCE = 2e-4
"""Two probabilities that are equal before rounding differ by less after it."""


def read_analysis(plain: Any, rules: CountingRules | None = None) -> Analysis:
    """Read back what :meth:`marrow.analysis.Analysis.to_dict` gives; nothing in it is believed unseen.

    Args:
        plain: the layout of the JSON file, or the older one without ``edited`` and ``removed``.
        rules: to count by; those that the values themselves name when ``None``.

    Returns:
        The analysis, equal to the one that was saved to the rounding of the JSON, counted anew.

    Raises:
        MarrowError: a value is missing, of the wrong type, not finite, outside the image, or unknown.
    """
    plain = _mapping(plain, "it")
    rules = rules or _rules(plain.get("report"))
    image = _mapping(plain.get("image"), "image")
    width, height = (_whole(image.get(side), f"image.{side}", MAX_PIXELS) for side in ("width", "height"))
    if width * height > MAX_PIXELS:
        raise _wrong("image", f"has more than {MAX_PIXELS} pixels")
    models = _mapping(plain.get("models"), "models")
    reader = _CellReader(width, height, rules.labels)
    cells = reader.read_all(plain.get("cells"), "cells", OUTLINE_ORIGINS)
    removed = reader.read_all(plain.get("removed", []), "removed", REMOVAL_REASONS)
    _check_ids(cells, removed)
    return Analysis(
        width=width,
        height=height,
        segmenter=_model(models.get("segmenter"), "models.segmenter"),
        classifier=_model(models.get("classifier"), "models.classifier"),
        confidence=_number(plain.get("confidence"), "confidence", 0, 1),
        cells=cells,
        report=make_report(cells, rules, removed),
        removed=removed,
    )


def read_detection(plain: Any, width: int, height: int, where: str = "cell") -> Detection:
    """Read the outline of a cell, whatever its name.

    Args:
        plain: a cell in the layout of the JSON file.
        width: of the image in pixels.
        height: of the image in pixels.
        where: what the message calls it.

    Raises:
        MarrowError: a value is missing, of the wrong type, not finite, or outside the image.
    """
    row = _mapping(plain, where)

    def point(value: Any, part: str) -> tuple[float, float]:
        x, y = _list(value, part, 2, 2)
        return _number(x, part, -ROUNDING, width + ROUNDING), _number(y, part, -ROUNDING, height + ROUNDING)

    corners = _list(row.get("box"), f"{where}.box", 4, 4)
    x0, y0, x1, y1 = (*point(corners[:2], f"{where}.box"), *point(corners[2:], f"{where}.box"))
    if not (x0 < x1 and y0 < y1):
        raise _wrong(f"{where}.box", "is empty")
    outline = _list(row.get("polygon"), f"{where}.polygon", 3, MAX_POINTS)
    return Detection(
        box=(x0, y0, x1, y1),
        polygon=tuple(point(value, f"{where}.polygon") for value in outline),
        area=_number(row.get("area"), f"{where}.area", 0, width * height),
        score=_number(row.get("score"), f"{where}.score", 0, 1),
    )


class _CellReader:
    """Reads the cells of an image of ``width`` × ``height`` pixels, named with ``labels``."""

    def __init__(self, width: int, height: int, labels: Sequence[str]) -> None:
        self._width, self._height, self._labels = width, height, labels

    def read_all(self, values: Any, where: str, shapes: Sequence[str | None]) -> tuple[Cell, ...]:
        rows = _list(values, where, 0, MAX_CELLS)
        return tuple(self._read(row, f"{where}[{i}]", shapes) for i, row in enumerate(rows))

    def _read(self, value: Any, where: str, shapes: Sequence[str | None]) -> Cell:
        outline = read_detection(value, self._width, self._height, where)
        label = self._label(value.get("label"), f"{where}.label")
        shares = _mapping(value.get("probabilities"), f"{where}.probabilities")
        if shares.keys() != set(self._labels):
            raise _wrong(f"{where}.probabilities", "are not of the classes of the classifier")
        shares = {code: _number(shares[code], f"{where}.probabilities.{code}", 0, 1) for code in self._labels}
        probability = _number(value.get("probability"), f"{where}.probability", 0, 1)
        if abs(probability - shares[label]) > TOLERANCE:
            raise _wrong(f"{where}.probability", "is not that of the label")
        edited = None if value.get("edited") is None else self._edit(value["edited"], f"{where}.edited", shapes)
        if edited is None and None not in shapes:
            raise _wrong(where, "was removed by nobody")
        if edited and edited.label not in (None, label):
            raise _wrong(f"{where}.edited.label", "is not the cell's label")
        cell = Cell(
            **vars(outline),
            id=_whole(value.get("id"), f"{where}.id", MAX_ID),
            label=label,
            probability=probability,
            probabilities=shares,
            edited=edited,
        )
        if not cell.is_human_labelled and probability < max(shares.values()) - TOLERANCE:
            raise _wrong(f"{where}.label", "is neither the most probable class nor given by a person")
        return cell

    def _edit(self, value: Any, where: str, shapes: Sequence[str | None]) -> Edit:
        row = _mapping(value, where)
        label, shape = row.get("label"), row.get("shape")
        if label is not None:
            self._label(label, f"{where}.label")
        if not (shape is None or isinstance(shape, str)) or shape not in shapes:
            raise _wrong(f"{where}.shape", f"is none of {', '.join(map(str, shapes))}")
        if label is None and shape is None:
            raise _wrong(where, "changes nothing")
        came_from = _list(row.get("from", []), f"{where}.from", 0, MAX_CELLS)
        return Edit(
            at=_time(row.get("at"), f"{where}.at"),
            by=None if row.get("by") is None else _text(row["by"], f"{where}.by", MAX_NAME),
            label=label,
            shape=shape,
            parent_ids=tuple(_whole(number, f"{where}.from", MAX_ID) for number in came_from),
        )

    def _label(self, value: Any, where: str) -> str:
        if not isinstance(value, str) or value not in self._labels:
            raise _wrong(where, "is none of the classes of the classifier")
        return value


def _check_ids(cells: Sequence[Cell], removed: Sequence[Cell]) -> None:
    ids, gone = [cell.id for cell in (*cells, *removed)], {cell.id for cell in removed}
    if len(set(ids)) < len(ids):
        raise _wrong("cells", "hold an id twice")
    for cell in (*cells, *removed):
        if cell.edited and not gone.issuperset(cell.edited.parent_ids):
            raise _wrong(f"cell {cell.id}", "is made from cells that are not among those removed")


def _rules(value: Any) -> CountingRules:
    report = _mapping(value, "report")
    labels = tuple(_mapping(report.get("counts"), "report.counts"))

    def codes(key: str) -> tuple[str, ...]:
        values = _list(report.get(key, []), f"report.{key}", 0, len(labels))
        if not all(isinstance(code, str) and code in labels for code in values):
            raise _wrong(f"report.{key}", "names an unknown class")
        return tuple(values)

    if not labels or not all(code.isalnum() and len(code) <= 20 for code in labels):
        raise _wrong("report.counts", "names no classes")
    below = _number(report.get("uncertain_below"), "report.uncertain_below", 0, 1)
    return CountingRules(labels, below, codes("not_from_marrow"), codes("unknown"))


def _model(value: Any, where: str) -> ModelInfo:
    row = _mapping(value, where)
    revision = row.get("revision")
    revision = None if revision is None else _text(revision, f"{where}.revision", 100)
    return ModelInfo(_text(row.get("repo"), f"{where}.repo", 1000), revision)


def _mapping(value: Any, where: str) -> dict[str, Any]:
    if not isinstance(value, dict) or not all(isinstance(key, str) for key in value):
        raise _wrong(where, "is not an object with keys")
    return value


def _list(value: Any, where: str, fewest: int, most: int) -> Sequence[Any]:
    if not isinstance(value, list | tuple) or not fewest <= len(value) <= most:
        raise _wrong(where, f"is not a list of {fewest}{f' to {most}' if most > fewest else ''} values")
    return value


def _number(value: Any, where: str, low: float, high: float) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not low <= value <= high:  # NaN is not either
        raise _wrong(where, f"is not a number from {low:g} to {high:g}")
    return float(value)


def _whole(value: Any, where: str, high: int) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= high:
        raise _wrong(where, f"is not a whole number from 1 to {high}")
    return value


def _text(value: Any, where: str, longest: int) -> str:
    if not isinstance(value, str) or not value.isprintable() or not 0 < len(value.strip()) <= longest:
        raise _wrong(where, f"is not one line of 1 to {longest} characters")
    return value.strip()


def _time(value: Any, where: str) -> str:
    try:
        if datetime.fromisoformat(_text(value, where, 40)).tzinfo is None:
            raise ValueError
    except ValueError as error:
        raise _wrong(where, "is not a time as 2026-11-23T12:00:00Z") from error
    return value


def _wrong(where: str, what: str) -> MarrowError:
    return MarrowError(f"This is not an analysis that can be opened ({where} {what}): choose a JSON saved by marrow.")
