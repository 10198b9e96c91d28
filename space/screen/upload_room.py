"""The room that all uploads together have on the disk: before another comes in, those used longest ago go."""

from __future__ import annotations

from pathlib import Path

from gradio.utils import get_upload_folder
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import Headers
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Receive, Scope, Send

MEGABYTE = 1_000_000

LARGEST = 50
"""Megabytes of the largest file that is taken in."""

HEAD = 100_000
"""Bytes of an upload that may be no file: what the browser writes around it."""


class UploadRoom:
    """Takes in uploads, one file at a time, as long as there is room, and makes it.

    Gradio deletes uploads an hour after their last use; within the hour it would take in any number of them.

    Args:
        app: what answers the request.
        megabytes: that all uploads may have on the disk.
    """

    def __init__(self, app: ASGIApp, megabytes: int) -> None:
        self._app, self._most = app, megabytes * MEGABYTE

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request; an upload that is too large, or of unknown size, is refused before it is read."""
        if scope["type"] == "http" and scope["method"] == "POST" and scope["path"].endswith("/upload"):
            size = Headers(scope=scope).get("content-length", "")
            if not size.isdecimal():
                return await PlainTextResponse("Say how long the upload is.", 411)(scope, receive, send)
            if int(size) > min(LARGEST * MEGABYTE + HEAD, self._most):
                sentence = f"Upload files of at most {LARGEST} MB, one at a time."
                return await PlainTextResponse(sentence, 413)(scope, receive, send)
            await run_in_threadpool(make_room, Path(get_upload_folder()), self._most - int(size))
        await self._app(scope, receive, send)


def make_room(folder: Path, most: int) -> None:
    """Delete files below a folder, the one used longest ago first, until at most ``most`` bytes are left."""
    files = []
    for path in folder.rglob("*"):
        try:
            if path.is_file():
                files.append((path.stat().st_mtime, path.stat().st_size, path))
        except OSError:
            pass  # somebody else has just deleted it
    held = sum(size for _, size, _ in files)
    for _, size, path in sorted(files):
        if held <= most:
            return
        path.unlink(missing_ok=True)
        held -= size
