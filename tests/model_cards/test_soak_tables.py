"""What a soak found stands in BENCHMARKS.md, losses included, with the command that makes it."""

from __future__ import annotations

import json
from pathlib import Path

from model_cards.readme import BENCHMARKS
from model_cards.soak_tables import soak_tables
from tests.commands import ROOT

USERS = {
    **{"users": 64, "minutes": 10.0, "requests": 4321, "answered": 4000, "refused": 320, "wrong": 1, "leaked": 0},
    **{
        "hung": 0,
        "tracebacks": 0,
        "median_seconds": 1.25,
        "p95_seconds": 3.5,
        "peak_mb": 812.0,
        "what_was_wrong": ["x"],
    },
    "command": "python -m tests.soak --only users",
}
FUZZ = {
    "data set script": {"cases": 2500, "answered": 900, "refused": 1598, "faults": 2, "slowest_seconds": 3.25},
    "command": "python -m tests.soak --only fuzz",
}
LARGE = {
    **{"visitors": 12, "megapixels": 100, "requests": 36, "answered": 36, "refused": 0, "wrong": 0, "hung": 0},
    **{"tracebacks": 0, "seconds": 99.5, "slowest_seconds": 60.25, "page_loads": 200, "page_median_seconds": 0.125},
    **{"page_slowest_seconds": 1.5, "peak_mb": 1480.0, "what_was_wrong": [], "command": "python -m tests.soak"},
}


def test_every_figure_and_the_command_are_there():
    text = soak_tables({"users": USERS, "fuzz": FUZZ, "large": LARGE})
    assert "| page slowest seconds | 1.500 |" in text and "| peak mb | 1480.000 |" in text
    assert "| data set script | 2,500 | 900 | 1,598 | 2 | 3.250 | – |" in text
    assert "| requests | 4,321 |" in text and "| wrong | 1 |" in text and "| peak mb | 812.000 |" in text
    assert text.index("only fuzz") < text.index("only users"), "the parts stand in one order"


def test_a_part_that_could_not_run_says_so():
    text = soak_tables({"disks": {"skipped": "nobody may mount here", "command": "python -m tests.soak"}})
    assert "Not run: nobody may mount here." in text


def test_benchmarks_md_says_what_the_results_say():
    found = json.loads(BENCHMARKS.read_text()).get("soak", {})
    page = Path(ROOT / "BENCHMARKS.md").read_text(encoding="utf-8")
    assert f"<!-- soak -->\n{soak_tables(found)}\n<!-- /soak -->" in page
