"""Check the packages of ``requirements.lock`` for known vulnerabilities, with pip-audit.

python -m training.audit                     # ask the package index, then OSV about what the index does not know
python -m training.audit --osv-url http://mirror/v1/query     # ask a mirror of OSV alone

Exit code 0: every package was looked up and nothing is known against it. 1: something is. 2: some packages could not be
looked up, which says nothing good about them.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from marrow.command import Command
from marrow.errors import MarrowError
from training.common.paths import ROOT

SERVICES = (("pypi",), ("osv",))
"""pip-audit's names of those that are asked, the later ones about what the earlier do not know."""


@dataclass
class Audit:
    """What is known of the packages of a lock file, as ``name==version``; a line for each vulnerable one."""

    clean: list[str] = field(default_factory=list)
    unknown: list[str] = field(default_factory=list)
    vulnerable: list[str] = field(default_factory=list)

    def add(self, dependencies: list[dict[str, Any]], packages: dict[str, str]) -> None:
        """Sort the answers of one service in; a package that it did not answer for is unknown."""
        known = {one["name"].lower(): one for one in dependencies if "skip_reason" not in one}
        self.unknown = [package for name, package in packages.items() if name not in known]
        for name, one in known.items():
            ids = [flaw["id"] for flaw in one["vulns"]]
            if ids:
                fixes = sorted({version for flaw in one["vulns"] for version in flaw["fix_versions"]})
                mended = f"mended in {', '.join(fixes)}" if fixes else "no mended version is known"
                self.vulnerable.append(f"{packages[name]}: {', '.join(ids)} ({mended})")
            else:
                self.clean.append(packages[name])


def audit(lock: Path, services: Sequence[Sequence[str]] = SERVICES) -> Audit:
    """Return what the services, values of pip-audit's ``--vulnerability-service``, know of the packages of ``lock``.

    Raises:
        MarrowError: ``lock`` names no package.
    """
    packages = locked(lock)
    found = Audit()
    for service in services:
        found.add(ask(service, packages), packages)
        packages = {name: package for name, package in packages.items() if package in found.unknown}
        if not packages:
            break
    return found


def locked(lock: Path) -> dict[str, str]:
    """Return ``name==version`` of each package of a lock file, by its name.

    Raises:
        MarrowError: there are none, or no such file.
    """
    if not lock.is_file():
        raise MarrowError(f"There is no lock file {lock}; `make requirements` writes requirements.lock.")
    lines = [line.split(";")[0].rstrip(" \\").strip() for line in lock.read_text(encoding="utf-8").splitlines()]
    packages = {line.split("==")[0].lower(): line for line in lines if "==" in line and not line.startswith(("#", "-"))}
    if not packages:
        raise MarrowError(f"{lock} names no package with its version.")
    return packages


def ask(service: Sequence[str], packages: dict[str, str]) -> list[dict[str, Any]]:
    """Return pip-audit's answers for these packages; none where the service cannot be reached."""
    with TemporaryDirectory() as folder:
        listed = Path(folder) / "packages.txt"
        listed.write_text("\n".join(packages.values()), encoding="utf-8")
        command = [sys.executable, "-m", "uv", "tool", "run", "pip-audit", "--no-deps", "--disable-pip"]
        command += ["--vulnerability-service", *service, "--format", "json", "--progress-spinner", "off"]
        command += ["--requirement", str(listed)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    try:
        return json.loads(done.stdout)["dependencies"]
    except (ValueError, KeyError):  # it ended with a traceback
        return []


def report(found: Audit) -> int:
    """Print what was found and return the exit code."""
    for line in found.vulnerable:
        print(line)
    print(f"{len(found.clean)} packages without a known vulnerability, {len(found.vulnerable)} with one.")
    if found.unknown:
        names = ", ".join(found.unknown[:5]) + (", …" if len(found.unknown) > 5 else "")
        print(
            f"NOT AUDITED: {len(found.unknown)} packages could not be looked up ({names}). This says nothing about "
            "them: run `make audit` where pypi.org or api.osv.dev can be reached.",
            file=sys.stderr,
        )
    return 1 if found.vulnerable else 2 if found.unknown else 0


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command and return its exit code."""
    command = Command("audit", __doc__)
    command.add_argument("--lock", type=Path, default=ROOT / "requirements.lock", help="the lock file (%(default)s)")
    command.add_argument("--osv-url", help="address of a mirror of OSV, asked in place of pypi.org and api.osv.dev")

    def work(options: argparse.Namespace) -> int:
        services = [("osv", "--osv-url", options.osv_url)] if options.osv_url else SERVICES
        return report(audit(options.lock, services))

    return command.run(work, arguments)


if __name__ == "__main__":
    sys.exit(main())
