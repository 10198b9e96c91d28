"""The loopback Hub when it is told to misbehave, as the unmodified client sees it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest

from loopback_hub.misbehaviour import ANSWER_LOST, AWAY, CUT_OFF, ERROR, SLOW, WRONG_BYTES, Fault
from loopback_hub.repos import Repo
from loopback_hub.server import HubServer

CONTENT = os.urandom(500_000)
MODEL = "/tester/model/resolve/main/model.onnx"


@pytest.fixture
def hub() -> Iterator[HubServer]:
    """A Hub with one model of two files."""
    with HubServer() as server:
        repo = server.repos["models", "tester/model"] = Repo("models", "tester/model")
        files = {"model.onnx": server.store(CONTENT, lfs=True), "config.json": server.store(b"{}")}
        repo.commit("main", files, "two files")
        yield server


@pytest.fixture
def get(hub: HubServer) -> Iterator[Callable[..., httpx.Response]]:
    """Get a path of the Hub, as ``tester``."""
    with httpx.Client(base_url=hub.url, headers={"Authorization": "Bearer hf_tester"}) as client:
        yield client.get


def test_a_fault_strikes_the_requests_it_names_and_no_others(hub, get):
    hub.faults.append(Fault(r"GET .*/model\.onnx", ERROR, status=503, skip=1, times=2))
    assert [get(MODEL).status_code for _ in range(4)] == [200, 503, 503, 200]
    assert get("/api/models/tester/model").status_code == 200
    assert hub.requests.count(f"GET {MODEL}") == 4


def test_away_does_nothing_and_a_lost_answer_does_everything(hub):
    post = {"json": {"tag": "v1"}, "headers": {"Authorization": "Bearer hf_tester"}}
    for kind, tags in ((AWAY, 0), (ANSWER_LOST, 1)):
        hub.faults[:] = [Fault("POST .*/tag/", kind)]
        with pytest.raises(httpx.RemoteProtocolError):
            httpx.post(f"{hub.url}/api/models/tester/model/tag/main", **post)
        assert len(hub.repos["models", "tester/model"].tags) == tags


def test_wrong_bytes_have_the_right_length(hub, get):
    hub.faults.append(Fault("model.onnx", WRONG_BYTES))
    content = get(MODEL).content
    assert len(content) == len(CONTENT) and content != CONTENT


def test_slow_is_late_and_right(hub, get):
    hub.faults.append(Fault("config.json", SLOW, seconds=0.5))
    start = time.monotonic()
    assert get("/tester/model/resolve/main/config.json").content == b"{}"
    assert time.monotonic() - start >= 0.5


def test_a_download_that_is_cut_off_is_gone_on_with_by_the_client(hub, tmp_path):
    hub.faults.append(Fault(r"GET .*model\.onnx", CUT_OFF, times=1))
    code = 'from huggingface_hub import *; print(hf_hub_download("tester/model", "model.onnx"))'
    done = subprocess.run(
        [sys.executable, "-c", code], env=hub.environment(tmp_path), capture_output=True, text=True, check=True
    )
    assert Path(done.stdout.strip()).read_bytes() == CONTENT
    assert hub.requests.count(f"GET {MODEL}") == 2


def test_an_expired_token_is_refused_with_the_words_of_the_hub(hub, get):
    hub.expire("hf_tester")
    answer = get("/api/whoami-v2")
    assert answer.status_code == 401
    assert "is expired" in json.loads(answer.content)["error"]


def test_a_token_that_may_only_read_says_so_and_writes_nothing(hub, get):
    hub.readers.add("hf_tester")
    assert get("/api/whoami-v2").json()["auth"]["accessToken"]["role"] == "read"
    headers = {"Authorization": "Bearer hf_tester"}
    assert httpx.post(f"{hub.url}/api/repos/create", json={"name": "x"}, headers=headers).status_code == 403
