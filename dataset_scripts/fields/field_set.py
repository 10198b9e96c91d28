"""A set of fields in every split: composed ones, and real ones that are mixed in, as YOLO and COCO."""

import json
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from tqdm import tqdm

from dataset_scripts.fields.compose import compose_field
from dataset_scripts.fields.formats import read_fields, write_coco, write_field
from dataset_scripts.fields.patch_bank import PatchBank, make_patch_bank
from dataset_scripts.fields.splits import SPLITS, split_boxed

WORKERS = 2
YAML = "train: images/train\nval: images/validation\ntest: images/test\nnames:\n  0: cell\n"


@dataclass(frozen=True)
class FieldSet:
    """What a set of fields is made of.

    Attributes:
        data: data set that the cells come from, folder or Hub id; each split's fields have that split's cells.
        train: fields to compose.
        validation: likewise.
        test: likewise.
        size: side of a composed field in pixels.
        cells: most cells to use of each source and split.
        overlap: most of a cell that may lie under others, 0 to 1.
        empty: share of the composed fields without nucleated cells, 0 to 1.
        plain: compose of the cells as they were photographed, with nothing that is drawn or altered.
        outlines: segmenter to outline the cells with; colour alone when ``None``.
        fields: folders of annotated fields to mix in, each of another name.
        seed: of the composed fields.
    """

    data: str
    train: int
    validation: int
    test: int
    size: int
    cells: int
    overlap: float
    empty: float
    plain: bool
    outlines: str | None
    fields: Sequence[Path]
    seed: int


def write_field_set(wanted: FieldSet, out: Path) -> None:
    """Write ``images/``, ``labels/``, ``annotations/``, ``data.yaml``, and in ``sources.json`` what is trained on.

    Raises:
        MarrowError: the data set or a folder of fields cannot be read.
    """
    sources: dict[str, dict[str, int]] = {"fields": {"composed": wanted.train}, "cells": {}}
    entries: dict[str, list[dict[str, Any]]] = {split: [] for split in SPLITS}
    for split in SPLITS:
        if number := getattr(wanted, split):
            bank = make_patch_bank(wanted.data, split, wanted.cells, wanted.outlines)
            if split == "train":
                sources["cells"] = {source: len(patches) for source, patches in bank.patches.items()}
            work = partial(_compose_and_write, wanted=wanted, out=out, split=split)
            with ProcessPoolExecutor(WORKERS, initializer=_start_worker, initargs=(bank,)) as pool:
                written = pool.map(work, range(number), chunksize=8)
                entries[split] += tqdm(written, total=number, desc=f"{split} fields")
    for folder in wanted.fields:
        name = folder.resolve().name
        for split, stem, field in split_boxed(list(tqdm(read_fields(folder), desc=name))):
            entries[split].append(write_field(out, split, f"{name}_{stem}", field))
        sources["fields"][name] = len(list((out / "images" / "train").glob(f"{name}_*")))
    for split in SPLITS:
        write_coco(out, split, entries[split])
    (out / "sources.json").write_text(json.dumps(sources, indent=1) + "\n", encoding="utf-8")
    (out / "data.yaml").write_text(YAML, encoding="utf-8")


_bank: PatchBank  # of the worker process


def _start_worker(bank: PatchBank) -> None:
    global _bank
    _bank = bank


def _compose_and_write(number: int, wanted: FieldSet, out: Path, split: str) -> dict[str, Any]:
    rng = np.random.default_rng((wanted.seed, SPLITS.index(split), number))
    empty = int((number + 1) * wanted.empty) > int(number * wanted.empty)
    altered = not wanted.plain
    field = compose_field(_bank, wanted.size, rng, overlap=wanted.overlap, empty=empty, mixed=altered, varied=altered)
    return write_field(out, split, f"composed_{number:05d}", field)
