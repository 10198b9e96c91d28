"""Pictures of any size: recall in mosaics, by their size and by that of the cells; the same cells in other tiles."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.mosaics import BLOCK, SIZES, Found, Mosaic, boxes_by, compare, make_mosaic, matched_when_shifted
from marrow.segmenter import Segmenter
from training.evaluation.framing import through_eyepiece
from training.evaluation.ground_truth import bccd_fields, segpc_fields

GRIDS = (1, 2, 3, 4, 6, 8, 12)
"""Blocks on each side of the mosaics."""

MIXED = (0.35, 0.5, 0.7, 1.0, 1.5, 2.2)
"""Scales of the fields in a mosaic of all sizes of cells."""

PADDING = 8
"""Most by which a colour of the padding differs from that of the corner; it is a JPEG's."""

SHIFTED_GRIDS = (2, 4, 6)
"""Blocks on each side of the mosaics that are looked at in other tiles."""


def unpadded(image: np.ndarray) -> np.ndarray:
    """Cut off the rows and columns of a picture that have the colour of its corner throughout."""
    same = np.abs(image.astype(int) - image[0, 0]).max(axis=2) <= PADDING
    rows, columns = (np.flatnonzero(same.mean(axis=axis) < 0.9) for axis in (1, 0))
    return image[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]


def read_fields(data: Path) -> dict[str, list[np.ndarray]]:
    """Read the real fields of a folder, without padding; BCCD's test part."""
    parts = {"SegPC-2021": segpc_fields(data / "fields_segpc"), "BCCD": bccd_fields(data / "fields_bccd")}
    fields = {name: [unpadded(one.image()) for one in part] for name, part in parts.items()}
    return {name: [one for one in part if min(one.shape[:2]) >= BLOCK] for name, part in fields.items()}


def mosaic_rows(segmenter: Segmenter, fields: dict[str, list[np.ndarray]], seed: int = 0) -> list[dict[str, Any]]:
    """Measure recall in mosaics of each size, in a strip and through an eyepiece, of each source."""
    rows = []
    for source, part in fields.items():
        for name, mosaic in _mosaics(part, np.random.default_rng(seed)):
            height, width = mosaic.image.shape[:2]
            figures = compare(mosaic, boxes_by(segmenter)).figures()
            rows.append({"source": source, "mosaic": name, "megapixels": round(width * height / 1e6, 2)} | figures)
    return rows


def _mosaics(fields: Sequence[np.ndarray], rng: np.random.Generator) -> Iterator[tuple[str, Mosaic]]:
    for side in GRIDS:
        yield f"{side}×{side}", make_mosaic(fields, side, side, [1.0], rng)
    yield "20×1", make_mosaic(fields, 20, 1, [1.0], rng)
    yield "6×6, scales mixed", make_mosaic(fields, 6, 6, MIXED, rng)
    yield "6×6, through an eyepiece", _through_eyepiece(make_mosaic(fields, 6, 6, [1.0], rng))


def _through_eyepiece(mosaic: Mosaic) -> Mosaic:
    """Hide what lies outside a disc, and leave out the windows that the border of the disc cuts."""
    framed, _ = through_eyepiece(mosaic.image)
    kept = [one for one in mosaic.windows if (one.part_of(framed) == one.image).all()]
    return Mosaic(framed, tuple(kept))


def size_rows(segmenter: Segmenter, fields: dict[str, list[np.ndarray]], seed: int = 0) -> list[dict[str, Any]]:
    """Measure recall by the size of the cells, in mosaics of 4×4 blocks, each of one scale."""
    together = Found(np.zeros(0), np.zeros(0, bool), np.zeros(0))
    for part in fields.values():
        rng = np.random.default_rng(seed)
        for scale in (0.18, 0.25, *MIXED, 3.2):
            together += compare(make_mosaic(part, 4, 4, [scale], rng), boxes_by(segmenter))
    return [{"pixels": f"{low}–{high}"} | together.between(low, high).figures() for low, high in pairwise(SIZES)]


def shift_rows(segmenter: Segmenter, fields: dict[str, list[np.ndarray]], seed: int = 0) -> list[dict[str, Any]]:
    """Measure how many cells are the same where the tiles fall elsewhere, in mosaics of each source."""
    rows = []
    for source, part in fields.items():
        for side in SHIFTED_GRIDS:
            mosaic = make_mosaic(part, side, side, [1.0], np.random.default_rng(seed))
            same, cells = matched_when_shifted(mosaic, segmenter)
            rows.append({"source": source, "mosaic": f"{side}×{side}", "cells": cells, "same": same / max(cells, 1)})
    return rows
