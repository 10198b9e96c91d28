"""Commands that run out of space at every point: one sentence, and nothing that looks whole without being it."""

from __future__ import annotations

import shlex
import subprocess
from pathlib import Path
from typing import Any

from tests.soak.work import Work, digests

NAMESPACE = ("unshare", "--map-root-user", "--mount", "--fork")
"""In which a small disk can be mounted without being root."""


def can_mount() -> bool:
    """Tell whether this machine lets us mount a small disk of our own."""
    try:
        done = subprocess.run([*NAMESPACE, "mount", "-t", "tmpfs", "none", "/mnt"], capture_output=True, check=False)
    except FileNotFoundError:
        return False
    return done.returncode == 0


def soak(works: list[Work], folder: Path, sizes: int) -> dict[str, Any]:
    """Run each command on ``sizes`` disks from nearly nothing to nearly enough; return the figures by its name."""
    return {work.name: _starve(work, folder / work.name.replace(" ", "_"), sizes) for work in works}


def _starve(work: Work, folder: Path, sizes: int) -> dict[str, Any]:
    whole_folder, disk = folder / "whole", folder / "disk"
    disk.mkdir(parents=True)
    done = work.run(whole_folder)
    assert done.returncode == 0, done.stderr
    whole, sources = digests(whole_folder), digests(work.sources) if work.sources.is_dir() else {}
    needed = sum(path.stat().st_size for path in whole_folder.rglob("*") if path.is_file())
    refused, lost = 0, []
    for number in range(sizes):
        kilobytes = max(8, int(needed / 1024 * (number + 0.5) / sizes))
        kept = folder / f"kept_{number}"
        done = work.run(disk, *_on_a_disk(disk, kilobytes, kept))
        left = digests(kept)
        refused += done.returncode == 2
        if done.returncode == 0:  # it fitted after all: every file must be whole
            broken = [name for name in whole if left.get(name) != whole[name]]
        else:
            broken = work.differing(left, whole)
        if broken or not _ends_in_a_sentence(done) or (sources and digests(work.sources) != sources):
            lost.append(f"{kilobytes} kB: exit code {done.returncode}, {broken[:3]}, {done.stderr.strip()[-200:]}")
    return {
        "disks": sizes,
        "needed_kb": needed // 1024,
        "refused": refused,
        "losses": len(lost),
        "what_was_lost": lost[:10],
    }


def _on_a_disk(disk: Path, kilobytes: int, kept: Path) -> list[str]:
    """Return the words that run a command with ``disk`` as a small disk, and copy to ``kept`` what it leaves there."""
    places = shlex.quote(str(disk)), shlex.quote(str(kept))
    script = 'mount -t tmpfs -o size={0}k none {1} && {{ "$@"; code=$?; cp -r {1} {2}; exit $code; }}'
    return [*NAMESPACE, "sh", "-c", script.format(kilobytes, *places), "sh"]


def _ends_in_a_sentence(done: subprocess.CompletedProcess[str]) -> bool:
    return done.returncode in (0, 2) and "Traceback" not in done.stderr
