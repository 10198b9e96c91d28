"""What the Hub on loopback holds: repos and their bytes, accounts, jobs, faults, and what was asked of it."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

from loopback_hub.misbehaviour import Fault
from loopback_hub.repos import Blobs, File, Repo


class HubState:
    """Everything that a Hub knows; :class:`loopback_hub.server.HubServer` serves it.

    Args:
        root: folder for the bytes of uploaded files.
        tokens: access tokens and the user each belongs to.

    Attributes:
        url: address for ``HF_ENDPOINT``.
        repos: every repo by ``(kind, id)``, for looking at what was pushed.
        faults: what goes wrong, see :mod:`loopback_hub.misbehaviour`.
        readers: tokens that may only read.
        organisations: namespaces that every user may write to.
        requests: ``METHOD /path?query`` of all requests so far.
        jobs: the jobs that were asked for.
    """

    url: str

    def __init__(self, root: Path, tokens: dict[str, str]) -> None:
        self.blobs = Blobs(root)
        self.tokens = tokens
        self.expired: dict[str, str] = {}
        self.readers: set[str] = set()
        self.organisations: list[str] = []
        self.repos: dict[tuple[str, str], Repo] = {}
        self.jobs: list[dict[str, Any]] = []
        self.faults: list[Fault] = []
        self.requests: list[str] = []
        self.lock = threading.RLock()

    def expire(self, token: str) -> None:
        """Have an access token run out."""
        self.expired[token] = self.tokens.pop(token)

    def note(self, request: str) -> Fault | None:
        """Write a request down; return the fault that strikes it, if any."""
        with self.lock:
            self.requests.append(request)
            return next((fault for fault in self.faults if fault.strikes(request)), None)

    def store(self, content: bytes, lfs: bool = False) -> File:
        """Keep some bytes, for a commit made by a test."""
        return self.blobs.store(content, lfs)

    def read(self, kind: str, repo_id: str, path: str, revision: str = "main") -> bytes:
        """Return the bytes of one file, for looking at what was pushed; ``kind`` is ``models`` and so on."""
        return self.blobs.read(self.repos[kind, repo_id].at(revision).files[path])
