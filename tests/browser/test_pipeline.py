"""The browser's pipeline does as Python does, on fixtures that are as Python makes them now."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tests.browser.fixtures import FIELDS, make_counting, replay
from tests.browser.packs import FOLDER, differences, read_pack
from tests.browser.stages import make_stages

HERE = Path(__file__).parent
MOST_BYTES = 600_000
REWRITE = "a stage changed: run `python -m tests.browser.fixtures`, and teach browser/pipeline the same"


def test_the_pipeline_does_as_python_does(node):
    files = [str(HERE / f"{name}.test.js") for name in ("stages", "fields")]
    done = subprocess.run([node, "--test", *files], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("name", FIELDS)
def test_fields_are_as_python_analyzes_them_now(name):
    field = read_pack(name)
    analysis, means = replay(field)
    now = {"analysis": analysis, "means": [list(each) for each in means]}
    recorded = [[call["means"] for call in field[kind]["calls"]] for kind in ("segmenter", "classifier")]
    assert differences({"analysis": field["analysis"], "means": recorded}, now, 2e-3) == [], REWRITE


def test_stages_are_as_python_makes_them_now():
    assert differences(read_pack("stages"), make_stages()) == [], REWRITE


def test_what_a_count_must_know_is_as_python_says_now():
    assert differences(read_pack("counting"), _as_json(make_counting())) == [], REWRITE


def test_the_fixtures_are_small():
    assert sum(path.stat().st_size for path in FOLDER.iterdir()) < MOST_BYTES


def _as_json(value: object) -> object:
    if isinstance(value, dict):
        return {key: _as_json(item) for key, item in value.items()}
    return [_as_json(item) for item in value] if isinstance(value, list | tuple) else value
