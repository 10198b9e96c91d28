"""Who a visitor is, and speaking to them in their language."""

from __future__ import annotations

from functools import partial

import anyio.from_thread
import gradio as gr
from starlette.requests import Request

from screen.analysis_queue import Visitor
from screen.uploads import RefusedError
from screen.words import SCREEN


def language_of(request: gr.Request) -> str:
    """Choose the language of a request: ``"fr"`` when its browser asks for French first, else ``"en"``."""
    accepted = request.headers.get("accept-language") or ""
    return "fr" if accepted.strip().lower().startswith("fr") else "en"


def say(error: RefusedError, request: gr.Request) -> str:
    """Return the sentence of a refusal in the language of the request."""
    return SCREEN[language_of(request)][error.reason].format(**error.values)


def visitor_of(request: gr.Request, is_live: bool = False) -> Visitor:
    """Tell who sends a request.

    Behind a proxy the address is the one that it names; who forges it has a larger share of the queue, no more.

    Args:
        request: of the visitor.
        is_live: the request is answered with the result, so that its end means that nobody waits any more.
    """
    client = getattr(request, "client", None)
    address = request.headers.get("x-forwarded-for") or (client.host if client else "")
    session, live = getattr(request, "session_hash", None), getattr(request, "request", None)
    if is_live and isinstance(live, Request):
        return Visitor(address, session, partial(anyio.from_thread.run, live.is_disconnected))
    return Visitor(address, session)
