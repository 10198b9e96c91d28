"""Pipes, devices, loops, tables and zips of every kind: read right, or one sentence, and never a hang."""

import io
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import cv2
import numpy as np
import pyarrow.parquet as pq
import pytest
from PIL import Image

from dataset_scripts.bone_marrow_12 import NAMES_21, main, stored_bytes
from tests.dataset_scripts.made_up_sources import SCRIPT, built, digests, make_source, picture, table

OPTIONS = ("--config", "imbalanced-12", "--num-proc", "1")


@pytest.fixture
def cells(tmp_path) -> Path:
    return make_source(tmp_path / "cells", {"BLA": 8, "LYT": 6}, side=32)


def refused(capsys, *arguments: str | Path) -> str:
    assert main([*map(str, arguments)]) == 2
    return capsys.readouterr().err.splitlines()[-1]


# Files that are none


@pytest.mark.parametrize("kind", ["pipe", "link to a pipe", "device"])
def test_what_is_no_regular_file_is_skipped_and_not_waited_for(kind, cells, tmp_path):
    if kind == "device":
        (cells / "BLA" / "endless.jpg").symlink_to("/dev/zero")
    else:
        pipe = tmp_path / "pipe.jpg" if kind == "link to a pipe" else cells / "BLA" / "endless.jpg"
        os.mkfifo(pipe)
        if kind == "link to a pipe":
            (cells / "BLA" / "endless.jpg").symlink_to(pipe)
    os.mkfifo(cells / "origin.json")
    command = [sys.executable, SCRIPT, "--data-dir", cells, "--out", tmp_path / "set", *OPTIONS, "--classes", "BLA"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0 and "skipped cells/BLA/endless.jpg: no regular file" in done.stderr
    assert sum(map(len, table(tmp_path / "set").values())) == 8


@pytest.mark.parametrize("what", ["--data-dir", "--verify"])
def test_a_pipe_instead_of_a_file_is_refused(what, cells, tmp_path):
    pipe = tmp_path / "pipe.csv"
    os.mkfifo(pipe)
    source = ["--data-dir", str(cells), *OPTIONS, "--classes", "BLA"] if what == "--verify" else []
    command = [sys.executable, SCRIPT, *source, what, pipe, "--out", tmp_path / "set"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert done.returncode == 2 and len(done.stderr.splitlines()) == 1 and str(pipe) in done.stderr


def test_each_folder_counts_once_however_many_links_lead_to_it(cells):
    before = built(cells, classes=("BLA", "LYT")).audit["found"]
    (cells / "BLA" / "loop").symlink_to(cells, target_is_directory=True)
    (cells / "BLA" / "up").symlink_to("..", target_is_directory=True)
    (cells / "A").symlink_to(cells / "LYT", target_is_directory=True)
    (cells / "again").symlink_to("again", target_is_directory=True)
    build = built(cells, classes=("BLA", "LYT"))
    assert build.audit["found"] == before == {"BLA": 8, "LYT": 6}
    assert {row.path.split("/")[0] for row in build.rows} == {"BLA", "LYT"}, "and lies where it lies"


def test_a_zip_with_a_name_twice_is_refused(cells, tmp_path, capsys):
    source = tmp_path / "cells.zip"
    with zipfile.ZipFile(source, "w") as archive, pytest.warns(UserWarning, match="Duplicate"):
        for seed in (1, 2):
            file = io.BytesIO()
            Image.fromarray(picture(seed)).save(file, "PNG")
            archive.writestr("BLA/x.png", file.getvalue())
    line = refused(capsys, "--data-dir", source, "--out", tmp_path / "set", *OPTIONS, "--classes", "BLA")
    assert str(source) in line and "BLA/x.png twice" in line


# Classes


@pytest.mark.parametrize("written", ["BLA,LYT", "bla, lyt", "BLA,|LYT"])
def test_classes_may_stand_between_commas(written, cells, tmp_path, capsys):
    arguments = ["--data-dir", str(cells), "--out", str(tmp_path / "set"), *OPTIONS, "--classes", *written.split("|")]
    if written.endswith("|LYT"):
        with pytest.raises(SystemExit):
            main(arguments)
        assert "as BLA LYT" in capsys.readouterr().err
    else:
        assert main(arguments) == 0
        assert pq.read_schema(next((tmp_path / "set" / "data").glob("train*"))).metadata
        assert sum(map(len, table(tmp_path / "set").values())) == 14


def test_a_class_that_nobody_knows_is_refused_even_if_classes_may_be_short(cells, tmp_path, capsys):
    arguments = ("--data-dir", cells, "--out", tmp_path / "set", *OPTIONS, "--allow-short", "--classes", "BLA")
    line = refused(capsys, *arguments, "BLS")
    assert "BLS is no class" in line and "LYT" in line and not (tmp_path / "set").exists()
    assert main([*map(str, arguments), "ABE"]) == 0, "a known one may be empty"
    make_source(cells, {"BLS": 5}, side=32)
    assert main([*map(str, arguments), "BLS"]) == 0, "so may one be new that has images"


# What a set says of itself


def test_the_readme_says_what_the_set_holds(cells, tmp_path):
    out = tmp_path / "set"
    assert main(["--data-dir", str(cells), "--out", str(out), *OPTIONS, "--classes", "LYT", "BLA"]) == 0
    card = (out / "README.md").read_text()
    assert "14 images" in card and "2 classes" in card and "license: other" in card
    counts = {split: [row["label"] for row in rows] for split, rows in table(out).items()}
    for label, code in enumerate(("LYT", "BLA")):
        numbers = [str(labels.count(label)) for labels in counts.values()]
        assert f"| {code} | {NAMES_21[code]} | {' | '.join(numbers)} |" in card
    assert "36,000" not in card and "twelve" not in card and not (out / "figures").exists()
    said = ["--origin", "bone_marrow", "--laboratory", "MLL"]
    assert main(["--data-dir", str(cells), *said, "--out", str(out), *OPTIONS, "--classes", "BLA"]) == 0
    assert "license: cc-by-4.0" in (out / "README.md").read_text()


def test_verify_compares_the_names_of_the_labels(cells, tmp_path, capsys):
    sets = {"one": ("BLA", "LYT"), "other": ("LYT", "BLA"), "more": ("BLA", "LYT", "NGS")}
    for name, classes in sets.items():
        arguments = ["--data-dir", str(cells), "--out", str(tmp_path / name), *OPTIONS, "--allow-short"]
        assert main([*arguments, "--classes", *classes]) == 0
    for name, classes in sets.items():
        assert main(["--out", str(tmp_path / name), "--verify", str(tmp_path / name / "manifest.csv")]) == 0
        for other in sets.keys() - {name}:
            line = refused(capsys, "--out", tmp_path / name, "--verify", tmp_path / other / "manifest.csv")
            assert f"classes {' '.join(classes)}" in line and " ".join(sets[other]) in line


# Tables


def lines_of(cells: Path) -> list[str]:
    return [f"{file.relative_to(cells)},{file.parent.name}" for file in sorted(cells.rglob("*.jpg"))]


@pytest.mark.parametrize("separator", [",", ";", "\t", "|"])
@pytest.mark.parametrize("coding", ["utf-8", "utf-8-sig", "utf-16"])
@pytest.mark.parametrize("ends", ["\n", "\r\n", "\r"])
def test_a_table_of_any_spreadsheet_is_read(separator, coding, ends, cells):
    text = ends.join(["path,label", *lines_of(cells)]).replace(",", separator)
    (cells / "cells.csv").write_bytes(text.encode(coding))
    assert built(cells / "cells.csv", classes=("BLA", "LYT")).audit["found"] == {"BLA": 8, "LYT": 6}


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"path,label\nBLA/\0.jpg,BLA\n", "null character"),
        ("path,label\nBLA/é.jpg,BLA\n".encode("latin-1"), "UTF-8"),
        ("path,label\nBLA/x.jpg,BLA\n".encode("utf-16-le"), "null character"),
        ("path,label\n" + "x" * 200_000 + ",BLA\n", "UTF-8"),
        (b"", "an empty file"),
        (b"path:label\nBLA/x.jpg:BLA\n", "path,label"),
    ],
)
def test_a_table_that_is_none_is_refused(content, words, cells, tmp_path, capsys):
    source = tmp_path / "cells.csv"
    source.write_bytes(content if isinstance(content, bytes) else content.encode())
    assert words in refused(capsys, "--data-dir", source, "--out", tmp_path / "set", *OPTIONS)


def test_a_line_that_names_no_file_is_skipped(cells, tmp_path, capsys):
    (cells / "zero.jpg").symlink_to("/dev/zero")
    odd = [f"{'x' * 5000}.jpg,BLA", "zero.jpg,BLA", "..,BLA", '"a\nb.jpg",BLA', "BLA/none.jpg"]
    (cells / "cells.csv").write_text("\n".join(["path,label", *odd, *lines_of(cells)]))
    arguments = ["--data-dir", str(cells / "cells.csv"), "--out", str(tmp_path / "set"), *OPTIONS]
    assert main([*arguments, "--classes", "BLA"]) == 0
    skipped = capsys.readouterr().err
    assert "File name too long" in skipped and "no regular file" in skipped
    assert sum(map(len, table(tmp_path / "set").values())) == 8


# Pixels


def encoded(suffix: str, pixels: np.ndarray) -> bytes:
    return cv2.imencode(suffix, pixels)[1].tobytes()


@pytest.mark.parametrize("suffix", [".png", ".tif"])
@pytest.mark.parametrize("channels", ["grey", "colour"])
def test_12_bits_in_16_are_scaled_as_such(suffix, channels):
    image = picture(4, 40) if channels == "colour" else picture(4, 40)[..., 0]
    image = cv2.normalize(image, None, 0, 255, cv2.NORM_MINMAX)
    deep = image.astype(np.uint16) * 16 + 7
    data, plain, read = stored_bytes(encoded(suffix, deep[..., ::-1] if channels == "colour" else deep))
    assert not plain and read.mode == "RGB"
    expected = image if channels == "colour" else np.repeat(image[..., None], 3, axis=2)
    assert np.abs(np.asarray(read).astype(int) - expected).max() <= 1
    assert np.array_equal(np.asarray(Image.open(io.BytesIO(data))), np.asarray(read))


def test_32_bits_several_pages_and_other_formats_are_refused_in_a_sentence():
    def saved(image: Image.Image, kind: str, **options) -> bytes:
        file = io.BytesIO()
        image.save(file, kind, **options)
        return file.getvalue()

    rgb = Image.fromarray(picture(1, 32))
    with pytest.raises(ValueError, match="32-bit pixels: save it as 8-bit RGB"):
        stored_bytes(saved(Image.fromarray(np.full((8, 8), 70_000, np.int32)), "TIFF"))
    with pytest.raises(ValueError, match="several pictures in one file: save each in a file of its own"):
        stored_bytes(saved(rgb, "TIFF", save_all=True, append_images=[rgb]))
    small = Image.fromarray(picture(1, 16))
    small.encoderinfo = {"tiffinfo": {254: 1}}
    pyramid = saved(rgb, "TIFF", save_all=True, append_images=[small])
    assert np.array_equal(np.asarray(stored_bytes(pyramid)[2]), np.asarray(rgb)), "smaller versions are no pictures"
    for kind in ("EPS", "PPM", "TGA"):
        with pytest.raises(ValueError, match="not an image of a known kind"):
            stored_bytes(saved(rgb, kind))


# The machine around it


@pytest.mark.parametrize("stream", ["full", "closed", "not UTF-8"])
def test_a_standard_output_that_takes_nothing_is_no_traceback(stream, cells, tmp_path):
    redirection = {"full": ">/dev/full", "closed": ">&- 2>&-", "not UTF-8": ""}[stream]
    os.rename(cells, tmp_path / "zellé\udcff")
    command = f'"$0" "$1" --data-dir zell* --out set-ü --config imbalanced-12 --classes BLA --num-proc 1 {redirection}'
    environment = os.environ | {"PYTHONIOENCODING": "ascii"}
    done = subprocess.run(
        ["bash", "-c", command, sys.executable, SCRIPT], cwd=tmp_path, env=environment, capture_output=True, timeout=120
    )
    assert done.returncode == (2 if stream == "full" else 0), done.stderr
    assert b"Traceback" not in done.stderr and b"Exception" not in done.stderr
    if stream == "full":
        assert b"standard output takes no report (No space left on device)" in done.stderr
    assert sum(map(len, table(tmp_path / "set-ü").values())) == 8, "the set is written all the same"


@pytest.mark.parametrize("option", ["--data-dir", "--out", "--verify"])
def test_a_path_of_5000_characters_is_refused_in_a_short_sentence(option, cells, tmp_path, capsys):
    arguments = {"--data-dir": str(cells), "--out": str(tmp_path / "set"), option: "x" * 5000}
    before = digests(tmp_path)
    line = refused(capsys, *(word for pair in arguments.items() for word in pair), *OPTIONS, "--classes", "BLA")
    assert len(line) < 6000 and ("too long" in line or "no source" in line)
    # what was read before the manifest was looked at stays for the next run
    assert before == {name: digest for name, digest in digests(tmp_path).items() if not name.startswith("set.partial")}
