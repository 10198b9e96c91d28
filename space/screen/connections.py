"""The connections of the server: not too many, and none that is held without being used."""

from __future__ import annotations

import asyncio
from typing import Any

from uvicorn import Server

from screen.limits import Limits


def limit_connections(server: Server, limits: Limits) -> None:
    """Have a running server close connections beyond ``limits.connections``, and those whose request never ends.

    uvicorn waits for ever for the first request of a connection, and for the rest of one.
    """
    protocol: Any = server.config.http_protocol_class

    class Limited(protocol):  # uvicorn asks for the class at each connection
        def connection_made(self, transport: asyncio.Transport) -> None:
            super().connection_made(transport)
            if len(self.connections) > limits.connections:
                transport.abort()
                return
            self._heard = self.loop.time()
            self._watch()

        def data_received(self, data: bytes) -> None:
            if self.cycle is not None:  # before the first request is whole, its time is not prolonged
                self._heard = self.loop.time()
            super().data_received(data)

        def _watch(self) -> None:
            if self not in self.connections:
                return
            is_waiting = self.cycle is None or (self.cycle.more_body and not self.cycle.response_complete)
            if is_waiting and self.loop.time() - self._heard > limits.silence:
                self.transport.abort()
            else:
                self.loop.call_later(limits.silence / 4, self._watch)

    server.config.http_protocol_class = Limited
