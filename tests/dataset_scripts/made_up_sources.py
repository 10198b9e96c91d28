"""Made-up sources for the data set script, and short ways to build from them and to look at what came out."""

from __future__ import annotations

import atexit
import hashlib
import random
import shutil
import struct
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Iterable, Iterator
from dataclasses import replace
from functools import cache
from pathlib import Path

import cv2
import numpy as np
import pyarrow.parquet as pq
import pytest
from PIL import Image

from dataset_scripts import bone_marrow_12
from dataset_scripts.bone_marrow_12 import CONFIGS, Build, Row, build_rows, manifest_lines
from tests.commands import ROOT, python

SCRIPT = Path(bone_marrow_12.__file__)
COUNTS = {"BLA": 30, "LYT": 40, "NGS": 50}
CLASSES = tuple(COUNTS)

# runs the script on small chunks and shards, with files listed at random, up to a signal to it and its workers
RUNNER = """
import os, random, signal, sys
from dataset_scripts import bone_marrow_12 as script

def shuffled(*arguments, walk=os.walk, **options):
    for folder, folders, files in walk(*arguments, **options):
        random.shuffle(folders), random.shuffle(files)
        yield folder, folders, files

def stopping(function, calls, number):
    def called(*arguments):
        done = function(*arguments)
        calls.pop()
        if not calls:
            os.killpg(0, number)
        return done
    return called

if __name__ == "__main__":
    os.walk = shuffled
    script.CHUNK, script.SHARD_BYTES = 100, int(os.environ.get("SHARD_BYTES", script.SHARD_BYTES))
    if "STOP" in os.environ:
        os.setpgrp()
        signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background jobs start without it
        where, calls, name = os.environ["STOP"].split()
        holder, what = {"reading": (script.Scan, "_take"), "writing": (script, "_write_shard")}[where]
        setattr(holder, what, stopping(getattr(holder, what), [1] * int(calls), signal.Signals[name]))
    sys.exit(script.main())
"""


def picture(seed: int, side: int = 80) -> np.ndarray:
    """RGB blotches and grain that no other seed resembles, ``(side, side, 3)`` uint8."""
    rng = np.random.default_rng(seed)
    grids = ((6, 0.5), (20, 0.3), (40, 0.2))
    layers = [
        weight * cv2.resize(rng.random((grid, grid, 3)), (side, side), interpolation=cv2.INTER_CUBIC)
        for grid, weight in grids
    ]
    return (np.sum(layers, axis=0) * 255).clip(0, 255).astype(np.uint8)


def save(path: Path, image: np.ndarray, **options) -> Path:
    """Write an image in the format of the path's suffix, with folders as needed."""
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(image).save(path, **options)
    return path


def make_source(folder: Path, counts: dict[str, int], part: int = 10_000, seed: int = 0, side: int = 80) -> Path:
    """Write ``CODE/CODE_00001.jpg``, or with ``part`` images a folder ``CODE/0000/CODE_00001.jpg``."""
    for code_number, (code, count) in enumerate(counts.items()):
        for i in range(count):
            below = f"{i // part:04d}" if part < count else ""
            image = picture(seed + 1000 * code_number + i, side)
            save(folder / code / below / f"{code}_{i:05d}.jpg", image, quality=90)
    return folder


def make_bitmaps(folder: Path, counts: dict[str, int]) -> Path:
    """Write BMP files of 6×6 coloured squares byte by byte: no library has a say in what they hold."""
    for code, count in counts.items():
        (folder / code).mkdir(parents=True)
        for i in range(count):
            squares = random.Random(f"{code} {i}").randbytes(6 * 6 * 3)
            (folder / code / f"{code}_{i:05d}.bmp").write_bytes(bitmap(squares, 6, 8))
    return folder


def bitmap(squares: bytes, number: int, side: int) -> bytes:
    """Return a 24-bit BMP file of ``number × number`` squares, each ``side`` pixels wide (rows of 4 n bytes)."""
    rows = [squares[row * number * 3 : (row + 1) * number * 3] for row in range(number)]
    wide = [b"".join(row[at : at + 3] * side for at in range(0, len(row), 3)) for row in rows]
    pixels = b"".join(row * side for row in wide)
    size = number * side
    header = struct.pack("<IiiHHIIiiII", 40, size, size, 1, 24, 0, len(pixels), 2835, 2835, 0, 0)
    return struct.pack("<2sIHHI", b"BM", 54 + len(pixels), 0, 0, 54) + header + pixels


def make_zip(target: Path, folder: Path, top: str = "") -> Path:
    """Pack a folder, the last file first, below a folder ``top``."""
    with zipfile.ZipFile(target, "w") as archive:
        for file in sorted(folder.rglob("*"), reverse=True):
            if file.is_file():
                archive.write(file, f"{top}{file.relative_to(folder).as_posix()}")
    return target


def built(*sources: Path, name: str = "imbalanced-12", **options) -> Build:
    """Build from sources without writing; with fields of ``BoneMarrowConfig`` as options."""
    config = replace(CONFIGS[name], data_dirs=tuple(map(str, sources)), **options)
    with tempfile.TemporaryDirectory() as store:
        return build_rows(config, Path(store))


def manifest(*sources: Path, **options) -> list[str]:
    """Return the manifest of what is built from sources."""
    return list(manifest_lines(built(*sources, **options).rows))


def run(*arguments: str | Path | int, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run the script; the exit code is the caller's to check."""
    return python(SCRIPT, *map(str, arguments), **environment)


def write(out: Path, *arguments: str | Path | int) -> subprocess.CompletedProcess[str]:
    """Run the script, which must end well and leave nothing half-written."""
    done = run("--out", out, *arguments)
    assert done.returncode == 0, done.stderr[-4000:]
    assert not out.with_name(f"{out.name}.partial").exists()
    return done


def run_in_small_steps(
    work: Path, *arguments: str | Path | int, **environment: str
) -> subprocess.CompletedProcess[str]:
    """Run ``RUNNER`` from a folder; ``SHARD_BYTES`` and ``STOP="reading 4 SIGINT"`` are its settings."""
    runner = work / "runner.py"
    runner.write_text(RUNNER, encoding="utf-8")
    return python(runner, *map(str, arguments), PYTHONPATH=str(ROOT), **environment)


def table(out: Path) -> dict[str, list[dict]]:
    """Return the rows of each split of a written set as they stand in the Parquet files."""
    return {
        split: [row for file in sorted(out.glob(f"data/{split}-*")) for row in pq.read_table(file).to_pylist()]
        for split in ("train", "validation", "test")
    }


def digests(folder: Path) -> dict[str, str]:
    """Return the digest of every file below a folder."""
    files = (file for file in sorted(folder.rglob("*")) if file.is_file())
    return {file.relative_to(folder).as_posix(): hashlib.sha256(file.read_bytes()).hexdigest() for file in files}


def groups(rows: Iterable[Row]) -> Iterator[list[Row]]:
    """Return the near-duplicate groups of rows."""
    by_group: dict[int, list[Row]] = {}
    for row in rows:
        by_group.setdefault(row.group, []).append(row)
    yield from by_group.values()


def without_counts(card: str) -> str:
    """Return a card without the counts of the set that it lies beside."""
    before, _, rest = card.partition("<!-- origins -->")
    return before + rest.partition("<!-- /origins -->")[2]


@cache
def python_with_old_datasets() -> Path:
    """Make a virtual environment with ``datasets<4``, which still runs loading scripts, and give its Python.

    The test skips where there is no package index.
    """
    home = Path(tempfile.mkdtemp(prefix="datasets-3-"))
    atexit.register(shutil.rmtree, home, ignore_errors=True)
    subprocess.run([sys.executable, "-m", "venv", home], check=True)
    packages = ("datasets<4", "ImageHash", "opencv-python-headless")
    done = subprocess.run([home / "bin" / "pip", "install", "-q", *packages], capture_output=True, check=False)
    if done.returncode:
        pytest.skip("needs a package index: datasets<4 lives in an environment of its own")
    return home / "bin" / "python"
