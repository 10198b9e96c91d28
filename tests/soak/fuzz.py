"""Odd input in thousands, in two processes: an answer or one clear sentence, in bounded time and memory."""

from __future__ import annotations

import resource
import tempfile
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from importlib import import_module
from itertools import islice
from pathlib import Path
from typing import Any

from tests.fuzz import server_cases
from tests.fuzz.outcome import Outcome
from tests.fuzz.visitor import Visitor
from tests.space.served import Server

ROOMS = {
    "data set script": "tests.fuzz.dataset_cases",
    "model files": "tests.fuzz.model_cases",
    "images and saved JSON": "tests.fuzz.image_cases",
}
"""Modules with ``cases(seed)`` and ``run_case(case, folder)``, by what they are about."""
BATCH = 100
"""Cases that one process runs before the next takes over, so that nothing of one hides in another for long."""


def soak(number: int, seed: int) -> dict[str, Any]:
    """Run ``number`` cases of each room; return the figures by room."""
    figures = {}
    with ProcessPoolExecutor(2, max_tasks_per_child=1) as pool:
        for room, module in ROOMS.items():
            batches = [(module, f"{seed}{start:06}", min(BATCH, number - start)) for start in range(0, number, BATCH)]
            runs = list(pool.map(_run, batches))
            figures[room] = count(outcome for outcomes, _ in runs for outcome in outcomes)
            figures[room]["peak_mb"] = max(peak for _, peak in runs)
    return figures


def soak_server(server: Server, picture: Path, number: int, seed: int) -> dict[str, Any]:
    """Ask the Space ``number`` odd questions; return the figures."""
    visitor = Visitor(server.url)
    valid = server_cases.valid_questions(visitor, picture)
    asked = islice(server_cases.cases(seed, valid), number)
    figures = count(server_cases.run_case(case, visitor) for case in asked)
    return figures | {"tracebacks": server.log.read_text().count("Traceback")}


def count(outcomes: Iterator[Outcome]) -> dict[str, Any]:
    """Return how many ended how, the seconds of the slowest, and the first faults."""
    kinds: Counter[str] = Counter()
    slowest, faults = 0.0, []
    for outcome in outcomes:
        kinds["fault" if not outcome.good else outcome.kind] += 1
        slowest = max(slowest, outcome.seconds)
        if not outcome.good:
            faults.append(outcome.text[:300])
    return {
        "cases": sum(kinds.values()),
        "answered": kinds["answer"],
        "refused": kinds["refused"],
        "faults": kinds["fault"],
        "slowest_seconds": slowest,
        "what_was_wrong": faults[:10],
    }


def _run(batch: tuple[str, str, int]) -> tuple[list[Outcome], float]:
    """Run a batch in a process of its own; return the outcomes and the most memory that it took, in MB."""
    module, seed, number = batch
    room = import_module(module)
    with tempfile.TemporaryDirectory() as folder:
        outcomes = [room.run_case(case, Path(folder, "case")) for case in islice(room.cases(int(seed)), number)]
    return outcomes, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
