"""Commands killed at any moment: what was there stays whole, and the same command goes on to the same bytes."""

from __future__ import annotations

import os
import random
import shutil
import signal
import time
from pathlib import Path
from typing import Any

from loopback_hub.server import HubServer
from tests.soak.work import State, Work, digests, make_publishing, published


def soak(works: list[Work], folder: Path, kills: int, seed: int) -> dict[str, Any]:
    """Kill each command ``kills`` times, at random moments; return the figures by its name."""
    figures = {work.name: _kill_work(work, folder / work.name.replace(" ", "_"), kills, seed) for work in works}
    return figures | {"publish": _kill_publishing(folder / "publish", kills, seed)}


def _kill_work(work: Work, folder: Path, kills: int, seed: int) -> dict[str, Any]:
    choose = random.Random(f"{seed} {work.name}")
    folder.mkdir(parents=True)
    for _ in range(2):  # the first run reads from a cold disk, so the second one's time counts
        shutil.rmtree(folder / "whole", ignore_errors=True)
        start = time.monotonic()
        done = work.run(folder / "whole")
        seconds = time.monotonic() - start
        assert done.returncode == 0, done.stderr
    whole, sources = digests(folder / "whole"), _sources(work)
    lost = []
    in_time = 0
    for number in range(kills):
        out = folder / str(number)
        after = choose.uniform(0.02, 0.98) * seconds
        in_time += _kill(work, out, after)
        if broken := work.differing(digests(out), whole):
            lost.append(f"killed after {after:.2f} s: {broken} not whole")
        if told := _what_is_wrong_at_the_end(work, out, whole):
            lost.append(f"killed after {after:.2f} s: {told}")
        if _sources(work) != sources:
            lost.append(f"killed after {after:.2f} s: the sources changed")
        shutil.rmtree(out, ignore_errors=True)
    return _figures(kills, in_time, seconds, lost)


def _what_is_wrong_at_the_end(work: Work, out: Path, whole: State) -> str | None:
    """Run the command again; where its output was whole already, it may also refuse that place."""
    was_whole = digests(out) == whole
    told = _go_on(work, out)
    if told and not was_whole:
        return told
    differing = _differing(digests(out), whole) or sorted(whole.keys() - digests(out).keys())
    return f"{differing[:3]} differ at the end" if differing else None


def _figures(kills: int, in_time: int, seconds: float, lost: list[str]) -> dict[str, Any]:
    return {
        "kills": kills,
        "while_running": in_time,
        "seconds": seconds,
        "losses": len(lost),
        "what_was_lost": lost[:10],
    }


def _kill(work: Work, out: Path, after: float) -> bool:
    """Start the command and kill it and its children; tell whether it still ran."""
    process = work.begin(out)
    time.sleep(after)
    running = process.poll() is None
    if running:
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    return running


def _go_on(work: Work, out: Path) -> str | None:
    """Run the command again; return what it said if it does not end well."""
    done = work.run(out)
    return None if done.returncode == 0 else f"exit code {done.returncode}, {done.stderr.strip()[-200:]}"


def _differing(found: State, whole: State) -> list[str]:
    """Return the files that are there with other bytes than at the end of an undisturbed run."""
    return sorted(name for name in found.keys() & whole.keys() if found[name] != whole[name])


def _sources(work: Work) -> State:
    return digests(work.sources) if work.sources.is_dir() else {}


def _kill_publishing(folder: Path, kills: int, seed: int) -> dict[str, Any]:
    choose = random.Random(f"{seed} publish")
    whole: State | None = None
    seconds, in_time, lost = 0.0, 0, []
    for number in range(kills + 1):  # the first one is not killed
        place = folder / str(number)
        with HubServer(place / "hub") as hub:
            work = make_publishing(place, hub)
            if whole is not None:
                in_time += _kill(work, place, choose.uniform(0.02, 0.98) * seconds)
            start = time.monotonic()
            told = _go_on(work, place)
            found = published(hub)
        if whole is None:
            assert told is None, told
            whole, seconds = found, time.monotonic() - start
        elif told or _unpinned(found) != _unpinned(whole):
            lost.append(told or "another release than that of an undisturbed run")
        shutil.rmtree(place)
    return _figures(kills, in_time, seconds, lost)


def _unpinned(found: State) -> State:
    """Leave out what names commits, which hold the time."""
    return {name: digest for name, digest in found.items() if not name.endswith("README.md")}
