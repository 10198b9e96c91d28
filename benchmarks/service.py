"""The command line and the Space in use: how soon and how often they answer, and what they hold after many answers."""

from __future__ import annotations

import shutil
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from statistics import median
from typing import Any

from gradio_client import Client, handle_file
from gradio_client.exceptions import AppError

from benchmarks.runs import Space, analyze_files, running_space
from marrow.images import encode_png

ANSWERS = 300
"""Analyses, after which the memory is looked at."""

STARTS = 7
"""Times that a start is measured; the median counts."""

USERS = (1, 4, 16, 64)
"""Visitors at once."""

SECONDS = 30
"""For which they ask."""


def service_rows(images: Sequence[Any], work: Path) -> dict[str, Any]:
    """Measure the command line and the Space.

    Args:
        images: different fields, ``(height, width, 3)`` uint8 RGB.
        work: folder to write to.

    Returns:
        ``starts`` in seconds to the first answer, ``memory`` in megabytes, and answers per second by ``users``.
    """
    pictures = [work / f"field_{number}.png" for number in range(ANSWERS)]
    for number, path in enumerate(pictures):
        path.write_bytes(encode_png(images[number % len(images)]))
    first = [analyze_files(pictures[:1], work / f"start_{number}") for number in range(STARTS)]
    many = {number: analyze_files(pictures[:number], work / f"{number}") for number in (len(images), ANSWERS)}
    starts = [_space_start(pictures[0], work / f"space_{number}") for number in range(3)]
    with running_space(_fresh(work / "space")) as space:
        held = _held(space, pictures)
        users = [{"users": n} | _answers(space, pictures, n) for n in USERS]
        held["after all"] = space.megabytes()
    return {
        "starts": {"marrow analyze": median(run.seconds for run in first), "the Space": median(starts)},
        "memory": [
            *({"what": "marrow analyze", "answers": n, "mb": run.peak_mb} for n, run in many.items()),
            *({"what": "the Space", "answers": n, "mb": mb} for n, mb in held.items()),
        ],
        "users": users,
    }


def _fresh(folder: Path) -> Path:
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    return folder


def _space_start(picture: Path, folder: Path) -> float:
    """Return the seconds from the start of the Space to its first analysis."""
    start = time.perf_counter()
    with running_space(_fresh(folder)) as space:
        _ask(_client(space), picture)
        return time.perf_counter() - start


def _held(space: Space, pictures: Sequence[Path]) -> dict[int | str, float]:
    """Return the memory that the Space holds after a few answers and after more, in megabytes."""
    client = _client(space)
    held: dict[int | str, float] = {}
    for number, picture in enumerate(pictures, start=1):
        _ask(client, picture)
        if number in (20, ANSWERS // 3, ANSWERS):
            held[number] = space.megabytes()
    return held


def _answers(space: Space, pictures: Sequence[Path], users: int) -> dict[str, float | int]:
    """Let visitors ask for a while, each again as soon as there is an answer; who is refused waits a second."""
    clients = [_client(space) for _ in range(users)]
    start = time.perf_counter()

    def visit(number: int) -> list[float | None]:
        seconds: list[float | None] = []
        while time.perf_counter() - start < SECONDS:
            asked = time.perf_counter()
            try:
                _ask(clients[number], pictures[(number * 7 + len(seconds)) % len(pictures)])
                seconds.append(time.perf_counter() - asked)
            except AppError:  # a sentence of the Space: too many people are waiting
                seconds.append(None)
                time.sleep(1)
        return seconds

    with ThreadPoolExecutor(users) as pool:
        asked = [one for of in pool.map(visit, range(users)) for one in of]
    passed = time.perf_counter() - start
    answered = [one for one in asked if one is not None]
    return {
        "per_second": len(answered) / passed,
        "median_seconds": median(answered),
        "refused": len(asked) - len(answered),
    }


def _client(space: Space) -> Client:
    return Client(space.url, verbose=False)


def _ask(client: Client, picture: Path) -> Any:
    return client.predict(handle_file(picture), 0.4, api_name="/analyze")
