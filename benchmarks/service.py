"""The command line and the Space in use: how soon and how often they answer, and what they hold after many answers."""

from __future__ import annotations

import shutil
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from statistics import median
from typing import Any

import httpx

from benchmarks.runs import Space, analyze_files, running_space
from marrow.errors import MarrowError
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
        with Visitor(space.url) as visitor:
            visitor.ask(picture)
        return time.perf_counter() - start


def _held(space: Space, pictures: Sequence[Path]) -> dict[int | str, float]:
    """Return the memory that the Space holds after a few answers and after more, in megabytes."""
    held: dict[int | str, float] = {}
    with Visitor(space.url) as visitor:
        for number, picture in enumerate(pictures, start=1):
            visitor.ask(picture)
            if number in (20, ANSWERS // 3, ANSWERS):
                held[number] = space.megabytes()
    return held


def _answers(space: Space, pictures: Sequence[Path], users: int) -> dict[str, float | int]:
    """Let visitors ask for a while, each again as soon as there is an answer; who is refused waits a second."""
    start = time.perf_counter()

    def visit(number: int) -> list[float | None]:
        seconds: list[float | None] = []
        with Visitor(space.url) as visitor:
            while time.perf_counter() - start < SECONDS:
                asked = time.perf_counter()
                if visitor.ask(pictures[(number * 7 + len(seconds)) % len(pictures)]):
                    seconds.append(time.perf_counter() - asked)
                else:
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


class Visitor(httpx.Client):
    """Asks the Space over HTTP; gradio_client takes two thirds of the processors that it shares with the Space here.

    Args:
        url: the Space's.
    """

    def __init__(self, url: str) -> None:
        super().__init__(base_url=f"{url}/gradio_api", timeout=120)

    def ask(self, picture: Path) -> bool:
        """Upload a picture and wait for what is found in it.

        Returns:
            Whether there is an answer; the Space refuses in a sentence, as where too many people are waiting.

        Raises:
            MarrowError: it answers something else.
        """
        path = self.post("/upload", files={"files": picture.read_bytes()}).raise_for_status().json()[0]
        file = {"path": path, "meta": {"_type": "gradio.FileData"}}
        event = self.post("/call/analyze", json={"data": [file, 0.4]}).raise_for_status().json()["event_id"]
        answer = self.get(f"/call/analyze/{event}").raise_for_status().text
        if "event: complete" in answer and '"cells"' in answer:
            return True
        if "event: error" in answer and "data: null" not in answer:
            return False
        raise MarrowError(f"The Space answers {answer[:200]!r}: run python space/app.py and read what it says.")
