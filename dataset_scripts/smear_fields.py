"""Compose smear fields of many, partly overlapping cells, with a mask for every nucleated cell.

python dataset_scripts/smear_fields.py --data DATASET --out FIELDS [--train 800 --validation 80 --test 80]

The cells come from a data set that ``bone_marrow_12.py`` built, each split's fields from that split's cells, and
some are drawn. Real fields with YOLO boxes can be mixed in (``--boxes DIR``). The result has the YOLO
segmentation layout: ``images/SPLIT``, ``labels/SPLIT``, ``data.yaml``.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import sys
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TypeVar

import cv2
import datasets
import numpy as np
from tqdm import tqdm

from marrow.centre_cell import centre_cell_mask
from marrow.errors import MarrowError
from marrow.images import read_image, to_rgb

if __package__ in (None, ""):  # run as a file
    sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from dataset_scripts.cell_patches import (
    Ground,
    Patch,
    cut_ground,
    cut_patch,
    drawn_ground,
    drawn_patch,
    match_ground,
    quilted_ground,
)
from dataset_scripts.synthetic_cells import CODES

SPLITS = ("train", "validation", "test")
NOT_NUCLEATED = {"ART"}
MAX_OVERLAP = 0.3
GROUND_IMAGES = 400

Value = TypeVar("Value")


@dataclass(frozen=True)
class Field:
    """A smear field and its cells.

    Attributes:
        image: ``(height, width, 3)`` uint8 RGB.
        labels: ``(height, width)`` int32, 0 for ground, ``i`` for the visible part of cell ``i``.
    """

    image: np.ndarray
    labels: np.ndarray


@dataclass(frozen=True)
class Stock:
    """What fields of one split are made from, by source: cells to paste, and ground to paste them on."""

    patches: dict[str, list[Patch]]
    grounds: dict[str, list[Ground]]


def make_stock(data: str, split: str, limit: int) -> Stock:
    """Cut patches from up to ``limit`` random cells of each source of a split.

    Raises:
        MarrowError: the data set cannot be loaded, or no cell can be cut out.
    """
    try:
        part = datasets.load_dataset(data, split=split).shuffle(seed=0)
    except (OSError, ValueError, datasets.exceptions.DatasetsError) as error:
        raise MarrowError(f"The data set {data} cannot be loaded: build it with bone_marrow_12.py first.") from error
    names = part.features["label"].names
    patches, grounds = {}, {}
    sources = np.array(part["source"])
    for source in sorted(set(sources)):
        rows = part.select(np.flatnonzero(sources == source)[:limit])
        pictures = [to_rgb(image) for image in rows["image"]]
        codes = [names[label] for label in rows["label"]]
        with ProcessPoolExecutor(2) as pool:
            cut = pool.map(cut_patch, pictures, codes, chunksize=20)
            patches[source] = [patch for patch in tqdm(cut, total=len(codes), desc=f"{split} {source}") if patch]
            some = pool.map(cut_ground, pictures[:GROUND_IMAGES], chunksize=20)
            grounds[source] = [ground for ground in some if ground]
    if not any(patches.values()):
        raise MarrowError(f"No cell of the {split} split of {data} stands clear enough to be cut out: add images.")
    return Stock(patches, grounds)


def compose_field(stock: Stock, size: int, rng: np.random.Generator, drawn_share: float = 0.15) -> Field:
    """Compose one field.

    Args:
        stock: cells and grounds to use.
        size: side of the field in pixels.
        rng: source of randomness.
        drawn_share: share of fields with drawn cells.

    Returns:
        A field of one source's cells on real or drawn ground, at a random magnification (cells about 30 to 250 px
        across), crowding and focus. Some fields have no nucleated cell at all.
    """
    sources = sorted(stock.patches)
    weights = np.sqrt([len(stock.patches[source]) for source in sources])
    source = str(rng.choice(sources, p=weights / weights.sum()))
    patches = stock.patches[source]
    diameter = float(np.exp(rng.uniform(np.log(34), np.log(min(200, size / 2.2)))))
    typical = float(np.median([np.sqrt(p.mask.sum() * 4 / np.pi) for p in patches]))
    scale = diameter / typical
    if rng.random() < 0.45 and stock.grounds[source]:
        canvas = quilted_ground(stock.grounds[source], size, size, scale, rng)
    else:
        canvas = drawn_ground(size, size, 0.8 * diameter, rng)
    ground = np.percentile(canvas.reshape(-1, 3), 85, axis=0)
    cover = 0.0 if rng.random() < 0.06 else rng.uniform(0.03, 0.75)
    number = min(70, round(cover * size**2 / (np.pi * diameter**2 / 4)) + (cover > 0))
    drawn = rng.random() < drawn_share
    chosen = [
        drawn_patch(rng, CODES) if drawn and rng.random() < 0.5 else patches[rng.integers(len(patches))]
        for _ in range(number + int(rng.integers(0, 4)))
    ]
    if cover == 0:
        chosen = [patch for patch in chosen if patch.code in NOT_NUCLEATED]
    labels = np.zeros((size, size), np.int32)
    areas = [0]
    image = canvas.astype(np.float32)
    crowding = MAX_OVERLAP * rng.random()
    for patch in chosen:
        _paste(image, labels, areas, patch, scale * np.exp(rng.normal(0, 0.06)), ground, crowding, rng)
    return Field(_photograph(image, rng), _visible(labels))


def _paste(
    image: np.ndarray,
    labels: np.ndarray,
    areas: list[int],
    patch: Patch,
    scale: float,
    ground: np.ndarray,
    overlap: float,
    rng: np.random.Generator,
) -> None:
    """Paste a cell where it covers at most ``overlap`` of any other; gives up after some tries.

    ``areas`` holds the area of each cell pasted so far, by its number in ``labels``.
    """
    piece, mask = _turned(patch, scale, ground, rng)
    height, width = mask.shape
    size = labels.shape[0]
    for _ in range(12):
        y, x = rng.integers(-height // 2, size - height // 2), rng.integers(-width // 2, size - width // 2)
        rows, columns = slice(max(0, y), min(size, y + height)), slice(max(0, x), min(size, x + width))
        cut = (slice(rows.start - y, rows.stop - y), slice(columns.start - x, columns.stop - x))
        visible = mask[cut] > 0.5
        if visible.sum() < 0.25 * (mask > 0.5).sum():
            continue
        under = labels[rows, columns]
        covered = np.bincount(under[visible], minlength=len(areas))
        covered[0] = 0
        if any(covered[i] > overlap * min(areas[i], visible.sum()) for i in np.flatnonzero(covered)):
            continue
        region = image[rows, columns]
        region += mask[cut][..., None] * (piece[cut] - region)
        if patch.code in NOT_NUCLEATED:
            under[visible] = 0
        else:
            under[visible] = len(areas)
            areas.append(int(visible.sum()))
        return


def _turned(patch: Patch, scale: float, ground: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Scale, turn and mirror a patch; gives float32 RGB and a soft mask, 0 to 1."""
    image = match_ground(patch.image, patch.ground, ground)
    mask = patch.mask.astype(np.float32)
    if rng.random() < 0.5:
        image, mask = image[:, ::-1], mask[:, ::-1]
    height, width = mask.shape
    side = int(np.ceil(np.hypot(height, width) * scale)) + 4
    matrix = cv2.getRotationMatrix2D((width / 2, height / 2), rng.uniform(0, 360), scale)
    matrix[:, 2] += side / 2 - np.array([width / 2, height / 2])
    if scale < 0.7:
        image = cv2.GaussianBlur(np.ascontiguousarray(image), (0, 0), 0.4 / scale)
    image = cv2.warpAffine(np.ascontiguousarray(image), matrix, (side, side), borderMode=cv2.BORDER_REPLICATE)
    mask = cv2.warpAffine(np.ascontiguousarray(mask), matrix, (side, side))
    return image.astype(np.float32), cv2.GaussianBlur(mask, (0, 0), 0.8)


def _photograph(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Vary light, stain and focus of a whole field; ``(h, w, 3)`` uint8."""
    height, width = image.shape[:2]
    slope = rng.normal(0, 0.05, 2)
    rows, columns = np.linspace(-1, 1, height)[:, None], np.linspace(-1, 1, width)
    light = np.exp(slope[0] * rows + slope[1] * columns + rng.normal(0, 0.1))
    density = -np.log((image.clip(0, 255) + 1) / 256) * np.exp(rng.normal(0, 0.15) + rng.normal(0, 0.08, 3))
    image = 256 * np.exp(-density) * light[..., None] - 1
    if rng.random() < 0.5:
        image = cv2.GaussianBlur(image, (0, 0), rng.uniform(0.3, 1.6))
    image = image + rng.normal(0, rng.uniform(0, 5), image.shape)
    return image.clip(0, 255).astype(np.uint8)


def _visible(labels: np.ndarray, smallest: int = 40) -> np.ndarray:
    """Keep the largest part of each cell, drop slivers, and number from 1."""
    result = np.zeros_like(labels)
    number = 0
    for cell in range(1, labels.max() + 1):
        _, regions, stats, _ = cv2.connectedComponentsWithStats((labels == cell).astype(np.uint8))
        if len(stats) > 1 and stats[1:, cv2.CC_STAT_AREA].max() >= smallest:
            number += 1
            result[regions == 1 + stats[1:, cv2.CC_STAT_AREA].argmax()] = number
    return result


def read_boxed_fields(folder: Path) -> Iterator[tuple[str, Field]]:
    """Read real fields with YOLO boxes (``images/*.jpg``, ``labels/*.txt``) and outline the cell in each box.

    Yields:
        The file's stem and the field; a cell whose outline does not fill its box becomes the box's ellipse.

    Raises:
        MarrowError: there are no images, or one cannot be read.
    """
    files = sorted((folder / "images").glob("*.jpg"))
    if not files:
        raise MarrowError(f"There are no fields in {folder}: expected images/*.jpg and labels/*.txt.")
    for file in files:
        image = read_image(file)
        labels = np.zeros(image.shape[:2], np.int32)
        label_file = folder / "labels" / f"{file.stem}.txt"
        lines = label_file.read_text().split("\n") if label_file.is_file() else []
        for line in filter(str.strip, lines):
            x, y, w, h = (float(v) for v in line.split()[1:5])
            box = np.array([x - w / 2, y - h / 2, x + w / 2, y + h / 2]) * np.tile(image.shape[1::-1], 2)
            labels[_outline_in_box(image, box)] = labels.max() + 1
        yield file.stem, Field(image, labels)


def _outline_in_box(image: np.ndarray, box: np.ndarray) -> np.ndarray:
    """Outline the cell in a box by colour; the ellipse of the box where that does not fill it."""
    height, width = image.shape[:2]
    inside = np.zeros((height, width), bool)
    x0, y0, x1, y1 = box.round().astype(int).clip(0)
    inside[y0:y1, x0:x1] = True
    margin = int(0.35 * max(x1 - x0, y1 - y0))
    around = (slice(max(0, y0 - margin), y1 + margin), slice(max(0, x0 - margin), x1 + margin))
    found = centre_cell_mask(image[around])
    if found is not None:
        outline = np.zeros((height, width), bool)
        outline[around] = found
        outline &= inside
        if np.prod(cv2.boundingRect(outline.astype(np.uint8))[2:]) > 0.85 * inside.sum():
            return outline
    centre, axes = _whole_cell(box, width, height)
    ellipse = np.zeros((height, width), np.uint8)
    cv2.ellipse(ellipse, centre.round().astype(int).tolist(), axes.round().astype(int).tolist(), 0, 0, 360, 1, -1)
    return ellipse.astype(bool) & inside


def _whole_cell(box: np.ndarray, width: int, height: int) -> tuple[np.ndarray, np.ndarray]:
    """Centre and half axes of the cell in a box; one cut by the border is taken as round, beyond it."""
    x0, y0, x1, y1 = box
    side = max(x1 - x0, y1 - y0)
    x0, x1 = (x1 - side if x0 <= 2 else x0), (x0 + side if x1 >= width - 3 else x1)
    y0, y1 = (y1 - side if y0 <= 2 else y0), (y0 + side if y1 >= height - 3 else y1)
    return np.array([x0 + x1, y0 + y1]) / 2, np.array([x1 - x0, y1 - y0]) / 2


def yolo_lines(labels: np.ndarray) -> str:
    """Give the cells of a label image as YOLO segmentation lines, class 0, one polygon each."""
    height, width = labels.shape
    lines = []
    for cell in range(1, labels.max() + 1):
        contours, _ = cv2.findContours((labels == cell).astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)
        contour = max(contours, key=cv2.contourArea, default=None)
        if contour is not None and len(contour) >= 3:
            points = (contour[:, 0] + 0.5) / (width, height)
            lines.append("0 " + " ".join(f"{value:.5f}" for value in points.ravel()))
    return "\n".join(lines) + "\n"


def write_field(out: Path, split: str, name: str, field: Field) -> None:
    """Write one field as ``images/SPLIT/NAME.jpg`` and ``labels/SPLIT/NAME.txt``."""
    for kind in ("images", "labels"):
        (out / kind / split).mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(out / "images" / split / f"{name}.jpg"), field.image[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, 92])
    (out / "labels" / split / f"{name}.txt").write_text(yolo_lines(field.labels))


_stock: Stock  # of the worker process


def _start_worker(stock: Stock) -> None:
    global _stock
    _stock = stock
    cv2.setNumThreads(1)


def _compose_and_write(number: int, out: Path, split: str, size: int, seed: int) -> None:
    rng = np.random.default_rng((seed, SPLITS.index(split), number))
    write_field(out, split, f"composed_{number:05d}", compose_field(_stock, size, rng))


def split_boxed(fields: Sequence[tuple[str, Value]]) -> Iterator[tuple[str, str, Value]]:
    """Split real fields by name order: of every ten, seven to train, one to validation, two to test."""
    for index, (name, field) in enumerate(fields):
        place = index % 10
        yield "train" if place < 7 else "validation" if place == 7 else "test", name, field


def write_set(args: argparse.Namespace, out: Path) -> None:
    """Compose and write all splits, ``data.yaml``, and in ``sources.json`` what the training fields are made of."""
    sources: dict[str, dict[str, int]] = {"fields": {"composed": args.train}, "cells": {}}
    for split in SPLITS:
        number = getattr(args, split)
        if number:
            stock = make_stock(args.data, split, args.cells)
            if split == "train":
                sources["cells"] = {source: len(patches) for source, patches in stock.patches.items()}
            work = partial(_compose_and_write, out=out, split=split, size=args.size, seed=args.seed)
            with ProcessPoolExecutor(2, initializer=_start_worker, initargs=(stock,)) as pool:
                list(tqdm(pool.map(work, range(number), chunksize=8), total=number, desc=f"{split} fields"))
    if args.boxes:
        for split, name, field in split_boxed(list(read_boxed_fields(args.boxes))):
            write_field(out, split, f"boxed_{name}", field)
        sources["fields"][args.boxes.resolve().name] = sum(1 for _ in (out / "images" / "train").glob("boxed_*"))
    (out / "sources.json").write_text(json.dumps(sources, indent=1) + "\n", encoding="utf-8")
    (out / "data.yaml").write_text(
        "train: images/train\nval: images/validation\ntest: images/test\nnames:\n  0: cell\n", encoding="utf-8"
    )


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line; gives the exit code (2 for bad input)."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--data", required=True, help="folder written by bone_marrow_12.py, or a Hub id")
    parser.add_argument("--out", type=Path, required=True, help="new folder to write")
    parser.add_argument("--train", type=int, default=800, metavar="N", help="fields to compose")
    parser.add_argument("--validation", type=int, default=80, metavar="N")
    parser.add_argument("--test", type=int, default=80, metavar="N")
    parser.add_argument("--size", type=int, default=448, help="side of a composed field in pixels")
    parser.add_argument("--cells", type=int, default=3000, help="most cells to use of each source and split")
    parser.add_argument("--boxes", type=Path, help="real fields with YOLO boxes to mix in")
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args(argv)
    beside = Path(f"{args.out.resolve()}.partial")
    try:
        if args.out.exists():
            raise MarrowError(f"{args.out} exists: name a new folder with --out.")
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
