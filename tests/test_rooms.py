"""Who may import whom: the imports of every file are walked, those inside functions too, and an offender is named.

There are no exceptions. The rooms and their rules are drawn in CONTRIBUTING.md.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pytest

from tests.commands import ROOT

TRAINING = ("marrow", "dataset_scripts.drawing", "dataset_scripts.fields", "dataset_scripts.bone_marrow_12")

# room: what it may import beside itself; the first whose name a module begins with is the module's
RULES: dict[str, tuple[str, ...]] = {
    "marrow": (),
    "screen": ("marrow",),
    "app": ("screen", "marrow"),
    "loopback_hub": (),
    "dataset_scripts.drawing": (),
    "dataset_scripts.fields": ("dataset_scripts.drawing", "marrow"),
    "dataset_scripts.bone_marrow_12": (),
    "dataset_scripts": ("dataset_scripts", "marrow"),
    "training.common": TRAINING,
    "training.weights": ("training.common", *TRAINING),
    "training.classifier": ("training.weights", "training.common", *TRAINING),
    "training.segmenter": ("training.weights", "training.common", *TRAINING),
    "training.evaluation": (
        *("training.classifier", "training.segmenter", "training.weights", "training.common"),
        *TRAINING,
    ),
    "training.release": (
        *("training.classifier", "training.segmenter", "training.weights", "training.common"),
        *TRAINING,
    ),
    "training.studies": (
        *("training.evaluation", "training.release", "training.classifier", "training.segmenter"),
        *("training.weights", "training.common"),
        *TRAINING,
    ),
    "model_cards": ("marrow", "training.common"),
    "benchmarks": ("training.evaluation", "training.weights", "training.common", *TRAINING),
    "training.chain": ("training", "model_cards", "loopback_hub", *TRAINING),
    "training": ("training", "model_cards", *TRAINING),
}
COMMANDS = re.compile(
    r"training\.\w+|dataset_scripts\.(?!bone_marrow_12)\w+|model_cards\.(render|readme)|marrow\.cli|\w+\.__main__|app"
)
"""What is run, and imported by nothing; ``bone_marrow_12`` is both a command and the reader of its layouts."""

HEAVY = {"tensorflow", "keras", "torch", "torchvision", "transformers", "ultralytics"}
GEOMETRY = {"fillPoly", "fillConvexPoly", "drawContours", "findContours"}
LONGEST = 400
LONG_BY_REQUIREMENT = "dataset_scripts/bone_marrow_12.py"  # one file that a collaborator can copy
NOT_ROOMS = ("tests", "space", "node_modules", "out", "runs")  # the last three are made, and ignored by git


@dataclass(frozen=True)
class Import:
    """One import: the module that asks, the line, and the module asked for."""

    by: str
    line: int
    of: str


def modules(root: Path) -> dict[str, Path]:
    """Find the project's modules below a root by their names, without the tests."""
    found = {}
    for place in (root, root / "space"):
        for path in place.rglob("*.py"):
            parts = path.relative_to(place).with_suffix("").parts
            if parts[0] in NOT_ROOMS or any(part.startswith(".") for part in parts):
                continue
            found[".".join(parts).removesuffix(".__init__")] = path
    return found


def imports(root: Path) -> list[Import]:
    """Read what every module imports; ``from a import b`` is an import of ``a.b`` where that is a module."""
    known = modules(root)
    found = []
    for name, path in known.items():
        package = name if path.name == "__init__.py" else name.rpartition(".")[0]
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            for of in _asked_for(node, package):
                module, _, attribute = of.partition(":")
                found.append(
                    Import(name, node.lineno, f"{module}.{attribute}" if f"{module}.{attribute}" in known else module)
                )
    return found


def _asked_for(node: ast.AST, package: str) -> Iterator[str]:
    if isinstance(node, ast.Import):
        yield from (f"{alias.name}:" for alias in node.names)
    elif isinstance(node, ast.ImportFrom):
        parents = package.split(".")[: len(package.split(".")) - node.level + 1] if node.level else []
        module = ".".join([*parents, *([node.module] if node.module else [])])
        yield from (f"{module}:{alias.name}" for alias in node.names)


@cache
def room_of(module: str) -> str | None:
    """Name the room of a module, ``None`` for a library."""
    rooms = (room for room in RULES if module == room or module.startswith(f"{room}."))
    return max(rooms, key=len, default=None)


def offences(root: Path) -> list[str]:
    """Name every import that breaks a rule, and every circle."""
    found = []
    graph: dict[str, set[str]] = {}
    for one in imports(root):
        by, of = room_of(one.by), room_of(one.of)
        where = f"{one.by}:{one.line} imports {one.of}"
        if by is None:
            found.append(f"{one.by} is in no room: give it a rule")
        elif of is None:
            if one.of.split(".")[0] == "tests":
                found.append(f"{where}: nothing imports tests")
            if by in ("marrow", "screen", "app") and one.of.split(".")[0] in HEAVY:
                found.append(f"{where}: {by} runs without it")
        else:
            graph.setdefault(one.by, set()).add(one.of)
            if of != by and not any(of == room or of.startswith(f"{room}.") for room in RULES[by]):
                found.append(f"{where}: {by} may not import {of}")
            if COMMANDS.fullmatch(one.of):
                found.append(f"{where}: nothing imports a command")
            if of == "training.studies" != by and not COMMANDS.fullmatch(one.by):
                found.append(f"{where}: only a command imports studies")
    return found + [f"a circle: {' → '.join(circle)}" for circle in circles(graph)]


def circles(graph: dict[str, set[str]]) -> list[list[str]]:
    """Find a circle through each module that lies on one, each circle once."""
    found: dict[frozenset[str], list[str]] = {}
    for start in graph:
        paths = [[start]]
        seen = set()
        while paths:
            path = paths.pop()
            for of in graph.get(path[-1], ()):
                if of == start:
                    found.setdefault(frozenset(path), [*path, start])
                elif of not in seen:
                    seen.add(of)
                    paths.append([*path, of])
    return list(found.values())


def test_every_import_keeps_the_rules():
    assert offences(ROOT) == []


@pytest.mark.parametrize(
    ("file", "text", "offence"),
    [
        ("space/marrow/report.py", "import screen.words", "marrow may not import screen"),
        ("space/marrow/report.py", "def f():\n    from torch import nn", "marrow runs without it"),
        ("space/app.py", "from marrow.cli import main", "nothing imports a command"),
        ("space/screen/words.py", "from training.common import files", "screen may not import training.common"),
        ("dataset_scripts/bone_marrow_12.py", "from marrow import files", "may not import marrow"),
        ("dataset_scripts/drawing/cell.py", "import marrow", "dataset_scripts.drawing may not import marrow"),
        ("training/common/files.py", "from training.classifier import data", "may not import training.classifier"),
        ("training/classifier/data.py", "import training.segmenter.data", "may not import training.segmenter"),
        ("training/evaluation/data.py", "from training import export", "nothing imports a command"),
        ("training/evaluation/data.py", "from training.release import export", "may not import training.release"),
        ("training/release/data.py", "from training.studies import x", "may not import training.studies"),
        ("training/publish.py", "import loopback_hub.server", "may not import loopback_hub"),
        ("model_cards/render.py", "from training.evaluation import x", "may not import training.evaluation"),
        ("training/common/files.py", "from tests.commands import ROOT", "nothing imports tests"),
        ("loopback_hub/server.py", "import marrow", "loopback_hub may not import marrow"),
        ("kitchen/sink.py", "import os", "is in no room"),
        ("space/marrow/a.py", "from . import b", "a circle: marrow.a → marrow.b → marrow.a"),
    ],
)
def test_an_offender_is_named(tmp_path, file, text, offence):
    files = {
        "space/marrow/__init__.py": "",
        "space/marrow/files.py": "",
        "space/marrow/cli.py": "",
        "space/marrow/b.py": "def f():\n    from marrow.a import c" if "marrow/a.py" in file else "",
        "space/screen/words.py": "",
        "training/__init__.py": "",
        "training/export.py": "",
        "training/common/files.py": "",
        "training/classifier/data.py": "",
        "training/segmenter/data.py": "",
        "training/release/export.py": "",
        "training/studies/x.py": "",
        "training/evaluation/x.py": "",
        "loopback_hub/server.py": "",
    }
    for name, content in (files | {file: text}).items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(content)
    found = offences(tmp_path)
    assert any(offence in one for one in found)
    offender = file.removeprefix("space/")[:-3].replace("/", ".")
    assert all(one.startswith((f"{offender}:", f"{offender} ", "a circle")) for one in found)


def test_one_file_of_marrow_rasterises_polygons_and_finds_contours():
    found = [
        f"{name}:{node.lineno} {node.attr}"
        for name, path in modules(ROOT).items()
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Attribute) and node.attr in GEOMETRY
        if name != "marrow.geometry" and not name.startswith("dataset_scripts.drawing.")
    ]
    assert found == []


def test_no_file_only_imports():
    for name, path in modules(ROOT).items():
        body = ast.parse(path.read_text(encoding="utf-8")).body
        if path.name != "__init__.py":
            assert any(not isinstance(node, ast.Import | ast.ImportFrom | ast.Expr) for node in body), name
        elif name != "marrow":  # whose face is its __init__
            assert not any(isinstance(node, ast.Import | ast.ImportFrom) for node in body), name


def test_no_file_is_long_and_none_is_called_utils():
    scripts = [*(ROOT / "space" / "screen" / "static").rglob("*.js"), *(ROOT / "tests").rglob("*.py")]
    for path in (*modules(ROOT).values(), *scripts):
        if path.relative_to(ROOT).as_posix() != LONG_BY_REQUIREMENT:
            assert len(path.read_text(encoding="utf-8").splitlines()) <= LONGEST, path
        assert "utils" not in path.stem and "helpers" not in path.stem, path
