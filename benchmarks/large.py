"""Pictures from 1 to 256 megapixels through the command line: how long they take, and the most memory that is held."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.mosaics import BLOCK, make_mosaic
from benchmarks.runs import analyze_files
from marrow.images import encode_png
from marrow.stain import background_colour

MEGAPIXELS = (1, 4, 16, 64, 100, 256)


def large_rows(fields: Sequence[np.ndarray], work: Path, sizes: Sequence[int] = MEGAPIXELS) -> list[dict[str, Any]]:
    """Measure ``marrow analyze`` on a mosaic of each size, and on as much bare ground around one block of cells.

    Args:
        fields: as :func:`benchmarks.mosaics.make_mosaic` takes them.
        work: folder to write to.
        sizes: in megapixels.
    """
    rows = []
    for megapixels in sizes:
        blocks = max(1, round((megapixels * 1e6) ** 0.5 / BLOCK))
        for kind in ("cells everywhere", "bare ground"):
            image = make_mosaic(fields, blocks, blocks, [1.0], np.random.default_rng(0)).image
            if kind == "bare ground":
                image = surrounded(image[:BLOCK, :BLOCK], image.shape)
            path = work / f"{megapixels}.png"
            path.write_bytes(encode_png(image))
            size = round(image.shape[0] * image.shape[1] / 1e6, 1)
            del image
            run = analyze_files([path], work)
            cells = len(json.loads((work / f"{path.stem}.json").read_text())["cells"])
            rows.append({"megapixels": size, "picture": kind, "cells": cells} | vars(run))
    return rows


def surrounded(block: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """Lay a block into the middle of bare ground of its colour, with the noise of a camera."""
    rng = np.random.default_rng(0)
    image = np.empty(shape, np.uint8)
    ground = background_colour(block)
    for top in range(0, shape[0], BLOCK):  # in strips, which need no second picture
        rows = image[top : top + BLOCK]
        rows[:] = (ground + rng.normal(0, 2, rows.shape)).clip(0, 255)
    top, left = (side // 2 // BLOCK * BLOCK for side in shape[:2])
    image[top : top + BLOCK, left : left + BLOCK] = block
    return image
