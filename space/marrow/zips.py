"""Zips of an analysis for training: a field with YOLO labels, and pictures of single cells by class."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np

from marrow.analysis import Analysis
from marrow.cell import Cell
from marrow.crop import cut_square
from marrow.images import encode_png
from marrow.outputs import MARK
from marrow.stain import background_colour

CROP_SCALE = 1.8
"""Side of a cell's picture, in longest sides of its box: about as much smear as the public archive shows."""

CROP_SIZE = 250
"""Pixels of a cell's picture, those of the public archive."""


def to_yolo(analysis: Analysis, image: np.ndarray, file_name: str) -> bytes:
    """Return the field and its outlines as ultralytics reads them for segmentation.

    Layout: https://docs.ultralytics.com/datasets/segment/. Every cell is there under the name that counts, the
    uncertain ones too.

    Args:
        analysis: the analysis.
        image: ``(height, width, 3)`` uint8 RGB, the image that was analyzed.
        file_name: name of the image file.

    Returns:
        A zip of ``data.yaml``, ``images/STEM.png`` and ``labels/STEM.txt``: a line for each cell, the number of its
        class and its outline in shares of width and height.
    """
    number = {code: i for i, code in enumerate(analysis.report.counts)}
    size = analysis.width, analysis.height
    lines = []
    for cell in analysis.cells:
        points = (np.array(cell.polygon) / size).clip(0, 1).ravel()
        lines.append(" ".join([str(number[cell.label]), *(f"{value:.6f}" for value in points)]) + "\n")
    stem = Path(file_name).stem
    names = "".join(f"  {i}: {json.dumps(code)}\n" for code, i in number.items())
    files = {
        "data.yaml": f"train: images\nval: images\nnames:\n{names}".encode(),
        f"images/{stem}.png": encode_png(image),
        f"labels/{stem}.txt": "".join(lines).encode(),
    }
    return _zipped(files.items())


def to_crops(analysis: Analysis, image: np.ndarray, file_name: str) -> bytes:
    """Return a picture of every cell whose name is certain, or a person's, in the layout of the public archive.

    Args:
        analysis: the analysis.
        image: ``(height, width, 3)`` uint8 RGB, the image that was analyzed.
        file_name: name of the image file.

    Returns:
        A zip of ``CODE/STEM_ID.png``, which ``bone_marrow_12.py`` reads as a ``--data-dir``.
    """
    certain = [cell for cell in analysis.cells if not analysis.is_uncertain(cell)]
    return _zipped(cut_pictures(image, certain, Path(file_name).stem))


def cut_pictures(image: np.ndarray, cells: Iterable[Cell], stem: str) -> Iterator[tuple[str, bytes]]:
    """Return the path ``CODE/STEM_ID.png`` and the content of a picture of each cell with the smear around it."""
    ground = background_colour(image).tolist()
    for cell in cells:
        x0, y0, x1, y1 = cell.box
        side = CROP_SCALE * max(x1 - x0, y1 - y0, 1.0)
        yield f"{cell.label}/{stem}_{cell.id}.png", encode_png(cut_square(image, cell.box, side, CROP_SIZE, ground))


def _zipped(files: Iterable[tuple[str, bytes]]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.comment = MARK
        for path, content in files:
            archive.writestr(zipfile.ZipInfo(path), content)  # of one date, so that the same analysis gives the same
    return buffer.getvalue()
