"""Model references: local folders, and a Hub on loopback that the real client talks to."""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.hub_server import HubServer

# The client reads HF_ENDPOINT at import, so each case runs in a process of its own: arguments are references.
RESOLVE = """
import json, sys
from marrow.errors import MarrowError
from marrow.hub import resolve
for reference in sys.argv[1:]:
    try:
        folder = resolve(reference)
        names = sorted(file.name for file in folder.path.iterdir())
        print(json.dumps([folder.info.repo, folder.info.revision, names]))
    except MarrowError as error:
        print(json.dumps(str(error)))
"""


def resolve(environment: dict[str, str], *references: str, cwd: Path | None = None) -> tuple[list, str]:
    """Resolve references in a client process; gives ``[repo, revision, files]`` or an error text each, and stderr."""
    done = subprocess.run(
        [sys.executable, "-c", RESOLVE, *references],
        env=environment,
        cwd=cwd,
        capture_output=True,
        text=True,
        check=True,
    )
    return [json.loads(line) for line in done.stdout.splitlines()], done.stderr


def client(hub: HubServer, home: Path, code: str) -> str:
    """Run some lines with ``api``, a client that may write, and give what they print."""
    code = f"from huggingface_hub import *\napi = HfApi()\n{code}"
    done = subprocess.run(
        [sys.executable, "-c", code], env=hub.environment(home), capture_output=True, text=True, check=True
    )
    return done.stdout.strip()


@pytest.fixture
def hub(tmp_path: Path) -> Iterator[HubServer]:
    """A Hub with two commits of a model; the first is tagged ``v1``."""
    with HubServer() as server:
        client(
            server,
            tmp_path / "writer",
            """
api.create_repo("tester/model")
for text in ("one", "two"):
    files = {"config.json": text, "model.onnx": text, "model.safetensors": text, "README.md": text}
    files = [CommitOperationAdd(path, text.encode()) for path, text in files.items()]
    api.create_commit("tester/model", files, commit_message=text)
    if text == "one": api.create_tag("tester/model", tag="v1")
""",
        )
        yield server


def heads(hub: HubServer, name: str = "tester/model") -> dict[str, str]:
    """Commits of the tag and of the branch."""
    repo = hub.repos["models", name]
    return {**repo.branches, **repo.tags}


def test_pulls_only_what_the_runtime_needs(hub: HubServer, tmp_path: Path) -> None:
    commits = heads(hub)
    pinned = f"tester/model@{commits['v1']}"
    answers, _ = resolve(hub.environment(tmp_path), "tester/model", "tester/model@v1", pinned)
    assert answers == [
        ["tester/model", commits["main"], ["config.json", "model.onnx"]],
        ["tester/model", commits["v1"], ["config.json", "model.onnx"]],
        ["tester/model", commits["v1"], ["config.json", "model.onnx"]],
    ]


def test_a_local_folder_comes_before_the_hub(hub: HubServer, tmp_path: Path) -> None:
    local = tmp_path / "tester" / "model"
    local.mkdir(parents=True)
    for name in ("config.json", "model.onnx"):
        (local / name).write_text("local")
    answers, _ = resolve(hub.environment(tmp_path / "home"), "tester/model", str(local), cwd=tmp_path)
    assert answers == [["model", None, ["config.json", "model.onnx"]]] * 2


def test_every_mistake_is_one_sentence(hub: HubServer, tmp_path: Path) -> None:
    empty = tmp_path / "empty"
    empty.mkdir()
    (empty / "config.json").write_text("{}")
    client(hub, tmp_path / "writer", 'api.create_repo("tester/bare")')
    expected = {
        str(empty): "has no model.onnx",
        str(empty / "config.json"): "is a file; give the folder",
        str(tmp_path / "nowhere"): "There is no model folder",
        "tester/bare": "has no config.json and no model.onnx",
        "tester/nothing": "check the spelling",
        "tester/model@v9": "has no revision 'v9'",
        f"tester/model@{'0' * 40}": f"has no revision '{'0' * 40}'",
        "tester/a..b": "neither a folder nor a Hub id",
    }
    answers, _ = resolve(hub.environment(tmp_path / "home"), *expected)
    for (reference, part), answer in zip(expected.items(), answers, strict=True):
        assert isinstance(answer, str), reference
        assert part in answer, reference
        assert "\n" not in answer


def test_private_gated_and_wrong_token(hub: HubServer, tmp_path: Path) -> None:
    client(hub, tmp_path / "writer", 'api.update_repo_settings("tester/model", gated="auto")')
    anonymous = hub.environment(tmp_path / "anonymous", token="")
    (gated,), _ = resolve(anonymous, "tester/model")
    assert "is gated; ask for access at" in gated
    client(hub, tmp_path / "writer", 'api.update_repo_settings("tester/model", gated=False, private=True)')
    (private,), _ = resolve(anonymous, "tester/model")
    assert "log in with `hf auth login` if it is private" in private
    (wrong,), _ = resolve(hub.environment(tmp_path / "wrong", token="hf_wrong"), "tester/model")
    assert "does not accept HF_TOKEN" in wrong
    (mine,), _ = resolve(hub.environment(tmp_path / "mine"), "tester/model")
    assert mine[:2] == ["tester/model", heads(hub)["main"]]


def test_uses_the_cache_and_says_so_when_the_hub_is_away(hub: HubServer, tmp_path: Path) -> None:
    commit, environment = heads(hub)["main"], hub.environment(tmp_path)
    resolve(environment, "tester/model")
    (offline, missing), log = resolve(environment | {"HF_HUB_OFFLINE": "1"}, "tester/model", "tester/model@v1")
    assert offline == ["tester/model", commit, ["config.json", "model.onnx"]]
    assert f"HF_HUB_OFFLINE is set; using the cached copy of tester/model, commit {commit}." in log
    assert "tester/model@v1 is not in the cache; unset it" in missing
    hub.close()
    (away, missing), log = resolve(environment, "tester/model", "tester/model@v1")
    assert away == ["tester/model", commit, ["config.json", "model.onnx"]]
    assert f"{hub.url} does not answer; using the cached copy of tester/model, commit {commit}." in log
    assert missing.startswith(f"{hub.url} does not answer and tester/model@v1 is not in the cache")


def test_a_cached_commit_is_not_asked_for_again(hub: HubServer, tmp_path: Path) -> None:
    pinned, environment = f"tester/model@{heads(hub)['main']}", hub.environment(tmp_path)
    resolve(environment, pinned)
    hub.close()
    (answer,), log = resolve(environment, pinned)
    assert answer[1] == heads(hub)["main"]
    assert "does not answer" not in log


def test_a_commit_cached_in_part_is_completed(hub: HubServer, tmp_path: Path) -> None:
    commit = heads(hub)["main"]
    client(hub, tmp_path, f'hf_hub_download("tester/model", "config.json", revision="{commit}")')
    (answer,), _ = resolve(hub.environment(tmp_path), f"tester/model@{commit}")
    assert answer == ["tester/model", commit, ["config.json", "model.onnx"]]
