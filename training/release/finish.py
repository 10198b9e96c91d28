"""What every training ends with: export and measurement, each in a process of its own."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path


def export_and_measure(kind: str, run_dir: Path, out: Path, data: str | Path, unknown: str | None = None) -> int:
    """Export a finished run and measure the Hub folder that comes of it.

    Tensorflow and torchvision cannot live in one process, so neither step runs in the caller's.

    Args:
        kind: ``classifier`` or ``segmenter``.
        run_dir: folder of the finished run.
        out: Hub folder to write.
        data: what to measure on.
        unknown: cells of no class, to measure on too.

    Returns:
        0, or the exit code of the first step that failed.
    """
    steps = (
        ("training.export", kind, "--run-dir", run_dir, "--output-dir", out),
        ("training.measure", kind, "--model", out, "--data", data, *(("--unknown", unknown) if unknown else ())),
    )
    for step in steps:
        code = subprocess.run([sys.executable, "-m", *map(str, step)], check=False).returncode
        if code:
            return code
    return 0
