"""What was aimed at in BENCHMARKS.md, and what the README quotes."""

from __future__ import annotations

import json
from copy import deepcopy

from model_cards.aims import aims_table
from model_cards.readme import BENCHMARKS, benchmark_blocks, quoted
from tests.model_cards.test_scale_tables import FOUND as SCALE
from training.common.plots import draw_large

FOUND = {"speed": json.loads(BENCHMARKS.read_text(encoding="utf-8"))["speed"]}


def test_an_aim_that_is_missed_says_by_how_much():
    found = deepcopy(FOUND)
    found["speed"]["starts"] = {"marrow analyze": 1.25, "the Space": 6.5}
    text = aims_table(found)
    assert "| seconds from start to answer, marrow analyze | ≤ 1.5 | 1.25 | yes |" in text
    assert "| seconds from start to answer, the Space | ≤ 5 | 6.5 | no, by 1.5 |" in text
    assert "megapixels" not in text  # what was not measured has no row


def test_the_worst_row_counts_and_sizes_that_were_not_learned_do_not():
    large = [*SCALE["large"], {"megapixels": 100.5, "picture": "bare ground", "peak_mb": 1501.0}]
    text = aims_table({"scale": SCALE | {"large": large}})
    assert "| cells found alone that are found, in mosaics | ≥ 0.97 | 0.975 | yes |" in text
    assert "| cells found besides, in mosaics | ≤ 0.02 | 0.025 | no, by 0.005 |" in text
    assert "| cells found alone that are found, by size of cell, 30 to 250 px | ≥ 0.97 | 0.97 | yes |" in text
    assert "| MB for 100 megapixels | ≤ 1,500 | 1,501 | no, by 1 |" in text


def test_the_readme_quotes_one_field_and_a_picture_full_of_cells_as_large_as_the_space_takes():
    rows = [
        {"megapixels": m, "picture": "cells everywhere", "cells": 9 * m, "seconds": m, "peak_mb": 1234.4}
        for m in (16, 101, 256)
    ]
    text = quoted(FOUND | {"scale": SCALE | {"large": [*rows, *SCALE["large"]]}})
    assert "a picture of 101 megapixels full of cells takes 101 seconds and 1,234 MB; 909 cells" in text
    assert text.startswith("**Speed**: a field of 30 cells takes ") and "BENCHMARKS.md" in text
    assert quoted({}).startswith("**Speed**: what falls short")


def test_tables_say_when_and_where_they_were_measured():
    assert f"*Measured on {FOUND['speed']['date']}: " in benchmark_blocks(FOUND)["speed"]


def test_large_pictures_are_drawn(tmp_path):
    rows = [row | {"megapixels": m} for m in (1, 4) for row in SCALE["large"]]
    draw_large(rows, tmp_path / "large.png")
    assert (tmp_path / "large.png").read_bytes().startswith(b"\x89PNG")
