"""The loopback Hub, seen through the unmodified huggingface_hub and datasets libraries."""

import json
import os
import signal
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from loopback_hub.server import HubServer
from tests.commands import ROOT

MODELS = """
import json, os
from pathlib import Path
from huggingface_hub import *

api = HfApi()
seen = {"user": api.whoami()["name"]}
api.create_repo("tester/model")
api.create_repo("tester/model", exist_ok=True)
folder = Path("folder"); (folder / "figures").mkdir(parents=True)
(folder / "README.md").write_text("---\\nlicense: agpl-3.0\\n---\\n# A model\\n")
(folder / "model.onnx").write_bytes(os.urandom(2_000_000))
(folder / "figures" / "a b.png").write_bytes(b"\\0\\1\\2" * 99)
(folder / "empty.txt").touch()
first = api.upload_folder(repo_id="tester/model", folder_path=folder)
seen["again"] = api.upload_folder(repo_id="tester/model", folder_path=folder).oid == first.oid
api.create_tag("tester/model", tag="v1.0")
api.create_branch("tester/model", branch="dev/next")
api.upload_file(repo_id="tester/model", path_or_fileobj=b"x", path_in_repo="x.txt", revision="dev/next")
api.create_commit("tester/model", [CommitOperationDelete("empty.txt")], commit_message="less")
old, new = (Path(snapshot_download("tester/model", revision=r)) for r in ("v1.0", None))
seen["commit"] = [old.name == first.oid, api.model_info("tester/model").sha == new.name]
seen["files"] = [sorted(p.relative_to(f).as_posix() for p in f.rglob("*") if p.is_file()) for f in (old, new)]
seen["bytes"] = (new / "model.onnx").read_bytes() == (folder / "model.onnx").read_bytes()
seen["branch"] = Path(hf_hub_download("tester/model", "x.txt", revision="dev/next")).read_text()
seen["tree"] = [[e.path, bool(getattr(e, "lfs", None))] for e in api.list_repo_tree("tester/model", "figures")]
seen["lfs"] = [s.rfilename for s in api.model_info("tester/model", files_metadata=True).siblings if s.lfs]
seen["refs"] = [r.name for r in api.list_repo_refs("tester/model").tags]
seen["titles"] = [c.title for c in api.list_repo_commits("tester/model")]
seen["license"] = api.model_info("tester/model").card_data.license
with HfFileSystem().open("tester/model/model.onnx") as remote:
    remote.seek(1_000_000)
    seen["range"] = remote.read(1000) == (folder / "model.onnx").read_bytes()[1_000_000:1_001_000]
print(json.dumps(seen))
"""

REFUSALS = """
import json
from huggingface_hub import *
from huggingface_hub.errors import *

def name(action):
    try:
        action()
    except Exception as error:
        return type(error).__name__, getattr(getattr(error, "response", None), "status_code", None)

api = HfApi()
api.create_repo("tester/model")
head = api.model_info("tester/model").sha
api.upload_file(repo_id="tester/model", path_or_fileobj=b"1", path_in_repo="a.txt")
print(json.dumps([
    name(lambda: api.create_repo("someone/model")),
    name(lambda: api.create_repo("tester/model")),
    name(lambda: api.create_repo("tester/other", token=False)),
    name(lambda: api.whoami(token="hf_wrong")),
    name(lambda: api.model_info("tester/nothing")),
    name(lambda: api.model_info("tester/model", revision="v9")),
    name(lambda: hf_hub_download("tester/model", "nothing.txt")),
    name(lambda: api.upload_file(
        repo_id="tester/model", path_or_fileobj=b"2", path_in_repo="a.txt", parent_commit=head)),
    name(lambda: api.upload_file(
        repo_id="tester/model", path_or_fileobj=b"---\\na: [\\n---\\n", path_in_repo="README.md")),
    name(lambda: api.create_commit(
        "tester/model", [CommitOperationDelete("nothing.txt")], commit_message="-")),
]))
"""

DATASET = """
import json
import numpy as np
from datasets import ClassLabel, Dataset, DatasetDict, Features, Image, load_dataset

def rows(n, value):
    images = [np.full((9, 9, 3), value + i, np.uint8) for i in range(n)]
    features = Features(image=Image(), label=ClassLabel(names=["BLA", "EOS"]))
    return Dataset.from_dict({"image": images, "label": [i % 2 for i in range(n)]}, features=features)

DatasetDict(train=rows(5, 10), test=rows(3, 90)).push_to_hub("tester/cells")
rows(2, 50).push_to_hub("tester/cells", "other")
loaded = load_dataset("tester/cells", "default")
streamed = next(iter(load_dataset("tester/cells", "default", split="test", streaming=True)))
print(json.dumps({
    "rows": {name: len(split) for name, split in loaded.items()},
    "labels": loaded["train"].features["label"].names,
    "pixels": [int(np.asarray(row["image"])[0, 0, 0]) for row in loaded["train"]],
    "other": len(load_dataset("tester/cells", "other", split="train")),
    "streamed": int(np.asarray(streamed["image"])[0, 0, 0]),
}))
"""

SPACE = """
import json
from huggingface_hub import *

api = HfApi()
api.create_repo("tester/space", repo_type="space", space_sdk="gradio", private=True)
api.add_space_variable("tester/space", "MODEL", "a")
api.add_space_variable("tester/space", "MODEL", "b")
info = api.space_info("tester/space")
variables = {key: variable.value for key, variable in api.get_space_variables("tester/space").items()}
api.delete_space_variable("tester/space", "MODEL")
seen = [info.sdk, info.private, variables, api.get_space_variables("tester/space")]
print(json.dumps([*seen, api.repo_exists("tester/space", repo_type="space", token=False)]))
"""

PULL_REQUESTS = """
import json
from huggingface_hub import *

def add(text, **where):
    files = [CommitOperationAdd("a.txt", text.encode())]
    return api.create_commit("tester/model", files, commit_message=f"say {text}", **where)

def text(revision):
    return open(hf_hub_download("tester/model", "a.txt", revision=revision)).read()

api = HfApi()
api.create_repo("tester/model")
old = add("one").oid
pull = add("two", create_pr=True)
add("three", revision=pull.pr_revision)
seen = {"pull": [pull.pr_num, pull.pr_revision], "texts": [text("main"), text(pull.oid), text("refs/pr/1")]}
other = add("four", create_pr=True)
listed = api.get_repo_discussions("tester/model", discussion_type="pull_request", discussion_status="open")
seen["open"] = [[d.num, d.title, d.author] for d in listed]
refs = api.list_repo_refs("tester/model", include_pull_requests=True)
seen["refs"] = [[r.ref for r in refs.branches], [r.ref for r in refs.pull_requests]]
api.merge_pull_request("tester/model", 1)
details = api.get_discussion_details("tester/model", 1)
head = api.model_info("tester/model").sha
seen["merged"] = [details.status, details.merge_commit_oid == head, text("main"), text(old)]
seen["conflict"] = api.get_discussion_details("tester/model", other.pr_num).conflicting_files
api.change_discussion_status("tester/model", other.pr_num, "closed")
seen["closed"] = api.get_discussion_details("tester/model", other.pr_num).status
seen["titles"] = [c.title for c in api.list_repo_commits("tester/model")]
print(json.dumps(seen))
"""

COMMANDS = """
hf auth whoami
hf repos create tester/model
echo one > a.txt
hf upload tester/model a.txt
hf repos tag create tester/model v1
hf repos tag list tester/model
echo two > a.txt
hf upload tester/model a.txt --create-pr
hf download tester/model a.txt --revision v1 --local-dir down
hf download tester/model a.txt --revision refs/pr/1 --local-dir up
hf jobs run --detach --secrets HF_TOKEN python:3.12 python -c 'print(1)'
"""


@pytest.fixture
def hub() -> Iterator[HubServer]:
    """An empty Hub."""
    with HubServer() as server:
        yield server


def run(hub: HubServer, home: Path, code: str) -> object:
    """Run a client process in ``home`` and read the JSON it prints last."""
    home.mkdir(exist_ok=True)
    done = subprocess.run(
        [sys.executable, "-c", code],
        env=hub.environment(home / "cache"),
        cwd=home,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


def test_a_model_repo_from_creation_to_snapshot(hub: HubServer, tmp_path: Path) -> None:
    after = [".gitattributes", "README.md", "figures/a b.png", "model.onnx"]
    assert run(hub, tmp_path, MODELS) == {
        "user": "tester",
        "again": True,
        "commit": [True, True],
        "files": [sorted([*after, "empty.txt"]), after],
        "bytes": True,
        "branch": "x",
        "tree": [["figures/a b.png", True]],
        "lfs": ["figures/a b.png", "model.onnx"],
        "refs": ["v1.0"],
        "titles": ["less", "Upload folder using huggingface_hub", "initial commit"],
        "license": "agpl-3.0",
        "range": True,
    }


def test_refuses_as_the_hub_does(hub: HubServer, tmp_path: Path) -> None:
    assert run(hub, tmp_path, REFUSALS) == [
        ["HfHubHTTPError", 403],
        ["HfHubHTTPError", 409],
        ["HfHubHTTPError", 401],
        ["HfHubHTTPError", 401],
        ["RepositoryNotFoundError", 404],
        ["RevisionNotFoundError", 404],
        ["RemoteEntryNotFoundError", 404],
        ["HfHubHTTPError", 412],
        ["ValueError", None],
        ["RemoteEntryNotFoundError", 404],
    ]


def test_a_dataset_is_pushed_loaded_and_streamed(hub: HubServer, tmp_path: Path) -> None:
    assert run(hub, tmp_path, DATASET) == {
        "rows": {"train": 5, "test": 3},
        "labels": ["BLA", "EOS"],
        "pixels": [10, 11, 12, 13, 14],
        "other": 2,
        "streamed": 90,
    }
    head = hub.repos["datasets", "tester/cells"].at("main")
    assert all(file.lfs for path, file in head.files.items() if path.endswith(".parquet"))


def test_a_space_has_variables_and_privacy(hub: HubServer, tmp_path: Path) -> None:
    assert run(hub, tmp_path, SPACE) == ["gradio", True, {"MODEL": "b"}, {}, False]


def test_a_pull_request_is_opened_read_and_merged(hub: HubServer, tmp_path: Path) -> None:
    assert run(hub, tmp_path, PULL_REQUESTS) == {
        "pull": [1, "refs/pr/1"],
        "texts": ["one", "two", "three"],
        "open": [[2, "say four", "tester"], [1, "say two", "tester"]],
        "refs": [["refs/heads/main"], ["refs/pr/1", "refs/pr/2"]],
        "merged": ["merged", True, "three", "one"],
        "conflict": ["a.txt"],
        "closed": "closed",
        "titles": ["say two (#1)", "say one", "initial commit"],
    }


def test_the_hf_command_works_against_it(hub: HubServer, tmp_path: Path) -> None:
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    done = subprocess.run(
        ["bash", "-euc", COMMANDS],
        env=hub.environment(tmp_path / "home", PATH=path),
        cwd=tmp_path,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert "tester" in done.stdout and "v1" in done.stdout
    assert [(tmp_path / folder / "a.txt").read_text() for folder in ("down", "up")] == ["one\n", "two\n"]
    (job,) = hub.jobs
    assert job["command"] == ["python", "-c", "print(1)"]
    assert job["secrets"] == {"HF_TOKEN": "hf_tester"}


def test_the_command_serves_until_it_is_stopped(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "loopback_hub", "--port", "0", "--root", str(tmp_path), "--user", "me"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT) as server:
        try:
            address = server.stdout.readline().strip()
            request = urllib.request.Request(f"{address}/api/whoami-v2", headers={"Authorization": "Bearer hf_tester"})
            with urllib.request.urlopen(request, timeout=10) as answer:
                assert json.load(answer)["name"] == "me"
        finally:
            server.send_signal(signal.SIGTERM)
        assert server.wait(10) == 0
