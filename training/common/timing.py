"""How long something takes."""

from __future__ import annotations

from collections.abc import Callable
from statistics import median
from time import perf_counter
from typing import Any


def median_milliseconds(work: Callable[[], Any], repeats: int) -> float:
    """Run something several times and return the median time of a run in milliseconds."""
    times = []
    for _ in range(repeats):
        start = perf_counter()
        work()
        times.append(1000 * (perf_counter() - start))
    return median(times)
