"""A folder for a case of the data set script: laid out, called in, and compared before and after."""

from __future__ import annotations

import contextlib
import hashlib
import io
import os
import shutil
import signal
import warnings
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
from PIL import Image

from dataset_scripts import bone_marrow_12
from tests.fuzz.outcome import PATIENCE

SOURCE, OUT = "{source}", "{out}"
"""In the arguments of a case: the folder, zip or table that is read, and the folder to write."""

THESIS = hashlib.sha256(b"years of work").hexdigest()


@dataclass(frozen=True)
class Case:
    """One call of the data set script.

    Attributes:
        kind: of the source: ``folder``, ``zip`` or ``table``.
        files: what lies in the folder, by path.
        arguments: of the command line, with ``SOURCE`` and ``OUT`` for the places.
        changed: what is not as in a valid case, in words.
        links: symbolic links in the folder, by path, and where they lead.
        pipes: named pipes in the folder.
        table: bytes of the table.
        repack: changes the bytes of the zip.
        twice: a name that stands in the zip twice.
        out: what lies where the set is to be written: ``nothing``, ``empty``, ``set``, ``foreign``, ``foreign set``,
            ``file``, ``pipe``, or ``link``, which leads to the source.
    """

    kind: str
    files: dict[bytes, bytes]
    arguments: tuple[str, ...]
    changed: str = "nothing"
    links: tuple[tuple[bytes, str], ...] = ()
    pipes: tuple[bytes, ...] = ()
    table: bytes = b""
    repack: Callable[[bytes], bytes] = bytes
    twice: bytes = b""
    out: str = "nothing"


@cache
def picture(number: int, code: str, kind: str = "JPEG") -> bytes:
    rng = np.random.default_rng([number, *code.encode()])
    file = io.BytesIO()
    image = Image.fromarray(rng.integers(0, 256, (5, 5, 3), np.uint8)).resize((24, 24), Image.Resampling.BICUBIC)
    image.save(file, kind)
    return file.getvalue()


def lay_out(case: Case, folder: Path) -> tuple[Path, Path]:
    """Write the files of a case, and some that are none of the script's business; return source and place to write."""
    cells, out = folder / "work" / "cells", folder / "out"
    cells.mkdir(parents=True)
    (folder / "thesis.txt").write_bytes(b"years of work")
    os.mkfifo(folder / "pipe")
    source = {"folder": cells, "zip": folder / "work" / "cells.zip", "table": cells / "cells.csv"}[case.kind]
    if case.kind == "zip":
        _pack(case, source)
    else:
        _write(case, os.fsencode(cells))
    if case.kind == "table":
        source.write_bytes(case.table)
    if case.out in ("set", "foreign set"):
        code, errors, _ = call(_small_set(folder, out), folder)
        assert code == 0, errors
        shutil.rmtree(folder / "small")
    if case.out == "foreign set":
        (out / "figures").mkdir(exist_ok=True)
        (out / "figures" / "mine.txt").write_bytes(b"years of work")
    if case.out in ("empty", "foreign"):
        (out / "data").mkdir(parents=True)
    if case.out == "foreign":
        for name in ("README.md", "manifest.csv", "audit.json", "data/train.parquet"):
            (out / name).write_bytes(b"years of work")
    if case.out == "file":
        out.write_bytes(b"years of work")
    if case.out == "pipe":
        os.mkfifo(out)
    if case.out == "link":
        out.symlink_to(cells)
    return source, out


def _small_set(folder: Path, out: Path) -> list[str]:
    for i in range(5):
        file = folder / "small" / "EOS" / f"{i}.jpg"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(picture(i, "EOS"))
    return ["--data-dir", str(folder / "small"), "--out", str(out), "--classes", "EOS", "--per-class", "5"]


def _write(case: Case, cells: bytes) -> None:
    for path, data in case.files.items():
        file = os.path.join(cells, path)
        os.makedirs(os.path.dirname(file), exist_ok=True)
        with open(file, "wb") as opened:
            opened.write(data)
    for name, target in case.links:
        os.symlink(target, os.path.join(cells, name))
    for name in case.pipes:
        os.mkfifo(os.path.join(cells, name))


def _pack(case: Case, target: Path) -> None:
    with warnings.catch_warnings(), zipfile.ZipFile(target, "w") as archive:
        warnings.simplefilter("ignore")  # of a name that stands there twice
        for path, data in [*case.files.items(), *([(case.twice, b"other")] if case.twice else [])]:
            archive.writestr(zipfile.ZipInfo(path.decode("utf-8", "replace")), data)
    target.write_bytes(case.repack(target.read_bytes()))


def call(arguments: list[str], folder: Path) -> tuple[int | None, str, str]:
    """Run the script in a folder; return its exit code, what it wrote to standard error, and what it did not catch."""
    errors, home = io.StringIO(), Path.cwd()
    os.chdir(folder)
    signal.signal(signal.SIGALRM, _too_late)
    signal.setitimer(signal.ITIMER_REAL, PATIENCE)
    try:
        with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(errors):
            return bone_marrow_12.main(arguments), errors.getvalue(), ""
    except SystemExit as stop:
        return int(stop.code or 0), errors.getvalue(), ""
    except BaseException as error:
        return None, errors.getvalue(), f"{type(error).__name__}: {error}"[:500]
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        os.chdir(home)


def _too_late(*_: object) -> None:
    raise BaseException("no outcome")


def snapshot(folder: Path) -> dict[str, str]:
    """Return what lies below a folder, by path, but for the set that is written."""
    found = {}
    for place, inner, files in os.walk(folder):
        for name in (*inner, *files):
            path = os.path.join(place, name)
            shown = os.path.relpath(path, folder)
            if shown.split("/")[0] not in ("out", "out.old", "out.partial") and not shown.startswith(("new", "a" * 9)):
                kind = "link" if os.path.islink(path) else "file" if os.path.isfile(path) else "other"
                found[shown] = (
                    f"{kind} {os.readlink(path) if kind == 'link' else digest(path) if kind == 'file' else ''}"
                )
    return found


def contents(folder: Path) -> set[str]:
    """Return the digests of all files below a folder, or of the file that it is."""
    if folder.is_symlink() or not folder.is_dir():
        return {digest(str(folder))} if folder.is_file() else set()
    return {digest(str(file)) for file in folder.rglob("*") if file.is_file()}


def digest(path: str) -> str:
    with open(path, "rb") as file:
        return hashlib.sha256(file.read()).hexdigest()
