"""The cells that people corrected: read from flags, crops or a set, and put after the cells of a data set."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from huggingface_hub import snapshot_download
from huggingface_hub.errors import HTTPError

from dataset_scripts import bone_marrow_12
from marrow.errors import MarrowError
from training.classifier.data import Cells, find_boxes, load_cells


def load_corrected(data: str | None, codes: Sequence[str]) -> Cells:
    """Load the cells that people corrected.

    Args:
        data: a folder of flags, a zip of crops or any other source of ``bone_marrow_12.py``, a set that it built (whose
            training split counts), or the Hub id of one; ``None`` gives no cells.
        codes: class codes of the model, in the order of its outputs.

    Returns:
        The cells with labels into ``codes``. Of near-duplicates, as of a field that was flagged twice, the one with the
        last path is left: that of a flag begins with its time.

    Raises:
        MarrowError: the data cannot be had, holds no corrected cell, or cells of a class that the model does not have.
    """
    if data is None:
        return Cells([], [], np.empty(0, int), (), tuple(codes))
    folder = Path(data) if Path(data).exists() else _pull_data(data)
    if folder.is_dir() and any(folder.glob("data/*.parquet")):
        cells = _relabelled(load_cells(str(folder), "train"), data, codes)
    else:
        cells = _read_crops(folder, data, codes)
    if not len(cells):
        raise MarrowError(_no_cells(data))
    return cells


def _no_cells(data: str) -> str:
    return f"{data} holds no corrected cells: give a folder of flags in which cells were named, or a zip of crops."


def _pull_data(data: str) -> Path:
    try:
        patterns = ["data/*.parquet", "data/*/crops/*", "README.md"]
        return Path(snapshot_download(data, repo_type="dataset", allow_patterns=patterns))
    except (OSError, ValueError, HTTPError) as error:
        raise MarrowError(
            f"There is no {data}, neither here nor as a data set of the Hub: check --extra-data."
        ) from error


def _relabelled(cells: Cells, data: str, codes: Sequence[str]) -> Cells:
    present = {cells.codes[label] for label in cells.labels}
    _refuse_unknown(data, sorted(present - set(codes)), codes)
    places = np.array([codes.index(code) if code in codes else -1 for code in cells.codes], int)
    return replace(cells, labels=places[cells.labels], codes=tuple(codes))


def _read_crops(source: Path, data: str, codes: Sequence[str]) -> Cells:
    try:
        found, _, other = bone_marrow_12.find_images([source], codes)
        _refuse_unknown(data, sorted(other), codes)
        with TemporaryDirectory() as store:
            scan = bone_marrow_12.Scan(Path(store), 1, True, "corrected")
            rows = scan.read(found)
            bone_marrow_12.print_skipped(scan.skipped)
            if not rows:
                raise MarrowError(_no_cells(data))
            groups, _ = bone_marrow_12.group_duplicates(scan, rows, 1)
            in_time = sorted(zip(rows, groups, strict=True), key=lambda pair: pair[0].path)
            kept = list({group: row for row, group in in_time}.values())
            images = [np.asarray(bone_marrow_12.stored_bytes(scan.stored(row))[2]) for row in kept]
    except bone_marrow_12.NoImagesError as error:
        raise MarrowError(_no_cells(data)) from error
    except bone_marrow_12.DatasetError as error:
        raise MarrowError(str(error)) from error
    labels = np.array([codes.index(row.code) for row in kept])
    name = Path(data).name.removesuffix(".zip")
    origins, laboratories = tuple(row.origin for row in kept), tuple(row.laboratory for row in kept)
    return Cells(images, find_boxes(images), labels, (name,) * len(kept), tuple(codes), (), origins, laboratories)


def _refuse_unknown(data: str, unknown: Sequence[str], codes: Sequence[str]) -> None:
    if unknown:
        raise MarrowError(
            f"{data} holds cells of {', '.join(unknown)}, which the model does not know: name them one of "
            f"{' '.join(codes)}, or take them out."
        )


def joined(cells: Cells, corrected: Cells) -> Cells:
    """Put corrected cells after the old ones.

    Raises:
        MarrowError: the two have other classes, or the same in another order.
    """
    if cells.codes != corrected.codes:
        raise MarrowError(
            f"The data set has the classes {' '.join(cells.codes)}, and the model {' '.join(corrected.codes)}: "
            "build the set with the model's --classes."
        )
    names = ("images", "boxes", "sources", "origins", "laboratories")
    columns: dict[str, Any] = {name: getattr(cells, name) + getattr(corrected, name) for name in names}
    return replace(cells, labels=np.concatenate([cells.labels, corrected.labels]), groups=(), paths=(), **columns)


def cells_digest(cells: Cells) -> str:
    """Return a digest of pixels and labels, which tells whether a run may go on."""
    digest = hashlib.sha256()
    for image, label in zip(cells.images, cells.labels, strict=True):
        digest.update(f"{label} {image.shape}".encode())
        digest.update(np.ascontiguousarray(image).data)
    return digest.hexdigest()
