"""A visitor of the Space without a browser: what the page asks the server for, asked over HTTP."""

from __future__ import annotations

import json
import secrets
from pathlib import Path
from typing import Any

import httpx

PATIENCE = 120.0
"""Seconds after which no answer counts as a hang."""

JSON = {"Content-Type": "application/json"}


class Visitor:
    """One visitor, with a session of their own.

    Args:
        url: address of the Space.
        language: of the visitor, as browsers send it.
    """

    def __init__(self, url: str, language: str = "en") -> None:
        once = httpx.Limits(max_keepalive_connections=0)  # the server closes a connection on which it failed
        self.http = httpx.Client(base_url=url, timeout=PATIENCE, headers={"Accept-Language": language}, limits=once)
        self.session = secrets.token_hex(6)
        config = self.http.get("/config").json()
        self._viewer = next(one["id"] for one in config["components"] if one["props"].get("elem_id") == "viewer")
        self._functions = {
            one["api_name"]: one["id"] for one in config["dependencies"] if one["api_visibility"] == "public"
        }
        self._functions["dropped"] = next(
            one["id"] for one in config["dependencies"] if one["targets"] and one["targets"][0][1] == "dropped"
        )

    def upload(self, path: Path, name: str | None = None) -> str:
        """Send a file, under another name if one is given; return its path on the server."""
        with path.open("rb") as file:
            answer = self.http.post("/gradio_api/upload", files={"files": (name or path.name, file)})
        answer.raise_for_status()
        return answer.json()[0]

    def show(self, path: str) -> dict[str, Any] | None:
        """Return what the viewer shows of an uploaded image, ``None`` where the server refused it."""
        output = self.call("dropped", [], {"path": path})
        value = output.get("data", [None])[0]
        return value if isinstance(value, dict) and "key" in value else None

    def endpoint(self, name: str, path: Any, *more: Any) -> dict[str, Any]:
        """Call a named endpoint with an image and more; return Gradio's ``output``: ``data`` or ``error``."""
        image = {"path": path, "meta": {"_type": "gradio.FileData"}} if isinstance(path, str) else path
        return self.call(name, [image, *more])

    def call(self, function: str, data: Any, event: Any = None) -> dict[str, Any]:
        """Call one of the page's functions through Gradio's queue; return its ``output``: ``data`` or ``error``."""
        session = secrets.token_hex(6)  # a stream of its own, so that calls can be made beside each other
        body = {"data": data, "fn_index": self._functions[function], "session_hash": session, "event_data": event}
        # not httpx's own JSON: NaN and lone surrogates are to go over the line as they are
        joined = self.http.post("/gradio_api/queue/join", content=json.dumps(body), headers=JSON)
        if joined.status_code != 200:
            return {"error": joined.text, "status": joined.status_code}
        with self.http.stream("GET", "/gradio_api/queue/data", params={"session_hash": session}) as stream:
            for line in stream.iter_lines():
                message = json.loads(line[6:]) if line.startswith("data: ") else {}
                if message.get("msg") == "process_completed":
                    return message["output"]
                if message.get("msg") == "unexpected_error":
                    return {"error": message.get("message")}
        return {"error": "the stream ended without an answer"}

    def ask(self, function: str, asked: Any) -> dict[str, Any]:
        """Call a server function of the viewer; return what it answers, ``error`` and ``status`` included."""
        return self.post(function, json.dumps(asked))

    def post(self, function: str, data: str) -> dict[str, Any]:
        """Call a server function with ``data`` as the text of a JSON, valid or not."""
        head = json.dumps({"component_id": self._viewer, "fn_name": function, "session_hash": self.session})
        answer = self.http.post(
            "/gradio_api/component_server",
            content=f'{head[:-1]}, "data": {data}}}',
            headers=JSON,
        )
        try:
            value = answer.json()
        except ValueError:
            value = {"error": answer.text}
        if not isinstance(value, dict):
            value = {"answer": value}
        return value if answer.status_code == 200 else value | {"status": answer.status_code}

    def close(self) -> None:
        """Leave."""
        self.http.close()
