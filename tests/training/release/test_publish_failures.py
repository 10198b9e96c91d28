"""Publishing while things go wrong: one line each, never a mixture on the Hub, and the same command goes on."""

from __future__ import annotations

import re
import resource
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from loopback_hub.misbehaviour import ANSWER_LOST, ERROR, WRONG_BYTES, Fault
from loopback_hub.server import HubServer
from tests.commands import ROOT
from tests.training.release.published import (
    CLASSIFIER,
    MODELS,
    SEGMENTER,
    SPACE,
    Done,
    Publisher,
    arguments,
    make_release,
    publisher,
    write,
    write_metrics,
)

NOT_TRIED_AGAIN = 501
"""A failure of the Hub that its client does not ask about again after seconds."""


@pytest.fixture
def publish(tmp_path: Path) -> Iterator[Publisher]:
    with publisher(tmp_path) as ready:
        yield ready


def what_the_space_runs(publish: Publisher, tmp_path: Path) -> tuple[bytes, tuple[bytes, ...]]:
    """Return the Space's code, by a file that changes, and the figures of the models at the commits it is pinned to."""
    models = []
    for pin in publish.pins(tmp_path):
        repo, commit = pin.split("@")
        models.append(publish.hub.read("models", repo, "metrics.json", commit))
    return publish.hub.read("spaces", f"tester/{SPACE}", "marrow/errors.py"), tuple(models)


def test_a_failure_at_any_point_leaves_the_old_space_or_the_new_one(publish: Publisher, tmp_path: Path) -> None:
    assert publish().returncode == 0
    old, commits = what_the_space_runs(publish, tmp_path), {name: publish.commits(name) for name in (*MODELS, SPACE)}
    names = [pin.split("@")[0].partition("/")[2] for pin in publish.pins(tmp_path)]
    metrics = tuple(write_metrics(publish.root / "hub" / name, new=1).encode() for name in names)
    code = publish.root / "space" / "marrow" / "errors.py"
    code.write_text(code.read_text() + "# new\n")
    new = (code.read_bytes(), metrics)
    states = []
    # Refused at each point in turn: what went well before is not done again, so one more thing is done each time.
    writes = r"POST .*/(preupload|commit|tag)/"
    for _ in range(20):
        publish.hub.faults[:] = [Fault(writes, ERROR, status=NOT_TRIED_AGAIN, skip=3)]
        done = publish()
        assert what_the_space_runs(publish, tmp_path) in (old, new)
        states.append(what_the_space_runs(publish, tmp_path) == new)
        if done.returncode == 0:
            break
        assert "does not answer" in done.error and "the same command goes on from here" in done.error
    assert states[0] is False and states[-1] is True and states == sorted(states) and len(states) > 2
    assert {name: publish.commits(name) for name in commits} == {name: n + 1 for name, n in commits.items()}
    assert all(len(repo.tags) == 2 for repo in publish.hub.repos.values())


def test_an_answer_that_is_lost_is_no_second_commit(publish: Publisher) -> None:
    publish.hub.faults[:] = [Fault(r"POST .*/(commit|tag)/", ANSWER_LOST, times=2)]
    for _ in range(3):
        done = publish("--only", "classifier")
    assert done.returncode == 0, done.stderr
    assert publish.commits(CLASSIFIER) == 1
    assert len(publish.hub.repos["models", f"tester/{CLASSIFIER}"].tags) == 1


def test_the_space_is_not_moved_to_what_comes_back_damaged(publish: Publisher) -> None:
    publish.hub.faults[:] = [Fault(rf"GET .*/{SEGMENTER}/.*model\.onnx", WRONG_BYTES)]
    error = publish().error
    assert "segmenter: model.onnx came back from tester/bone-marrow-yolov8-seg other than sent" in error
    assert ("spaces", f"tester/{SPACE}") not in publish.hub.repos
    publish.hub.faults.clear()
    assert publish().returncode == 0


def test_models_that_do_not_work_do_not_reach_the_space(publish: Publisher) -> None:
    assert publish().returncode == 0
    before = publish.heads()
    write(publish.root / "hub" / CLASSIFIER / "config.json", '{"id2label": {}}')
    write_metrics(publish.root / "hub" / CLASSIFIER)
    assert "The analysis with the pulled files failed (" in publish().error
    assert publish.heads()[SPACE] == before[SPACE]


def test_every_mistake_is_one_line(publish: Publisher, tmp_path: Path) -> None:
    root = publish.root
    assert "--dataset-dir DIR" in publish("--only", "dataset").error
    assert "There is no dataset folder" in publish("--dataset-dir", str(tmp_path / "nowhere")).error
    someone = publish(namespace="someone").error
    assert "may not write to someone" in someone and "another --namespace" in someone
    assert "publish --only segmenter first" in publish("--only", "space").error
    write(root / "hub" / SEGMENTER / "README.md", "---\nlicense: [\n---\n")
    assert "segmenter: Invalid metadata in README.md" in publish("--only", "segmenter").error
    publish.hub.readers.add("hf_tester")
    assert "The access token 'loopback' may only read" in publish("--only", "classifier").error
    publish.hub.readers.clear()
    publish.hub.expire("hf_tester")
    assert "does not accept the access token" in publish("--only", "classifier").error
    publish.hub.tokens["hf_tester"] = publish.hub.expired.pop("hf_tester")
    (root / "hub" / CLASSIFIER / "model.onnx").unlink()
    assert "has no model.onnx" in publish().error
    shutil.rmtree(root / "hub" / CLASSIFIER)
    assert "There is no classifier folder" in publish().error


def alone(hub: HubServer, root: Path, *options: str, token: str | None = None, most_bytes: int | None = None) -> Done:
    """Run the command in a process of its own, which may be kept from writing files larger than that."""
    limit = (lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (most_bytes, most_bytes))) if most_bytes else None
    environment = hub.environment(root / "home", token, PYTHONPATH=f"{ROOT}:{ROOT / 'space'}", TMPDIR=str(root))
    command = [sys.executable, "-m", "training.publish", *arguments(root, "tester", False, *options)]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, preexec_fn=limit)
    return Done(done.returncode, done.stdout, done.stderr)


def test_no_token_a_full_disk_and_no_hub_are_one_line_too(tmp_path: Path) -> None:
    root = make_release(tmp_path / "release")
    write(root / "hub" / CLASSIFIER / "large.txt", "1234567\n" * 40_000)
    with HubServer() as hub:
        assert "No access token" in alone(hub, root, token="").error
        assert "does not accept the access token" in alone(hub, root, token="hf_wrong").error
        full = alone(hub, root, "--only", "classifier", most_bytes=100_000).error
        assert re.search(r"classifier: cannot write.* \(File too large\); make room, or set TMPDIR", full)
        assert not list(root.glob("publish-*")), "nothing is left behind"
        done = alone(hub, root, "--only", "classifier")
        assert done.returncode == 0 and "unchanged at" in done.stdout and "tagged" in done.stdout
    assert f"{hub.url} does not answer" in alone(hub, root, "--only", "classifier").error
