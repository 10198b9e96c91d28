"""Files of an analysis: JSON, CSV, COCO, an annotated picture, YOLO, pictures of cells, and a page to print."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np

from marrow.analysis import Analysis
from marrow.case import Case, NamedAnalysis
from marrow.cell import Cell
from marrow.drawing import draw_annotations
from marrow.files import write_whole
from marrow.images import encode_png
from marrow.outputs import MARK
from marrow.print_page import to_page
from marrow.schema import cell_to_dict
from marrow.zips import to_crops, to_yolo

FORMULA = re.compile(r"^[\s=+\-@＝＋－＠﹦﹢﹣﹫−]+")
"""What a spreadsheet takes for the beginning of a formula."""

SUFFIXES = {
    "json": ".json",
    "csv": ".csv",
    "coco": ".coco.json",
    "png": ".png",
    "yolo": ".yolo.zip",
    "crops": ".crops.zip",
    "print": ".html",
}
"""Ending of each format's file."""


def export(
    analysis: Analysis,
    image: np.ndarray,
    file_name: str,
    out_dir: Path,
    formats: Iterable[str],
    language: str = "en",
) -> list[Path]:
    """Write an analysis in some formats.

    Args:
        analysis: the analysis.
        image: ``(height, width, 3)`` uint8 RGB, the image that was analyzed.
        file_name: name of the image file; its stem names the files.
        out_dir: folder to write into; made if it is not there.
        formats: keys of :data:`SUFFIXES`.
        language: of the page to print, ``"en"`` or ``"fr"``.

    Returns:
        The files, in the order of ``formats``.

    Raises:
        MarrowError: the folder cannot be written to.
    """
    paths = output_paths(file_name, out_dir, formats)
    file_name = file_name.encode(errors="replace").decode()  # a name that is not UTF-8
    makers: dict[str, Callable[[], bytes]] = {
        "json": lambda: analysis.to_json().encode(),
        "csv": lambda: to_csv(analysis).encode(),
        "coco": lambda: json.dumps(to_coco(analysis, file_name), indent=1).encode(),
        "png": lambda: encode_png(draw_annotations(image, analysis), MARK.decode()),
        "yolo": lambda: to_yolo(analysis, image, file_name),
        "crops": lambda: to_crops(analysis, image, file_name),
        "print": lambda: to_page(Case((NamedAnalysis(file_name, analysis),)), {file_name: image}, language).encode(),
    }
    return [write_whole(path, makers[kind]()) for kind, path in paths]


def output_paths(file_name: str, out_dir: Path, formats: Iterable[str]) -> list[tuple[str, Path]]:
    """Name the files that :func:`export` writes for an image, as ``(format, path)``."""
    return [(kind, out_dir / (Path(file_name).stem + SUFFIXES[kind])) for kind in formats]


def to_csv(analysis: Analysis) -> str:
    """Return one row per cell: name, edit, score, box and area in pixels, then the probability of every class."""
    rows = io.StringIO()
    codes = list(analysis.report.counts)
    writer = csv.writer(rows, lineterminator="\n")
    names = ["id", "label", "probability", "uncertain", *_provenance(None)]
    writer.writerow([*names, "score", "x0", "y0", "x1", "y1", "area", *(f"p_{code}" for code in codes)])
    for cell in analysis.cells:
        row = cell_to_dict(cell)
        named = [row["id"], row["label"], row["probability"], int(analysis.is_uncertain(cell))]
        shape = [row["score"], *row["box"], row["area"]]
        writer.writerow([*named, *_provenance(cell).values(), *shape, *(row["probabilities"][code] for code in codes)])
    return rows.getvalue()


def to_coco(analysis: Analysis, file_name: str) -> dict[str, Any]:
    """Return the analysis in the COCO layout for object detection, with one category per class.

    Layout: https://cocodataset.org/#format-data. Beside its keys, each annotation holds ``score``, ``probability``,
    ``uncertain``, ``model_label``, ``edited``, ``edited_by`` and ``edited_at``.

    Args:
        analysis: the analysis.
        file_name: name of the image file.

    Returns:
        Plain values, ready for ``json.dumps``.
    """
    number = {code: i for i, code in enumerate(analysis.report.counts, start=1)}
    return {
        "images": [{"id": 1, "file_name": file_name, "width": analysis.width, "height": analysis.height}],
        "categories": [{"id": i, "name": code, "supercategory": "cell"} for code, i in number.items()],
        "annotations": [_coco_annotation(cell, number[cell.label], analysis) for cell in analysis.cells],
    }


def _coco_annotation(cell: Cell, category: int, analysis: Analysis) -> dict[str, Any]:
    row, (x0, y0, x1, y1) = cell_to_dict(cell), cell.box
    return {
        **{key: row[key] for key in ("id", "area", "score", "probability")},
        "image_id": 1,
        "category_id": category,
        "bbox": [round(v, 1) for v in (x0, y0, x1 - x0, y1 - y0)],
        "segmentation": [[v for point in row["polygon"] for v in point]],
        "iscrowd": 0,
        "uncertain": analysis.is_uncertain(cell),
        **_provenance(cell),
    }


def _provenance(cell: Cell | None) -> dict[str, str]:
    """What the model said, and what a person did, empty where nothing; the keys alone without a cell."""
    edit = cell.edited if cell else None
    did = [*(["named"] if edit and edit.label else []), *([edit.shape] if edit and edit.shape else [])]
    return {
        "model_label": cell.model_label if cell else "",
        "edited": "+".join(did),
        "edited_by": FORMULA.sub("", edit.by or "", count=1) if edit else "",
        "edited_at": edit.at if edit else "",
    }
