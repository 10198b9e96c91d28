"""The balanced 12-class set of bone-marrow cells: labels, builder and command line in one file.

python dataset_scripts/bone_marrow_12.py --data-dir BM_cytomorphology_data --out set

Reads single-cell images in the layout of the public archive (Matek et al. 2021, doi:10.7937/TCIA.AXH3-T579)::

    DATA_DIR/CODE/CODE_00001.jpg              (as on Kaggle), or deeper,
    DATA_DIR/CODE/0001-1000/CODE_00001.jpg    (as on TCIA),

a zip of either, or a CSV file of ``path,label``, also with ``origin`` and ``laboratory``. The nearest folder named
like a class is the label. Every image is read once. Run it, or import :class:`BoneMarrow12`; it needs ``datasets``,
``ImageHash`` and ``opencv-python-headless``, and nothing else of this project.

Cells that a person corrected in the Space are sources too: the zip of crops that it gives away, and its folder of
flags, ``FLAGS/data/TIME-ID/crops/CODE/*.png``, also as pulled from the Hub. The crops of one flagged image share its
stain and neighbours, so they stay on one side of the split.

Where the cells are from is kept beside each image: ``origin`` (bone_marrow, blood, drawn or unknown) and ``laboratory``
(who stained and photographed them). Each ``--origin`` and ``--laboratory`` belongs to the ``--data-dir`` before it.
What is not said is known of the public archives, by their whole layout, and of folders with an ``origin.json``, as
``synthetic_cells.py`` writes it; it is never guessed from a name.
"""

from __future__ import annotations

import argparse
import contextlib
import csv
import hashlib
import io
import itertools
import json
import os
import re
import shutil
import signal
import stat
import sys
import tempfile
import unicodedata
import warnings
import zipfile
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, replace
from functools import lru_cache, partial
from pathlib import Path, PurePosixPath
from typing import NamedTuple

import cv2
import datasets
import imagehash
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from PIL import Image, ImageOps, UnidentifiedImageError
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components
from tqdm import tqdm

VERSION = "2.2.0"
COMMAND = "bone_marrow_12"
NAMES_21 = {
    "ABE": "abnormal eosinophil", "ART": "artefact", "BAS": "basophil", "BLA": "blast", "EBO": "erythroblast",
    "EOS": "eosinophil", "FGC": "faggot cell", "HAC": "hairy cell", "KSC": "smudge cell", "LYI": "immature lymphocyte",
    "LYT": "lymphocyte", "MMZ": "metamyelocyte", "MON": "monocyte", "MYB": "myelocyte", "NGB": "band neutrophil",
    "NGS": "segmented neutrophil", "NIF": "not identifiable", "OTH": "other cell", "PEB": "proerythroblast",
    "PLM": "plasma cell", "PMO": "promyelocyte",
}  # fmt: skip
CODES_21 = tuple(NAMES_21)
CODES_12 = ("ART", "BLA", "EBO", "EOS", "LYT", "MMZ", "MON", "MYB", "NGB", "NGS", "PLM", "PMO")
PER_CLASS = 3000
SPLITS = ("train", "validation", "test")
ORIGINS = ("bone_marrow", "blood", "drawn", "unknown")
MARKER = "origin.json"  # in a folder of cells, {"origin": …, "laboratory": …}
MANIFEST = ("split", "label", "origin", "sha256")
CLASSES_MARK = "# classes: "  # first line of a manifest
AUDIT = "audit.json"  # names the files that were written, and so marks the folder
OLD_MANIFEST = ("split", "label", "sha256")  # before version 2.1.0
ARCHIVE = "https://doi.org/10.7937/TCIA.AXH3-T579"
LAYOUT = (
    f"DATA_DIR/CODE/…/*.jpg, where CODE is the class ({' '.join(CODES_12)}), a zip of that, or a CSV; "
    f"the public archive is at {ARCHIVE}"
)

SUFFIXES = {".jpg", ".jpeg", ".png", ".bmp", ".tif", ".tiff", ".gif", ".webp"}
NO_CLASS = "no class"
FORMATS = ("JPEG", "PNG", "BMP", "DIB", "TIFF", "GIF", "WEBP")  # whatever the file is called
NO_CELLS = {"thumbs.db", "desktop.ini"}
FLAG_FILES = {"image.png", "mask.png"}  # of a flagged field, beside its crops
UNFINISHED = ".part"  # ending of the folder of a flag that is still being written
MODES = {"1", "L", "LA", "La", "P", "PA", "RGB", "RGBA", "RGBa", "RGBX", "CMYK", "YCbCr", "LAB", "HSV", "I"}
MAX_PIXELS = 25_000_000
MAX_BYTES = 256_000_000

THUMB = 48  # side of the grey pictures that near-duplicates are confirmed on
HASH_BITS = 14  # of 64; near-duplicates shifted by 4 of 250 px stay within it (99 % of 400 planted ones)
COARSE = 0.9  # correlation of 16×16 pictures that a candidate pair must reach
SIMILARITY = 0.86  # correlation of aligned bandpassed pictures above which two images are one
CHUNK = 500  # images that are read and stored at a time
SHARD_BYTES = 400_000_000


class DatasetError(Exception):
    """The input cannot give the set that was asked for; the message is one sentence."""


class NoImagesError(DatasetError):
    """The sources hold no image of the classes."""


STORED = re.compile(  # what a run writes beside the set, until that is whole
    r"key|thumbs\.u8|\d{5}(\.partial)?\.npz|\d{5}\.bin|set/(README\.md|manifest\.csv|audit\.json|figures/[^/]+)"
    r"|set/data/\w+-\d{5}-of-\d{5}\.(parquet|partial)"
)


@dataclass(frozen=True, slots=True)
class Row:
    """One image.

    Attributes:
        root: folder or zip that it lies in.
        path: its path in there.
        code: its class.
        source: name of the data dir.
        source_index: number of the data dir, in the order given.
        fingerprint: size and time of change, to see whether a run that stopped can go on.
        number: its number in the order of reading.
        stored_as_is: the file is stored as it is; false where it had to become 8-bit RGB first.
        sha256: digest of the stored bytes.
        group: number of its near-duplicate group.
        split: ``train``, ``validation`` or ``test``.
        origin: one of ``ORIGINS``, or empty until that is known.
        laboratory: who stained and photographed it; the source where nobody said.
    """

    root: str
    path: str
    code: str = ""
    source: str = ""
    source_index: int = 0
    fingerprint: tuple[int, int] = (0, 0)
    number: int = -1
    stored_as_is: bool = True
    sha256: str = ""
    group: int = 0
    split: str = ""
    origin: str = ""
    laboratory: str = ""


@dataclass
class BoneMarrowConfig(datasets.BuilderConfig):
    """Options of the set.

    Attributes:
        data_dirs: one or several sources (folder, zip or CSV); ``data_dir`` is added to them.
        origins: where the cells of each source are from, in the order of the sources, ``None`` where the layout or the
            images say it; empty for ``None`` everywhere.
        laboratories: who stained and photographed each source, likewise.
        classes: codes to keep, which become the labels in this order.
        per_class: images to keep of each class; ``None`` keeps all.
        seed: of the downsampling, the split and the order.
        shares: train, validation and test shares, in percent.
        allow_short: keep a class that has too few images instead of failing.
        workers: processes that read images; the result is the same for any number.
    """

    data_dirs: tuple[str, ...] = ()
    origins: tuple[str | None, ...] = ()
    laboratories: tuple[str | None, ...] = ()
    classes: tuple[str, ...] = CODES_12
    per_class: int | None = PER_CLASS
    seed: int = 0
    shares: tuple[int, int, int] = (80, 10, 10)
    allow_short: bool = False
    workers: int = 1

    def sources(self) -> list[Path]:
        """Return all sources in their order."""
        return [Path(folder) for folder in (*self.data_dirs, *([self.data_dir] if self.data_dir else []))]

    def said(self) -> list[tuple[str, str]]:
        """Return origin and laboratory that were said of each source, empty where they were not.

        Raises:
            DatasetError: there are more or fewer than sources, or an origin is not known.
        """
        number = len(self.sources())
        origins, laboratories = self.origins or [None] * number, self.laboratories or [None] * number
        for name, values in (("origins", origins), ("laboratories", laboratories)):
            if len(values) != number:
                raise DatasetError(f"{len(values)} {name} for {number} sources: give one, or None, for each source.")
        checked = [_checked_origin(origin, "origins") for origin in origins]
        return [(origin, laboratory or "") for origin, laboratory in zip(checked, laboratories, strict=True)]

    def create_config_id(self, config_kwargs: dict, custom_features: datasets.Features | None = None) -> str:
        """Name the cache after the files too, so that a source that changed is built anew."""
        rows, _, _ = find_images(self.sources(), self.classes, self.said())
        digest = hashlib.sha256("\n".join(sorted(map(_stamped, rows))).encode("utf-8", "surrogateescape"))
        return super().create_config_id(config_kwargs | {"files": digest.hexdigest()}, custom_features)


CONFIGS = {
    config.name: config
    for config in (
        BoneMarrowConfig(name="balanced-12", version=VERSION),
        BoneMarrowConfig(name="imbalanced-12", version=VERSION, per_class=None),
        BoneMarrowConfig(name="full-21", version=VERSION, per_class=None, classes=CODES_21),
    )
}


class BoneMarrow12(datasets.GeneratorBasedBuilder):
    """Builder for ``datasets``: ``BoneMarrow12(data_dir=…).download_and_prepare()``, then ``as_dataset()``.

    ``config_name`` chooses ``balanced-12`` (default), ``imbalanced-12`` or ``full-21``; the fields of
    :class:`BoneMarrowConfig` are keyword arguments. ``as_streaming_dataset()`` needs no ``download_and_prepare``.
    """

    VERSION = datasets.Version(VERSION)
    BUILDER_CONFIG_CLASS = BoneMarrowConfig
    BUILDER_CONFIGS = list(CONFIGS.values())  # noqa: RUF012
    DEFAULT_CONFIG_NAME = "balanced-12"

    def _info(self) -> datasets.DatasetInfo:
        shape = features(self.config.classes)
        return datasets.DatasetInfo(description=__doc__, features=shape, homepage=ARCHIVE, version=self.VERSION)

    def _split_generators(self, dl_manager: datasets.DownloadManager) -> list[datasets.SplitGenerator]:
        with tempfile.TemporaryDirectory() as scratch:
            build = build_rows(self.config, Path(scratch))
        return [
            datasets.SplitGenerator(name=split, gen_kwargs={"rows": [row for row in build.rows if row.split == split]})
            for split in SPLITS
            if any(row.split == split for row in build.rows)
        ]

    def _generate_examples(self, rows: list[Row]) -> Iterator[tuple[str, dict]]:
        for index, row in enumerate(rows):
            is_file = row.stored_as_is and os.path.isdir(row.root) and _text(row.path) == row.path
            if is_file:  # the cache holds a path, where a file serves as it is
                image = {"path": str(Path(row.root, row.path)), "bytes": None}
            else:  # no path: datasets would store that and forget the bytes
                image = {"path": None, "bytes": stored_bytes(read_bytes(row))[0]}
            yield f"{index:07d}-{row.sha256}", {"image": image, **columns(row)}


def features(classes: Sequence[str]) -> datasets.Features:
    """Return the columns of the set for these class codes."""
    told = dict.fromkeys(("source", "origin", "laboratory", "path"), datasets.Value("string"))
    label = datasets.ClassLabel(names=list(classes))
    return datasets.Features({"image": datasets.Image(), "label": label} | told | {"group": datasets.Value("int64")})


def columns(row: Row) -> dict:
    """Return all columns but the image."""
    path = PurePosixPath(row.path)
    shown = path.name if path.is_absolute() else row.path  # a CSV may name absolute paths: nobody else's business
    return {
        "label": row.code,
        "source": _text(row.source),
        "origin": row.origin,
        "laboratory": _text(row.laboratory),
        "path": _text(shown),
        "group": row.group,
    }


def _text(name: str) -> str:
    """Return a file name that any file can hold: bytes that are no UTF-8, as Linux allows, become question marks."""
    return name.encode("utf-8", "replace").decode()


@dataclass(frozen=True)
class Build:
    """A set that was built but not written.

    Attributes:
        rows: in their final order, which depends on the options and the images alone.
        audit: counts found, skipped, dropped and split per class, and the near-duplicate groups.
        scan: gives the bytes of each row, where they were kept.
    """

    rows: list[Row]
    audit: dict
    scan: Scan


def build_rows(config: BoneMarrowConfig, store: Path, keep_bytes: bool = False) -> Build:
    """Find, balance, read, group and split the images of some sources.

    Args:
        config: what to build from what.
        store: folder for what was read; a run that was stopped goes on from it.
        keep_bytes: store the image bytes too, so that no source is read a second time.

    Raises:
        DatasetError: no source or image is found, or a class falls short.
    """
    if len(config.shares) != 3 or sum(config.shares) != 100 or min(config.shares) < 0:
        raise DatasetError(f"The splits {config.shares} do not add up to 100: give three percentages, as in 80/10/10.")
    found, skipped, other = find_images(config.sources(), config.classes, config.said())
    present = {row.code for row in found}
    for code in config.classes:
        if code not in NAMES_21 and code not in present:
            raise DatasetError(f"{code} is no class of the sources: use codes of {' '.join(CODES_21)}.")
    by_class = {code: sorted((r for r in found if r.code == code), key=_draw(config.seed)) for code in config.classes}
    _refuse_short(Counter(row.code for row in found), config)
    scan = Scan(store, config.workers, keep_bytes, _run_key(config, by_class, keep_bytes))
    kept = balance(by_class, config, scan)
    skipped |= scan.skipped
    print_skipped(skipped)
    _refuse_short(Counter(row.code for row in kept), config)
    groups, duplicates = group_duplicates(scan, kept, config.workers)
    grouped = [replace(row, group=group) for row, group in zip(kept, groups, strict=True)]
    rows = split_by_group(join_flagged(grouped), config)
    audit = {
        "version": VERSION,
        "config": config.name,
        "options": {key: getattr(config, key) for key in ("classes", "per_class", "seed", "shares")},
        "found": {code: len(of_class) for code, of_class in by_class.items()},
        "other_classes": dict(sorted(other.items())),
        "skipped": dict(sorted(skipped.items())),
        "dropped_by_balancing": _dropped(by_class, kept, scan),
        "splits": {code: {s: sum(r.code == code and r.split == s for r in rows) for s in SPLITS} for code in by_class},
        "origins": count_origins(rows),
        "near_duplicates": duplicates | _largest_groups(grouped),
    }
    return Build(rows, audit, scan)


def count_origins(rows: Iterable[Row]) -> dict[str, dict[str, int]]:
    """Count images by origin, in the order of ``ORIGINS``, and laboratory."""
    counts = Counter((ORIGINS.index(row.origin), _text(row.laboratory)) for row in rows)
    table: dict[str, dict[str, int]] = {}
    for (origin, laboratory), number in sorted(counts.items()):
        table.setdefault(ORIGINS[origin], {})[laboratory] = number
    return table


def _run_key(config: BoneMarrowConfig, by_class: dict[str, list[Row]], keep_bytes: bool) -> str:
    """Return a digest of what is built from what; only a run with the same one can go on where it stopped."""
    digest = hashlib.sha256(f"{VERSION} {replace(config, workers=1, allow_short=False)} {keep_bytes}".encode())
    for rows in by_class.values():
        for row in rows:
            digest.update(f"{_stamped(row)}\n".encode("utf-8", "surrogateescape"))
    return f"{COMMAND} {digest.hexdigest()}"


def _stamped(row: Row) -> str:
    return f"{row.root}|{row.path}|{row.fingerprint}|{row.origin}|{row.laboratory}"


# Finding images


def find_images(
    sources: Sequence[Path], classes: Sequence[str], said: Sequence[tuple[str, str]] | None = None
) -> tuple[list[Row], dict[str, str], Counter[str]]:
    """List the images of all sources.

    Args:
        sources: folders, zips and CSV files.
        classes: codes to keep.
        said: origin and laboratory of each source, empty where nobody said; nobody said anything when ``None``.

    Returns:
        Rows of the asked-for classes; files in class folders that cannot be images, with the reason; and the number
        of images of each other class.

    Raises:
        NoImagesError: there are no images.
        DatasetError: a source is missing or of no known kind.
    """
    if len({source.resolve() for source in sources}) < len(sources):
        raise DatasetError("The same source is given twice: name each --data-dir once.")
    names = [source.resolve().stem if source.is_file() else source.resolve().name for source in sources]
    said = said or [("", "")] * len(sources)
    rows: list[Row] = []
    skipped: dict[str, str] = {}
    other: Counter[str] = Counter()
    codes = {_plain_name(name): code for code, name in NAMES_21.items()} | {
        _plain_name(code): code for code in (*CODES_21, *classes)
    }
    for source_index, (source, name) in enumerate(zip(sources, names, strict=True)):
        unique = name if names.count(name) == 1 else f"{source.resolve().parent.name}-{name}"
        found = list(_listing(source))
        known = known_origins(source, found)
        for row in found:
            path = PurePosixPath(row.path)
            words = [row.code] if row.code else reversed(path.parts[:-1])
            code = next((codes[word] for word in map(_plain_name, words) if word in codes), "")
            image = path.suffix.lower() in SUFFIXES
            row = replace(row, code=code, source=unique, source_index=source_index)
            if not code and (not image or path.name in FLAG_FILES):
                continue
            if code not in classes:
                other[code or NO_CLASS] += 1
            elif not image:
                skipped[_name(row)] = "not the name of an image"
            else:
                rows.append(_with_origin(row, said[source_index], known))
    if not rows:
        names = ", ".join(map(str, sources)) or "no source"
        raise NoImagesError(f"No images of {' '.join(classes)} in {names}: expected {LAYOUT}.")
    return list(dict.fromkeys(rows)), skipped, other


def _plain_name(name: str) -> str:
    return name.strip().casefold().replace("_", " ")


def _listing(source: Path) -> Iterator[Row]:
    """List every file of a source; ``code`` is what a table calls it, and empty where there is none."""
    if source.is_dir():
        yield from _list_folder(source)
    elif not source.is_file():
        raise DatasetError(f"There is no source {source}: expected {LAYOUT}.")
    elif source.suffix.lower() == ".csv":
        yield from _list_csv(source)
    elif zipfile.is_zipfile(source):
        yield from _list_zip(source)
    else:
        raise DatasetError(f"{source} is no folder, zip or CSV: expected {LAYOUT}.")


def _list_folder(source: Path) -> Iterator[Row]:
    for folder, _, files in _folders(source):
        for file in files:
            path = Path(folder, file).relative_to(source).as_posix()
            if not _hidden(path):
                yield Row(str(source), path, fingerprint=_fingerprint(Path(folder, file)))


def _folders(source: Path) -> Iterator[tuple[str, str, list[str]]]:
    """Walk a folder and what its links lead to: yield the path, the real path and the files of each folder once.

    A folder counts where it lies, not where a link leads to it, and a link back up is not followed.
    """
    seen: set[str] = set()
    starts = {str(source)}
    while starts:
        start = min(starts)
        starts.remove(start)
        target = os.path.realpath(start)
        if target in seen or f"{os.path.realpath(os.path.dirname(start))}/".startswith(f"{target}/"):
            continue
        for folder, inner, files in os.walk(start, onerror=_raise):
            real = os.path.realpath(folder)
            seen.add(real)
            starts |= {path for path in (os.path.join(folder, name) for name in inner) if os.path.islink(path)}
            inner[:] = [name for name in inner if os.path.join(real, name) not in seen]
            yield folder, real, files


def _raise(error: OSError) -> None:
    raise error


def _list_zip(source: Path) -> Iterator[Row]:
    try:
        with zipfile.ZipFile(source) as archive:
            members = [member for member in archive.infolist() if not member.is_dir()]
    except Exception as error:  # of many kinds, by what is damaged
        raise DatasetError(f"The zip {source} is damaged ({error}): fetch it again.") from error
    twice = [name for name, number in Counter(member.filename for member in members).items() if number > 1]
    if twice:
        raise DatasetError(f"The zip {source} holds {_text(twice[0])} twice: pack it again with each name once.")
    for member in members:
        if not _hidden(member.filename):
            yield Row(str(source), member.filename, fingerprint=(member.file_size, member.CRC))


def _list_csv(source: Path) -> Iterator[Row]:
    table = _read_csv(source)
    names = {name.strip().casefold(): name for name in (table[0] if table else {}) if name}
    path = next((names[name] for name in ("path", "file", "filename", "image") if name in names), None)
    label = next((names[name] for name in ("label", "class", "code") if name in names), None)
    if path is None or label is None:
        raise DatasetError(f"{source} needs a first line that names the columns: path,label.")
    for number, line in enumerate(table, start=2):
        if line[path]:
            file = line[path].strip().replace("\\", "/")
            origin, laboratory = (_words(line.get(names.get(name, ""))) for name in ("origin", "laboratory"))
            _checked_origin(origin, f"line {number} of {source}")
            row = Row(str(source.parent), file, line[label] or NO_CLASS, fingerprint=_fingerprint(source.parent / file))
            yield replace(row, origin=origin, laboratory=laboratory)


def _read_csv(source: Path) -> list[dict[str, str]]:
    """Read a table in UTF-8, or UTF-16 with its mark, with commas, semicolons, tabs or bars between the columns."""
    try:
        data = read_bytes(Row(str(source.parent), source.name))
        text = data.decode("utf-16" if data.startswith((b"\xff\xfe", b"\xfe\xff")) else "utf-8-sig")
        if "\0" in text:
            raise csv.Error("it holds a null character")
        separator = max(",;\t|", key=text.partition("\n")[0].count)
        return list(csv.DictReader(io.StringIO(text, newline=""), delimiter=separator))
    except (ValueError, csv.Error) as error:
        raise DatasetError(f"{source} cannot be read as a CSV file ({error}): save it as UTF-8.") from error


def _hidden(path: str) -> bool:
    parts = PurePosixPath(path).parts
    return (
        parts[-1].casefold() in NO_CELLS
        or any(part.startswith((".", "__MACOSX")) for part in parts)
        or any(part.endswith(UNFINISHED) for part in parts[:-1])
    )


def _fingerprint(file: Path) -> tuple[int, int]:
    try:
        status = file.stat()
    except OSError:  # told by name when it is read
        return 0, 0
    return status.st_size, status.st_mtime_ns


def _draw(seed: int, what: str = "rows"):
    """Return a sort key that shuffles rows by seed, data dir, class and file name, whatever the layout around them."""

    def key(row: Row) -> tuple[bytes, str]:
        name = unicodedata.normalize("NFC", PurePosixPath(row.path).name)  # some file systems take accents apart
        text = f"{seed} {what} {row.source_index} {row.code} {name}"
        return hashlib.blake2b(text.encode("utf-8", "surrogateescape"), digest_size=8).digest(), row.path

    return key


# Where the cells are from


class Archive(NamedTuple):
    """A public archive, known by its layout as a whole.

    Attributes:
        name: of its folder.
        folders: that lie in it, or in one below, all of them.
        file: pattern of the path of an image from there; the first group names its folder.
        origin: of its cells.
        laboratory: that stained and photographed them.
    """

    name: str
    folders: Sequence[str]
    file: str
    origin: str
    laboratory: str


PBC = ("basophil", "eosinophil", "erythroblast", "ig", "lymphocyte", "monocyte", "neutrophil", "platelet")
ARCHIVES = (  # of Matek et al. 2021 and Acevedo et al. 2020
    Archive("BM_cytomorphology_data", CODES_21, r"([A-Z]{3})/(?:[^/]+/)*\1_\d{5}\.jpg", "bone_marrow", "MLL"),
    Archive("PBC_dataset_normal_DIB", PBC, r"([a-z]+)/[A-Z]+_\d+\.jpg", "blood", "Barcelona"),
)


def known_origins(source: Path, rows: Sequence[Row]) -> dict[str, tuple[str, str]]:
    """Tell origin and laboratory of the images of a source by what lies beside them.

    A flag's ``metadata.jsonl`` and a ``MARKER`` hold for what lies below their folder, the nearest first; the layout of
    an archive holds for its images where neither says anything.

    Returns:
        Origin and laboratory by path; paths of which nothing is known are missing.
    """
    if source.suffix.lower() == ".csv" and source.is_file():
        return {}
    paths = [PurePosixPath(row.path) for row in rows]
    notes = {
        path.parent: told
        for row, path in zip(rows, paths, strict=True)
        if path.name in (MARKER, "metadata.jsonl") and any(told := _note(row))
    }
    known = _of_archives(source, paths)
    for path in paths if notes else []:
        told = next((notes[folder] for folder in path.parents if folder in notes), None)
        if told:
            known[str(path)] = told
    return known


def _note(row: Row) -> tuple[str, str]:
    """Read origin and laboratory from a ``MARKER`` or a flag's metadata, empty where it holds none."""
    try:
        first = read_bytes(row).decode("utf-8").strip()
        note = json.loads(first if row.path.endswith(MARKER) else first.split("\n")[0])
    except Exception:  # a zip, too, may be damaged in many ways
        return "", ""
    if not isinstance(note, dict):
        return "", ""
    return _checked_origin(_words(note.get("origin")), str(Path(row.root, row.path))), _words(note.get("laboratory"))


def _of_archives(source: Path, paths: Sequence[PurePosixPath]) -> dict[str, tuple[str, str]]:
    """Return origin and laboratory of the images of public archives among the paths of a source."""
    top = source.resolve().stem if source.is_file() else source.resolve().name
    children: dict[PurePosixPath, set[str]] = defaultdict(set)
    for path in paths:
        for folder in path.parents[:-1]:
            children[folder.parent].add(folder.name)
    known = {}
    for archive in ARCHIVES:
        for folder, names in children.items():
            if names.issuperset(archive.folders) and archive.name in (top, *folder.parts):
                for path in paths:
                    inner = path.relative_to(folder).as_posix() if path.is_relative_to(folder) else ""
                    match = re.fullmatch(archive.file, inner)
                    if match and match[1] in archive.folders:
                        known[str(path)] = (archive.origin, archive.laboratory)
    return known


def _with_origin(row: Row, said: tuple[str, str], known: dict[str, tuple[str, str]]) -> Row:
    """Fill in origin and laboratory that no table told: as said of the source, or known of the file."""
    by_layout = known.get(str(PurePosixPath(row.path)), ("", ""))
    origin = row.origin or said[0] or by_layout[0] or "unknown"
    laboratory = row.laboratory or said[1] or (by_layout[1] if origin == by_layout[0] else "") or row.source
    return replace(row, origin=origin, laboratory=laboratory)


def _checked_origin(origin: str | None, where: str) -> str:
    if origin and origin not in ORIGINS:
        raise DatasetError(f"{origin!r} ({where}) is no origin: use one of {', '.join(ORIGINS)}.")
    return origin or ""


def _words(text: object) -> str:
    return " ".join(text.split()) if isinstance(text, str) else ""


# Reading images


def read_bytes(row: Row) -> bytes:
    """Read the file of a row, from its folder or zip.

    Raises:
        ValueError: it is empty or absurdly large; other errors as the file system or zip gives them.
    """
    archive = _open_zip(row.root, os.getpid()) if os.path.isfile(row.root) else None
    file = Path(row.root, row.path)
    if archive:
        size = archive.getinfo(row.path).file_size
    else:
        status = file.stat()
        size = status.st_size
        if not stat.S_ISREG(status.st_mode):  # a pipe or a device may give no end of bytes, or none
            raise ValueError("no regular file")
    if not size:
        raise ValueError("an empty file")
    if size > MAX_BYTES:
        raise ValueError(f"more than {MAX_BYTES // 1_000_000} MB")
    return archive.read(row.path) if archive else file.read_bytes()


@lru_cache(maxsize=4)
def _open_zip(path: str, process: int) -> zipfile.ZipFile:
    """Open a zip, anew in each process: a forked one would share its place in the file with its parent."""
    return zipfile.ZipFile(path)


def stored_bytes(data: bytes) -> tuple[bytes, bool, Image.Image]:
    """Decode an image file, and make it one that every reader understands the same way.

    Args:
        data: the file.

    Returns:
        The bytes to store: the file itself, or where it is not upright 8-bit RGB, a BMP file that is (no version of a
        codec writes it differently); whether they are the file itself; and the decoded RGB image.

    Raises:
        ValueError: more than ``MAX_PIXELS`` pixels, a mode that is no photograph, or several pictures; Pillow's errors
            for damaged files.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            image = Image.open(io.BytesIO(data), formats=FORMATS)
        except Image.DecompressionBombError as error:
            raise ValueError(f"more than {MAX_PIXELS // 1_000_000} megapixels") from error
        except (UnidentifiedImageError, ImportError) as error:  # ultralytics, once imported, asks for a reader of HEIF
            raise ValueError("not an image of a known kind") from error
        with image:
            if image.width * image.height > MAX_PIXELS:
                raise ValueError(f"{image.width}×{image.height}, more than {MAX_PIXELS // 1_000_000} megapixels")
            if image.mode not in MODES and not image.mode.startswith("I;16"):
                raise ValueError(f"pixels of mode {image.mode}: save it as 8-bit RGB")
            if image.format == "TIFF" and _pages(image) > 1:
                raise ValueError("several pictures in one file: save each in a file of its own")
            deep = any(";16" in str(tile[3]) for tile in image.tile)
            plain = image.mode == "RGB" and image.getexif().get(0x0112, 1) in (0, 1)
            image.load()
            rgb = image.copy() if plain else _to_rgb(ImageOps.exif_transpose(image))
            if deep and image.mode == "RGB" and np.asarray(image).max() < 16:  # Pillow took the upper bytes alone
                plain, rgb = False, _deep_rgb(data, image)
    if not plain:
        buffer = io.BytesIO()
        rgb.save(buffer, "BMP")
        data = buffer.getvalue()
    return data, plain, rgb


def _pages(image: Image.Image) -> int:
    """Count the pictures of a TIFF file, but for smaller versions of the first."""
    reduced = 0
    for page in range(1, min(image.n_frames, 100)):
        image.seek(page)
        reduced += image.tag_v2.get(254, 0) & 1
    number = image.n_frames - reduced
    image.seek(0)
    return number


def _to_rgb(image: Image.Image) -> Image.Image:
    """Turn an image of any mode into 8-bit RGB, transparent parts white, deeper grey scaled."""
    if image.mode.startswith("I"):
        return Image.fromarray(_to_8_bit(np.asarray(image))).convert("RGB")
    if image.has_transparency_data:
        image = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image)
    return image.convert("RGB")


def _deep_rgb(data: bytes, image: Image.Image) -> Image.Image:
    """Decode 12-bit colours that a file keeps in 16 bits."""
    pixels = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    if pixels is None or pixels.dtype != np.uint16 or pixels.shape != (image.height, image.width, 3):
        raise ValueError("16-bit colours that are nearly black: save it as 8-bit RGB")
    rgb = Image.fromarray(_to_8_bit(pixels[..., ::-1]))
    rgb.getexif()[0x0112] = image.getexif().get(0x0112, 1)
    return ImageOps.exif_transpose(rgb)


def _to_8_bit(pixels: np.ndarray) -> np.ndarray:
    """Scale pixels of the 8, 12 or 16 bits that hold their largest value to 0 to 255."""
    largest = int(pixels.max())
    if largest > 65535 or pixels.min() < 0:
        raise ValueError("32-bit pixels: save it as 8-bit RGB")
    full = next(full for full in (255, 4095, 65535) if largest <= full)
    return (pixels * (255 / full)).clip(0, 255).astype(np.uint8)


class Scan:
    """Reads images once, chunk by chunk, in several processes, and remembers each chunk in a folder.

    Attributes:
        skipped: name of every image that could not be read, with the reason.
    """

    def __init__(self, store: Path, workers: int, keep_bytes: bool, key: str) -> None:
        self.store, self.workers, self.keep_bytes = store, max(1, workers), keep_bytes
        self.skipped: dict[str, str] = {}
        self._chunks = 0
        self._hashes: list[np.ndarray] = []
        self._places: list[tuple[int, int, int]] = []  # chunk, start and end of the stored bytes, by number
        if not (store / "key").is_file() or (store / "key").read_text() != key:
            _remove(store, STORED.fullmatch)
            store.mkdir(parents=True, exist_ok=True)
            (store / "key").write_text(key)
        self._thumbs = store / "thumbs.u8"
        self._thumbs.write_bytes(b"")

    def read(self, rows: Sequence[Row]) -> list[Row]:
        """Read images for the first time; return the readable rows in the same order, filled in.

        Raises:
            DatasetError: a process that reads images died.
        """
        in_order = sorted(rows, key=lambda row: (row.root, row.path))  # kind to disks
        chunks = [in_order[start : start + CHUNK] for start in range(0, len(rows), CHUNK)]
        numbers = range(self._chunks, self._chunks + len(chunks))
        self._chunks += len(chunks)
        work = partial(_read_chunk, store=self.store, keep_bytes=self.keep_bytes)
        filled: dict[Row, Row] = {}
        with tqdm(total=len(rows), desc="reading", unit=" images", disable=None) as bar:
            for number, chunk in zip(numbers, _in_order(work, chunks, numbers, self.workers), strict=True):
                filled |= self._take(number, chunk)
                bar.update(len(chunk))
        return [filled[row] for row in rows if row in filled]

    def _take(self, number: int, chunk: Sequence[Row]) -> Iterator[tuple[Row, Row]]:
        """Take in the file of a chunk that was read; return each readable row as it was and filled in."""
        with np.load(self.store / f"{number:05d}.npz") as file:
            reasons, plain, digests, ends = (file[name] for name in ("reasons", "plain", "sha256", "ends"))
            good = reasons == ""
            self._hashes.append(file["hashes"][good])
            with self._thumbs.open("ab") as thumbs:
                thumbs.write(file["thumbs"][good].tobytes())
        starts = np.concatenate([[0], ends[:-1]])
        for i, row in enumerate(chunk):
            if good[i]:
                yield row, replace(row, number=len(self._places), stored_as_is=bool(plain[i]), sha256=str(digests[i]))
                self._places.append((number, int(starts[i]), int(ends[i])))
            else:
                self.skipped[_name(row)] = str(reasons[i])

    def hashes(self, rows: Sequence[Row]) -> np.ndarray:
        """Return the perceptual hashes of rows, ``(n, 8)`` uint64, a column for each orientation."""
        return np.concatenate(self._hashes)[[row.number for row in rows]]

    def thumbs(self, rows: Sequence[Row]) -> np.ndarray:
        """Return the grey pictures of rows, ``(n, 48, 48)`` uint8, from disk."""
        pictures = np.memmap(self._thumbs, np.uint8, "r").reshape(-1, THUMB, THUMB)
        return np.array(pictures[[row.number for row in rows]])

    def size(self, row: Row) -> int:
        """Return the number of stored bytes of a row."""
        _, start, end = self._places[row.number]
        return end - start

    def stored(self, row: Row) -> bytes:
        """Return the bytes to store of a row that was read with ``keep_bytes``."""
        chunk, start, end = self._places[row.number]
        with (self.store / f"{chunk:05d}.bin").open("rb") as file:
            file.seek(start)
            return file.read(end - start)


def _in_order(work, chunks: Sequence[list[Row]], numbers: Iterable[int], workers: int) -> Iterator[list[Row]]:
    """Run ``work`` on every chunk and give each chunk when it is done, in order."""
    if workers == 1 or len(chunks) < 2:
        for number, chunk in zip(numbers, chunks, strict=True):
            work(number, chunk)
            yield chunk
        return
    try:
        # Ctrl-C is for the main process alone: a worker ends its chunk
        with ProcessPoolExecutor(workers, initializer=signal.signal, initargs=(signal.SIGINT, signal.SIG_IGN)) as pool:
            for _, chunk in zip(pool.map(work, numbers, chunks), chunks, strict=True):
                yield chunk
    except BrokenProcessPool as error:
        raise DatasetError("A process that reads images died: run again, with --num-proc 1 if it recurs.") from error


def _read_chunk(number: int, rows: Sequence[Row], store: Path, keep_bytes: bool) -> None:
    """Read the images of a chunk into ``NUMBER.npz`` and ``NUMBER.bin``, unless they are there."""
    target = store / f"{number:05d}.npz"
    if target.is_file():
        return
    reasons, plain, digests, ends = [], [], [], []
    hashes = np.zeros((len(rows), 8), np.uint64)
    thumbs = np.zeros((len(rows), THUMB, THUMB), np.uint8)
    with (store / f"{number:05d}.bin").open("wb") as blob:
        for i, row in enumerate(rows):
            data, as_found = b"", True
            try:
                data, as_found, image = stored_bytes(read_bytes(row))
                thumbs[i] = np.asarray(image.convert("L").resize((THUMB, THUMB), Image.Resampling.BOX))
                hashes[i] = [int(str(imagehash.phash(Image.fromarray(view))), 16) for view in orientations(thumbs[i])]
                reasons.append("")
            except Exception as error:  # Pillow meets damaged files with errors of nearly every kind
                reason = getattr(error, "strerror", None) or str(error) or type(error).__name__  # without the path
                reasons.append(reason.split("\n")[0][:200])
            plain.append(as_found)
            digests.append(hashlib.sha256(data).hexdigest())
            if keep_bytes:
                blob.write(data)
            ends.append(blob.tell())
    beside = store / f"{number:05d}.partial.npz"
    np.savez(beside, reasons=reasons, plain=plain, sha256=digests, ends=ends, hashes=hashes, thumbs=thumbs)
    os.replace(beside, target)


# Near-duplicates


def orientations(pictures: np.ndarray) -> Iterator[np.ndarray]:
    """Return ``(…, side, side)`` pictures in the eight orientations of a square: four turns, each also mirrored."""
    for turn in range(4):
        turned = np.rot90(pictures, turn, axes=(-2, -1))
        yield np.ascontiguousarray(turned)
        yield np.ascontiguousarray(turned[..., ::-1])


def group_duplicates(scan: Scan, rows: Sequence[Row], workers: int) -> tuple[list[int], dict[str, int]]:
    """Number near-duplicates with one group each; every other image gets a group of its own.

    Files with the same bytes are one. Other pairs are candidates when their perceptual hashes (pHash, 64 bits,
    ``ImageHash``) differ in at most ``HASH_BITS`` bits in any orientation; a candidate is confirmed on its pixels
    by :func:`similarity`.

    Returns:
        The group of each row, numbered in the order of the rows, and how many pairs were looked at and joined.
    """
    first: dict[str, int] = {}
    joined = [(i, first.setdefault(row.sha256, i)) for i, row in enumerate(rows)]
    unlike = list(first.values())
    looked_at = matched = 0
    for a, b, score in compare_all(scan, [rows[i] for i in unlike], workers):
        looked_at += 1
        if score > SIMILARITY:
            matched += 1
            joined.append((unlike[a], unlike[b]))
    figures = {
        "same_bytes": len(rows) - len(unlike),
        "pairs_compared": len(unlike) * (len(unlike) - 1) // 2,
        "pairs_compared_on_pixels": looked_at,
        "pairs_joined": matched,
    }
    return _components(joined, len(rows)), figures


def _components(joined: Sequence[tuple[int, int]], size: int) -> list[int]:
    """Return the number of the connected component of each of ``size`` nodes, numbered in the order of the nodes."""
    a, b = np.array(joined).T
    _, parts = connected_components(coo_array((np.ones(len(a)), (a, b)), shape=(size, size)), directed=False)
    numbers: dict[int, int] = {}
    return [numbers.setdefault(part, len(numbers)) for part in parts.tolist()]


def join_flagged(rows: Sequence[Row]) -> list[Row]:
    """Join the groups of all cells of one flagged image, and so of one that was flagged twice."""
    ends = [(row.group, (row.root, entry)) for row in rows if (entry := _flag_entry(row))]
    first: dict[tuple[str, str], int] = {}
    joined = [(group, first.setdefault(entry, group)) for group, entry in ends]
    if not joined:
        return list(rows)
    parts = _components(joined, 1 + max(row.group for row in rows))
    return [replace(row, group=parts[row.group]) for row in rows]


def _flag_entry(row: Row) -> str | None:
    """Return the folder of the flagged image that a row was cut from, ``None`` for any other row."""
    parts = PurePosixPath(row.path).parts
    return "/".join(parts[:-3]) if len(parts) > 3 and parts[-3] == "crops" else None


def compare_all(scan: Scan, rows: Sequence[Row], workers: int) -> Iterator[tuple[int, int, float]]:
    """Compare every pair of images; return the indices of those worth a closer look, each once, and their similarity.

    Hashes of all pairs are compared by brute force: 171,374 images are some minutes of counting bits, and no index
    finds neighbours at a fifth of the bits any faster.
    """
    hashes = scan.hashes(rows)
    coarse = np.concatenate([_coarse(scan.thumbs(rows[i : i + 4096])) for i in range(0, len(rows), 4096)])
    starts = range(0, len(rows), 64)
    with ThreadPoolExecutor(workers) as pool:
        blocks = pool.map(lambda start: _confirm(scan, rows, _candidates(hashes, coarse, start)), starts)
        for block in tqdm(blocks, total=len(starts), desc="comparing", unit=" blocks", disable=None):
            yield from ((a, b, score) for (a, b), score in block.items())


def _coarse(thumbs: np.ndarray) -> np.ndarray:
    """Return 16×16 pictures with zero mean and unit length, ``(n, 16, 16)`` float16."""
    step = THUMB // 16
    small = thumbs.reshape(len(thumbs), 16, step, 16, step).mean(axis=(2, 4), dtype=np.float32)
    small -= small.mean(axis=(1, 2), keepdims=True)
    return (small / (np.linalg.norm(small, axis=(1, 2), keepdims=True) + 1e-6)).astype(np.float16)


def _candidates(hashes: np.ndarray, coarse: np.ndarray, start: int) -> list[tuple[int, int, int]]:
    """Compare a block of 64 images with all later ones; return pairs ``a < b`` and the orientation of ``a``."""
    block, later = hashes[start : start + 64], hashes[start:, 0]
    found = []
    for orientation, turned in enumerate(orientations(coarse[start : start + 64])):
        a, b = np.nonzero(np.bitwise_count(block[:, orientation, None] ^ later) <= HASH_BITS)
        a, b = a[a < b], b[a < b]
        alike = np.einsum("iyx,iyx->i", turned[a], coarse[start:][b], dtype=np.float32) > COARSE
        found += [(start + int(i), start + int(j), orientation) for i, j in zip(a[alike], b[alike], strict=True)]
    return found


def _confirm(scan: Scan, rows: Sequence[Row], block: list[tuple[int, int, int]]) -> dict[tuple[int, int], float]:
    """Return the similarity of the pairs of a block, in the orientation that fits best."""
    involved = sorted({index for a, b, _ in block for index in (a, b)})
    details = {}
    for start in range(0, len(involved), 1024):
        part = involved[start : start + 1024]
        details |= zip(part, map(bandpass, scan.thumbs([rows[i] for i in part])), strict=True)
    best: dict[tuple[int, int], float] = {}
    for a, b, orientation in block:
        turned = list(orientations(details[a]))[orientation]
        best[a, b] = max(best.get((a, b), -1.0), similarity(turned, details[b]))
    return best


def bandpass(thumb: np.ndarray) -> np.ndarray:
    """Keep the fine detail of a grey picture, everywhere of the same strength.

    Cells of one class look alike when seen coarsely, and a dark cell's edge outweighs all else: two copies of one
    image also agree in the grain of the nucleus and the specks around.

    Args:
        thumb: ``(48, 48)`` uint8.

    Returns:
        ``(48, 48)`` float32, about -3 to 3.
    """
    grey = thumb.astype(np.float32)
    band = cv2.GaussianBlur(grey, (0, 0), 0.6) - cv2.GaussianBlur(grey, (0, 0), 2.5)
    return band / np.sqrt(cv2.GaussianBlur(band * band, (0, 0), 3.5) + 4)


def similarity(a: np.ndarray, b: np.ndarray, reach: int = 3) -> float:
    """Return the correlation of two pictures where they match best, shifted by up to ``reach`` pixels.

    Args:
        a: ``(48, 48)`` float32 from :func:`bandpass`.
        b: the same.
        reach: 3 of 48 pixels are 16 of 250.

    Returns:
        -1 to 1; the peak between pixels is estimated from its neighbours by a parabola on each axis.
    """
    inner = a[reach:-reach, reach:-reach]
    scores = cv2.matchTemplate(b, inner, cv2.TM_CCOEFF_NORMED)
    y, x = np.unravel_index(scores.argmax(), scores.shape)
    peak = float(scores[y, x])
    for line, at in ((scores[:, x], y), (scores[y], x)):
        if 0 < at < len(line) - 1:
            before, here, after = (float(value) for value in line[at - 1 : at + 2])
            bend = before - 2 * here + after
            peak -= (after - before) ** 2 / (8 * bend) if bend < 0 else 0
    return min(peak, 1.0)


# Balance and splits


def balance(by_class: dict[str, list[Row]], config: BoneMarrowConfig, scan: Scan) -> list[Row]:
    """Read the first ``per_class`` rows of each class, and more where some cannot be read; none is repeated."""
    wanted = {code: config.per_class or len(rows) for code, rows in by_class.items()}
    kept: dict[str, list[Row]] = {code: [] for code in by_class}
    seen = dict.fromkeys(by_class, 0)
    while True:
        batch = []
        for code, rows in by_class.items():
            missing = wanted[code] - len(kept[code])
            batch += rows[seen[code] : seen[code] + missing]
            seen[code] += missing
        if not batch:
            break
        for row in scan.read(batch):
            kept[row.code].append(row)
    return [row for rows in kept.values() for row in rows]


def _refuse_short(counts: Counter[str], config: BoneMarrowConfig) -> None:
    least = config.per_class or 1
    short = [f"{code} {counts[code]}" for code in config.classes if counts[code] < least]
    if short and (not config.allow_short or not counts.total()):
        raise DatasetError(
            f"Fewer than {least} readable images of {', '.join(short)}: lower --per-class, leave classes out with "
            "--classes, or pass --allow-short."
        )


def split_by_group(rows: Sequence[Row], config: BoneMarrowConfig) -> list[Row]:
    """Split so that a near-duplicate group stays on one side, each class and source by the shares.

    A stratum with as many groups as there are splits, or more, has one in each. A group of several classes or sources
    counts where its first row does.

    Returns:
        Rows with ``split`` set, in their final order.
    """
    groups: dict[int, list[Row]] = defaultdict(list)
    for row in rows:
        groups[row.group].append(row)
    strata: dict[tuple[int, str], list[list[Row]]] = defaultdict(list)
    for group in groups.values():
        strata[group[0].source_index, group[0].code].append(group)
    result = []
    key = _draw(config.seed, "split")
    for stratum in strata.values():
        total = sum(map(len, stratum))
        room = {split: share * total / 100 for split, share in zip(SPLITS, config.shares, strict=True) if share}
        empty = set(room) if len(stratum) >= len(room) else set()
        for i, group in enumerate(sorted(stratum, key=lambda group: (-len(group), key(group[0])))):
            last = len(stratum) - i <= len(empty)  # the smallest groups go where nothing is yet
            split = max((split for split in room if split in empty or not last), key=room.__getitem__)
            empty.discard(split)
            room[split] -= len(group)
            result += [replace(row, split=split) for row in group]
    return sorted(result, key=_draw(config.seed, "order"))


# Audit and manifest


def _dropped(by_class: dict[str, list[Row]], kept: Sequence[Row], scan: Scan) -> dict[str, int]:
    counts = Counter(row.code for row in kept)
    unreadable = Counter(row.code for rows in by_class.values() for row in rows if _name(row) in scan.skipped)
    return {code: len(rows) - counts[code] - unreadable[code] for code, rows in by_class.items()}


def _name(row: Row) -> str:
    return f"{_text(row.source)}/{columns(row)['path']}"


def _largest_groups(rows: Sequence[Row], shown: int = 10) -> dict:
    groups: dict[int, list[Row]] = defaultdict(list)
    for row in rows:
        groups[row.group].append(row)
    several = sorted((group for group in groups.values() if len(group) > 1), key=lambda g: (-len(g), g[0].group))
    return {
        "groups": len(several),
        "images_in_groups": sum(map(len, several)),
        "groups_with_two_classes": sum(len({row.code for row in group}) > 1 for group in several),
        "largest": [sorted(map(_name, group)) for group in several[:shown]],
    }


def manifest_lines(rows: Iterable[Row], header: Sequence[str] = MANIFEST) -> Iterator[str]:
    """Return split, label, origin and digest of each row, in order; two sets with the same lines hold the same."""
    yield ",".join(header)
    ordered = sorted(rows, key=lambda row: SPLITS.index(row.split))
    for row in ordered:
        values = {"split": row.split, "label": row.code, "origin": row.origin, "sha256": row.sha256}
        yield ",".join(values[name] for name in header)


def set_rows(folder: Path) -> tuple[list[str], Iterator[Row]]:
    """Return the classes of a written set, and its rows from its Parquet files, with what the manifest tells of them.

    Raises:
        DatasetError: there are none, or one cannot be read.
    """
    files = sorted(file for file in (folder / "data").glob("*.parquet") if file.is_file())
    if not files:
        raise DatasetError(f"{folder} holds no data/*.parquet: name a folder that this script wrote.")
    in_order = [file for split in SPLITS for file in files if file.name.startswith(f"{split}-")]
    classes = _label_names(files[0])
    return classes, _set_rows(in_order, classes)


def _label_names(file: Path) -> list[str]:
    try:
        with file.open("rb") as opened:
            return datasets.Features.from_arrow_schema(pq.read_schema(opened))["label"].names
    except (pa.ArrowException, OSError, KeyError, AttributeError, ValueError) as error:
        raise DatasetError(f"{file} cannot be read: {error}") from error


def _set_rows(files: Sequence[Path], classes: Sequence[str]) -> Iterator[Row]:
    for file in files:
        if _label_names(file) != classes:
            raise DatasetError(f"{file} has other classes than the files before it: build the set again.")
        try:
            with file.open("rb") as opened:
                parquet = pq.ParquetFile(opened)
                wanted = [name for name in ("image", "label", "origin") if name in parquet.schema_arrow.names]
                for batch in parquet.iter_batches(batch_size=200, columns=wanted):
                    for row in batch.to_pylist():
                        digest = hashlib.sha256(row["image"]["bytes"]).hexdigest()
                        origin = row.get("origin", "unknown")  # of a set of before version 2.1.0
                        split = file.name.split("-")[0]
                        yield Row("", "", classes[row["label"]], sha256=digest, split=split, origin=origin)
        except (pa.ArrowException, OSError, KeyError, TypeError, IndexError) as error:
            raise DatasetError(f"{file} cannot be read: {error}") from error


def verify(classes: Sequence[str], rows: Iterable[Row], manifest: Path) -> None:
    """Compare a set with a manifest; one of before version 2.1.0 says nothing of origins, of before 2.2.0 of classes.

    Args:
        classes: of the set, in the order of its labels.
        rows: of the set.
        manifest: the file.

    Raises:
        DatasetError: they differ, or the manifest cannot be read.
    """
    try:
        expected = read_bytes(Row(str(manifest.parent), manifest.name)).decode("utf-8").splitlines()
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise DatasetError(f"The manifest {manifest} cannot be read: {reason}") from error
    if expected[0].startswith(CLASSES_MARK):
        labels = expected.pop(0).removeprefix(CLASSES_MARK)
        if labels != " ".join(classes):
            raise DatasetError(f"The set has the classes {' '.join(classes)}, but {manifest} {labels}, in this order.")
    old = expected[:1] == [",".join(OLD_MANIFEST)]
    found = list(manifest_lines(rows, OLD_MANIFEST if old else MANIFEST))
    missing, added = Counter(expected) - Counter(found), Counter(found) - Counter(expected)
    if missing or added:
        raise DatasetError(
            f"The set differs from {manifest}: {missing.total()} of its {len(expected) - 1} rows are missing and "
            f"{added.total()} others are there. Check that sources, origins and options are the same."
        )
    if expected != found:
        raise DatasetError(f"The set has the rows of {manifest} in another order: build it with this version.")


# Writing


def write_set(build: Build, config: BoneMarrowConfig, out: Path) -> None:
    """Write ``data/SPLIT-NNNNN-of-NNNNN.parquet`` with the image bytes, the manifest, the card and the audit.

    The folder is what a Hub data set repository holds; it appears whole or not at all. With the same versions of
    pyarrow and datasets, the same rows give the same bytes. The audit names each file with its digest: by that an
    older set is known. It lies beside as ``OUT.old`` until the new one stands, and no other file of it is removed.

    Args:
        build: rows read with ``keep_bytes``.
        config: what was built.
        out: folder to write, one that :func:`check_out` let pass.
    """
    beside, old = build.scan.store / "set", _old(out)
    (beside / "data").mkdir(parents=True, exist_ok=True)
    with tqdm(total=len(build.rows), desc="writing", unit=" images", disable=None) as bar:
        for split in SPLITS:
            shards = list(_shards([row for row in build.rows if row.split == split], build.scan))
            for number, shard in enumerate(shards):
                target = beside / "data" / f"{split}-{number:05d}-of-{len(shards):05d}.parquet"
                if not target.is_file():
                    _write_shard(shard, build.scan, config.classes, target)
                bar.update(len(shard))
    lines = [CLASSES_MARK + " ".join(config.classes), *manifest_lines(build.rows), ""]
    (beside / "manifest.csv").write_text("\n".join(lines), encoding="utf-8")
    _write_card(beside, build.audit)
    files = {path: _digest(beside / path) for path in sorted(_files(beside)) if path != AUDIT}
    audit = json.dumps(build.audit | {"written_by": COMMAND, "files": files}, indent=1, ensure_ascii=False)
    (beside / AUDIT).write_text(f"{audit}\n", encoding="utf-8")
    _remove_set(old)
    if out.exists():
        os.replace(out, old)
    os.replace(beside, out)
    _remove_set(old)
    _remove(build.scan.store, STORED.fullmatch)


def check_out(out: Path, sources: Iterable[Path] = ()) -> None:
    """Refuse to write over anything but an older set that this script wrote, or into a source.

    Args:
        out: folder to write, with no link in its path.
        sources: folders, zips and CSV files that are read; links in them are followed.

    Raises:
        DatasetError: it holds something else, or it is, holds or lies in a source.
    """
    if not out.name:
        raise DatasetError(f"{out} is no place for a set: name a new folder with --out.")
    read = [(source, folder) for source in sources for folder in _places_read(source)]
    for place in (out, _old(out), _store(out)):
        if place.is_symlink() or (place.exists() and not place.is_dir()):
            raise DatasetError(f"{place} is no folder: name a new one with --out.")
        for source, folder in read:
            if folder.is_relative_to(place) or (source.is_dir() and place.is_relative_to(folder)):
                raise DatasetError(f"{place} is, holds or lies in the source {source}: name another folder with --out.")
        other = next(filter(_not_ours(place, place == _store(out)), _files(place)), None)
        if other:
            raise DatasetError(
                f"{place} holds other files, as {_text(other)}: move them away or name a new folder with --out."
            )
    if _old(out).exists() and not out.exists():  # a run was stopped between two renamings
        os.replace(_old(out), out)


def _not_ours(folder: Path, is_store: bool) -> Callable[[str], bool]:
    """Return what tells whether a file of a folder is none that this script wrote there."""
    if is_store:
        return lambda path: not (_is_store(folder) and STORED.fullmatch(path))
    written = _written(folder)
    return lambda path: path not in written and not (written and path == AUDIT)


def _places_read(source: Path) -> set[Path]:
    """Return the real paths of the folders and linked files of a source; of a zip or CSV its own, and what it names."""
    if source.is_dir():
        found = list(_folders(source))
        links = (path for folder, _, files in found for path in (os.path.join(folder, file) for file in files))
        real = [os.path.realpath(path) for path in links if os.path.islink(path)]
        return {Path(place) for place in (*real, *(target for _, target, _ in found))}
    table = _list_csv(source) if source.suffix.lower() == ".csv" and source.is_file() else ()
    return {source.resolve(), *(Path(os.path.realpath(Path(row.root, row.path))) for row in table)}


def _store(out: Path) -> Path:
    return out.with_name(f"{out.name}.partial")


def _old(out: Path) -> Path:
    return out.with_name(f"{out.name}.old")


def _is_store(folder: Path) -> bool:
    key = folder / "key"
    return key.is_file() and key.read_bytes().startswith(f"{COMMAND} ".encode())


def _files(folder: Path) -> Iterator[str]:
    """Find everything below a folder that is no folder, by its path in there; links are not followed."""
    for place, inner, files in os.walk(folder):
        for name in (*files, *(name for name in inner if os.path.islink(os.path.join(place, name)))):
            yield Path(place, name).relative_to(folder).as_posix()


def _written(folder: Path) -> dict[str, str]:
    """Return the digests of the files that the audit in a folder says this script wrote, none without such an audit."""
    try:
        audit = json.loads(read_bytes(Row(str(folder), AUDIT)))
        return dict(audit["files"]) if audit["written_by"] == COMMAND else {}
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return {}


def _digest(file: Path) -> str:
    with file.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()


def _remove_set(old: Path) -> None:
    """Remove an older set as far as it is as it was written, and say where something is left."""
    written = _written(old)
    _remove(old, lambda path: path == AUDIT or (path in written and _digest(old / path) == written[path]))
    if old.exists():
        _warn(f"{old} keeps what this command did not write")


def _remove(folder: Path, ours: Callable[[str], object]) -> None:
    """Remove the files below a folder that are ours, and every folder that is empty then."""
    for path in list(_files(folder)):
        if not (folder / path).is_symlink() and ours(path):
            (folder / path).unlink()
    for place, _, _ in os.walk(folder, topdown=False):
        with contextlib.suppress(OSError):
            os.rmdir(place)


def _write_card(folder: Path, audit: dict) -> None:
    """Write what the set holds as README.md: the card that lies beside this file for the set that it tells of.

    That is the balanced set of the public archive; any other gets a short card with its own figures.
    """
    card, figures = (Path(__file__).with_name(name) for name in ("README.md", "figures"))
    text = card.read_text(encoding="utf-8") if card.is_file() else ""
    origins, splits = audit["origins"], audit["splits"]
    totals = {code: sum(numbers.values()) for code, numbers in splits.items()}
    public = {origin: list(laboratories) for origin, laboratories in origins.items()} == {"bone_marrow": ["MLL"]}
    if TITLE in text and public and totals == dict.fromkeys(CODES_12, PER_CLASS):
        if figures.is_dir():
            shutil.copytree(figures, folder / "figures", dirs_exist_ok=True)
        before, _, rest = text.partition(ORIGINS_MARK)
        text = f"{before}{ORIGINS_MARK}\n{origins_table(origins)}\n{ORIGINS_END}{rest.partition(ORIGINS_END)[2]}"
    else:
        lines = [
            f"| {code} | {NAMES_21.get(code, code)} | {' | '.join(map(str, splits[code].values()))} |"
            for code in splits
        ]
        text = CARD.format(
            licence="cc-by-4.0" if public else "other",
            classes=len(totals),
            images=f"{sum(totals.values()):,}",
            table="\n".join(lines),
            origins=origins_table(origins),
        )
    (folder / "README.md").write_text(text, encoding="utf-8")


def origins_table(origins: dict[str, dict[str, int]]) -> str:
    """Return a Markdown table of the images by origin and laboratory."""
    lines = [
        f"| {origin} | {laboratory.replace('|', '/')} | {number:,} |"
        for origin, laboratories in origins.items()
        for laboratory, number in laboratories.items()
    ]
    return "\n".join(["| origin | laboratory | images |", "| --- | --- | --- |", *lines])


def _shards(rows: Sequence[Row], scan: Scan) -> Iterator[list[Row]]:
    shard, size = [], 0
    for row in rows:
        if size > SHARD_BYTES:
            yield shard
            shard, size = [], 0
        shard.append(row)
        size += scan.size(row)
    if shard:
        yield shard


def _write_shard(rows: Sequence[Row], scan: Scan, classes: Sequence[str], target: Path) -> None:
    beside, schema = target.with_suffix(".partial"), features(classes).arrow_schema
    # opened here: pyarrow takes no path that is not UTF-8
    with beside.open("wb") as file, pq.ParquetWriter(file, schema, compression="snappy") as writer:
        for start in range(0, len(rows), 100):
            part = [
                {"image": {"bytes": scan.stored(row), "path": _file_name(row)}}
                | columns(row)
                | {"label": classes.index(row.code)}
                for row in rows[start : start + 100]
            ]
            writer.write_table(pa.Table.from_pylist(part, schema=schema))
    os.replace(beside, target)


def _file_name(row: Row) -> str:
    name = PurePosixPath(_text(row.path))
    return name.name if row.stored_as_is else f"{name.stem}.bmp"


def push(out: Path, repo_id: str, private: bool) -> str:
    """Upload a written folder as a Hub data set, in place of an older one, and give its address.

    Raises:
        DatasetError: the Hub does not take it.
    """
    from huggingface_hub import HfApi

    api = HfApi()
    try:
        url = api.create_repo(repo_id, repo_type="dataset", private=private, exist_ok=True)
        api.upload_folder(
            folder_path=out,
            repo_id=repo_id,
            repo_type="dataset",
            commit_message=f"Upload the data set, version {VERSION}",
            delete_patterns="data/*",
        )
    except Exception as error:  # of several HTTP libraries, by the version of huggingface_hub
        reason = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise DatasetError(
            f"{repo_id} could not be pushed ({reason}): {out} is complete, run again with --push alone."
        ) from error
    return str(url)


ORIGINS_MARK, ORIGINS_END = "<!-- origins -->", "<!-- /origins -->"
TITLE = "pretty_name: Bone marrow cells, twelve balanced classes"
CARD = f"""---
license: {{licence}}
task_categories:
- image-classification
tags:
- medical
- hematology
pretty_name: Single blood and bone marrow cells, {{classes}} classes
---

# Single blood and bone marrow cells, {{classes}} classes

{{images}} images of single cells, with train, validation and test splits that keep near-duplicates on one side.

| code | class | {" | ".join(SPLITS)} |
| --- | --- | --- | --- | --- |
{{table}}

Where they are from:

{{origins}}

Images of MLL are those of Matek et al. 2021, The Cancer Imaging Archive, <{ARCHIVE}>, CC BY 4.0; others are
under the licence
of who gave them. `audit.json` tells what was kept and why; `manifest.csv` holds the digest of every row.
"""


# Command line


def print_skipped(skipped: dict[str, str]) -> None:
    """Name every file that was left out, with the reason, on stderr."""
    for name, reason in sorted(skipped.items()):
        _warn(f"skipped {name}: {reason}")


def _warn(line: str) -> None:
    with contextlib.suppress(OSError):  # nobody reads it
        print(line, file=sys.stderr)


def _say(text: str) -> None:
    """Print what was done.

    Raises:
        DatasetError: nobody takes it.
    """
    try:
        print(text, flush=True)
    except OSError as error:
        sys.stdout = open(os.devnull, "w")  # the interpreter tries once more at its end
        raise DatasetError(f"The work is done, but standard output takes no report ({error.strerror}).") from error


def audit_table(audit: dict) -> str:
    """Return the audit as text: a line per class, then the near-duplicates."""
    lines = ["class " + "".join(f"{title:>12}" for title in ("found", "left out", *SPLITS))]
    for code, splits in audit["splits"].items():
        numbers = (audit["found"][code], audit["dropped_by_balancing"][code], *splits.values())
        lines.append(f"{code:6}" + "".join(f"{number:12}" for number in numbers))
    for origin, laboratories in audit["origins"].items():
        lines.append(f"origin {origin}: {', '.join(f'{name} {number}' for name, number in laboratories.items())}")
    same = audit["near_duplicates"]
    lines.append(
        f"{same['groups']} groups of near-duplicates with {same['images_in_groups']} images "
        f"({same['same_bytes']} copies of the same bytes, {same['groups_with_two_classes']} groups in two classes); "
        f"{same['pairs_compared']} pairs compared, {same['pairs_compared_on_pixels']} of them on pixels"
    )
    lines += [f"  {len(group)}: {', '.join(group[:4])}{' …' * (len(group) > 4)}" for group in same["largest"][:5]]
    if audit["skipped"]:
        lines.append(f"{len(audit['skipped'])} files skipped, named above and in audit.json")
    if audit["other_classes"]:
        others = ", ".join(f"{code} {count}" for code, count in audit["other_classes"].items())
        lines.append(f"other classes, not asked for: {others}")
    return "\n".join(lines)


class _AboutSource(argparse.Action):
    """Note what ``--origin`` or ``--laboratory`` says of the ``--data-dir`` before it, by the number of that."""

    def __call__(self, parser, namespace, value, option_string=None) -> None:
        number = len(namespace.data_dir) - 1
        said = getattr(namespace, self.dest)
        if number < 0:
            parser.error(f"{option_string} says something of the --data-dir before it: give it after one")
        if number in said:
            parser.error(f"{option_string} is given twice for --data-dir {namespace.data_dir[-1]}: give it once")
        setattr(namespace, self.dest, said | {number: value})


def _parser() -> argparse.ArgumentParser:
    description, _, more = (__doc__ or "").partition("\n\n")
    layout = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(description=description, epilog=more, formatter_class=layout)
    parser.add_argument("--data-dir", action="append", default=[], help="source folder, zip or CSV; repeatable")
    about = {"action": _AboutSource, "default": {}}
    parser.add_argument("--origin", choices=ORIGINS, help="where the cells of that --data-dir are from", **about)
    parser.add_argument("--laboratory", type=_laboratory, help="who photographed the cells of that one", **about)
    parser.add_argument("--out", type=Path, required=True, help="folder to write")
    parser.add_argument("--config", choices=CONFIGS, default="balanced-12")
    parser.add_argument("--classes", nargs="+", type=_codes, metavar="CODE", help="as BLA LYT, or BLA,LYT")
    parser.add_argument("--per-class", type=_count, metavar="N", help="a number, or 'all'")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--splits", type=_shares, default=(80, 10, 10), metavar="80/10/10")
    parser.add_argument("--allow-short", action="store_true", help="keep classes with fewer images")
    parser.add_argument("--num-proc", type=_processes, default=os.cpu_count() or 1, help="processes that read images")
    parser.add_argument("--verify", type=Path, metavar="MANIFEST", help="fail unless the set is the one described")
    parser.add_argument("--push", metavar="ID", help="Hub data set to upload to, as NAMESPACE/bone-marrow-12")
    parser.add_argument("--private", action="store_true", help="with --push: create it private")
    return parser


def _laboratory(text: str) -> str:
    if not _words(text):
        raise argparse.ArgumentTypeError("name the laboratory")
    return _words(text)


def _codes(text: str) -> list[str]:
    codes = [code.strip().upper() for code in text.split(",")]
    if not all(codes):
        raise argparse.ArgumentTypeError("name classes by their codes, as BLA LYT")
    return codes


def _processes(text: str) -> int:
    if not text.isdecimal() or int(text) == 0:
        raise argparse.ArgumentTypeError("give a number above 0")
    return int(text)


def _count(text: str) -> int | str:
    return text if text == "all" else _processes(text)


def _shares(text: str) -> tuple[int, ...]:
    parts = text.split("/")
    if len(parts) != 3 or not all(map(str.isdecimal, parts)) or sum(map(int, parts)) != 100:
        raise argparse.ArgumentTypeError("give three percentages that add up to 100, as in 80/10/10")
    return tuple(map(int, parts))


def _config(args: argparse.Namespace) -> BoneMarrowConfig:
    config, sources = CONFIGS[args.config], range(len(args.data_dir))
    per_class = {None: config.per_class, "all": None}.get(args.per_class, args.per_class)
    return replace(
        config,
        data_dirs=tuple(args.data_dir),
        origins=tuple(map(args.origin.get, sources)),
        laboratories=tuple(map(args.laboratory.get, sources)),
        classes=tuple(dict.fromkeys(itertools.chain(*args.classes) if args.classes else config.classes)),
        per_class=per_class,
        seed=args.seed,
        shares=args.splits,
        allow_short=args.allow_short,
        workers=args.num_proc,
    )


def make_set(args: argparse.Namespace) -> None:
    """Build, verify and write the set that the command line asks for."""
    config, out = _config(args), args.out.resolve()
    check_out(out, config.sources())
    build = build_rows(config, _store(out), keep_bytes=True)
    if args.verify:
        verify(config.classes, build.rows, args.verify)
    write_set(build, config, out)
    _say(audit_table(build.audit))
    _say(f"wrote {len(build.rows)} images in {len({row.group for row in build.rows})} groups to {args.out}")


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line; return the exit code (2 for bad input)."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # a file name may be no UTF-8
    sys.stderr = sys.stderr or open(os.devnull, "w")  # it was closed
    parser = _parser()
    args = parser.parse_args(argv)
    if not args.data_dir and not args.verify and not args.push:
        parser.error("name the source with --data-dir, or check or push a written set with --verify or --push")
    try:
        if args.data_dir:
            make_set(args)
        elif args.verify:
            verify(*set_rows(args.out), args.verify)
            _say(f"{args.out} is the set that {args.verify} describes")
        if args.push:
            if not (args.out / "data").is_dir():
                raise DatasetError(f"{args.out} holds no set: build it with --data-dir first.")
            _say(f"pushed to {push(args.out, args.push, args.private)}")
    except (DatasetError, OSError) as error:
        _warn(f"{COMMAND}: {_sentence(error)}")
        return 2
    except KeyboardInterrupt:
        _warn(f"{COMMAND}: stopped; the same command goes on from here")
        return 130
    return 0


def _sentence(error: Exception) -> str:
    if not isinstance(error, OSError) or not error.strerror:
        return str(error)
    name = _text(os.fsdecode(error.filename)) if isinstance(error.filename, str | bytes) else ""
    shown = f"{name[:200]} …" if len(name) > 200 else name
    return f"{shown}: {error.strerror}: name another path." if name else f"{error.strerror}."


if __name__ == "__main__":
    sys.exit(main())
