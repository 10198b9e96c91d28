"""A small Hugging Face Hub on loopback, for the unmodified ``huggingface_hub`` and all that is built on it.

It keeps model, dataset and Space repos with real commits, LFS uploads, tags, branches, pull requests, private and
gated access, ranges and Space variables, takes jobs down, and misbehaves when it is told to; it has no web pages, Xet
storage or search. Bytes lie in a folder, the rest in memory.

In a test::

    with HubServer() as hub:
        subprocess.run([...], env=hub.environment(tmp_path))

From a shell: ``python -m loopback_hub``. The client reads ``HF_ENDPOINT`` when it is first imported, so it belongs in a
process of its own, with ``HF_HUB_DISABLE_XET=1``.
"""

import os
import tempfile
import threading
from http.server import ThreadingHTTPServer
from pathlib import Path
from typing import Self

from loopback_hub import accounts, discussions, jobs, reading, writing  # noqa: F401 - they hold the routes
from loopback_hub.handler import Handler
from loopback_hub.state import HubState


class HubServer(HubState):
    """A Hub on a free port of 127.0.0.1; use it as a context manager, or ``start()`` and ``close()`` it.

    Args:
        root: folder for the bytes of uploaded files; a temporary one that ``close()`` removes when not given.
        port: TCP port, 0 for a free one.
        tokens: access tokens and the user each belongs to; a user may write to the namespace of that name and to
            ``organisations``. By default ``{"hf_tester": "tester"}``.
    """

    def __init__(self, root: Path | None = None, port: int = 0, tokens: dict[str, str] | None = None) -> None:
        self._temporary = None if root else tempfile.TemporaryDirectory(prefix="hub-")
        super().__init__(Path(root or self._temporary.name), tokens or {"hf_tester": "tester"})
        handler = type("BoundHandler", (Handler,), {"hub": self})
        self._http = ThreadingHTTPServer(("127.0.0.1", port), handler)
        self.url = f"http://127.0.0.1:{self._http.server_port}"

    def start(self) -> Self:
        """Answer requests in a thread of its own."""
        threading.Thread(target=self._http.serve_forever, daemon=True).start()
        return self

    def close(self) -> None:
        """Stop answering, and forget the bytes when they lie in a temporary folder."""
        self._http.shutdown()
        self._http.server_close()
        if self._temporary:
            self._temporary.cleanup()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *error: object) -> None:
        self.close()

    def environment(self, home: Path, token: str | None = None, **extra: str) -> dict[str, str]:
        """Return the environment of a client process: this Hub, a cache under ``home``, a token, no Xet.

        Args:
            home: folder for the client's cache and settings.
            token: access token, the first of ``tokens`` by default; empty for an anonymous client.
            extra: further variables.
        """
        inherited = {k: v for k, v in os.environ.items() if not k.startswith(("HF_", "HUGGING"))}
        token = next(iter(self.tokens)) if token is None else token
        off = ("HF_HUB_DISABLE_XET", "HF_HUB_DISABLE_TELEMETRY", "HF_HUB_DISABLE_PROGRESS_BARS")
        own = {"HF_ENDPOINT": self.url, "HF_HOME": str(home), "HF_TOKEN": token} | dict.fromkeys(off, "1")
        return inherited | own | extra
