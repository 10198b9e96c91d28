"""What ``make soak`` found, as Markdown for ``BENCHMARKS.md``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from training.common.markdown import number, table

INTRO = {
    "fuzz": "Odd input, most of it valid but for one thing. Each must end in an answer or in one clear sentence:",
    "kills": "Commands killed (`kill -9`) at random moments and started again. The bytes must be those of an "
    "undisturbed run, and what was read must be untouched:",
    "disks": "Commands on disks that are full at different points. What is left must be whole, and the end a sentence:",
    "large": "Visitors at once, with a picture of 100 megapixels each, while somebody else opens the page:",
    "users": "Visitors at once, each with pictures of their own:",
}
COLUMNS = {
    "fuzz": ("cases", "answered", "refused", "faults", "slowest_seconds", "peak_mb"),
    "kills": ("kills", "while_running", "losses"),
    "disks": ("disks", "needed_kb", "refused", "losses"),
    "large": (
        *("visitors", "megapixels", "requests", "answered", "refused", "wrong", "hung", "tracebacks", "seconds"),
        *("slowest_seconds", "page_loads", "page_median_seconds", "page_slowest_seconds", "peak_mb"),
    ),
    "users": (
        *("users", "minutes", "requests", "answered", "refused"),
        *("wrong", "leaked", "hung", "tracebacks", "median_seconds", "p95_seconds", "peak_mb"),
    ),
}


def soak_tables(found: Mapping[str, Mapping[str, Any]]) -> str:
    """Return a table for each part of a soak that was run, with the command that makes it.

    Args:
        found: the parts ``fuzz``, ``kills``, ``disks``, ``large`` and ``users`` as ``tests/soak`` writes them.
    """
    parts = [_part(part, found[part]) for part in INTRO if part in found]
    return "\n\n".join(parts) or "No figures yet: `make soak` has not been run to its end."


def _part(part: str, figures: Mapping[str, Any]) -> str:
    command = f"```bash\n{figures['command']}\n```"
    if "skipped" in figures:
        return f"{INTRO[part]}\n\nNot run: {figures['skipped']}.\n\n{command}"
    columns = COLUMNS[part]
    if part in ("large", "users"):
        rows = [[column.replace("_", " "), _figure(figures[column])] for column in columns]
        return f"{INTRO[part]}\n\n{table(['', ''], rows)}\n\n{command}"
    rows = [
        [room, *(_figure(values.get(column)) for column in columns)]
        for room, values in figures.items()
        if isinstance(values, Mapping)
    ]
    return f"{INTRO[part]}\n\n{table(['', *(column.replace('_', ' ') for column in columns)], rows)}\n\n{command}"


def _figure(value: float | None) -> str:
    return f"{value:,}" if isinstance(value, int) else number(value)
