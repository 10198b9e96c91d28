"""Write every list of dependencies from the one in ``pyproject.toml``.

python -m training.requirements           # requirements.txt, space/requirements.txt, the header of training/job.py
python -m training.requirements --lock    # requirements.lock too: versions and hashes
python -m training.requirements --check   # write nothing; exit code 2 where a list differs

``requirements.lock`` holds what ``make setup`` installs. ``--lock`` keeps the versions that are in it as long as they
fit ``pyproject.toml``; delete a line first to have that package brought up to date.
"""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
import tomllib
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

from marrow.command import Command
from marrow.errors import MarrowError
from marrow.files import atomic_path

ROOT = Path(__file__).resolve().parents[1]
LOCK = "requirements.lock"
NOTE = "# Written by `make requirements` from pyproject.toml; change it there."
HEADER = re.compile(r"(?<=# dependencies = \[\n)(#     \".*\",\n)*(?=# \]\n)")


class Dependencies:
    """The dependencies of a ``pyproject.toml``.

    Args:
        root: folder of the project.
    """

    def __init__(self, root: Path = ROOT) -> None:
        self.root = root

    @cached_property
    def project(self) -> dict[str, Any]:
        """The table ``project``."""
        return tomllib.loads((self.root / "pyproject.toml").read_text(encoding="utf-8"))["project"]

    def of(self, *extras: str) -> list[str]:
        """Return what the package and some of its extras need, with the extras that those name in turn."""
        found = list(self.project["dependencies"])
        for extra in extras:
            for line in self.project["optional-dependencies"][extra]:
                own = re.fullmatch(rf"{re.escape(self.project['name'])}\[(.+)\]", line)
                found += self.of(*own[1].split(",")) if own else [line]
        return list(dict.fromkeys(found))

    def lists(self) -> dict[str, str]:
        """Return the text of each file that repeats them, by its path in the project."""
        job = (self.root / "training" / "job.py").read_text(encoding="utf-8")
        header = "".join(f'#     "{line}",\n' for line in self.of("training"))
        return {
            "requirements.txt": _list(self.of("dev")),
            "space/requirements.txt": _list(self.of("space")),
            "training/job.py": HEADER.sub(lambda _: header, job, count=1),
        }

    def differing(self) -> list[str]:
        """Return the paths whose content is another than that of :meth:`lists`."""
        return [path for path, text in self.lists().items() if _read(self.root / path) != text]


def write_lists(dependencies: Dependencies) -> None:
    """Write the files of :meth:`Dependencies.lists`."""
    for path, text in dependencies.lists().items():
        with atomic_path(dependencies.root / path) as beside:
            beside.write_text(text, encoding="utf-8")


def write_lock(root: Path = ROOT) -> None:
    """Resolve all extras for every supported Python and system, and write versions and hashes.

    Raises:
        MarrowError: uv is missing or finds no versions that fit each other.
    """
    command = [sys.executable, "-m", "uv", "pip", "compile", "pyproject.toml"]
    command += ["--all-extras", "--universal", "--generate-hashes"]
    command += ["--no-emit-index-url", "--no-emit-find-links", "--no-annotate", "--no-header", "--quiet"]
    with atomic_path(root / LOCK) as beside:
        beside.write_text(_read(root / LOCK), encoding="utf-8")  # whose versions uv prefers
        command += ["--output-file", str(beside)]
        done = subprocess.run(command, cwd=root, capture_output=True, text=True, check=False)
        if done.returncode:
            reason = " ".join(done.stderr.split())
            raise MarrowError(f"uv finds no versions that fit each other, or is missing (run make setup): {reason}")
        beside.write_text(f"{NOTE}\n{beside.read_text(encoding='utf-8')}", encoding="utf-8")


def _list(lines: Sequence[str]) -> str:
    return "\n".join([NOTE, *lines]) + "\n"


def _read(path: Path) -> str:
    return path.read_text(encoding="utf-8") if path.is_file() else ""


def _work(options: argparse.Namespace) -> int:
    dependencies = Dependencies()
    if options.check:
        if differing := dependencies.differing():
            raise MarrowError(f"{', '.join(differing)} differ from pyproject.toml: run make requirements.")
        return 0
    write_lists(dependencies)
    if options.lock:
        write_lock()
    return 0


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit code."""
    command = Command("requirements", __doc__)
    command.add_argument("--lock", action="store_true", help="resolve versions and hashes anew")
    command.add_argument("--check", action="store_true", help="only tell which lists differ")
    return command.run(_work, arguments)


if __name__ == "__main__":
    sys.exit(main())
