"""Model references: local folders, and a Hub on loopback that the real client talks to."""

import json
import os
import pty
import resource
import select
import subprocess
import sys
import termios
import threading
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from loopback_hub.misbehaviour import CUT_OFF, ERROR, SLOW, WRONG_BYTES, Fault
from loopback_hub.server import HubServer
from marrow.hub import pinned_models

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
    """Resolve references in a client process; return ``[repo, revision, files]`` or an error text each, and stderr."""
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


def test_what_came_damaged_is_named_removed_and_pulled_again(hub: HubServer, tmp_path: Path) -> None:
    environment, commit = hub.environment(tmp_path), heads(hub)["main"]
    hub.faults.append(Fault(r"GET .*model\.onnx", WRONG_BYTES, times=1))
    (damaged, again), _ = resolve(environment, "tester/model", "tester/model")
    assert damaged == f"model.onnx of tester/model came damaged from {hub.url} and was removed; try again."
    assert again[1] == commit


def test_a_file_damaged_in_the_cache_is_not_used(hub: HubServer, tmp_path: Path) -> None:
    environment, pinned = hub.environment(tmp_path), f"tester/model@{heads(hub)['main']}"
    resolve(environment, pinned)
    next(tmp_path.glob("hub/**/snapshots/*/model.onnx")).resolve().write_bytes(b"other")
    (damaged, again), _ = resolve(environment, pinned, pinned)
    assert "model.onnx of tester/model came damaged" in damaged
    assert again[2] == ["config.json", "model.onnx"]


def test_a_download_that_is_cut_off_goes_on_or_is_one_sentence(hub: HubServer, tmp_path: Path) -> None:
    hub.faults.append(Fault(r"GET .*model\.onnx", CUT_OFF, times=1))
    (answer,), _ = resolve(hub.environment(tmp_path / "once"), "tester/model")
    assert answer[1] == heads(hub)["main"]
    hub.faults[:] = [Fault(r"GET .*model\.onnx", ERROR, status=501)]
    (never,), _ = resolve(hub.environment(tmp_path / "always"), "tester/model")
    assert f"{hub.url} does not answer and tester/model is not in the cache" in never


def test_a_hub_that_goes_away_half_way_gives_the_cached_copy_and_says_so(hub: HubServer, tmp_path: Path) -> None:
    environment, old = hub.environment(tmp_path), heads(hub)["main"]
    resolve(environment, "tester/model")
    client(
        hub,
        tmp_path / "writer",
        'api.upload_file(repo_id="tester/model", path_or_fileobj=b"3", path_in_repo="model.onnx")',
    )
    assert heads(hub)["main"] != old
    hub.faults.append(Fault(r"(GET|HEAD) .*/resolve/", ERROR, status=501))
    (answer,), log = resolve(environment, "tester/model")
    assert answer[1:] == [old, ["config.json", "model.onnx"]]
    assert f"{hub.url} does not answer; using the cached copy of tester/model, commit {old}." in log


def test_a_token_that_ran_out_is_one_sentence(hub: HubServer, tmp_path: Path) -> None:
    hub.expire("hf_tester")
    (answer,), _ = resolve(hub.environment(tmp_path, token="hf_tester"), "tester/model")
    assert answer == "The Hub does not accept HF_TOKEN; log in again with `hf auth login`, or remove it."


def test_a_full_disk_is_one_sentence_and_leaves_nothing_half(hub: HubServer, tmp_path: Path) -> None:
    client(
        hub,
        tmp_path / "writer",
        'api.upload_file(repo_id="tester/model", path_or_fileobj=bytes(300_000), path_in_repo="model.onnx")',
    )
    done = subprocess.run(
        [sys.executable, "-c", RESOLVE, "tester/model"],
        env=hub.environment(tmp_path / "home"),
        capture_output=True,
        text=True,
        check=True,
        # no file may grow beyond this, which stops the download as a full disk does
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000)),
    )
    answer = json.loads(done.stdout)
    assert answer.startswith(f"tester/model could not be kept in {tmp_path / 'home' / 'hub'} (File too large)")
    (again,), _ = resolve(hub.environment(tmp_path / "home"), "tester/model")
    assert again[2] == ["config.json", "model.onnx"]


def test_a_download_shows_how_far_it_is(hub: HubServer, tmp_path: Path) -> None:
    hub.faults.append(Fault(r"GET .*model\.onnx", SLOW, seconds=0.5))
    environment = hub.environment(tmp_path) | {"HF_HUB_DISABLE_PROGRESS_BARS": "0"}
    terminal, end = pty.openpty()
    termios.tcsetwinsize(end, (24, 100))
    with subprocess.Popen(
        [sys.executable, "-c", RESOLVE, "tester/model"], env=environment, stdout=subprocess.DEVNULL, stderr=end
    ) as process:
        os.close(end)
        seen = b""
        while process.poll() is None or select.select([terminal], [], [], 0.1)[0]:
            if select.select([terminal], [], [], 0.1)[0]:
                try:
                    seen += os.read(terminal, 4096)
                except OSError:  # the other end is closed
                    break
    os.close(terminal)
    assert b"%|" in seen and b"2/2" in seen, seen


@contextmanager
def proxy() -> Iterator[tuple[str, list[str]]]:
    """A forward proxy on loopback; return its address and what was asked of it."""
    asked: list[str] = []

    class Forward(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            headers = {key: value for key, value in self.headers.items() if key.lower() != "host"}
            request = urllib.request.Request(self.path, headers=headers, method=self.command)
            straight = urllib.request.build_opener(urllib.request.ProxyHandler({}))
            with straight.open(request) as answer:
                body = answer.read()
                self.send_response(answer.status)
                for name, value in answer.headers.items():
                    self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

        do_HEAD = do_GET  # noqa: N815 - a name http.server looks for

        def log_message(self, format: str, *args: object) -> None:
            """Keep quiet."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Forward)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}", asked
    server.shutdown()
    server.server_close()


def test_a_proxy_is_used_as_everywhere(hub: HubServer, tmp_path: Path) -> None:
    with proxy() as (address, asked):
        environment = hub.environment(tmp_path) | {"HTTP_PROXY": address, "http_proxy": address}
        environment = {key: value for key, value in environment.items() if key.lower() != "no_proxy"}
        (answer,), _ = resolve(environment, "tester/model")
    assert answer[1] == heads(hub)["main"]
    assert any(url.startswith(hub.url) and url.endswith("model.onnx") for url in asked)


def test_a_published_space_names_its_models_at_a_commit(tmp_path: Path) -> None:
    commit = "a" * 40
    readme = tmp_path / "README.md"
    for lines, pins in (
        ([], []),
        (["you/model config.json,model.onnx"], []),
        ([f"you/one config.json {commit}", f"you/two config.json,model.onnx {commit}"], ["you/one", "you/two"]),
    ):
        listed = "".join(f"- {line}\n" for line in lines)
        readme.write_text(f"---\nsdk: gradio\n{'preload_from_hub:' if lines else ''}\n{listed}---\n# A Space\n")
        assert pinned_models(readme) == [f"{pin}@{commit}" for pin in pins]
    assert pinned_models(tmp_path / "nothing.md") == []
