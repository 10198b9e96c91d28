"""The tables of speed in BENCHMARKS.md."""

from __future__ import annotations

from model_cards.readme import benchmark_blocks
from model_cards.speed_tables import speed_tables

FOUND = {
    "fields": 20,
    "rows": [
        {"cells": 30, "stack": "this project", "ms": 80.4, "low": 75, "high": 90, "times_ours": 1.0, "recall": 0.98},
        {"cells": 30, "stack": "stock", "ms": 193.0, "low": 190, "high": 201, "times_ours": 2.4, "recall": 0.9712},
    ],
    "same": [{"cells": 30, "looks": "two", "kept": 0.995, "known": 1.0, "iou": 0.99, "name": 0.992}],
    "starts": {"marrow analyze": 1.234, "the Space": 4.5},
    "memory": [{"what": "the Space", "answers": 300, "mb": 640.4}],
    "users": [{"users": 16, "per_second": 7.31, "median_seconds": 2.05, "refused": 4}],
    "stages": [{"stage": "the report", "ms": 0.52, "share": 0.0123}],
    "command": "python -m benchmarks speed --cells SET",
}


def test_each_stack_has_its_row():
    text = speed_tables(FOUND)
    assert "| 30 | this project | 80 (75 to 90) | 1.00 | 0.980 |" in text
    assert "| 30 | stock | 193 (190 to 201) | 2.40 | 0.971 |" in text
    assert "| 30 | two | 0.995 | 1.000 | 0.990 | 0.992 |" in text and "Fields of 20 different sizes" in text
    assert "| marrow analyze | 1.23 |" in text and "| the Space | 300 | 640 |" in text
    assert "| 16 | 7.3 | 2.05 | 4 |" in text and "| the report | 0.5 | 0.012 |" in text
    assert text.endswith("```bash\npython -m benchmarks speed --cells SET\n```")


def test_what_was_not_measured_is_said_to_be_missing():
    assert benchmark_blocks({})["speed"] == "No figures yet: run `python -m benchmarks speed`."
