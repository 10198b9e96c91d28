"""The Space by itself: its folder alone, in an environment with its requirements alone."""

from __future__ import annotations

import shutil
import subprocess
import sys

import pytest

from tests.space.served import (
    APP,
    cells,
    downloaded,
    expected_on_screen,
    look,
    read_json,
    report_on_screen,
    serve,
    upload,
)


@pytest.mark.slow
def test_the_folder_is_complete_by_itself(visitor, model_folders, smear_file, tmp_path, monkeypatch):
    monkeypatch.delenv("PYTHONPATH", raising=False)
    space = shutil.copytree(
        APP.parent, tmp_path / "space", ignore=shutil.ignore_patterns("__pycache__", "*.pyi", "*.egg-info")
    )
    python = tmp_path / "venv" / "bin" / "python"
    subprocess.run([sys.executable, "-m", "venv", tmp_path / "venv"], check=True)
    installed = subprocess.run(
        [python, "-m", "pip", "install", "-q", "--disable-pip-version-check", "-r", space / "requirements.txt"],
        capture_output=True,
        text=True,
    )
    assert installed.returncode == 0, installed.stderr
    (tmp_path / "run").mkdir()
    for server in serve(tmp_path / "run", *map(str, model_folders), app=space / "app.py", python=str(python)):
        page = visitor(server.url)
        upload(page, smear_file)
        assert cells(page).count() == 4
        look(page, "report")
        seen = report_on_screen(page)
        expected = expected_on_screen(read_json(downloaded(page, "json"))["report"])
        assert {key: seen[key] for key in expected} == expected
