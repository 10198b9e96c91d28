"""What ``python -m benchmarks browser`` found, as Markdown for ``BENCHMARKS.md``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from training.common.markdown import table


def browser_tables(found: Mapping[str, Any]) -> str:
    """Return how soon outlines are on the screen, and how long a frame takes while one moves among them.

    Args:
        found: the part ``browser`` of ``benchmarks/results.json``.
    """
    rows = [
        [row["megapixels"], row["cells"], f"{row['seconds']:.1f}"]
        + [f"{row[movement]['median']:.0f} ({row[movement]['p95']:.0f})" for movement in MOVEMENTS]
        for row in found["pictures"]
    ]
    return "\n\n".join(
        [
            "Mosaics of real fields in Chromium on the same machine, without a graphics card: seconds until the "
            "outlines are there, and milliseconds of a frame, median (95th percentile), while something moves:",
            table(["megapixels", "outlines", "seconds", *MOVEMENTS.values()], rows),
            f"```bash\n{found['command']}\n```",
        ]
    )


MOVEMENTS = {"zooming": "zooming in", "moving": "moving the enlarged picture", "sliding": "sliding the confidence"}
"""What is done, and what it is called."""
