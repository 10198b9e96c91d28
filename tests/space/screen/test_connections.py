"""Connections that are held without being used, against a server of its own."""

from __future__ import annotations

import socket
import time
import urllib.request
from collections.abc import Iterator
from urllib.parse import urlsplit

import pytest

from tests.space.served import Server, serve

BEGUN = b"POST /gradio_api/upload HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\nx"


@pytest.fixture
def strict(model_folders, tmp_path) -> Iterator[Server]:
    variables = {"MARROW_MAX_CONNECTIONS": "50", "MARROW_MAX_SILENCE": "2"}
    yield from serve(tmp_path, *map(str, model_folders), **variables)


def test_stalled_connections_are_not_held(strict):
    place = urlsplit(strict.url)
    for start in (b"", b"GET / HT", BEGUN):
        stalled = []
        for _ in range(300):
            one = socket.create_connection((place.hostname, place.port))
            stalled.append(one)
            one.setblocking(False)
            try:
                one.sendall(start)
            except OSError:
                pass  # closed already
        deadline = time.monotonic() + 20
        while (held := sum(map(_is_open, stalled))) and time.monotonic() < deadline:
            time.sleep(0.2)
        assert held == 0, start
        with urllib.request.urlopen(strict.url, timeout=30) as page:
            assert page.status == 200


def _is_open(one: socket.socket) -> bool:
    try:
        return one.recv(65536) != b""
    except BlockingIOError:
        return True
    except OSError:
        return False
