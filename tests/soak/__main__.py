"""Try everything that should not do harm, for long, and write what came of it to benchmarks/results.json.

python -m tests.soak                                  # all of it: some hours
python -m tests.soak --only fuzz --cases 2500         # 2,500 odd inputs to each of four rooms
python -m tests.soak --only users --users 8 --minutes 1 --out /tmp/soak.json

Exit code 1 where anything was lost, leaked, hung, or ended in a traceback.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from marrow.command import Command
from marrow.files import write_whole
from tests.commands import ROOT
from tests.soak import full_disk, fuzz, kills, large, users
from tests.soak.work import make_works
from tests.space.served import EXAMPLES, Server, serve

RESULTS = ROOT / "benchmarks" / "results.json"
PARTS = ("fuzz", "kills", "disks", "large", "users")
BAD = ("faults", "losses", "tracebacks", "wrong", "leaked", "hung")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; return its exit code."""
    command = Command("soak", __doc__)
    command.add_argument("--only", choices=PARTS, nargs="+", default=PARTS, help="parts to run (all)")
    command.add_argument("--seed", type=int, default=15, help="of everything that is drawn by lot (%(default)s)")
    command.add_argument("--cases", type=int, default=2500, help="odd inputs to each of four rooms (%(default)s)")
    command.add_argument("--kills", type=int, default=20, help="of each command (%(default)s)")
    command.add_argument("--disks", type=int, default=20, help="full ones, for each command (%(default)s)")
    command.add_argument("--visitors", type=int, default=12, help="with 100 megapixels each (%(default)s)")
    command.add_argument("--users", type=int, default=64, help="visitors at once (%(default)s)")
    command.add_argument("--minutes", type=float, default=10, help="that they stay (%(default)s)")
    command.add_argument("--out", type=Path, default=RESULTS, help="JSON whose `soak` is replaced (%(default)s)")
    return command.run(_soak, arguments)


def _soak(options: argparse.Namespace) -> int:
    found: dict[str, Any] = {}
    for part in options.only:
        with tempfile.TemporaryDirectory(prefix="soak-") as folder:
            found[part] = _PARTS[part](options, Path(folder))
        print(json.dumps({part: found[part]}, indent=1), flush=True)
        _keep(options.out, part, found[part] | {"command": _command(options, part)})
    bad = _count_bad(found)
    print(f"{bad} losses, leaks, hangs and tracebacks")
    return 1 if bad else 0


def _fuzz(options: argparse.Namespace, folder: Path) -> dict[str, Any]:
    figures = fuzz.soak(options.cases, options.seed)
    for server in _space(folder):
        figures["the Space"] = fuzz.soak_server(server, EXAMPLES[0], options.cases, options.seed)
    return figures


def _kills(options: argparse.Namespace, folder: Path) -> dict[str, Any]:
    return kills.soak(make_works(folder / "sources"), folder / "killed", options.kills, options.seed)


def _disks(options: argparse.Namespace, folder: Path) -> dict[str, Any]:
    if not full_disk.can_mount():
        return {"skipped": "this machine lets nobody mount a small disk"}
    return full_disk.soak(make_works(folder / "sources"), folder / "disks", options.disks)


# Visitors from one address would have the share of one, so its limit is raised for them.
def _large(options: argparse.Namespace, folder: Path) -> dict[str, Any]:
    for server in _space(folder, MARROW_MAX_PER_VISITOR=str(options.visitors)):
        figures = large.soak(server, folder, options.visitors)
    return figures


def _users(options: argparse.Namespace, folder: Path) -> dict[str, Any]:
    (folder / "pictures").mkdir()
    for server in _space(folder, MARROW_MAX_PER_VISITOR=str(options.users)):
        figures = users.soak(server, folder / "pictures", options.users, options.minutes, options.seed)
    return figures


def _space(folder: Path, **variables: str) -> Iterator[Server]:
    hub = ROOT / "hub"
    return serve(folder, str(hub / "bone-marrow-yolov8-seg"), str(hub / "bone-marrow-mobilenet"), **variables)


_PARTS: dict[str, Callable[[argparse.Namespace, Path], dict[str, Any]]] = {
    "fuzz": _fuzz,
    "kills": _kills,
    "disks": _disks,
    "large": _large,
    "users": _users,
}


def _command(options: argparse.Namespace, part: str) -> str:
    own = {"fuzz": ("cases",), "kills": ("kills",), "disks": ("disks",)}
    own |= {"large": ("visitors",), "users": ("users", "minutes")}
    numbers = " ".join(f"--{name} {getattr(options, name):g}" for name in own[part])
    return f"python -m tests.soak --only {part} {numbers} --seed {options.seed}"


def _keep(path: Path, part: str, figures: dict[str, Any]) -> None:
    results = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
    results.setdefault("soak", {})[part] = figures
    write_whole(path, (json.dumps(results, indent=1, ensure_ascii=False) + "\n").encode())


def _count_bad(value: Any) -> int:
    if not isinstance(value, dict):
        return 0
    return sum(inner if key in BAD else _count_bad(inner) for key, inner in value.items())


if __name__ == "__main__":
    sys.exit(main())
