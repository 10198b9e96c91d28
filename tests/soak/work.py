"""The commands that the soak kills and starves of space: what each reads, what it writes, and how it is started."""

from __future__ import annotations

import hashlib
import io
import os
import re
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import h5py

from loopback_hub.server import HubServer
from tests.commands import ROOT, succeed
from tests.conftest import CLASSIFIER_CONFIG
from tests.space.served import EXAMPLES
from tests.training.release.published import arguments, make_release

TIMES = re.compile(rb'"(seconds|config.json)": [^,}\n]*')

State = dict[str, str]
"""Digest of each file of an output, by its name."""


@dataclass(frozen=True)
class Work:
    """A command with what it reads.

    Args:
        name: of the command.
        sources: folder of what it reads, and must leave alone.
        start: returns the command line for a folder to write into.
        changing: folder in the output whose files are replaced while it works, each whole.
    """

    name: str
    sources: Path
    start: Callable[[Path], list[str | Path]]
    environment: Callable[[Path], dict[str, str]] = lambda out: {}
    changing: str | None = None

    def differing(self, found: State, whole: State) -> list[str]:
        """Return the files left by a stopped run that have other bytes than at the end of an undisturbed one."""
        common = (name for name in found.keys() & whole.keys() if name.split("/")[0] != self.changing)
        return sorted(name for name in common if found[name] != whole[name])

    def run(self, out: Path, *before: str) -> subprocess.CompletedProcess[str]:
        """Run it to its end, with words before the command line."""
        command = [*before, sys.executable, *map(str, self.start(out))]
        environment = os.environ | self.environment(out)
        return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)

    def begin(self, out: Path) -> subprocess.Popen[bytes]:
        """Start it in a process group of its own."""
        command = [sys.executable, *map(str, self.start(out))]
        environment = os.environ | self.environment(out)
        quiet = subprocess.DEVNULL
        return subprocess.Popen(command, cwd=ROOT, env=environment, stdout=quiet, stderr=quiet, start_new_session=True)


def digests(folder: Path) -> State:
    """Return the digest of every file under a folder, but for hidden ones, by its path in the folder."""
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(_timeless(path)).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and not any(part.startswith(".") for part in path.relative_to(folder).parts)
    }


def _timeless(path: Path) -> bytes:
    """Return the content of a file without the seconds that a training took, nor digests of files that hold them."""
    if path.suffix == ".keras":
        return _weights(path)
    content = path.read_bytes()
    if path.name in ("history.jsonl", "config.json", "metrics.json"):
        content = TIMES.sub(b"", content)
    return content


def _weights(path: Path) -> bytes:
    """Return the arrays of a Keras file, the optimiser's too; the file itself holds when it was saved."""
    arrays: dict[str, bytes] = {}

    def note(name: str, item: object) -> None:
        if isinstance(item, h5py.Dataset):
            arrays[name] = item[()].tobytes()

    with zipfile.ZipFile(path) as whole, h5py.File(io.BytesIO(whole.read("model.weights.h5"))) as file:
        file.visititems(note)
    return repr(sorted(arrays.items())).encode()


def make_works(root: Path) -> list[Work]:
    """Make small sources under ``root`` and return the commands that read them."""
    drawn, built, pictures = root / "drawn", root / "built", root / "pictures"
    succeed("dataset_scripts/synthetic_cells.py", "--out", drawn, "--per-class", "10")
    succeed("dataset_scripts/bone_marrow_12.py", "--data-dir", drawn, "--out", built, "--per-class", "10")
    pictures.mkdir()
    for example in EXAMPLES[:2]:
        shutil.copy(example, pictures)
    config = root / "tiny.toml"
    config.write_text(CLASSIFIER_CONFIG)

    def build(out: Path) -> list[str | Path]:
        return ["dataset_scripts/bone_marrow_12.py", "--data-dir", drawn, "--out", out / "set", "--per-class", "10"]

    def draw(out: Path) -> list[str | Path]:
        return ["dataset_scripts/synthetic_cells.py", "--out", out / "cells", "--per-class", "20"]

    def compose(out: Path) -> list[str | Path]:
        numbers = ("--train", "8", "--validation", "3", "--test", "3", "--size", "128")
        return ["dataset_scripts/smear_fields.py", "--data", built, "--out", out / "fields", *numbers]

    def analyze(out: Path) -> list[str | Path]:
        files = sorted(pictures.iterdir())
        return ["-m", "marrow.cli", "analyze", *files, "--out", out / "found", "--format", "json,csv,coco,png"]

    def train(out: Path) -> list[str | Path]:
        places = ("--config", config, "--run-dir", out / "run", "--output-dir", out / "model")
        return ["-m", "training.train_classifier", "--data", built, *places]

    return [
        Work("synthetic_cells", root / "nothing", draw),
        Work("bone_marrow_12", drawn, build),
        Work("smear_fields", built, compose),
        Work("marrow analyze", pictures, analyze),
        Work("train_classifier", built, train, changing="run"),
    ]


def make_publishing(root: Path, hub: HubServer) -> Work:
    """Return the publishing of a small release to a Hub on loopback."""
    release = make_release(root / "release")

    def publish(out: Path) -> list[str | Path]:
        return ["-m", "training.publish", *arguments(release, "tester", True)]

    return Work("publish", release, publish, lambda out: hub.environment(root / "home"))


def published(hub: HubServer) -> State:
    """Return the digest of each file on the main branch of each repo."""
    return {
        f"{name}/{path}": hashlib.sha256(hub.read(kind, name, path)).hexdigest()
        for (kind, name), repo in hub.repos.items()
        for path in repo.at("main").files
    }
