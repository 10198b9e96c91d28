"""Commands of the project, each in a process of its own: two machine learning frameworks cannot live in one."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from marrow.errors import MarrowError
from training.common.paths import ROOT


def run_python(*arguments: str | Path, env: Mapping[str, str] | None = None) -> None:
    """Run Python with the project on its path, and with its output shown.

    Args:
        arguments: of Python, such as ``-m training.measure``; relative paths begin where the caller runs.
        env: variables to set beside those that are set already.

    Raises:
        MarrowError: it failed; its own output says why.
    """
    print("$ python", *arguments, flush=True)
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(map(str, (ROOT, ROOT / "space")))} | dict(env or {})
    if subprocess.run([sys.executable, *map(str, arguments)], env=environment, check=False).returncode:
        raise MarrowError(f"`python {' '.join(map(str, arguments))}` failed, see above: then repeat the command.")
