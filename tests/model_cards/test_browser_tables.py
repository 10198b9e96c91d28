"""The table of the browser in BENCHMARKS.md."""

from __future__ import annotations

from model_cards.browser_tables import browser_tables
from model_cards.readme import benchmark_blocks


def test_each_picture_has_its_row():
    frames = {"median": 16.7, "p95": 33.4}
    row = {"megapixels": 99.1, "cells": 5120, "seconds": 61.23, "zooming": frames, "moving": frames, "sliding": frames}
    text = browser_tables({"pictures": [row], "command": "python -m benchmarks browser --data DATA"})
    assert "| 99.100 | 5120 | 61.2 | 17 (33) | 17 (33) | 17 (33) |" in text
    assert text.endswith("```bash\npython -m benchmarks browser --data DATA\n```")


def test_what_was_not_measured_is_said_to_be_missing():
    assert benchmark_blocks({})["browser"] == "No figures yet: run `python -m benchmarks browser`."
