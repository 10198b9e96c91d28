"""The cells of a slide as GeoJSON that QuPath opens: a detection for each cell, an annotation for each counted area."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any
from uuid import UUID, uuid5

import numpy as np

from marrow.cell import Cell
from marrow.drawing import GREY, PALETTE, Colour
from marrow.errors import MarrowError
from marrow.files import atomic_path
from marrow.outputs import MARK
from marrow.report import CountingRules
from marrow.slide.count import CountedArea
from marrow.slide.reader import IntBox
from marrow.slide.tables import diameter_um

CELLS = "cells.geojson"

AREA_COLOUR: Colour = (0, 0, 0)

_SPACE = UUID("7f3f0d4e-3a0c-5a0e-9a53-6c1f6b0a9d11")
"""In which the ids of features are made, so that the same slide gives the same."""


def write_geojson(
    path: Path,
    areas: Iterable[CountedArea],
    digest: str,
    origin: tuple[int, int],
    pixel_um: float,
    rules: CountingRules,
) -> None:
    """Write the counted areas and their cells, feature by feature.

    Args:
        path: the file.
        areas: the counted areas.
        digest: of the slide.
        origin: pixel of level 0 from which QuPath counts: it crops a slide to what was scanned.
        pixel_um: µm per pixel of level 0.
        rules: that decide which cells are uncertain.

    Raises:
        MarrowError: it cannot be written.
    """
    try:
        with atomic_path(path) as beside, beside.open("w", encoding="utf-8") as file:
            file.write(f'{{"type": "FeatureCollection", "written_by": "{MARK.decode()}", "features": [')
            before = "\n"
            for feature in _features(areas, np.array(origin), pixel_um, rules):
                identity = str(uuid5(_SPACE, f"{digest} {feature['properties']['name']}"))
                file.write(before + json.dumps({"type": "Feature", "id": identity, **feature}))
                before = ",\n"
            file.write("\n]}\n")
    except OSError as error:
        raise MarrowError(f"{path} cannot be written ({error.strerror}): name another --out.") from error


def _features(
    areas: Iterable[CountedArea], origin: np.ndarray, pixel_um: float, rules: CountingRules
) -> Iterator[dict[str, Any]]:
    for one in areas:
        yield _area(one.area.name, one.area.core, origin)
        for cell in one.on_slide():
            yield _cell(cell, origin, pixel_um, cell.is_uncertain(rules.uncertain_below))


def _area(name: str, box: IntBox, origin: np.ndarray) -> dict[str, Any]:
    left, top, right, bottom = box
    properties = {"objectType": "annotation", "name": name, "isLocked": True}
    properties["classification"] = _class("Counted area", AREA_COLOUR)
    return _feature([(left, top), (right, top), (right, bottom), (left, bottom)], origin, properties)


def _cell(cell: Cell, origin: np.ndarray, pixel_um: float, is_uncertain: bool) -> dict[str, Any]:
    named = _class("uncertain", GREY) if is_uncertain else _class(cell.label, PALETTE.get(cell.label, GREY))
    measurements = {
        "Probability": round(cell.probability, 4),
        "Score": round(cell.score, 4),
        "Area µm^2": round(cell.area * pixel_um**2, 2),
        "Diameter µm": diameter_um(cell.area, pixel_um),
    }
    name = f"{cell.label}{'?' if is_uncertain else ''} {cell.id}"
    properties = {"objectType": "detection", "name": name, "classification": named, "measurements": measurements}
    return _feature(cell.polygon, origin, properties)


def _class(name: str, colour: Colour) -> dict[str, Any]:
    return {"name": name, "color": list(colour)}


def _feature(polygon: Sequence[Sequence[float]], origin: np.ndarray, properties: dict[str, Any]) -> dict[str, Any]:
    ring = (np.array([*polygon, polygon[0]], float) - origin).round(1).tolist()
    return {"geometry": {"type": "Polygon", "coordinates": [ring]}, "properties": properties}
