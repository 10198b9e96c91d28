"""What the data set script reads: layouts, zips, tables, odd names, and what it refuses."""

import csv
import os
import shutil
import unicodedata
from collections import Counter
from pathlib import Path

import pytest

from dataset_scripts import bone_marrow_12
from dataset_scripts.bone_marrow_12 import NAMES_21, main
from tests.commands import assert_refused
from tests.dataset_scripts.made_up_sources import (
    CLASSES,
    COUNTS,
    built,
    make_source,
    make_zip,
    manifest,
    picture,
    run,
    save,
    table,
    write,
)


@pytest.fixture(scope="module")
def source(tmp_path_factory) -> Path:
    return make_source(tmp_path_factory.mktemp("flat") / "marrow", COUNTS, side=48)


def write_table(target: Path, lines: list[tuple], encoding: str = "utf-8") -> Path:
    with target.open("w", newline="", encoding=encoding) as file:
        csv.writer(file).writerows(lines)
    return target


def listed(folder: Path) -> list[tuple[str, str]]:
    return [(file.relative_to(folder).as_posix(), file.parent.name) for file in sorted(folder.rglob("*.jpg"))]


# Layouts


def flat(source: Path, work: Path) -> Path:
    return shutil.copytree(source, work / "cells")


def deep(source: Path, work: Path) -> Path:
    return make_source(work / "cells", COUNTS, part=7, side=48)


def nested(source: Path, work: Path) -> Path:
    shutil.copytree(source, work / "download" / "BM_cytomorphology_data" / "images")
    return work / "download"


def lower_case(source: Path, work: Path) -> Path:
    for code in CLASSES:
        shutil.copytree(source / code, work / "cells" / code.lower())
    return work / "cells"


def english(source: Path, work: Path) -> Path:
    for code in CLASSES:
        shutil.copytree(source / code, work / "cells" / NAMES_21[code].replace(" ", "_").capitalize())
    return work / "cells"


def with_clutter(source: Path, work: Path) -> Path:
    folder = flat(source, work)
    for clutter in (
        ".DS_Store",
        "BLA/._BLA_00001.jpg",
        "BLA/Thumbs.db",
        "__MACOSX/BLA/x.jpg",
        ".git/BLA/x.jpg",
        "a.csv",
    ):
        (folder / clutter).parent.mkdir(parents=True, exist_ok=True)
        (folder / clutter).write_bytes(b"clutter")
    return folder


def linked(source: Path, work: Path) -> Path:
    (work / "cells").mkdir()
    for code in CLASSES:
        (work / "cells" / code).symlink_to(source / code, target_is_directory=True)
    return work / "cells"


def flat_zip(source: Path, work: Path) -> Path:
    return make_zip(work / "cells.zip", source)


def deep_zip(source: Path, work: Path) -> Path:
    return make_zip(work / "cells.ZIP", deep(source, work), top="BM_cytomorphology_data/")


def table_of_codes(source: Path, work: Path) -> Path:
    return write_table(flat(source, work) / "cells.csv", [("path", "label"), *listed(source)])


def table_with_marks(source: Path, work: Path) -> Path:
    """As spreadsheets on Windows write it, and a line that stands there twice."""
    lines = [(path.replace("/", "\\"), f" {code.lower()}", "x") for path, code in listed(flat(source, work))]
    return write_table(work / "cells" / "cells.CSV", [("File", "Label", "by"), *lines, lines[0]], "utf-8-sig")


def table_of_names(source: Path, work: Path) -> Path:
    lines = [(NAMES_21[code].title(), (source / path).resolve()) for path, code in listed(source)]
    return write_table(work / "cells.csv", [("class", "image"), *lines])


LAYOUTS = (
    *(flat, deep, nested, lower_case, english, with_clutter, linked, flat_zip, deep_zip),
    *(table_of_codes, table_with_marks, table_of_names),
)


@pytest.mark.parametrize("layout", LAYOUTS, ids=lambda layout: layout.__name__)
def test_every_layout_gives_the_same_manifest(layout, source, tmp_path):
    options = {"classes": CLASSES, "per_class": 25, "seed": 4}
    build = built(layout(source, tmp_path), **options)
    assert list(bone_marrow_12.manifest_lines(build.rows)) == manifest(source, **options)
    assert not build.audit["skipped"]
    assert not any(os.path.isabs(bone_marrow_12.columns(row)["path"]) for row in build.rows)


def test_zips_are_read_by_several_processes(source, tmp_path, monkeypatch):
    monkeypatch.setattr(bone_marrow_12, "CHUNK", 30)
    packed = flat_zip(source, tmp_path)
    one, two = (built(packed, classes=CLASSES, workers=workers) for workers in (1, 2))
    assert one.rows == two.rows and len(one.rows) == sum(COUNTS.values())


def test_two_tables_of_one_folder_are_two_sources(source, tmp_path):
    folder = flat(source, tmp_path)
    lines = listed(folder)
    tables = [
        write_table(folder / name, [("path", "label"), *part])
        for name, part in (("first.csv", lines[:70]), ("second.csv", lines[60:]))
    ]
    rows = built(*tables, classes=CLASSES).rows
    assert Counter(row.source for row in rows) == {"first": 70, "second": 60}


def test_the_name_of_a_file_is_free(tmp_path):
    names = ["zellé ü.jpg", "细胞.jpg", "a,b\"c'.jpg", " x .JPG", "#1?%20&.jpeg", "🔬.Jpg", "-out.jpg", "a.b.c.jpg"]
    for i, name in enumerate(names):
        save(tmp_path / "Ärzte" / "BLA" / name, picture(i))
    options = ("--config", "imbalanced-12", "--classes", "BLA")
    for number, source in enumerate((tmp_path / "Ärzte", make_zip(tmp_path / "Ärzte.zip", tmp_path / "Ärzte"))):
        out = tmp_path / f"set {number}"
        write(out, "--data-dir", source, *options)
        rows = [row for part in table(out).values() for row in part]
        assert {row["path"] for row in rows} == {f"BLA/{name}" for name in names}
        assert {row["source"] for row in rows} == {"Ärzte"}
    assert (tmp_path / "set 0" / "manifest.csv").read_text() == (tmp_path / "set 1" / "manifest.csv").read_text()


def test_names_that_are_no_utf_8_are_shown_as_far_as_they_are(tmp_path):
    folder = os.fsencode(make_source(tmp_path / "marrow", {"BLA": 9}))
    os.rename(folder + b"/BLA/BLA_00000.jpg", folder + b"/BLA/cell\xff.jpg")
    with open(folder + b"/BLA/note\xfe.txt", "wb") as file:
        file.write(b"no cell")
    done = write(tmp_path / "set", "--data-dir", tmp_path / "marrow", "--config", "imbalanced-12", "--classes", "BLA")
    paths = {row["path"] for part in table(tmp_path / "set").values() for row in part}
    assert "BLA/cell?.jpg" in paths and len(paths) == 9
    assert "skipped marrow/BLA/note?.txt: not the name of an image" in done.stderr


def test_accents_written_in_another_way_change_nothing(tmp_path):
    for form in ("NFC", "NFD"):
        for i in range(12):
            save(tmp_path / form / "BLA" / unicodedata.normalize(form, f"é{i}.png"), picture(i))
    assert manifest(tmp_path / "NFC", classes=("BLA",)) == manifest(tmp_path / "NFD", classes=("BLA",))


# Sources that are refused


def empty(work: Path) -> Path:
    (work / "cells").mkdir()
    return work / "cells"


def no_classes(work: Path) -> Path:
    save(work / "cells" / "train" / "cell.jpg", picture(0))
    return work / "cells"


def no_zip(work: Path) -> Path:
    (work / "cells.zip").write_text("an error page")
    return work / "cells.zip"


def empty_table(work: Path) -> Path:
    return write_table(work / "cells.csv", [("path", "label")])


TREE = ("DATA_DIR/CODE/", "BLA", "doi.org/10.7937/TCIA.AXH3-T579")


@pytest.mark.parametrize("make", [lambda work: work / "no", empty, no_classes, no_zip])
def test_a_source_without_cells_is_refused_with_the_expected_tree(make, tmp_path):
    source = make(tmp_path)
    done = run("--data-dir", source, "--out", tmp_path / "set")
    assert_refused(done, str(source), *TREE)
    assert len(done.stderr.splitlines()) == 1 and not list(tmp_path.glob("set*"))


def damaged_zip(source: Path, work: Path) -> Path:
    content = bytearray(make_zip(work / "cells.zip", source).read_bytes())
    content[content.rindex(b"PK\1\2") : content.rindex(b"PK\1\2") + 4] = b"XXXX"
    (work / "cells.zip").write_bytes(content)
    return work / "cells.zip"


def table_without_header(source: Path, work: Path) -> Path:
    return write_table(work / "cells.csv", listed(source))


def table_in_another_encoding(source: Path, work: Path) -> Path:
    return write_table(work / "cells.csv", [("path", "label"), ("BLA/zellé.jpg", "BLA")], "latin-1")


def table_of_missing_files(source: Path, work: Path) -> Path:
    return write_table(work / "cells.csv", [("path", "label"), *listed(source)])


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (damaged_zip, ["damaged"]),
        (table_without_header, ["path,label"]),
        (lambda source, work: empty_table(work), ["path,label"]),
        (table_in_another_encoding, ["UTF-8"]),
        (table_of_missing_files, ["BLA 0", "LYT 0", "NGS 0", "--allow-short"]),
    ],
)
def test_a_damaged_source_is_refused(make, words, source, tmp_path, capsys):
    arguments = ["--data-dir", str(make(source, tmp_path)), "--out", str(tmp_path / "set"), "--classes", *CLASSES]
    assert main([*arguments, "--per-class", "5"]) == 2
    *named, last = capsys.readouterr().err.splitlines()
    assert all(word in last for word in words)
    if make is table_of_missing_files:
        assert sorted(line.split(":")[0] for line in named) == [f"skipped cells/{path}" for path, _ in listed(source)]
        assert all(line.endswith(": No such file or directory") for line in named)
    else:
        assert not named
    assert not (tmp_path / "set").exists()


def test_the_same_source_twice_is_refused(source, tmp_path, capsys):
    twice = ["--data-dir", str(source), "--data-dir", f"{source}/BLA/.."]
    assert main([*twice, "--out", str(tmp_path / "set")]) == 2
    assert "given twice" in capsys.readouterr().err
