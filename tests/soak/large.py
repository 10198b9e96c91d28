"""Pictures of 100 megapixels by many visitors at once, while others open the page: nobody waits for it or is lost."""

from __future__ import annotations

import statistics
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
from PIL import Image

from tests.fuzz.visitor import Visitor
from tests.soak.users import Memory, Tally, refusal
from tests.space.served import EXAMPLES, Server

SIDE = 10_000
"""Pixels of each side: as many as the Space takes in."""


def soak(server: Server, folder: Path, visitors: int) -> dict[str, Any]:
    """Let ``visitors`` work on a picture of 100 megapixels each; return the figures."""
    tally, page, memory = Tally(), _Page(server.url), Memory(server)
    picture = folder / "large.png"
    large = Image.new("RGB", (SIDE, SIDE), (240, 225, 215))
    with Image.open(EXAMPLES[0]) as example:
        large.paste(example, (SIDE // 2, SIDE // 2))
    large.save(picture)
    start = time.monotonic()
    with memory, page, ThreadPoolExecutor(visitors) as pool:
        list(pool.map(lambda _: _work(server.url, picture, tally), range(visitors)))
    return {
        "visitors": visitors,
        "megapixels": SIDE * SIDE // 1_000_000,
        "requests": len(tally.seconds),
        **{kind: tally.outcomes[kind] for kind in ("answered", "refused", "wrong", "hung")},
        "seconds": time.monotonic() - start,
        "slowest_seconds": max(tally.seconds),
        "page_loads": len(page.seconds),
        "page_median_seconds": statistics.median(page.seconds),
        "page_slowest_seconds": max(page.seconds),
        "peak_mb": memory.peak / 1e6,
        "tracebacks": server.log.read_text().count("Traceback"),
        "what_was_wrong": tally.wrong[:10],
    }


def _work(url: str, picture: Path, tally: Tally) -> None:
    """Open the picture, add a cell, and ask what its name rests on."""
    visitor = Visitor(url)
    box = [SIDE // 2 + 100, SIDE // 2 + 100, SIDE // 2 + 200, SIDE // 2 + 200]

    def ask(function: str, **asked: Any) -> dict[str, Any]:
        start = time.monotonic()
        try:
            answer = visitor.ask(function, asked)
            outcome, told = refusal(answer) if "error" in answer else ("answered", "")
        except httpx.TimeoutException as error:
            answer, outcome, told = {}, "hung", repr(error)
        tally.add(outcome, time.monotonic() - start, told)
        return answer

    start = time.monotonic()
    try:
        shown = visitor.show(visitor.upload(picture))
    except httpx.TimeoutException as error:
        return tally.add("hung", time.monotonic() - start, repr(error))
    tally.add("answered" if shown else "wrong", time.monotonic() - start)
    if shown:
        added = ask("add_cell", key=shown["key"], box=box)
        if "cell" in added:
            ask("explain", key=shown["key"], cell=added["cell"])
    visitor.close()


class _Page(threading.Thread):
    """Somebody who opens the page again and again."""

    def __init__(self, url: str) -> None:
        super().__init__(daemon=True)
        self._url, self.seconds, self._done = url, list[float](), threading.Event()

    def run(self) -> None:
        while not self._done.wait(0.25):
            start = time.monotonic()
            httpx.get(self._url, timeout=120).raise_for_status()
            self.seconds.append(time.monotonic() - start)

    def __enter__(self) -> _Page:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._done.set()
        self.join()
