"""What ``python -m benchmarks speed`` found, as Markdown for ``BENCHMARKS.md``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from training.common.markdown import table


def speed_tables(found: Mapping[str, Any]) -> str:
    """Return how long one field takes in each stack, and what is the same as on the slow path.

    Args:
        found: the part ``speed`` of ``benchmarks/results.json``.
    """
    if not found:
        return "No figures yet: run `python -m benchmarks speed`."
    times = [
        [row["cells"], row["stack"], _spread(row), f"{row['times_ours']:.2f}", row["recall"]] for row in found["rows"]
    ]
    same = [[row["cells"], row["kept"], row["known"], row["iou"], row["name"]] for row in found["same"]]
    return "\n\n".join(
        [
            f"Fields of {found['fields']} different sizes from 480 to 640 px for each number of cells, composed of "
            "held-out ones; median and quartiles, first-seen sizes included; recall by boxes at IoU 0.5:",
            table(["cells", "stack", "ms for a field", "times this project's", "recall"], times),
            "The same cells as in single precision at the full input size, matched at IoU 0.7 of the outlines:",
            table(["cells", "of those, found", "found by both", "mean IoU", "same name"], same),
            f"```bash\n{found['command']}\n```",
        ]
    )


def _spread(row: Mapping[str, Any]) -> str:
    return f"{row['ms']:.0f} ({row['low']:.0f} to {row['high']:.0f})"
