"""Running the project's commands as a user does: in a process of their own, from the project's root."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]


def python(*arguments: str | Path, cwd: Path = ROOT, **env: str) -> subprocess.CompletedProcess[str]:
    """Run Python with these arguments; the exit code is the caller's to check."""
    command = [sys.executable, *map(str, arguments)]
    return subprocess.run(command, cwd=cwd, env=os.environ | env, capture_output=True, text=True, check=False)


def succeed(*arguments: str | Path, cwd: Path = ROOT, **env: str) -> subprocess.CompletedProcess[str]:
    """Run Python with these arguments; they must end well."""
    done = python(*arguments, cwd=cwd, **env)
    assert done.returncode == 0, f"{arguments}\n{done.stdout[-1000:]}\n{done.stderr[-4000:]}"
    return done


def assert_refused(done: subprocess.CompletedProcess[str], *words: str) -> None:
    """The command ended with exit code 2 and one line that holds the words, without a traceback."""
    assert done.returncode == 2, done.stderr[-4000:]
    assert "Traceback" not in done.stderr
    last = done.stderr.rstrip().splitlines()[-1]
    for word in words:
        assert word in last
