"""What the Hub on loopback holds: repos, and bytes in a folder, accounts, jobs, faults, and what was asked of it."""

import hashlib
import os
import threading
from pathlib import Path
from typing import Any

from loopback_hub.misbehaviour import Fault
from loopback_hub.replies import HubError
from loopback_hub.repos import File, Repo


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
        root.mkdir(parents=True, exist_ok=True)
        self.root = root
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

    def user_of(self, token: str) -> str | None:
        """Return whom a token belongs to, nobody for an empty one."""
        if token in self.expired:
            raise HubError(401, f'User Access Token "{self.expired[token]}" is expired')
        if token and token not in self.tokens:
            raise HubError(401, "Invalid credentials in Authorization header")
        return self.tokens.get(token)

    def path(self, sha256: str) -> Path:
        """Where some bytes lie, or would lie."""
        return self.root / sha256

    def store(self, content: bytes, lfs: bool = False) -> File:
        """Keep some bytes, once each, and describe them as a file."""
        sha256 = hashlib.sha256(content).hexdigest()
        if not self.path(sha256).exists():
            part = self.path(sha256).with_suffix(f".{threading.get_ident()}")
            part.write_bytes(content)
            os.replace(part, self.path(sha256))
        git = hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()
        return File(sha256, len(content), git, lfs)

    def bytes_of(self, file: File) -> bytes:
        """Return the bytes of a file."""
        return self.path(file.sha256).read_bytes()

    def read(self, kind: str, repo_id: str, path: str, revision: str = "main") -> bytes:
        """Return the bytes of one file, for looking at what was pushed; ``kind`` is ``models`` and so on."""
        return self.bytes_of(self.repos[kind, repo_id].at(revision).files[path])
