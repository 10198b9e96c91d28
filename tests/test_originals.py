"""No command touches what it did not write: each runs over a tree of foreign files, which stays as it was to the byte.

A command joins by a line in ``COMMANDS``: its name, its arguments in the tree, and what it may leave there.
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from marrow import Analysis
from marrow.flags import save_flag
from tests.commands import python
from tests.space.conftest import model_folders, models, reviewed, smear  # noqa: F401

COMMANDS = {
    "analyze over an image of another": ["analyze", "smear.png", "--out", "others", "--format", "png"],
    "analyze over every format of another": ["analyze", "smear.png", "--out", "others", "--format", "json,csv,print"],
    "analyze over a zip of another": ["analyze", "smear.png", "--out", "others", "--format", "yolo"],
    "analyze over a folder": ["analyze", "smear.png", "--out", "folders"],
    "analyze over a link": ["analyze", "smear.png", "--out", "links"],
    "analyze over its input": ["analyze", "smear.png", "--out", ".", "--format", "png"],
    "stain over an image of another": ["stain", "smear.png", "--reference", "smear.png", "--out", "stains"],
    "classify over another's file": ["classify", "smear.png", "--out", "others/smear.json"],
    "classify over its input": ["classify", "smear.png", "--out", "smear.png"],
    "slide over files of another": ["slide", "smear.png", "--out", "others"],
    "slide over its input": ["slide", "smear.png", "--out", "."],
    "slide over a link": ["slide", "smear.png", "--out", "links"],
    "case over another's file": ["case", "analysis.json", "--out", "others/smear.html"],
    "case over its input": ["case", "analysis.json", "--out", "analysis.json"],
}


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A folder with an image, an analysis, and files of somebody else wherever a command would write."""
    image = np.full((200, 200, 3), 230, np.uint8)
    Image.fromarray(image).save(tmp_path / "smear.png")
    (tmp_path / "analysis.json").write_text(json.dumps({"image": 1}))
    for folder in ("others", "folders/smear.json", "links"):
        (tmp_path / folder).mkdir(parents=True)
    Image.fromarray(image).save(tmp_path / "others" / "smear.png")
    for suffix in (".json", ".csv", ".html", ".yolo.zip"):
        (tmp_path / "others" / f"smear{suffix}").write_text("precious")
    (tmp_path / "stains").mkdir()
    (tmp_path / "stains" / "smear_stain.png").write_text("precious")
    (tmp_path / "links" / "smear.json").symlink_to(tmp_path / "analysis.json")
    return tmp_path


def contents(tree: Path) -> dict[str, bytes | str]:
    return {str(path.relative_to(tree)): path.read_bytes() if path.is_file() else "folder" for path in tree.rglob("*")}


@pytest.mark.parametrize("name", COMMANDS)
def test_foreign_files_stay_as_they_were(name: str, tree: Path, model_folders: tuple[Path, Path]) -> None:  # noqa: F811
    before = contents(tree)
    environment = dict(zip(("MARROW_SEGMENTER", "MARROW_CLASSIFIER"), map(str, model_folders), strict=True))
    done = python("-m", "marrow.cli", *COMMANDS[name], cwd=tree, **environment)
    assert contents(tree) == before
    assert done.returncode == 2 and "Traceback" not in done.stderr
    assert len(done.stderr.splitlines()) == 1 and "--out" in done.stderr


def test_what_a_command_wrote_is_written_anew(tree: Path, model_folders: tuple[Path, Path]) -> None:  # noqa: F811
    environment = dict(zip(("MARROW_SEGMENTER", "MARROW_CLASSIFIER"), map(str, model_folders), strict=True))
    everything = ["analyze", "smear.png", "--out", "own", "--format", "json,csv,coco,png,yolo,crops,print"]
    for arguments in (everything, ["classify", "smear.png", "--out", "own/names.json"]):
        for _ in range(2):
            done = python("-m", "marrow.cli", *arguments, cwd=tree, **environment)
            assert done.returncode == 0, done.stderr


def test_a_flag_beside_foreign_files_leaves_them_alone(
    tree: Path,
    smear: np.ndarray,  # noqa: F811
    reviewed: Analysis,  # noqa: F811
) -> None:
    (tree / "data" / "20260101T000000Z-0a1b2c3d").mkdir(parents=True)
    (tree / "data" / "20260101T000000Z-0a1b2c3d" / "image.png").write_text("precious")
    (tree / "data" / ".20260101T000000Z-0a1b2c3d.x").write_text("precious")
    before = contents(tree)
    entry = save_flag(tree, smear, reviewed, "a comment")
    after = contents(tree)
    assert {name: after[name] for name in before} == before
    assert all(name.startswith(f"data/{entry.name}") for name in after.keys() - before.keys())
