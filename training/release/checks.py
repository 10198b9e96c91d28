"""Pulling back what was published, into an empty cache, and one analysis with nothing but that."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from huggingface_hub import HfApi

from marrow.errors import MarrowError
from marrow.hub import checksums
from training.release.repos import RepoSpec

TIMEOUT = 600
"""Seconds after which the analysis counts as failed."""


def pull_back(api: HfApi, spec: RepoSpec, repo: str, commit: str, files: Mapping[str, Path], cache: Path) -> Path:
    """Pull a repo at a commit and compare every file with what was sent.

    Args:
        api: client of the Hub.
        spec: which of the four repos.
        repo: its id.
        commit: full commit id.
        files: path on disk by path in the repo, as sent.
        cache: folder to pull into, as ``HF_HUB_CACHE``.

    Returns:
        The folder of the pulled files.

    Raises:
        MarrowError: something is missing or other than what was sent.
    """
    pulled = api.snapshot_download(repo, repo_type=spec.repo_type, revision=commit, cache_dir=cache)
    folder = Path(pulled)
    other = [name for name, sent in files.items() if not _same(folder / name, sent)]
    if other:
        raise MarrowError(
            f"{spec.name}: {', '.join(other)} came back from {repo} other than sent; run the same command again."
        )
    return folder


def _same(one: Path, other: Path) -> bool:
    return one.is_file() and checksums(one) == checksums(other)


def analyze_example(space: Path, cache: Path, work: Path, models: Mapping[str, str], pinned: bool) -> str:
    """Analyze an example of the Space with its own code, in a process of its own.

    Args:
        space: folder of the Space.
        cache: ``HF_HUB_CACHE`` with the models.
        work: folder for the result.
        models: by kind, ``segmenter`` and ``classifier``, the reference that is to be used.
        pinned: whether the Space's own ``README.md`` must lead to these models; else they are named to it.

    Returns:
        One line: the image and the cells found.

    Raises:
        MarrowError: the analysis fails, or used other models.
    """
    image = min((space / "examples").glob("*.jpg"))
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("MARROW_")}
    environment = inherited | {"PYTHONPATH": str(space), "HF_HUB_CACHE": str(cache), "PYTHONDONTWRITEBYTECODE": "1"}
    command = [sys.executable, "-m", "marrow.cli", "analyze", str(image), "--out", str(work)]
    if not pinned:
        command += [word for kind, reference in models.items() for word in (f"--{kind}", reference)]
    try:
        done = subprocess.run(command, cwd=work, env=environment, capture_output=True, text=True, timeout=TIMEOUT)
    except subprocess.TimeoutExpired as error:
        raise MarrowError(f"The analysis with the pulled files did not end within {TIMEOUT} seconds.") from error
    if done.returncode:
        reason = (done.stderr.strip().splitlines() or ["no message"])[-1]
        raise MarrowError(f"The analysis with the pulled files failed ({reason}); mend that and run again.")
    analysis = json.loads((work / f"{image.stem}.json").read_text(encoding="utf-8"))
    for kind, reference in models.items():
        used = analysis["models"][kind]
        if pinned and reference != f"{used['repo']}@{used['revision']}":
            raise MarrowError(f"The analysis used {used['repo']}@{used['revision']} instead of {reference}.")
    return f"{image.name} analyzed with the pulled files, {len(analysis['cells'])} cells found"
