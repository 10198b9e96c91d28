"""Many visitors at once, each with pictures of their own: nobody gets an answer that is another's, or none."""

from __future__ import annotations

import base64
import random
import statistics
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import psutil
from PIL import Image

from tests.fuzz.server_cases import judge
from tests.fuzz.visitor import Visitor
from tests.space.served import EXAMPLES, Server

KINDS = ("json", "csv", "coco", "yolo", "png", "crops")

QUESTIONS = ("explain", "add_cell", "split_cell", "export_file", "print_case", "analyze", "report")


@dataclass
class Tally:
    """What all visitors saw together; ``seconds`` of each answered request."""

    lock: threading.Lock = field(default_factory=threading.Lock)
    outcomes: Counter[str] = field(default_factory=Counter)
    seconds: list[float] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)

    def add(self, outcome: str, seconds: float, told: str = "") -> None:
        """Count one request: ``answered``, ``refused`` with a sentence, ``wrong``, ``leaked`` or ``hung``."""
        with self.lock:
            self.outcomes[outcome] += 1
            self.seconds.append(seconds)
            if outcome not in ("answered", "refused"):
                self.wrong.append(f"{outcome}: {told[:300]}")


class User:
    """A visitor who uploads a picture of a size and a name that nobody else has, and works on it.

    Args:
        number: from 0; it gives the size of the picture.
        url: of the Space.
        folder: for the picture.
        seed: of the choices.
    """

    def __init__(self, number: int, url: str, folder: Path, seed: int) -> None:
        self.random = random.Random(f"{seed} {number}")
        self.visitor = Visitor(url, "fr" if number % 3 == 2 else "en")
        self.name = f"visitor-{number:03}-{self.random.getrandbits(40):010x}"
        self.width = 400 + number
        self.picture = folder / f"{self.name}.png"
        with Image.open(EXAMPLES[number % len(EXAMPLES)]) as example:
            example.convert("RGB").crop((0, 0, self.width, 380)).save(self.picture)
        self.shown: dict[str, Any] | None = None

    def act(self) -> tuple[str, str]:
        """Do one thing; return its outcome and what there is to say of it."""
        if self.shown is None or self.random.random() < 0.1:
            return self._open()
        function = self.random.choice(QUESTIONS)
        if function in ("analyze", "report"):
            return self._endpoint(function)
        return self._ask(function)

    def _open(self) -> tuple[str, str]:
        shown = self.visitor.show(self.visitor.upload(self.picture))
        if shown is None:
            return "refused", ""
        self.shown = shown
        return self._is_mine(shown["image"]["width"], shown)

    def _endpoint(self, name: str) -> tuple[str, str]:
        output = self.visitor.endpoint(name, self.visitor.upload(self.picture), 0.4)
        if "data" not in output or output.get("error"):
            return refusal(output)
        width = output["data"][0]["image"]["width"] if name == "analyze" else self.width
        return self._is_mine(width, output)

    def _ask(self, function: str) -> tuple[str, str]:
        answer = self.visitor.ask(function, self._question(function))
        if "error" in answer:
            self.shown = None  # whatever was refused, the next thing is to open the picture again
            return refusal(answer)
        return self._is_mine(self.width, answer)

    def _question(self, function: str) -> dict[str, Any]:
        assert self.shown is not None
        key, cells = self.shown["key"], self.shown["cells"]
        analysis = {"cells": cells}
        if function == "export_file":
            return {"key": key, "format": self.random.choice(KINDS), "analysis": analysis}
        if function == "print_case":
            row = {"key": key, "file": self.picture.name, "analysis": analysis}
            return {"analyses": [row], "format": self.random.choice(("html", "json"))}
        if function == "add_cell":
            x, y = self.random.randint(20, 300), self.random.randint(20, 300)
            return {"key": key, "box": [x, y, x + 60, y + 60]}
        return {"key": key, "cell": self.random.choice(cells) if cells else {}, "parts": 2}

    def _is_mine(self, width: int, answer: dict[str, Any]) -> tuple[str, str]:
        """Check the size in an answer, and that no other visitor's name is in it, its files included."""
        if width != self.width:
            return "wrong", f"a picture {width} px wide for one of {self.width}"
        text = str(answer)
        if isinstance(answer.get("content"), str):
            text += base64.b64decode(answer["content"]).decode("latin-1")
        names = {word[:22] for word in text.split("visitor-")[1:]}
        if strangers := {name for name in names if not f"visitor-{name}".startswith(self.name)}:
            return "leaked", str(strangers)
        return "answered", ""


def refusal(answer: dict[str, Any]) -> tuple[str, str]:
    """Return ``refused`` for a sentence, ``wrong`` for anything else that is no answer."""
    kind, text = judge(answer)
    return ("refused" if kind == "refused" else "wrong"), text


def soak(server: Server, folder: Path, users: int, minutes: float, seed: int) -> dict[str, Any]:
    """Let ``users`` visitors work for ``minutes``; return the figures."""
    tally, end = Tally(), time.monotonic() + 60 * minutes
    memory = Memory(server)

    def work(number: int) -> None:
        user = User(number, server.url, folder, seed)
        while time.monotonic() < end:
            start = time.monotonic()
            try:
                outcome, told = user.act()
            except httpx.TimeoutException as error:
                outcome, told = "hung", repr(error)
            except (httpx.HTTPError, KeyError, TypeError, ValueError) as error:
                outcome, told = "wrong", repr(error)
            tally.add(outcome, time.monotonic() - start, told)
            if outcome == "refused":
                time.sleep(user.random.uniform(0.5, 2))
        user.visitor.close()

    with memory, ThreadPoolExecutor(users) as pool:
        list(pool.map(work, range(users)))
    ordered = sorted(tally.seconds)
    return {
        "users": users,
        "minutes": minutes,
        "requests": len(ordered),
        **{kind: tally.outcomes[kind] for kind in ("answered", "refused", "wrong", "leaked", "hung")},
        "median_seconds": statistics.median(ordered),
        "p95_seconds": float(np.quantile(ordered, 0.95)),
        "peak_mb": memory.peak / 1e6,
        "tracebacks": server.log.read_text().count("Traceback"),
        "what_was_wrong": tally.wrong[:20],
    }


class Memory(threading.Thread):
    """Watches the resident memory of the server, in bytes."""

    def __init__(self, server: Server) -> None:
        super().__init__(daemon=True)
        port = int(server.url.rsplit(":", 1)[1])
        self._process = next(
            psutil.Process(one.pid)
            for one in psutil.net_connections("tcp")
            if one.laddr.port == port and one.status == psutil.CONN_LISTEN and one.pid
        )
        self.peak, self._done = 0, threading.Event()

    def run(self) -> None:
        while not self._done.wait(0.2):
            self.peak = max(self.peak, self._process.memory_info().rss)

    def __enter__(self) -> Memory:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._done.set()
        self.join()
