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
    times = [
        [row["cells"], row["stack"], _spread(row), f"{row['times_ours']:.2f}", row["recall"]] for row in found["rows"]
    ]
    keys = ("cells", "looks", "kept", "known", "iou", "name")
    same = [[row[key] for key in keys] for row in found["same"]]
    memory = found["memory"]
    users = [
        [row["users"], f"{row['per_second']:.1f}", f"{row['median_seconds']:.2f}", row["refused"]]
        for row in found["users"]
    ]
    return "\n\n".join(
        [
            f"Fields of {found['fields']} different sizes from 480 to 640 px for each number of cells, composed of "
            "held-out ones; median and quartiles, first-seen sizes included; recall by boxes at IoU 0.5:",
            table(["cells", "stack", "ms for a field", "times this project's", "recall"], times),
            "The same cells as in single precision at the full input size, matched at IoU 0.7 of the outlines:",
            table(["cells", "looks at a field", "of those, found", "found by both", "mean IoU", "same name"], same),
            "From the start of the program to its first answer, 30 cells:",
            table(["program", "seconds"], [[what, f"{seconds:.2f}"] for what, seconds in found["starts"].items()]),
            "Memory that is held (the most, of the command line; at that time, of the Space):",
            table(["program", "answers", "MB"], [[row["what"], row["answers"], f"{row['mb']:.0f}"] for row in memory]),
            "Answers of the Space to visitors who ask again at once:",
            table(["visitors", "answers per second", "median seconds", "asked to wait"], users),
            "Where the time of a field of 30 cells goes, by Python's profiler, which slows down all but the networks:",
            table(
                ["stage", "ms", "share"], [[row["stage"], f"{row['ms']:.1f}", row["share"]] for row in found["stages"]]
            ),
            f"```bash\n{found['command']}\n```",
        ]
    )


def _spread(row: Mapping[str, Any]) -> str:
    return f"{row['ms']:.0f} ({row['low']:.0f} to {row['high']:.0f})"
