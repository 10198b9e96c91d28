"""Compose smear fields of many, partly overlapping cells, with a mask for every nucleated cell.

python dataset_scripts/smear_fields.py --data DATASET --out FIELDS [--train 800 --validation 80 --test 80]

The cells come from a data set that ``bone_marrow_12.py`` built, each split's fields from that split's cells, and
some are drawn. Real annotated fields can be mixed in (``--fields DIR``, once for each folder). The result has the YOLO
segmentation layout (``images/SPLIT``, ``labels/SPLIT``, ``data.yaml``) and COCO (``annotations/instances_SPLIT.json``).
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import sys
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from itertools import chain
from pathlib import Path
from typing import Any, TypeVar

import cv2
import datasets
import numpy as np
from tqdm import tqdm

from marrow.errors import MarrowError
from marrow.hub import resolve
from marrow.images import to_rgb

if __package__ in (None, ""):  # run as a file
    sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from dataset_scripts.fields.compose import NOT_NUCLEATED, PatchBank, compose_field
from dataset_scripts.fields.formats import read_fields, write_coco, write_field
from dataset_scripts.fields.outlines import cell_labels, labels_of_all
from dataset_scripts.fields.patches import Background, Patch, cut_ground, cut_patch

SPLITS = ("train", "validation", "test")
GROUND_IMAGES = 400
WORKERS = 2
BATCH = 16  # cells that a worker cuts out at a time

Value = TypeVar("Value")


def make_patch_bank(data: str, split: str, limit: int, model: str | None = None) -> PatchBank:
    """Cut patches from up to ``limit`` random cells of each source of a split.

    Args:
        data: folder or Hub id of the data set.
        split: of the data set.
        limit: most cells of each source.
        model: segmenter that outlines them; colour alone when ``None``.

    Raises:
        MarrowError: the data set cannot be loaded, or no cell can be cut out.
    """
    try:
        part = datasets.load_dataset(data, split=split).shuffle(seed=0)
    except (OSError, ValueError, datasets.exceptions.DatasetsError) as error:
        raise MarrowError(f"The data set {data} cannot be loaded: build it with bone_marrow_12.py first.") from error
    names = part.features["label"].names
    patches: dict[str, list[Patch]] = {}
    grounds: dict[str, list[Background]] = {}
    sources = np.array(part["source"])
    for source in sorted(set(sources)):
        rows = part.select(np.flatnonzero(sources == source)[:limit])
        patches[source], grounds[source] = [], []
        batches = (
            [(to_rgb(image), names[label]) for image, label in zip(batch["image"], batch["label"], strict=True)]
            for batch in rows.iter(BATCH)
        )
        with ProcessPoolExecutor(WORKERS) as pool:
            pieces = pool.map(partial(_cut, model=model), batches)
            for patch, ground in tqdm(chain.from_iterable(pieces), total=len(rows), desc=f"{split} {source}"):
                if patch:
                    patches[source].append(patch)
                if ground and len(grounds[source]) < GROUND_IMAGES:
                    grounds[source].append(ground)
    patches = {source: found for source, found in patches.items() if found}
    if not patches:
        raise MarrowError(f"No cell of the {split} split of {data} stands clear enough to be cut out: add images.")
    return PatchBank(patches, grounds)


def _cut(cells: Sequence[tuple[np.ndarray, str]], model: str | None) -> list[tuple[Patch | None, Background | None]]:
    nucleated = iter(labels_of_all([image for image, code in cells if code not in NOT_NUCLEATED], model))
    pieces = []
    for image, code in cells:
        labels = cell_labels(image) if code in NOT_NUCLEATED else next(nucleated)
        pieces.append((cut_patch(image, labels, code), cut_ground(image, labels)))
    return pieces


_bank: PatchBank  # of the worker process


def _start_worker(bank: PatchBank) -> None:
    global _bank
    _bank = bank


def _compose_and_write(number: int, out: Path, split: str, args: argparse.Namespace) -> dict[str, Any]:
    rng = np.random.default_rng((args.seed, SPLITS.index(split), number))
    empty = int((number + 1) * args.empty) > int(number * args.empty)
    field = compose_field(_bank, args.size, rng, overlap=args.overlap, empty=empty)
    return write_field(out, split, f"composed_{number:05d}", field)


def split_boxed(fields: Sequence[tuple[str, Value]]) -> Iterator[tuple[str, str, Value]]:
    """Split real fields by name order: of every ten, seven to train, one to validation, two to test."""
    for index, (name, field) in enumerate(fields):
        place = index % 10
        yield "train" if place < 7 else "validation" if place == 7 else "test", name, field


def write_set(args: argparse.Namespace, out: Path) -> None:
    """Compose and write all splits, ``data.yaml``, and in ``sources.json`` what the training fields are made of."""
    sources: dict[str, dict[str, int]] = {"fields": {"composed": args.train}, "cells": {}}
    entries: dict[str, list[dict[str, Any]]] = {split: [] for split in SPLITS}
    for split in SPLITS:
        number = getattr(args, split)
        if number:
            bank = make_patch_bank(args.data, split, args.cells, args.outlines)
            if split == "train":
                sources["cells"] = {source: len(patches) for source, patches in bank.patches.items()}
            work = partial(_compose_and_write, out=out, split=split, args=args)
            with ProcessPoolExecutor(WORKERS, initializer=_start_worker, initargs=(bank,)) as pool:
                written = pool.map(work, range(number), chunksize=8)
                entries[split] += tqdm(written, total=number, desc=f"{split} fields")
    for folder in args.fields:
        name = folder.resolve().name
        for split, stem, field in split_boxed(list(tqdm(read_fields(folder), desc=name))):
            entries[split].append(write_field(out, split, f"{name}_{stem}", field))
        sources["fields"][name] = len(list((out / "images" / "train").glob(f"{name}_*")))
    for split in SPLITS:
        write_coco(out, split, entries[split])
    (out / "sources.json").write_text(json.dumps(sources, indent=1) + "\n", encoding="utf-8")
    (out / "data.yaml").write_text(
        "train: images/train\nval: images/validation\ntest: images/test\nnames:\n  0: cell\n", encoding="utf-8"
    )


def _share(text: str) -> float:
    value = float(text)
    if not 0 <= value <= 1:
        raise argparse.ArgumentTypeError(f"{text} is not a share: give a number from 0 to 1")
    return value


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--data", required=True, help="folder written by bone_marrow_12.py, or a Hub id")
    parser.add_argument("--out", type=Path, required=True, help="new folder to write")
    parser.add_argument("--train", type=int, default=800, metavar="N", help="fields to compose")
    parser.add_argument("--validation", type=int, default=80, metavar="N")
    parser.add_argument("--test", type=int, default=80, metavar="N")
    parser.add_argument("--size", type=int, default=640, help="side of a composed field in pixels")
    parser.add_argument("--cells", type=int, default=3000, help="most cells to use of each source and split")
    parser.add_argument("--overlap", type=_share, default=0.3, help="most of a cell that may lie under others")
    parser.add_argument("--empty", type=_share, default=0.15, help="share of fields without nucleated cells")
    parser.add_argument("--outlines", metavar="MODEL", help="segmenter to outline the cells with; colour by default")
    parser.add_argument(
        "--fields",
        type=Path,
        action="append",
        default=[],
        metavar="DIR",
        help="annotated fields to mix in: YOLO boxes or polygons, COCO, or label images; may be repeated",
    )
    parser.add_argument("--seed", type=int, default=0)
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line; return the exit code (2 for bad input)."""
    args = _parser().parse_args(argv)
    cv2.setNumThreads(1)  # OpenCV's threads and forked workers hang together
    beside = Path(f"{args.out.resolve()}.partial")
    try:
        if args.out.exists():
            raise MarrowError(f"{args.out} exists: name a new folder with --out.")
        if len({folder.resolve().name for folder in args.fields}) < len(args.fields):
            raise MarrowError("Two folders of --fields have the same name: rename one.")
        if args.outlines:
            resolve(args.outlines)  # pulled once, before the workers ask for it
        shutil.rmtree(beside, ignore_errors=True)
        beside.mkdir(parents=True)
        write_set(args, beside)
        os.replace(beside, args.out)
    except (MarrowError, OSError) as error:
        shutil.rmtree(beside, ignore_errors=True)
        print(f"smear_fields: {error}", file=sys.stderr)
        return 2
    print(f"wrote {sum(1 for _ in args.out.glob('images/*/*.jpg'))} fields to {args.out}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
