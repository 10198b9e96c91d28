"""What every training ends with: export and measurement, each in a process of its own."""

from __future__ import annotations

from pathlib import Path

from training.common.model_folder import OUTDATED, replaced
from training.common.process import run_python


def export_and_measure(kind: str, run_dir: Path, out: Path, data: str | Path, unknown: str | None = None) -> None:
    """Export a finished run and measure the Hub folder that comes of it.

    The Hub folder appears, or is replaced, when both are done.

    Tensorflow and torchvision cannot live in one process, so neither step runs in the caller's.

    Args:
        kind: ``classifier`` or ``segmenter``.
        run_dir: folder of the finished run.
        out: Hub folder to write.
        data: what to measure on.
        unknown: cells of no class, to measure on too.

    Raises:
        MarrowError: a step failed; its own message is on stderr.
    """
    others = ("--unknown", unknown) if unknown else ()
    with replaced(out, anew=True, dropped=OUTDATED) as folder:
        run_python("-m", "training.export", kind, "--run-dir", run_dir, "--output-dir", folder)
        run_python("-m", "training.measure", kind, "--model", folder, "--data", data, *others)
