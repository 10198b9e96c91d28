"""How the Hub answers: finds the route of a request, who asks, and sends what the route gives."""

import json
import re
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from loopback_hub.misbehaviour import ANSWER_LOST, AWAY, CUT_OFF, Fault
from loopback_hub.replies import HubError, Reply
from loopback_hub.repos import Repo
from loopback_hub.state import HubState

API = r"/api/(?P<kind>models|datasets|spaces)/(?P<repo>[^/]+/[^/]+)"
PAGE = r"/(?:(?P<kind>datasets|spaces)/)?(?P<repo>[^/]+/[^/]+)"
ROUTES: list[tuple[str, re.Pattern[str], Callable[..., Any]]] = []


def route(method: str, pattern: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Send requests whose still encoded path matches ``pattern`` to the decorated function.

    It is given the :class:`Handler` and the groups of the pattern, and returns a :class:`Reply`, or a value to send as
    JSON.
    """

    def register(function: Callable[..., Any]) -> Callable[..., Any]:
        ROUTES.append((method, re.compile(pattern), function))
        return function

    return register


class Handler(BaseHTTPRequestHandler):
    """Answers one client."""

    hub: HubState
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def log_message(self, format: str, *args: Any) -> None:
        """Keep quiet: the client reports what goes wrong."""

    def do_GET(self) -> None:
        url = urlsplit(self.path)
        self.query = {key: values[-1] for key, values in parse_qs(url.query).items()}
        self.body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.token = self.headers.get("Authorization", "").removeprefix("Bearer ")
        fault = self.hub.note(f"{self.command} {self.path}")
        if fault and fault.kind == AWAY:
            self.close_connection = True
            return
        try:
            if fault:
                fault.before()
            function, groups = _find_route("GET" if self.command == "HEAD" else self.command, url.path)
            with self.hub.lock:
                self.user = self.hub.user_of(self.token)
                answer = function(self, **groups)
            reply = answer if isinstance(answer, Reply) else Reply.json(200, answer)
        except HubError as error:
            reply = error.reply
        # Sent without the lock: a client may leave one download half read and ask for something else.
        self._send(reply, fault)

    do_HEAD = do_POST = do_PUT = do_DELETE = do_GET  # noqa: N815 - the names http.server looks for

    def _send(self, reply: Reply, fault: Fault | None) -> None:
        if fault and fault.kind in (ANSWER_LOST, CUT_OFF):
            self.close_connection = True
        if fault and fault.kind == ANSWER_LOST:
            return
        self.send_response(reply.status)
        for name, value in ({"Content-Length": str(len(reply.body))} | reply.headers).items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD" and not (fault and fault.send(reply, self.wfile)):
            self.wfile.write(reply.body)

    def json(self) -> dict[str, Any]:
        """Read the body as JSON."""
        return json.loads(self.body or b"{}")

    def asks(self, name: str) -> bool:
        """Tell whether a parameter of the query is set."""
        return self.query.get(name, "").lower() in ("1", "true")

    def signed_in(self) -> str:
        """Return the user, and refuse a client that is nobody."""
        if self.user is None:
            raise HubError(401, "Invalid username or password.")
        return self.user

    def may_write(self, namespace: str) -> None:
        """Refuse, unless the client may write to a namespace."""
        if namespace not in (self.signed_in(), *self.hub.organisations) or self.token in self.hub.readers:
            raise HubError(403, f"You don't have the rights to create or change repos of {namespace}")

    def repo(self, kind: str | None, repo: str, write: bool = False) -> Repo:
        """Find a repo that the client may see, and change if ``write``."""
        found = self.hub.repos.get((kind or "models", repo))
        if found is None or (found.private and self.user != found.owner):
            # Like the Hub: who is not logged in does not learn whether a repo exists.
            raise HubError(404 if self.user else 401, "Repository not found", "RepoNotFound")
        if write:
            self.may_write(found.owner)
        return found


def _find_route(method: str, path: str) -> tuple[Callable[..., Any], dict[str, str]]:
    for wanted, pattern, function in ROUTES:
        if method == wanted and (match := pattern.fullmatch(path)):
            return function, {k: v and unquote(v) for k, v in match.groupdict().items()}
    raise HubError(404, f"This Hub has no {method} {path}")


def page(kind: str | None, repo: str) -> str:
    """Return the path of a repo's page."""
    return f"/{repo}" if kind in (None, "models") else f"/{kind}/{repo}"
