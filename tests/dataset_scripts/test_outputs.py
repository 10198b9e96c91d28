"""The data set commands remove and overwrite nothing that they did not write, wherever it lies."""

import json
import shutil
from pathlib import Path

import pytest

from dataset_scripts import bone_marrow_12, smear_fields, synthetic_cells
from dataset_scripts.bone_marrow_12 import main
from tests.dataset_scripts.made_up_sources import digests, make_source, make_zip, table

OPTIONS = ("--classes", "BLA", "--per-class", "8", "--num-proc", "1")


@pytest.fixture
def project(tmp_path) -> Path:
    """A folder that looks like a set: data/, README.md, and work of another kind."""
    make_source(tmp_path / "proj" / "data" / "cells", {"BLA": 8}, side=32)
    for name in ("README.md", "manifest.csv", "audit.json"):
        (tmp_path / "proj" / name).write_text("years of work")
    return tmp_path / "proj"


def refused(capsys, *arguments: str | Path) -> str:
    assert main([*map(str, arguments)]) == 2
    return capsys.readouterr().err.splitlines()[-1]


@pytest.mark.parametrize(
    "place", ["proj", "proj/data", "proj/data/cells", "proj/data/BLA/set", "link", "link/set", "."]
)
def test_an_output_that_is_or_holds_or_lies_in_a_source_is_refused(place, project, tmp_path, capsys):
    (tmp_path / "link").symlink_to(project / "data", target_is_directory=True)
    before = digests(tmp_path)
    line = refused(capsys, "--data-dir", project / "data", "--out", tmp_path / place, *OPTIONS)
    assert "is, holds or lies in the source" in line and "--out" in line
    assert digests(tmp_path) == before


@pytest.mark.parametrize("place", ["elsewhere", "elsewhere/set"])
def test_a_source_reaches_as_far_as_its_links(place, project, tmp_path, capsys):
    shutil.move(project / "data" / "cells", tmp_path / "elsewhere")
    (project / "data" / "cells").symlink_to(tmp_path / "elsewhere", target_is_directory=True)
    line = refused(capsys, "--data-dir", project / "data", "--out", tmp_path / place, *OPTIONS)
    assert "is, holds or lies in the source" in line
    (project / "data" / "cells").unlink()
    (project / "data" / "BLA").mkdir()
    for file in (tmp_path / "elsewhere" / "BLA").iterdir():
        (project / "data" / "BLA" / file.name).symlink_to(file)
    line = refused(capsys, "--data-dir", project / "data", "--out", tmp_path / "elsewhere" / "BLA", *OPTIONS)
    assert "is, holds or lies in the source" in line


@pytest.mark.parametrize("kind", ["zip", "table"])
def test_a_folder_that_holds_a_zip_or_what_a_table_names_is_refused(kind, project, tmp_path, capsys):
    (tmp_path / "kept").mkdir()
    if kind == "zip":
        source = make_zip(tmp_path / "kept" / "cells.zip", project / "data" / "cells")
    else:
        shutil.move(project / "data" / "cells" / "BLA", tmp_path / "kept" / "BLA")
        source = tmp_path / "cells.csv"
        source.write_text("path,label\n" + "".join(f"kept/BLA/BLA_{i:05d}.jpg,BLA\n" for i in range(8)))
    assert "is, holds or lies in" in refused(capsys, "--data-dir", source, "--out", tmp_path / "kept", *OPTIONS)
    assert main(["--data-dir", str(source), "--out", str(tmp_path / "kept-set"), *OPTIONS]) == 0


@pytest.mark.parametrize("place", ["proj", "set.partial", "set.old"])
def test_a_folder_is_not_taken_for_an_older_set_by_the_names_in_it(place, project, tmp_path, capsys):
    source = make_source(tmp_path / "cells", {"BLA": 8}, side=32)
    if place != "proj":
        shutil.move(project, tmp_path / place)
    before = digests(tmp_path)
    out = tmp_path / ("proj" if place == "proj" else "set")
    line = refused(capsys, "--data-dir", source, "--out", out, *OPTIONS)
    assert str(tmp_path / place) in line and "holds other files" in line
    assert digests(tmp_path) == before


def test_what_came_into_an_older_set_is_kept(tmp_path, capsys, monkeypatch):
    source = make_source(tmp_path / "cells", {"BLA": 16}, side=32)
    out, old = tmp_path / "set", tmp_path / "set.old"
    arguments = ["--data-dir", str(source), "--out", str(out), *OPTIONS]
    assert main(arguments) == main(arguments) == 0, "its own set is replaced"
    assert not old.exists()
    written = json.loads((out / "audit.json").read_text())["files"]
    assert written == {name: digest for name, digest in digests(out).items() if name != "audit.json"}
    (out / "figures").mkdir()
    (out / "figures" / "mine.jpg").write_text("years of work")
    assert "figures/mine.jpg" in refused(capsys, *arguments)
    (out / "figures" / "mine.jpg").unlink()
    (out / "README.md").write_text("my own words")
    reading = bone_marrow_12.build_rows

    def slowly(*options, **more):
        (out / "late.txt").write_text("years of work")
        return reading(*options, **more)

    monkeypatch.setattr(bone_marrow_12, "build_rows", slowly)
    assert main([*arguments, "--seed", "3"]) == 0
    assert f"{old} keeps what this command did not write" in capsys.readouterr().err
    assert {path.name: path.read_text() for path in old.iterdir()} == {
        "README.md": "my own words",
        "late.txt": "years of work",
    }
    assert sum(map(len, table(out).values())) == 8
    monkeypatch.undo()
    assert str(old) in refused(capsys, *arguments), "it is in the way until somebody looks"


def test_a_run_that_is_stopped_between_the_renamings_loses_no_set(tmp_path, capsys):
    source = make_source(tmp_path / "cells", {"BLA": 8}, side=32)
    arguments = ["--data-dir", str(source), "--out", str(tmp_path / "set"), *OPTIONS]
    assert main(arguments) == 0
    before = digests(tmp_path / "set")
    (tmp_path / "set").rename(tmp_path / "set.old")
    assert "BLA 8" in refused(capsys, *arguments, "--per-class", 9)
    assert digests(tmp_path / "set") == before


@pytest.mark.parametrize("target", ["file", "folder", "empty folder", "link"])
def test_the_commands_that_draw_write_to_new_places_alone(target, tmp_path, capsys):
    out = tmp_path / "out.jpg"
    if target == "file":
        out.write_text("years of work")
    elif target == "link":
        out.symlink_to(tmp_path / "nowhere")
    else:
        out.mkdir()
    if target == "folder":
        (out / "BLA").mkdir()
        (out / "BLA" / "BLA_00001.jpg").write_text("years of work")
    before = digests(tmp_path)
    for command, arguments in (
        (synthetic_cells, ["--out", str(out), "--per-class", "1"]),
        (synthetic_cells, ["--plate", str(out)]),
        (smear_fields, ["--data", str(tmp_path), "--out", str(out)]),
    ):
        assert command.main(arguments) == 2
        assert "exists" in capsys.readouterr().err
    assert digests(tmp_path) == before


def test_fields_are_not_written_into_what_they_are_made_of(tmp_path, capsys):
    (tmp_path / "set").mkdir()
    assert smear_fields.main(["--data", str(tmp_path / "set"), "--out", str(tmp_path / "set" / "fields")]) == 2
    assert "lies in" in capsys.readouterr().err and not list((tmp_path / "set").iterdir())
