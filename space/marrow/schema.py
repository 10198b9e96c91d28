"""The JSON of an analysis, written and read; nothing read is believed unseen, and the report is counted anew."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from functools import lru_cache
from typing import Annotated, Any, TypeVar

from pydantic import BaseModel, Field, TypeAdapter, ValidationError

from marrow.cell import MAX_CELLS, Cell, Detection, Edit, Share
from marrow.errors import MarrowError
from marrow.hub import ModelInfo
from marrow.images import MAX_PIXELS
from marrow.report import CountingRules, make_report
from marrow.stain import UNSTAINED, Stain

OUTLINE_ORIGINS = (None, "added", "merged", "split")
"""How the outline of a cell can have come about, see :class:`marrow.cell.Edit`."""

REMOVAL_REASONS = ("deleted", "merged", "split")
"""How a removed cell can have gone."""

ROUNDING = 0.1
"""Pixels by which rounding can push a point out of the image."""

TOLERANCE = 2e-4
"""Two probabilities that are equal before rounding differ by less after it."""

T = TypeVar("T")
_adapter: Callable[[Any], TypeAdapter[Any]] = lru_cache(TypeAdapter)

_Side = Annotated[int, Field(strict=True, ge=1, le=MAX_PIXELS)]
_Code = Annotated[str, Field(pattern=r"^[^\W_]{1,20}$")]
_Cells = Annotated[list[Any], Field(max_length=MAX_CELLS)]


class _Image(BaseModel):
    width: _Side
    height: _Side
    stain_distance: Annotated[float, Field(ge=0, le=UNSTAINED)] | None = None


class _Models(BaseModel):
    segmenter: ModelInfo
    classifier: ModelInfo
    reference: Stain | None = None


class _Report(BaseModel):
    """What of a saved report is read: the rules that it was counted by."""

    counts: Annotated[dict[_Code, Any], Field(min_length=1)]
    uncertain_below: Share
    not_from_marrow: tuple[str, ...] = ()
    unknown: tuple[str, ...] = ()
    unlike_above: Annotated[float, Field(ge=0, le=2)] | None = None
    stain_far_above: Annotated[float, Field(ge=0, le=UNSTAINED)] | None = None


class _Saved(BaseModel):
    """What a saved analysis holds; the older layout has neither ``edited`` nor ``removed``."""

    image: _Image
    models: _Models
    confidence: Share
    cells: _Cells
    removed: _Cells = []


def write_fields(fields: Mapping[str, Any]) -> dict[str, Any]:
    """Return the fields of an analysis as plain values, in the layout of the JSON file (see ``docs/developer.md``)."""
    return {
        "image": {key: fields[key] for key in ("width", "height", "stain_distance")},
        "models": {
            **{name: asdict(fields[name]) for name in ("segmenter", "classifier")},
            "reference": stain_to_dict(fields["reference"]),
        },
        "confidence": fields["confidence"],
        "cells": [cell_to_dict(cell) for cell in fields["cells"]],
        "removed": [cell_to_dict(cell) for cell in fields["removed"]],
        "report": asdict(fields["report"]),
    }


def stain_to_dict(stain: Stain | None) -> dict[str, list[float]] | None:
    """Return the ``reference`` of an analysis as plain values, in the layout of the JSON file."""
    return {name: list(values) for name, values in asdict(stain).items()} if stain else None


def cell_to_dict(cell: Cell) -> dict[str, Any]:
    """Return a cell as plain values, in the layout of the JSON file."""
    return {
        "id": cell.id,
        "box": [round(v, 1) for v in cell.box],
        "polygon": [[round(x, 1), round(y, 1)] for x, y in cell.polygon],
        "area": round(cell.area, 1),
        "score": round(cell.score, 4),
        "label": cell.label,
        "probability": round(cell.probability, 4),
        "probabilities": {code: round(p, 4) for code, p in cell.probabilities.items()},
        "unlikeness": None if cell.unlikeness is None else round(cell.unlikeness, 4),
        "edited": _adapter(Edit).dump_python(cell.edited, mode="json", by_alias=True) if cell.edited else None,
    }


def read_fields(plain: Any, rules: CountingRules | None = None) -> dict[str, Any]:
    """Read back what :func:`write_fields` gives; nothing in it is believed unseen.

    Args:
        plain: the layout of the JSON file, or the older one without ``edited`` and ``removed``.
        rules: to count by; those that the values themselves name when ``None``.

    Returns:
        The fields of :class:`marrow.analysis.Analysis`, equal to those that were saved to the rounding of the JSON,
        counted anew.

    Raises:
        MarrowError: a value is missing, of the wrong type, not finite, outside the image, or unknown.
    """
    saved = _validate(_Saved, plain)
    width, height = saved.image.width, saved.image.height
    if width * height > MAX_PIXELS:
        raise _wrong("image", f"has more than {MAX_PIXELS} pixels")
    rules = rules or _read_rules(plain.get("report"))
    size = width, height
    cells = tuple(_read_cell(row, f"cells[{i}]", size, rules, OUTLINE_ORIGINS) for i, row in enumerate(saved.cells))
    removed = tuple(
        _read_cell(row, f"removed[{i}]", size, rules, REMOVAL_REASONS) for i, row in enumerate(saved.removed)
    )
    _check_ids(cells, removed)
    return {
        **vars(saved.image),
        **vars(saved.models),
        "confidence": saved.confidence,
        "cells": cells,
        "report": make_report(cells, rules, removed, saved.image.stain_distance),
        "removed": removed,
    }


def read_stain(plain: Any) -> Stain | None:
    """Read the ``reference`` of an analysis, in the layout of the JSON file.

    Raises:
        MarrowError: it is neither ``None`` nor a stain.
    """
    return _validate(Stain, plain, "reference") if plain is not None else None


def read_detection(plain: Any, width: int, height: int) -> Detection:
    """Read the outline of a cell, whatever its name.

    Args:
        plain: a cell in the layout of the JSON file.
        width: of the image in pixels.
        height: of the image in pixels.

    Raises:
        MarrowError: a value is missing, of the wrong type, not finite, or outside the image.
    """
    outline = _validate(Detection, plain, "cell")
    _check_place(outline, "cell", (width, height))
    return outline


def _read_rules(plain: Any) -> CountingRules:
    report = _validate(_Report, plain, "report")
    for key in ("not_from_marrow", "unknown"):
        if not report.counts.keys() >= set(getattr(report, key)):
            raise _wrong(f"report.{key}", "names an unknown class")
    return CountingRules(tuple(report.counts), **{key: value for key, value in vars(report).items() if key != "counts"})


def _read_cell(
    plain: Any, where: str, size: tuple[int, int], rules: CountingRules, origins: Sequence[str | None]
) -> Cell:
    cell = _validate(Cell, plain, where)
    _check_place(cell, where, size)
    if cell.label not in rules.labels:
        raise _wrong(f"{where}.label", "is none of the classes of the classifier")
    if cell.probabilities.keys() != set(rules.labels):
        raise _wrong(f"{where}.probabilities", "are not of the classes of the classifier")
    if abs(cell.probability - cell.probabilities[cell.label]) > TOLERANCE:
        raise _wrong(f"{where}.probability", "is not that of the label")
    if cell.edited:
        if cell.edited.label not in (None, cell.label):
            raise _wrong(f"{where}.edited.label", "is not the cell's label")
        if cell.edited.shape not in origins:
            raise _wrong(f"{where}.edited.shape", f"is none of {', '.join(map(str, origins))}")
        if cell.edited.label is None and cell.edited.shape is None:
            raise _wrong(f"{where}.edited", "changes nothing")
    elif None not in origins:
        raise _wrong(where, "was removed by nobody")
    if not cell.is_human_labelled and cell.probability < max(cell.probabilities.values()) - TOLERANCE:
        raise _wrong(f"{where}.label", "is neither the most probable class nor given by a person")
    return cell


def _check_place(outline: Detection, where: str, size: tuple[int, int]) -> None:
    x0, y0, x1, y1 = outline.box
    if not (x0 < x1 and y0 < y1):
        raise _wrong(f"{where}.box", "is empty")
    for name, points in (("box", ((x0, y0), (x1, y1))), ("polygon", outline.polygon)):
        if not all(
            -ROUNDING <= value <= side + ROUNDING for point in points for value, side in zip(point, size, strict=True)
        ):
            raise _wrong(f"{where}.{name}", "lies outside the image")
    if outline.area > size[0] * size[1]:
        raise _wrong(f"{where}.area", "is larger than the image")


def _check_ids(cells: Sequence[Cell], removed: Sequence[Cell]) -> None:
    ids, gone = [cell.id for cell in (*cells, *removed)], {cell.id for cell in removed}
    if len(set(ids)) < len(ids):
        raise _wrong("cells", "hold an id twice")
    for cell in (*cells, *removed):
        if cell.edited and not gone.issuperset(cell.edited.parent_ids):
            raise _wrong(f"cell {cell.id}", "is made from cells that are not among those removed")


def _validate(kind: type[T], plain: Any, where: str = "") -> T:
    """Return plain values as ``kind``; ``where`` is what the message calls them."""
    try:
        return _adapter(kind).validate_python(plain)
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False, include_input=False)[0]
        steps = "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in first["loc"])
        raise _wrong(f"{where}{steps}".lstrip(".") or "it", first["msg"].replace("Input should", "should")) from error


def _wrong(where: str, what: str) -> MarrowError:
    return MarrowError(f"This is not an analysis that can be opened ({where} {what}): choose a JSON saved by marrow.")
