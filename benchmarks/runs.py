"""Programs as their users run them: how long they take, and how much memory they hold."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil

from marrow.errors import MarrowError
from training.common.paths import ROOT


@dataclass(frozen=True)
class Run:
    """A command that ended: its seconds from the start, and the most megabytes that it held."""

    seconds: float
    peak_mb: float


def analyze_files(pictures: Sequence[Path], out: Path) -> Run:
    """Run ``marrow analyze`` on pictures.

    Raises:
        MarrowError: it failed.
    """
    return _run_marrow("analyze", *map(str, pictures), "--out", str(out))


def batch_files(folder: Path, out: Path, workers: int) -> Run:
    """Run ``marrow batch`` on a folder of pictures; the memory is that of its largest process.

    Raises:
        MarrowError: it failed.
    """
    return _run_marrow("batch", str(folder), "--out", str(out), "--workers", str(workers))


_WEIGHED = """
import json, resource, subprocess, sys, time
start = time.perf_counter()
code = subprocess.run(sys.argv[1:], stdout=subprocess.DEVNULL).returncode
peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
print(json.dumps({"code": code, "seconds": time.perf_counter() - start, "kib": peak}))
"""
"""Runs a command from a process of its own: the system counts what a process held before it became another program."""


def _run_marrow(*arguments: str) -> Run:
    command = [sys.executable, "-c", _WEIGHED, sys.executable, "-m", "marrow.cli", *arguments]
    environment = os.environ | {"PYTHONPATH": str(ROOT / "space")}
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
    weighed = json.loads(done.stdout)
    if weighed["code"]:
        raise MarrowError(f"marrow {arguments[0]} failed: {done.stderr[-500:]}")
    return Run(weighed["seconds"], weighed["kib"] * 1024 / 1e6)


@dataclass(frozen=True)
class Space:
    """A Space that runs: its address, and its process."""

    url: str
    process: psutil.Process

    def megabytes(self) -> float:
        """Return the resident memory."""
        return self.process.memory_info().rss / 1e6


@contextmanager
def running_space(folder: Path) -> Iterator[Space]:
    """Run the Space with the embedded release on a free port of this machine.

    Args:
        folder: for its temporary files and flags.
    """
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    own = {"PORT": str(port), "GRADIO_TEMP_DIR": str(folder / "gradio"), "MARROW_FLAGS_DIR": str(folder / "flags")}
    process = subprocess.Popen(
        [sys.executable, str(ROOT / "space" / "app.py")],
        env=os.environ | own,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        cwd=folder,
    )
    try:
        assert process.stdout is not None
        if not process.stdout.readline().startswith("Serving "):
            raise MarrowError("The Space does not start: run python space/app.py and read what it says.")
        yield Space(f"http://127.0.0.1:{port}", psutil.Process(process.pid))
    finally:
        process.terminate()
        process.wait(90)
