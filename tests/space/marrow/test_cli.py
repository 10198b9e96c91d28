"""The command line as a user runs it: a process of its own, its files, its last words and its exit code."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from dataset_scripts.drawing.pictures import draw_field
from dataset_scripts.drawing.stains import random_stain
from marrow import cli
from marrow.stain import Stain, measure_stain, normalize_stain, stain_distance
from tests.space.known_models import CODES, DISCS

OTHER = Stain((180.0, 210.0, 240.0), (0.5, 1.0, 0.7), (0.4, 0.3, 0.2))


@dataclass(frozen=True)
class Result:
    returncode: int
    stdout: str
    stderr: str


@pytest.fixture
def marrow(model_folders, tmp_path, monkeypatch, capsys):
    """Run ``marrow`` with the small models."""
    for kind, folder in zip(("SEGMENTER", "CLASSIFIER"), model_folders, strict=True):
        monkeypatch.setenv(f"MARROW_{kind}", str(folder))
    monkeypatch.chdir(tmp_path)

    def run(*arguments: str | Path) -> Result:
        try:
            code = cli.main([str(argument) for argument in arguments])
        except SystemExit as stop:
            code = stop.code
        return Result(code, *capsys.readouterr())

    return run


def assert_refused(result: Result, *words: str) -> None:
    """One line on standard error that holds the words, and exit code 2."""
    assert result.returncode == 2, result.stderr
    (line,) = result.stderr.splitlines()
    assert line.startswith("marrow: ")
    for word in words:
        assert word in line


def test_analyze_writes_every_format_and_a_line_per_image(marrow, smear_file, tmp_path):
    other = smear_file.with_name("other.jpg")
    Image.open(smear_file).save(other)
    result = marrow("analyze", smear_file, other, "--out", "out", "--format", "json,csv,coco,png,yolo,crops,print")
    assert (result.returncode, result.stderr) == (0, "")
    names = [
        f"{stem}{end}"
        for stem in ("other", "smear")
        for end in (".coco.json", ".crops.zip", ".csv", ".html", ".json", ".png", ".yolo.zip")
    ]
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == names
    first, second, last = result.stdout.splitlines()
    assert first == f"[1/2] {smear_file}: 4 cells, 4 counted, 0 uncertain; NGS 3, EBO 1"
    assert second.startswith(f"[2/2] {other}: 4 cells")
    assert last.startswith("2 of 2 analyzed")
    assert json.loads((tmp_path / "out" / "smear.json").read_text())["report"]["counts"]["NGS"] == 3


def test_where_most_cells_are_uncertain_the_line_and_the_page_say_so(marrow, smear, tmp_path):
    y, x = np.mgrid[:320, :320]
    for cx, cy, radius, _ in DISCS[:3]:
        smear[(x - cx) ** 2 + (y - cy) ** 2 <= radius**2] = (110, 110, 110)
    Image.fromarray(smear).save(tmp_path / "grey.png")
    result = marrow("analyze", tmp_path / "grey.png", "--out", tmp_path / "out", "--format", "json,print")
    assert result.returncode == 0 and "warning: More than half of the cells are uncertain" in result.stdout
    page = (tmp_path / "out" / "grey.html").read_text(encoding="utf-8")
    assert page.count("More than half of the cells are uncertain") == 1 and '<p class="warning">' in page
    rows = re.findall(r"<tr>.*?</tr>|<tr class=.sum.>.*?</tr>", page.split("<table>")[1].split("</table>")[0])
    assert len(rows) > 10 and not re.search(r"<td>\d+\.\d</td>", "".join(rows))


def test_what_is_no_smear_gets_the_sentence_alone(marrow, familiar_folder, smear_file, tmp_path):
    strange = ("--classifier", familiar_folder)
    result = marrow("analyze", smear_file, "--out", "out", "--format", "json,print", *strange)
    sentence = "This does not look like a smear"
    assert result.returncode == 0 and f"smear.png: warning: {sentence}" in result.stdout
    assert "cells" not in result.stdout.splitlines()[0].partition(sentence)[0] and "counted," not in result.stdout
    page = (tmp_path / "out" / "smear.html").read_text()
    assert sentence in page and "<h2>Differential</h2>" not in page and 'class="figures"' not in page
    stain = marrow("stain", smear_file, *strange).stdout
    assert re.search(r"; 0\.\d\d from the training, too far", stain)


def test_a_smear_in_other_colours_is_named_as_in_those_of_the_reference(marrow, tmp_path):
    rng = np.random.default_rng(7)
    trusted = draw_field(rng, 320, 320, 8, stain=random_stain(rng, "marrow")).image
    own = measure_stain(trusted)
    Image.fromarray(trusted).save("trusted.png")
    Image.fromarray(normalize_stain(trusted, own, OTHER)).save("other.png")
    for out, more in (("plain", ()), ("changed", ("--reference", "trusted.png"))):
        for name in ("trusted.png", "other.png"):
            assert marrow("analyze", name, "--out", out, *more).returncode == 0
    read = {path: json.loads(path.read_text()) for path in tmp_path.glob("*/*.json")}
    rows = {(path.parent.name, path.stem): one["cells"] for path, one in read.items()}
    assert rows["plain", "trusted"], "something is found"

    def apart(one: str, other: tuple[str, str]) -> float:
        shares = [[list(cell["probabilities"].values()) for cell in rows[key]] for key in ((one, "other"), other)]
        return float(np.abs(np.subtract(*shares)).mean())

    trust = ("plain", "trusted")
    assert apart("changed", trust) < 0.5 * apart("plain", trust)
    assert read[tmp_path / "plain" / "other.json"]["models"]["reference"] is None
    assert read[tmp_path / "changed" / "other.json"]["models"]["reference"]["nuclei"] == list(own.nuclei)
    result = marrow("stain", "other.png", "--reference", "trusted.png", "--out", "stains")
    assert result.returncode == 0 and "[1/1] other.png: ground " in result.stdout
    assert f"{stain_distance(OTHER, own):.1f}" in result.stdout.rpartition(";")[2]
    assert Image.open("stains/other_stain.png").size == (640, 320)


def test_what_has_no_stain_is_named_and_left_out(marrow, tmp_path):
    rng = np.random.default_rng(7)
    Image.fromarray(draw_field(rng, 320, 320, 8).image).save("smear.png")
    Image.new("RGB", (90, 90), "white").save("white.png")
    for command in (("stain",), ("analyze", "--out", "out", "--reference", "smear.png")):
        result = marrow(*command, "white.png", "smear.png")
        assert result.returncode == 2 and "[2/2] smear.png" in result.stdout
        assert result.stderr.count("\n") == 1 and "white.png: The stain cannot be measured" in result.stderr
    assert_refused(marrow("analyze", "smear.png", "--out", "out", "--reference", "white.png"), "--reference white.png")
    assert_refused(marrow("stain", "smear.png", "--out", "out"), "--reference")
    assert marrow("stain", "smear.png", "--out", ".", "--reference", "smear.png").returncode == 0
    again = marrow("stain", "smear.png", "--out", ".", "--reference", "smear_stain.png")
    assert_refused(again, "smear_stain.png would overwrite an input")
    (tmp_path / "more").mkdir()
    Image.new("RGB", (90, 90), "white").save("more/smear.png")
    assert_refused(marrow("stain", "smear.png", "more/smear.png", "--out", "o", "--reference", "smear.png"), "one name")


def test_analyses_are_added_up_to_a_case(marrow, smear_file, tmp_path):
    moved = smear_file.with_name("moved.png")
    Image.fromarray(np.roll(np.asarray(Image.open(smear_file)), 3, axis=0)).resize((400, 400)).save(moved)
    assert marrow("analyze", smear_file, moved, "--out", "out").returncode == 0
    for out, language in (("case.json", "en"), ("case.html", "fr")):
        result = marrow("case", "out/smear.json", "out/moved.json", "--out", out, "--language", language)
        assert (result.returncode, result.stderr) == (0, "")
        assert result.stdout.startswith("2 images, 8 cells, ") and result.stdout.endswith(f" in {out}\n")
    case = json.loads((tmp_path / "case.json").read_text())
    assert [row["file"] for row in case["case"]] == ["smear", "moved"]
    assert case["report"]["found"] == 8
    assert '<html lang="fr">' in (tmp_path / "case.html").read_text()
    assert marrow("case", "case.json", "--out", "again.json").returncode == 0
    assert json.loads((tmp_path / "again.json").read_text()) == case


def test_a_case_that_cannot_be_is_refused(marrow, smear_file, tmp_path):
    marrow("analyze", smear_file, "--out", ".")
    before = (tmp_path / "smear.json").read_bytes()
    assert_refused(marrow("case", "smear.json", "smear.json", "--out", "a.html"), "same image")
    assert_refused(marrow("case", "smear.json", "--out", "smear.json"), "overwrite")
    assert_refused(marrow("case", "smear.json", "--out", "case.txt"), "case.txt", ".html")
    assert_refused(marrow("case", smear_file, "--out", "a.html"), "smear.png", "no JSON")
    assert_refused(marrow("case", "none.json", "--out", "a.html"), "none.json")
    assert not (tmp_path / "a.html").exists() and (tmp_path / "smear.json").read_bytes() == before


def test_analyze_gives_json_alone_by_default_and_heeds_the_confidence(marrow, smear_file, tmp_path):
    assert marrow("analyze", smear_file, "--out", "out", "--confidence", "0.2").returncode == 0
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["smear.json"]
    analysis = json.loads((tmp_path / "out" / "smear.json").read_text())
    assert analysis["confidence"] == 0.2
    assert len(analysis["cells"]) == 5


def test_one_unreadable_image_does_not_stop_the_others(marrow, smear_file, tmp_path):
    bad = tmp_path / "bad.jpg"
    bad.write_text("not an image")
    result = marrow("analyze", bad, smear_file, "--out", "out")
    assert_refused(result, "bad.jpg", "save it again")
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["smear.json"]
    assert "1 of 2 analyzed" in result.stdout


def test_two_images_of_one_name_are_refused_before_anything_runs(marrow, smear_file, tmp_path):
    (tmp_path / "b").mkdir()
    twin = tmp_path / "b" / "smear.jpg"
    Image.open(smear_file).save(twin)
    assert_refused(marrow("analyze", smear_file, twin, "--out", "out"), "smear.png", "smear.jpg", "--out")
    assert not (tmp_path / "out").exists()


def test_an_input_is_never_overwritten(marrow, smear_file, smear):
    assert_refused(marrow("analyze", smear_file, "--out", ".", "--format", "png"), "overwrite")
    assert np.array_equal(np.asarray(Image.open(smear_file)), smear)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--confidence", "1.5"], ["1.5", "0 to 1"]),
        (["--confidence", "nan"], ["nan"]),
        (["--confidence", "high"], ["high"]),
        (["--format", "json,xml"], ["xml", "json,csv,coco,png,yolo,crops,print"]),
        (["--segmenter", "no/such/folder"], ["no/such/folder"]),
        (["--colour", "red"], ["--colour"]),
    ],
)
def test_a_wrong_option_is_refused(marrow, smear_file, tmp_path, arguments, words):
    assert_refused(marrow("analyze", smear_file, "--out", "out", *arguments), *words)


def test_a_missing_image_and_a_folder_that_cannot_be_made_are_refused(marrow, smear_file):
    assert_refused(marrow("analyze", "nowhere.jpg", "--out", "out"), "nowhere.jpg")
    assert_refused(marrow("analyze", smear_file, "--out", smear_file / "out"), "--out")
    assert_refused(marrow(), "required")


def test_classify_names_single_cells(marrow, tmp_path):
    y, x = np.mgrid[:120, :120]
    for name, colour in (("red.png", (200, 60, 90)), ("blue.png", (60, 60, 190))):
        image = np.full((120, 120, 3), (240, 225, 215), np.uint8)
        image[(x - 60) ** 2 + (y - 60) ** 2 < 900] = colour
        Image.fromarray(image).save(tmp_path / name)
    (tmp_path / "bad.png").write_bytes(b"")
    result = marrow("classify", "red.png", "bad.png", "blue.png", "--out", "new/names.json")
    assert_refused(result, "bad.png")
    named = json.loads((tmp_path / "new" / "names.json").read_text())
    assert [(entry["file"], entry["label"]) for entry in named] == [("red.png", "NGS"), ("blue.png", "EBO")]
    for entry in named:
        assert list(entry) == ["file", "label", "probability", "probabilities"]
        assert list(entry["probabilities"]) == CODES
        assert entry["probability"] == max(entry["probabilities"].values())


def test_the_help_shows_an_example_call(marrow):
    for arguments in ([], ["analyze"], ["classify"], ["case"]):
        result = marrow(*arguments, "--help")
        assert result.returncode == 0
        assert f"\nmarrow {arguments[0] if arguments else 'analyze'} " in result.stdout


def test_as_a_process_it_speaks_one_line_and_exits_with_2(tmp_path):
    command = [
        sys.executable,
        "-m",
        "marrow.cli",
        "analyze",
        "x.jpg",
        "--out",
        "o",
        "--segmenter",
        "no/folder/here",
        "--classifier",
        "x",
    ]
    result = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path)
    assert_refused(result, "no/folder/here")


def test_the_command_starts_without_gradio():
    check = "import sys, marrow.cli, marrow.flags; sys.exit('gradio' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", check]).returncode == 0


@pytest.fixture
def process(model_folders, tmp_path):
    """Run ``marrow`` in a process of its own with the small models, whatever its standard output is."""
    named = dict(zip(("MARROW_SEGMENTER", "MARROW_CLASSIFIER"), map(str, model_folders), strict=True))

    def run(*arguments: str | bytes, end: str = "") -> subprocess.CompletedProcess[str]:
        command = ["sh", "-c", f'"$@" {end}', "sh", sys.executable, "-m", "marrow.cli", *arguments]
        return subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, env=os.environ | named)

    return run


def test_a_full_or_closed_output_is_no_traceback(process, smear_file):
    full = process("analyze", "smear.png", "--out", "a", end=">/dev/full")
    assert full.returncode == 2 and full.stderr == "marrow: the output cannot be written (No space left on device).\n"
    closed = process("analyze", "smear.png", "--out", "b", end=">&-")
    assert (closed.returncode, closed.stderr) == (0, "")
    assert process("analyze", "smear.png", "--out", "c", end="| true").stderr == ""


def test_a_file_name_that_is_not_utf_8_is_taken(process, smear_file, tmp_path):
    name = b"sm\xe9ar.png"
    os.rename(bytes(smear_file), os.path.join(bytes(tmp_path), name))
    done = process("analyze", name, "--out", "out", "--format", "json,csv,coco,png,yolo,crops,print")
    assert (done.returncode, done.stderr) == (0, "")
    assert len(os.listdir(tmp_path / "out")) == 7
    assert process("classify", name, "--out", "names.json").returncode == 0
    assert process("case", b"out/sm\xe9ar.json", "--out", "case.html").returncode == 0


def test_a_path_of_5000_characters_is_refused(marrow, smear_file):
    long = "x" * 5000
    assert_refused(marrow("analyze", smear_file, "--out", long), "--out")
    assert "cannot be read" in marrow("analyze", long, "--out", "o").stderr
    assert "cannot be read" in marrow("classify", long, "--out", "names.json").stderr
    assert_refused(marrow("case", long, "--out", "case.json"), "cannot be read")
