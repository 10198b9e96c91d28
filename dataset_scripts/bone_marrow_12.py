"""The balanced 12-class set of bone-marrow cells: labels, builder and command line in one file.

Reads folders in the layout of the public archive (Matek et al. 2021, doi:10.7937/TCIA.AXH3-T579)::

    DATA_DIR/CODE/CODE_00001.jpg              or, two levels deep,
    DATA_DIR/CODE/0001-1000/CODE_00001.jpg

The folder is the label. Run it, or import :class:`BoneMarrow12`; it needs nothing else of this project.
"""

from __future__ import annotations

import argparse
import os
import random
import shutil
import sys
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import datasets
import imagehash
import numpy as np
from datasets.table import embed_table_storage
from PIL import Image
from tqdm import tqdm

VERSION = "1.0.0"
CODES_12 = ("ART", "BLA", "EBO", "EOS", "LYT", "MMZ", "MON", "MYB", "NGB", "NGS", "PLM", "PMO")
PER_CLASS = 3000
SPLITS = ("train", "validation", "test")
SUFFIXES = {".jpg", ".jpeg", ".png", ".bmp", ".tif", ".tiff"}
ARCHIVE = "https://doi.org/10.7937/TCIA.AXH3-T579"
LAYOUT = "DATA_DIR/CODE/…/*.jpg, where CODE is the class (" + " ".join(CODES_12) + ")"


class DatasetError(Exception):
    """The input cannot give the set that was asked for; the message is one sentence."""


@dataclass(frozen=True)
class Row:
    """One image: its class code, which data dir it is from, its path in it, and its near-duplicate group."""

    file: Path
    code: str
    source: str
    path: str
    group: int = 0
    split: str = ""


@dataclass
class BoneMarrowConfig(datasets.BuilderConfig):
    """Options of the set.

    Attributes:
        data_dirs: one or several folders in the source layout; ``data_dir`` is added to them.
        classes: codes to keep, which become the labels in this order.
        per_class: images to keep of each class; ``None`` keeps all.
        seed: of the downsampling and the split.
        shares: train, validation and test shares, in percent.
        allow_short: keep a class that has fewer than ``per_class`` images instead of failing.
    """

    data_dirs: tuple[str, ...] = ()
    classes: tuple[str, ...] = CODES_12
    per_class: int | None = PER_CLASS
    seed: int = 0
    shares: tuple[int, int, int] = (80, 10, 10)
    allow_short: bool = False


class BoneMarrow12(datasets.GeneratorBasedBuilder):
    """Builder for ``datasets``: ``BoneMarrow12(data_dir=…).download_and_prepare()``, then ``as_dataset()``."""

    VERSION = datasets.Version(VERSION)
    BUILDER_CONFIG_CLASS = BoneMarrowConfig
    BUILDER_CONFIGS = [BoneMarrowConfig(name="balanced-12", version=VERSION)]  # noqa: RUF012
    DEFAULT_CONFIG_NAME = "balanced-12"

    def _info(self) -> datasets.DatasetInfo:
        return datasets.DatasetInfo(
            description=__doc__,
            features=features(self.config.classes),
            homepage=ARCHIVE,
            version=self.VERSION,
        )

    def _split_generators(self, dl_manager: datasets.DownloadManager) -> list[datasets.SplitGenerator]:
        folders = [*self.config.data_dirs, *([self.config.data_dir] if self.config.data_dir else [])]
        rows = build_rows(
            [Path(folder) for folder in folders],
            self.config.classes,
            self.config.per_class,
            self.config.seed,
            self.config.shares,
            self.config.allow_short,
        )
        return [
            datasets.SplitGenerator(name=split, gen_kwargs={"rows": [row for row in rows if row.split == split]})
            for split in SPLITS
        ]

    def _generate_examples(self, rows: list[Row]) -> Iterator[tuple[str, dict]]:
        for index, row in enumerate(rows):
            yield f"{index:07d}", _example(row)


def features(classes: Sequence[str]) -> datasets.Features:
    """Give the columns of the set for these class codes."""
    return datasets.Features(
        {
            "image": datasets.Image(),
            "label": datasets.ClassLabel(names=list(classes)),
            "source": datasets.Value("string"),
            "path": datasets.Value("string"),
            "group": datasets.Value("int64"),
        }
    )


def build_rows(
    folders: Sequence[Path],
    classes: Sequence[str] = CODES_12,
    per_class: int | None = PER_CLASS,
    seed: int = 0,
    shares: tuple[int, int, int] = (80, 10, 10),
    allow_short: bool = False,
) -> list[Row]:
    """Find, balance, group and split the images of some folders.

    Args:
        folders: folders in the source layout; the name of each becomes the ``source`` of its images.
        classes: codes to keep.
        per_class: images to keep of each class; ``None`` keeps all.
        seed: of the downsampling and the split; the same seed and files give the same rows in the same order.
        shares: percentages of train, validation and test; they add up to 100.
        allow_short: keep a class with fewer images than ``per_class``.

    Returns:
        Rows with ``group`` and ``split`` set, in a shuffled order that depends on ``seed`` alone.

    Raises:
        DatasetError: no folder or image is found, or a class falls short of ``per_class``.
    """
    if sum(shares) != 100:
        raise DatasetError(f"The splits {shares} do not add up to 100: give three percentages, as in 80/10/10.")
    rows = balance(find_images(folders, classes), classes, per_class, seed, allow_short)
    return split_by_group(group_duplicates(rows), shares, seed)


def find_images(folders: Sequence[Path], classes: Sequence[str]) -> list[Row]:
    """List the readable images of the asked-for classes, sorted; unreadable ones are named on stderr."""
    names = [folder.resolve().name for folder in folders]
    rows = []
    for folder, name in zip(folders, names, strict=True):
        if not folder.is_dir():
            raise DatasetError(f"There is no folder {folder}: expected {LAYOUT}; the public archive is at {ARCHIVE}.")
        source = name if names.count(name) == 1 else f"{folder.resolve().parent.name}-{name}"
        for code in classes:
            files = sorted(f for f in (folder / code).rglob("*") if f.suffix.lower() in SUFFIXES)
            rows += [Row(file, code, source, file.relative_to(folder).as_posix()) for file in files]
    if not rows:
        raise DatasetError(
            f"No images in {', '.join(map(str, folders)) or 'no folder'}: expected {LAYOUT}; "
            f"the public archive is at {ARCHIVE}."
        )
    return rows


def balance(
    rows: Sequence[Row], classes: Sequence[str], per_class: int | None, seed: int, allow_short: bool
) -> list[Row]:
    """Keep at most ``per_class`` random rows of each class; none is repeated.

    Raises:
        DatasetError: a class has fewer rows than ``per_class`` and ``allow_short`` is false.
    """
    counts = Counter(row.code for row in rows)
    if per_class is None:
        return list(rows)
    short = [f"{code} {counts[code]}" for code in classes if counts[code] < per_class]
    if short and not allow_short:
        raise DatasetError(
            f"Fewer than {per_class} images of {', '.join(short)}: lower --per-class, leave classes out with "
            "--classes, or pass --allow-short."
        )
    kept = []
    for code in classes:
        of_class = [row for row in rows if row.code == code]
        random.Random(f"{seed} {code}").shuffle(of_class)
        kept += of_class[:per_class]
    return kept


def group_duplicates(rows: Sequence[Row], distance: int = 5, likeness: float = 0.97) -> list[Row]:
    """Number near-duplicates with one group each; every other image gets a group of its own.

    Two images are near-duplicates when their perceptual hashes (64 bits, Zauner's pHash) differ in at most
    ``distance`` bits and their 32×32 grey versions correlate above ``likeness``. An image that cannot be read is
    left out and named on stderr.
    """
    hashes, thumbs, readable = [], [], []
    for row in tqdm(rows, desc="near-duplicates", disable=None):
        try:
            with Image.open(row.file) as image:
                grey = image.convert("L")
        except (OSError, ValueError, SyntaxError) as error:
            print(f"skipped {row.file}: {error}", file=sys.stderr)
            continue
        hashes.append(int(str(imagehash.phash(grey)), 16))
        thumb = np.asarray(grey.resize((32, 32)), dtype=np.float32).ravel()
        thumbs.append((thumb - thumb.mean()) / (np.linalg.norm(thumb - thumb.mean()) + 1e-6))
        readable.append(row)
    parent = list(range(len(readable)))
    for a, b in _close_pairs(hashes, distance):
        if float(thumbs[a] @ thumbs[b]) > likeness:
            parent[_root(parent, b)] = _root(parent, a)
    roots = [_root(parent, i) for i in range(len(readable))]
    numbers = {root: number for number, root in enumerate(dict.fromkeys(roots))}
    return [replace(row, group=numbers[root]) for row, root in zip(readable, roots, strict=True)]


def _close_pairs(hashes: Sequence[int], distance: int) -> Iterator[tuple[int, int]]:
    """Pairs of 64-bit hashes within ``distance`` bits: some of ``distance + 1`` bands must be equal."""
    bands = distance + 1
    width = 64 // bands
    for band in range(bands):
        buckets = defaultdict(list)
        for index, value in enumerate(hashes):
            buckets[value >> band * width & (1 << width) - 1].append(index)
        for bucket in buckets.values():
            for i, a in enumerate(bucket):
                yield from ((a, b) for b in bucket[i + 1 :] if (hashes[a] ^ hashes[b]).bit_count() <= distance)


def _root(parent: list[int], index: int) -> int:
    while parent[index] != index:
        parent[index] = parent[parent[index]]
        index = parent[index]
    return index


def split_by_group(rows: Sequence[Row], shares: tuple[int, int, int], seed: int) -> list[Row]:
    """Split so that a near-duplicate group stays on one side, each class and source by ``shares`` percent."""
    strata: dict[tuple[str, str], dict[int, list[Row]]] = defaultdict(lambda: defaultdict(list))
    first = {}
    for row in rows:
        stratum = first.setdefault(row.group, (row.code, row.source))
        strata[stratum][row.group].append(row)
    result = []
    for stratum, groups in sorted(strata.items()):
        ids = sorted(groups)
        random.Random(f"{seed} {stratum}").shuffle(ids)
        total, done = sum(map(len, groups.values())), 0
        for group in ids:
            position = 100 * done / total
            split = SPLITS[int(position >= shares[0]) + int(position >= shares[0] + shares[1])]
            result += [replace(row, split=split) for row in groups[group]]
            done += len(groups[group])
    random.Random(f"{seed} order").shuffle(result)
    return result


def _example(row: Row) -> dict:
    return {
        "image": str(row.file),
        "label": row.code,
        "source": row.source,
        "path": row.path,
        "group": row.group,
    }


def to_dataset(rows: Sequence[Row], classes: Sequence[str]) -> datasets.DatasetDict:
    """Give rows as a ``DatasetDict`` with a part for each split that has rows."""
    return datasets.DatasetDict(
        {
            split: datasets.Dataset.from_list(
                [_example(row) for row in rows if row.split == split], features=features(classes)
            )
            for split in SPLITS
            if any(row.split == split for row in rows)
        }
    )


def write_parquet(data: datasets.DatasetDict, out: Path) -> None:
    """Write ``out/data/SPLIT-00000-of-00001.parquet`` with the image bytes embedded, and the card beside.

    The folder is what a Hub data set repository holds; it appears whole or not at all.

    Raises:
        DatasetError: ``out`` exists and holds something else.
    """
    if out.exists() and {entry.name for entry in out.iterdir()} - {"data", "README.md"}:
        raise DatasetError(f"{out} holds other files: name a new folder with --out.")
    beside = out.with_name(out.name + ".partial")
    shutil.rmtree(beside, ignore_errors=True)
    (beside / "data").mkdir(parents=True)
    for split, part in data.items():
        table = part.with_format("arrow").map(embed_table_storage, batched=True, batch_size=500, keep_in_memory=True)
        table.with_format(None).to_parquet(beside / "data" / f"{split}-00000-of-00001.parquet")
    card = Path(__file__).with_name("README.md")
    if card.is_file():
        shutil.copy(card, beside / "README.md")
    shutil.rmtree(out, ignore_errors=True)
    os.replace(beside, out)


def counts_table(rows: Iterable[Row], classes: Sequence[str]) -> str:
    """Give a text table of images per class and split."""
    counts = Counter((row.code, row.split) for row in rows)
    lines = ["class  " + "".join(f"{split:>12}" for split in SPLITS)]
    lines += [f"{code:6} " + "".join(f"{counts[code, split]:12}" for split in SPLITS) for code in classes]
    return "\n".join(lines)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--data-dir", type=Path, action="append", required=True, help="source folder; repeatable")
    parser.add_argument("--out", type=Path, required=True, help="folder to write")
    parser.add_argument("--classes", nargs="+", default=CODES_12, metavar="CODE")
    parser.add_argument("--per-class", type=_count, default=PER_CLASS, metavar="N", help="a number, or 'all'")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--splits", type=_shares, default=(80, 10, 10), metavar="80/10/10")
    parser.add_argument("--allow-short", action="store_true", help="keep classes with fewer images")
    parser.add_argument("--push", metavar="ID", help="Hub data set to upload to, as NAMESPACE/bone-marrow-12")
    parser.add_argument("--private", action="store_true", help="with --push: create it private")
    return parser


def _count(text: str) -> int | None:
    if text == "all":
        return None
    if not text.isdigit() or int(text) == 0:
        raise argparse.ArgumentTypeError("give a number above 0, or 'all'")
    return int(text)


def _shares(text: str) -> tuple[int, int, int]:
    parts = text.split("/")
    if len(parts) != 3 or not all(part.isdigit() for part in parts) or sum(map(int, parts)) != 100:
        raise argparse.ArgumentTypeError("give three percentages that add up to 100, as in 80/10/10")
    return tuple(map(int, parts))


def push(out: Path, repo_id: str, private: bool) -> str:
    """Upload a written folder as a Hub data set and give its address."""
    from huggingface_hub import HfApi

    api = HfApi()
    url = api.create_repo(repo_id, repo_type="dataset", private=private, exist_ok=True)
    api.upload_folder(folder_path=out, repo_id=repo_id, repo_type="dataset", commit_message="Upload the data set")
    return str(url)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line; gives the exit code (2 for bad input)."""
    args = _parser().parse_args(argv)
    try:
        rows = build_rows(args.data_dir, args.classes, args.per_class, args.seed, args.splits, args.allow_short)
        write_parquet(to_dataset(rows, args.classes), args.out)
        print(counts_table(rows, args.classes))
        print(f"wrote {len(rows)} images in {len({row.group for row in rows})} groups to {args.out}")
        if args.push:
            print(f"pushed to {push(args.out, args.push, args.private)}")
    except (DatasetError, OSError) as error:
        print(f"bone_marrow_12: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
