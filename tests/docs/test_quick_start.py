"""The quick-start notebook runs from top to bottom on the embedded release, and is kept without outputs."""

from __future__ import annotations

import ast
import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from tests.commands import ROOT, succeed

NOTEBOOK = ROOT / "docs" / "examples" / "quick_start.ipynb"


def read_cells() -> list[dict[str, Any]]:
    notebook = json.loads(NOTEBOOK.read_text(encoding="utf-8"))
    assert notebook["nbformat"] == 4
    assert notebook["metadata"]["kernelspec"]["name"] == "python3"
    return notebook["cells"]


def as_script(cells: list[dict[str, Any]]) -> str:
    """Join the code cells; the value of a last expression is shown, as a notebook shows it."""
    lines: list[str] = []
    for cell in cells:
        if cell["cell_type"] == "code":
            tree = ast.parse("".join(cell["source"]))
            if isinstance(tree.body[-1], ast.Expr):
                shown = ast.Call(ast.Name("print", ast.Load()), [tree.body[-1].value], [])
                tree.body[-1] = ast.Expr(shown)
            lines += [ast.unparse(ast.fix_missing_locations(tree)), f"print('--- {cell['id']}')"]
    return "\n".join(lines)


def test_the_notebook_is_whole_and_holds_no_outputs() -> None:
    cells = read_cells()
    assert len({cell["id"] for cell in cells}) == len(cells)
    for cell in cells:
        assert cell["cell_type"] in ("markdown", "code")
        assert cell["source"] and cell["metadata"] == {}
        if cell["cell_type"] == "code":
            assert cell["outputs"] == [] and cell["execution_count"] is None


def test_every_cell_runs_and_shows_something(tmp_path: Path) -> None:
    if not (ROOT / "hub" / "bone-marrow-mobilenet" / "model.onnx").is_file():
        pytest.skip("hub/ holds no weights")
    folder = tmp_path / "docs" / "examples"
    folder.mkdir(parents=True)
    for name in ("hub", "space"):
        (tmp_path / name).symlink_to(ROOT / name)
    shutil.copy(NOTEBOOK, folder)
    script = folder / "script.py"
    script.write_text(as_script(read_cells()), encoding="utf-8")
    parts = succeed(script, cwd=folder).stdout.split("--- ")
    cells = [cell["id"] for cell in read_cells() if cell["cell_type"] == "code"]
    assert [part.split("\n")[0] for part in parts[1:]] == cells
    shown = [parts[0], *(part.partition("\n")[2] for part in parts[1:-1])]
    assert all(text.strip() for text in shown), "a cell that shows nothing"
    assert json.loads((folder / "quick_start.json").read_text())["cells"]


def test_a_broken_cell_is_noticed() -> None:
    cells = [{"cell_type": "code", "id": "one", "source": ["models.no_such_name\n"]}]
    with pytest.raises(NameError):
        exec(as_script(cells), {})
