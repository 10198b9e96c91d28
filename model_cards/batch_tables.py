"""What ``python -m benchmarks batch`` found, as Markdown for ``BENCHMARKS.md``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from training.common.markdown import table


def batch_tables(found: Mapping[str, Any]) -> str:
    """Return the pictures per second of each way.

    Args:
        found: the part ``batch`` of ``benchmarks/results.json``.
    """
    rows = [
        [
            row["way"],
            row["pictures"],
            f"{row['pictures_per_second']:.2f} ({row['slowest']:.2f}–{row['fastest']:.2f})",
            f"{row['times_the_loop']:.2f}",
            f"{row['peak_mb']:.0f}",
        ]
        for row in found["ways"]
    ]
    heads = ["", "pictures", "per second (range)", "times the loop", "most MB of a process"]
    return f"{table(heads, rows)}\n\n```bash\n{found['command']}\n```"
