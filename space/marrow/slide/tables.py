"""The cells of a slide as Parquet: the columns of a study, an outline that any reader of GeoParquet knows, and µm.

The file is GeoParquet 1.1 without a coordinate system: x runs right and y runs down, in pixels of level 0.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Iterable, Sequence
from math import pi, sqrt
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from marrow.batch.tables import SCHEMA_VERSION, cell_row, pyarrow, schemas
from marrow.cell import Cell
from marrow.errors import MarrowError
from marrow.files import atomic_path
from marrow.report import CountingRules
from marrow.slide.count import CountedArea

if TYPE_CHECKING:
    import pyarrow as pa

CELLS = "cells.parquet"

GEO = {
    "version": "1.1.0",
    "primary_column": "geometry",
    "columns": {"geometry": {"encoding": "WKB", "geometry_types": ["Polygon"], "crs": None, "edges": "planar"}},
}
"""The metadata of GeoParquet: https://geoparquet.org/releases/v1.1.0/."""

_POLYGON = 3


def cell_schema(labels: Sequence[str]) -> pa.Schema:
    """Return the columns: those of a study's cells, with ``geometry`` for ``polygon``, and sizes in µm.

    Args:
        labels: codes of the classifier, in the order of its outputs.
    """
    pa = pyarrow()
    of_study = schemas(labels)[1]
    shared = [field for field in of_study if field.name != "polygon"]
    own = [pa.field("geometry", pa.binary()), *(pa.field(name, pa.float64()) for name in ("area_um2", "diameter_um"))]
    return pa.schema([*shared, *own], metadata={"geo": json.dumps(GEO)})


def write_cells(path: Path, areas: Iterable[CountedArea], slide: str, pixel_um: float, rules: CountingRules) -> None:
    """Write a row for each cell, area by area.

    Args:
        path: the file.
        areas: the counted areas.
        slide: what the slide is called.
        pixel_um: µm per pixel of level 0.
        rules: that decide which cells are uncertain.

    Raises:
        MarrowError: it cannot be written, or pyarrow is not installed.
    """
    pa, schema = pyarrow(), cell_schema(rules.labels)
    try:
        with atomic_path(path) as beside, pa.parquet.ParquetWriter(beside, schema, compression="zstd") as writer:
            for one in areas:
                named = {"schema_version": SCHEMA_VERSION, "case": slide, "file": one.area.name}
                rows = [named | _row(cell, pixel_um, rules) for cell in one.on_slide()]
                if rows:
                    writer.write_table(pa.Table.from_pylist(rows, schema))
    except OSError as error:
        raise MarrowError(f"{path} cannot be written ({error.strerror or error}): name another --out.") from error


def _row(cell: Cell, pixel_um: float, rules: CountingRules) -> dict[str, Any]:
    row = cell_row(cell, cell.is_uncertain(rules.uncertain_below))
    del row["polygon"]
    sizes = {"area_um2": round(cell.area * pixel_um**2, 2), "diameter_um": diameter_um(cell.area, pixel_um)}
    return row | sizes | {"geometry": to_wkb(cell.polygon)}


def diameter_um(area: float, pixel_um: float) -> float:
    """Return the diameter of the circle of an area, in µm.

    Args:
        area: in square pixels.
        pixel_um: µm per pixel.
    """
    return round(2 * sqrt(area / pi) * pixel_um, 2)


def to_wkb(polygon: Sequence[Sequence[float]]) -> bytes:
    """Return an outline as a polygon in well-known binary (OGC 06-103r4), little-endian and closed."""
    ring = np.array([*polygon, polygon[0]], "<f8")
    return struct.pack("<BIII", 1, _POLYGON, 1, len(ring)) + ring.tobytes()
