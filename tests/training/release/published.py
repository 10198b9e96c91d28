"""A small release to publish, and the command that publishes it, for several tests."""

from __future__ import annotations

import contextlib
import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from loopback_hub.server import HubServer
from marrow.hub import pinned_models
from tests.commands import ROOT
from tests.space.known_models import make_classifier, make_segmenter
from training.common.model_folder import digests, note_weights

CARD = "---\nlicense: agpl-3.0\n---\n# A card\n\nUse `NAMESPACE/bone-marrow-mobilenet`.\n"
CLASSIFIER, SEGMENTER, SPACE = "bone-marrow-mobilenet", "bone-marrow-yolov8-seg", "bone-marrow-smear"
MODELS = (CLASSIFIER, SEGMENTER)

# Runs the command again and again in one process, since the libraries take longer to import than it takes to run.
LOOP = """
import contextlib, io, json, sys
from training.publish import main
for line in sys.stdin:
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        code = main(json.loads(line))
    print(json.dumps([code, out.getvalue(), err.getvalue()]), flush=True)
"""


@dataclass(frozen=True)
class Done:
    """How one run of the command ended."""

    returncode: int
    stdout: str
    stderr: str

    @property
    def error(self) -> str:
        """The one line that the command ended with."""
        assert self.returncode == 2, self.stdout + self.stderr
        lines = [line for line in self.stderr.splitlines() if line.startswith("publish: ")]
        assert len(lines) == 1 and "Traceback" not in self.stderr, self.stderr
        return lines[0]


def make_release(root: Path) -> Path:
    """Make folders ``dataset``, ``hub`` and ``space`` of a release as small as it can be; return their folder."""
    dataset, models, space = root / "dataset", root / "hub", root / "space"
    write(dataset / "README.md", "---\nlicense: cc-by-4.0\n---\n# Cells\n\nThese are cells.\n")
    write(dataset / "bone-marrow-12.py", "raise SystemExit('never to be run')\n")
    for split, rows in (("train", 4), ("validation", 2), ("test", 1)):
        path = dataset / "data" / f"{split}-00000-of-00001.parquet"
        path.parent.mkdir(exist_ok=True)
        pq.write_table(pa.table({"label": list(range(rows))}), path)
    models.mkdir()
    make_classifier(models / CLASSIFIER)
    make_segmenter(models / SEGMENTER)
    for name in MODELS:
        write(models / name / "README.md", CARD)
        note_weights(models / name)
        write_metrics(models / name)
    left_out = shutil.ignore_patterns("__pycache__", "*.egg-info", "flags", "*.pyi")
    shutil.copytree(ROOT / "space", space, ignore=left_out)
    for example in sorted((space / "examples").glob("*.jpg"))[1:]:
        example.unlink()
    for name in ("marrow/__pycache__/old.pyc", "flags/visitor.json", "marrow.egg-info/PKG-INFO", ".cache/x"):
        write(space / name, "not for the Hub")
    return root


def write_metrics(folder: Path, **metrics: object) -> str:
    """Write the ``metrics.json`` of a model as it is now, with any metrics; return its text."""
    text = json.dumps(metrics | {"sha256": digests(folder)})
    write(folder / "metrics.json", text)
    return text


def write(path: Path, text: str) -> None:
    """Write a small text file, with its folder."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


class Publisher:
    """The command, against one Hub, with the folders of one release."""

    def __init__(self, hub: HubServer, root: Path, process: subprocess.Popen[str]) -> None:
        self.hub, self.root, self._process = hub, root, process

    def __call__(self, *options: str, namespace: str = "tester", dataset: bool = False) -> Done:
        """Run the command, which tells nobody the token, whatever happens."""
        self._process.stdin.write(json.dumps(arguments(self.root, namespace, dataset, *options)) + "\n")
        self._process.stdin.flush()
        line = self._process.stdout.readline()
        assert line, "the command ended its process"
        done = Done(*json.loads(line))
        assert not any(token in done.stdout + done.stderr for token in self.hub.tokens | self.hub.expired)
        return done

    def heads(self) -> dict[str, str]:
        """Return the commit of each repo by its name."""
        return {name.split("/")[1]: repo.branches["main"] for (_, name), repo in self.hub.repos.items()}

    def pins(self, tmp_path: Path, revision: str = "main") -> list[str]:
        """Return the models that the Space is pinned to."""
        readme = tmp_path / "pins.md"
        readme.write_bytes(self.hub.read("spaces", f"tester/{SPACE}", "README.md", revision))
        return pinned_models(readme)

    def edit(self, kind: str, name: str, path: str, text: str) -> None:
        """Change a file on the Hub by hand."""
        repo = self.hub.repos[kind, f"tester/{name}"]
        repo.commit("main", repo.at("main").files | {path: self.hub.store(text.encode())}, f"Update {path}")

    def commits(self, name: str) -> int:
        """Count the commits of a repo, without the Hub's own first one."""
        return next(len(repo.commits) - 1 for (_, known), repo in self.hub.repos.items() if known == f"tester/{name}")


def arguments(root: Path, namespace: str, dataset: bool, *options: str) -> list[str]:
    """Return the command line for a release."""
    given = ["--namespace", namespace, "--hub-dir", str(root / "hub"), "--space-dir", str(root / "space")]
    return given + (["--dataset-dir", str(root / "dataset")] if dataset else []) + list(options)


@contextlib.contextmanager
def publisher(tmp_path: Path) -> Iterator[Publisher]:
    """Serve an empty Hub, make a release, and stand ready to publish it."""
    root = make_release(tmp_path / "release")
    with HubServer() as hub:
        environment = hub.environment(tmp_path / "home", PYTHONPATH=f"{ROOT}:{ROOT / 'space'}")
        with subprocess.Popen(
            [sys.executable, "-c", LOOP],
            env=environment,
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        ) as process:
            try:
                yield Publisher(hub, root, process)
            finally:
                process.stdin.close()
