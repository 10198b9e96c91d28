"""Folders, zips, tables and arguments for the data set script, most of them valid but for one thing.

python -m pytest tests/fuzz/test_dataset_fuzz.py
"""

from __future__ import annotations

import csv
import io
import itertools
import os
import random
import shutil
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from dataset_scripts import bone_marrow_12
from tests.fuzz.dataset_folder import OUT, SOURCE, THESIS, Case, call, contents, lay_out, picture, snapshot
from tests.fuzz.outcome import Outcome

CLASSES = ("BLA", "LYT")
IMAGES = 6
"""Images of each class in a valid source."""

NAMES = (
    *(
        b"cell\xff.jpg",
        b"a\nb.jpg",
        b"-out.jpg",
        b" x .jpg",
        b".jpg",
        b".hidden.jpg",
        b"con.jpg",
        b"x.JPG",
        b"a'\".jpg",
    ),
    *(
        b"\xe2\x80\xaetxt.jpg",
        b"n" * 251 + b".jpg",
        b"origin.json",
        b"metadata.jsonl",
        b"audit.json",
        b"mask.png",
        b"x",
    ),
)
FOLDERS = (b"bla", b"Blast", b"BLS", b"x\xff", b"BLA.part", b"__MACOSX", b"lymphocyte ", b"d" * 200)
WORDS = (
    "",
    " ",
    "x",
    "0",
    "-1",
    "BLS",
    "BLA,LYT",
    "lyt",
    "é",
    "\udcff",
    "=1+1",
    "a" * 5000,
    "../..",
    "1e9",
    "all",
    "٣",
)
NOTES = (b"{", b"[]", b"null", b'{"origin": 1}', b'{"origin": "moon"}', b"[" * 100_000, b"\xff", b"9" * 5000, b"")
SPLITS = ("80/10/10", "100/0/0", "0/0/100", "90/10", "80/10/5", "-10/60/50", "a/b/c")


def cases(seed: int) -> Iterator[Case]:
    """Yield cases without end; the same seed gives the same ones."""
    choose = random.Random(seed)
    while True:
        case = _valid(choose)
        changes = [_file_changed, _arguments_changed, _out_changed]
        changes += {"folder": [_folder_changed], "zip": [_zip_changed], "table": [_table_changed]}[case.kind] * 2
        yield choose.choice(changes)(case, choose) if choose.random() < 0.9 else case


def _valid(choose: random.Random) -> Case:
    kind = choose.choice(("folder", "folder", "zip", "table"))
    files = {f"{code}/{code}_{i:05d}.jpg".encode(): picture(i, code) for code in CLASSES for i in range(IMAGES)}
    arguments = ("--data-dir", SOURCE, "--out", OUT, "--classes", *CLASSES, "--per-class", str(IMAGES))
    lines = [("path", "label"), *((path.decode(), path.decode()[:3]) for path in files)]
    return Case(kind, files, (*arguments, "--num-proc", "1"), table=_table(lines))


def _table(lines: Sequence[Sequence[str]], delimiter: str = ",") -> bytes:
    file = io.StringIO(newline="")
    csv.writer(file, delimiter=delimiter).writerows(lines)
    return file.getvalue().encode("utf-8", "surrogateescape")


@cache
def _odd_pictures() -> dict[str, bytes]:
    """Return pictures that are read right or refused, by what is odd in them."""
    rgb = np.asarray(Image.open(io.BytesIO(picture(1, "BLA"))))
    grey = rgb[..., 0]
    deep, real = grey.astype(np.uint16), grey.astype(np.float32)
    several = [Image.fromarray(rgb)] * 3
    made: dict[str, tuple[Image.Image, str, dict[str, Any]]] = {
        "16 bits": (Image.fromarray(deep * 257), "PNG", {}),
        "12 of 16 bits": (Image.fromarray(deep * 16), "TIFF", {}),
        "32 bits": (Image.fromarray(deep.astype(np.int32) * 70_000), "TIFF", {}),
        "float": (Image.fromarray(real / 255), "TIFF", {}),
        "cmyk": (Image.fromarray(rgb).convert("CMYK"), "JPEG", {}),
        "alpha": (Image.fromarray(np.dstack([rgb, grey])), "PNG", {}),
        "palette": (Image.fromarray(rgb).quantize(8), "GIF", {}),
        "one bit": (Image.fromarray(grey > 99), "PNG", {}),
        "pages": (several[0], "TIFF", {"save_all": True, "append_images": several[1:]}),
        "frames": (several[0], "GIF", {"save_all": True, "append_images": several[1:]}),
        "postscript": (several[0], "EPS", {}),
        "one pixel": (Image.new("RGB", (1, 1)), "PNG", {}),
        "a line": (Image.new("RGB", (3000, 1)), "PNG", {}),
    }
    found = {"empty": b"", "text": b"this is no image", "zip": b"PK\5\6" + bytes(18), "bytes": bytes(range(256)) * 40}
    for name, (image, kind, options) in made.items():
        file = io.BytesIO()
        image.save(file, kind, **options)
        found[name] = file.getvalue()
    return found


def _some(files: dict[bytes, bytes], choose: random.Random) -> bytes:
    return choose.choice(sorted(files))


def _damaged(data: bytes, choose: random.Random) -> bytes:
    """Change some bytes, or cut the end off."""
    if choose.random() < 0.3:
        return data[: choose.randrange(len(data))]
    damaged = bytearray(data)
    for _ in range(choose.randint(1, 8)):
        damaged[choose.randrange(len(data))] = choose.randrange(256)
    return bytes(damaged)


def _file_changed(case: Case, choose: random.Random) -> Case:
    """Give one image other bytes or another name, or put another file beside it."""
    path = _some(case.files, choose)
    what = choose.choice(("damaged", "odd", "odd", "name", "folder", "note"))
    files = dict(case.files)
    if what == "damaged":
        files[path] = _damaged(files[path], choose)
    elif what == "odd":
        what = choose.choice(sorted(_odd_pictures()))
        files[path] = _odd_pictures()[what]
    elif what == "note":
        name, note = choose.choice((b"origin.json", b"metadata.jsonl")), choose.choice(NOTES)
        files[os.path.join(choose.choice((b"", b"BLA")), name)] = note
    else:
        folder, name = os.path.split(path)
        new = os.path.join(folder, choose.choice(NAMES)) if what == "name" else choose.choice(FOLDERS) + b"/" + name
        files[new] = files.pop(path)
        what = repr(new)
    return replace(case, files=files, changed=f"{path!r}: {what}")


def _folder_changed(case: Case, choose: random.Random) -> Case:
    """Put a link or a pipe into a folder."""
    if choose.random() < 0.25:
        name = choose.choice((b"BLA/pipe.jpg", b"BLA/pipe", b"origin.json", b"pipe.jpg"))
        return replace(case, pipes=(name,), changed=f"{name!r} is a pipe")
    name = choose.choice((b"BLA/x.jpg", b"BLA/again", b"LYT2", b"again", b"x.jpg"))
    target = choose.choice(
        ("/dev/zero", "/dev/random", "nowhere", "..", ".", "../BLA", "../..", "/proc/self/mem", "x.jpg", "BLA", "again")
    )
    return replace(case, links=((name, target),), changed=f"{name!r} leads to {target}")


def _zip_changed(case: Case, choose: random.Random) -> Case:
    """Damage a zip, or give it names that no folder has."""
    what = choose.choice(("damaged", "twice", "name"))
    if what == "twice":
        return replace(case, twice=_some(case.files, choose), changed="a name twice")
    if what == "name":
        path = _some(case.files, choose)
        new = choose.choice(
            (b"../../BLA/x.jpg", b"/tmp/BLA/x.jpg", b"BLA\\x.jpg", b"C:\\BLA\\x.jpg", b"BLA//x.jpg", b"/")
        )
        files = {new if name == path else name: data for name, data in case.files.items()}
        return replace(case, files=files, changed=f"{new!r} in a zip")
    inner = random.Random(choose.random())
    return replace(case, repack=lambda data: _damaged(data, random.Random(str(inner))), changed="a damaged zip")


def _table_changed(case: Case, choose: random.Random) -> Case:
    """Write a table in another way, or change a cell of it."""
    lines = [line.split(",") for line in case.table.decode().split()]
    what = choose.choice(("cell", "cell", "cell", "delimiter", "encoding", "bytes", "column", "ends"))
    if what == "cell":
        row, column = choose.randrange(len(lines)), choose.randrange(2)
        odd = ("\x00", '"', ",", "\n", "/dev/zero", "/dev/stdin", "BLA", "..", "x" * 200_000, "BLA/pipe.jpg", *WORDS)
        lines[row][column] = choose.choice(odd)
        what = f"{row}, {column}: {lines[row][column][:40]!r}"
        return replace(case, table=_table(lines).replace(b'"""', b'"'), pipes=(b"BLA/pipe.jpg",), changed=what)
    if what == "delimiter":
        return replace(case, table=_table(lines, choose.choice(";\t| :")), changed=what)
    if what == "encoding":
        coding = choose.choice(("utf-8-sig", "utf-16", "utf-16-le", "utf-32", "utf-7"))
        return replace(case, table=case.table.decode().encode(coding), changed=coding)
    if what == "column":
        extra = choose.choice(("origin", "laboratory", "label", "path", ""))
        value = choose.choice(WORDS)
        table = _table([[*lines[0], extra], *([*line, value] for line in lines[1:])])
        return replace(case, table=table, changed=f"{extra} {value[:40]}")
    if what == "ends":
        return replace(case, table=case.table.replace(b"\r\n", choose.choice((b"\r", b"\n\n", b"\0"))), changed=what)
    return replace(case, table=_damaged(case.table, choose), changed="a damaged table")


def _arguments_changed(case: Case, choose: random.Random) -> Case:
    """Change, add or drop an argument."""
    arguments = list(case.arguments)
    what = choose.choice(("value", "option", "option", "drop"))
    if what == "drop":
        del arguments[choose.randrange(len(arguments))]
    elif what == "value":
        arguments[choose.choice([3, *range(5, len(arguments))])] = choose.choice(WORDS)
    else:
        arguments += choose.choice(
            (
                *(["--allow-short"], ["--allow-short", "--classes", "BLA", "BLS"], ["--classes", "BLA,LYT"]),
                *(["--splits", choose.choice(SPLITS)], ["--seed", choose.choice(WORDS)], ["--per-class", "all"]),
                *(["--origin", choose.choice(WORDS)], ["--laboratory", choose.choice(WORDS)], ["--data-dir", SOURCE]),
                *(["--data-dir", choose.choice(("nowhere", "/dev/null", "/dev/stdin", "a" * 5000))],),
                *(["--verify", choose.choice(("nowhere", "thesis.txt", SOURCE, "/dev/null", "a" * 5000, "pipe"))],),
                *(
                    ["--config", choose.choice(("full-21", "imbalanced-12", "x"))],
                    ["--num-proc", "0"],
                    ["--classes", ","],
                ),
            )
        )
    return replace(case, arguments=tuple(arguments), changed=f"arguments {arguments}"[:300])


def _out_changed(case: Case, choose: random.Random) -> Case:
    """Write somewhere else, or where something lies."""
    if choose.random() < 0.5:
        kind = choose.choice(("empty", "set", "foreign", "foreign set", "file", "pipe", "link"))
        return replace(case, out=kind, changed=f"where it is to be written: {kind}")
    places = (
        SOURCE,
        f"{SOURCE}/new",
        f"{SOURCE}/BLA",
        f"{SOURCE}/..",
        ".",
        "..",
        "/",
        "",
        "a" * 300,
        "thesis.txt/x",
        "new/er",
    )
    place = choose.choice(places)
    arguments = tuple(place if argument == OUT else argument for argument in case.arguments)
    return replace(case, arguments=arguments, changed=f"--out {place[:40]}")


def run_case(case: Case, folder: Path) -> Outcome:
    """Lay a case out in a folder, which is emptied first, run the script in this process, and judge what came of it."""
    shutil.rmtree(folder, ignore_errors=True)
    source, out = lay_out(case, folder)
    before, held = snapshot(folder), contents(out)
    places = {SOURCE: str(source), OUT: str(out)}
    arguments = [_filled(argument, places) for argument in case.arguments]
    started = time.monotonic()
    code, errors, crash = call(arguments, folder)
    seconds = time.monotonic() - started
    lost = [name for name, what in before.items() if name != "out" and snapshot(folder).get(name) != what]
    missing = held - contents(out) - contents(out.with_name("out.old"))
    last = (errors.rstrip().splitlines() or [""])[-1]
    if crash or "Traceback" in errors:
        return Outcome("fault", f"{crash} {errors[-500:]}", seconds)
    if lost or (missing and case.out not in ("set", "foreign set")):
        return Outcome("fault", f"changed or gone: {lost} {len(missing)}", seconds)
    if case.out == "foreign set" and THESIS not in contents(out) | contents(out.with_name("out.old")):
        return Outcome("fault", "a file beside an older set is gone", seconds)
    if code == 0:
        return Outcome("answer", _judge_set(arguments), seconds) if _is_whole(arguments) else _fault("no set", seconds)
    if code == 2 and ": " in last and len(last) < 12_000 and contents(out) == held:
        return Outcome("refused", last, seconds)
    return _fault(f"code {code}: {last[:300]}", seconds)


def _fault(text: str, seconds: float) -> Outcome:
    return Outcome("fault", text, seconds)


def _filled(argument: str, places: dict[str, str]) -> str:
    for mark, place in places.items():
        argument = argument.replace(mark, place)
    return argument


def _out_of(arguments: Sequence[str]) -> Path | None:
    places = [place for option, place in itertools.pairwise(arguments) if option == "--out"]
    return Path(places[-1]) if places else None


def _is_whole(arguments: Sequence[str]) -> bool:
    """Tell whether a written set is the one that its own manifest describes; help writes none."""
    out = _out_of(arguments)
    if out is None or not out.is_absolute():
        return True
    bone_marrow_12.verify(*bone_marrow_12.set_rows(out), out / "manifest.csv")
    return not out.with_name(f"{out.name}.partial").exists()


def _judge_set(arguments: Sequence[str]) -> str:
    return f"a set at {_out_of(arguments)}"
