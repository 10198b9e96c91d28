"""The table of many fields in BENCHMARKS.md."""

from __future__ import annotations

from model_cards.batch_tables import batch_tables
from model_cards.readme import benchmark_blocks


def test_each_way_has_its_row():
    rates = {"pictures_per_second": 3.456, "slowest": 3.4, "fastest": 3.5}
    way = {"way": "batch, 2 processes", "pictures": 100, **rates, "times_the_loop": 1.777, "peak_mb": 512.4}
    text = batch_tables({"ways": [way], "command": "python -m benchmarks batch --cells SET"})
    assert "| batch, 2 processes | 100 | 3.46 (3.40–3.50) | 1.78 | 512 |" in text
    assert text.endswith("```bash\npython -m benchmarks batch --cells SET\n```")


def test_what_was_not_measured_is_said_to_be_missing():
    assert benchmark_blocks({})["batch"] == "No figures yet: run `python -m benchmarks batch`."
