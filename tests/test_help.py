"""Every command says in its ``--help`` what it does, and shows a call."""

from __future__ import annotations

import ast

import pytest

from tests.commands import ROOT, succeed
from tests.test_rooms import COMMANDS, modules

# what is a command without arguments, or holds its arguments in another place
SILENT = {"app", "training.job", "loopback_hub.__main__", "marrow.cli"}
FOUND = {name: path for name, path in modules(ROOT).items() if COMMANDS.fullmatch(name) and path.name != "__init__.py"}


@pytest.mark.parametrize("name", sorted(set(FOUND) - SILENT))
def test_the_docstring_that_help_shows_has_a_call(name):
    tree = ast.parse(FOUND[name].read_text(encoding="utf-8"))
    first, _, rest = (ast.get_docstring(tree) or "").partition("\n\n")
    assert first.endswith(".")
    assert f"python -m {name.removesuffix('.__main__')}" in rest or f"python {name.replace('.', '/')}.py" in rest
    shown = [node for node in ast.walk(tree) if isinstance(node, ast.Name) and node.id == "__doc__"]
    assert shown, "its command is not made from its docstring"


@pytest.mark.parametrize(
    ("command", "call"),
    [
        (("-m", "marrow.cli", "analyze"), "marrow analyze "),
        (("-m", "marrow.cli", "classify"), "marrow classify "),
        (("-m", "marrow.cli", "case"), "marrow case "),
        (("-m", "marrow.cli", "slide"), "marrow slide "),
        (("-m", "training.requirements"), "python -m training.requirements --lock"),
        (("-m", "loopback_hub"), "python -m loopback_hub"),
        (("training/job.py",), "hf jobs uv run training/job.py"),
        (("dataset_scripts/bone_marrow_12.py",), "python dataset_scripts/bone_marrow_12.py --data-dir"),
        (("dataset_scripts/synthetic_cells.py",), "python dataset_scripts/synthetic_cells.py --out"),
    ],
)
def test_help_shows_a_call(command, call):
    assert call in succeed(*command, "--help").stdout
