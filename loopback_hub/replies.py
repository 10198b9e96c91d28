"""What goes back to a client."""

import json
from dataclasses import dataclass
from typing import Any, Self


@dataclass(frozen=True)
class Reply:
    """Status, body and headers of an answer."""

    status: int
    body: bytes
    headers: dict[str, str]

    @classmethod
    def json(cls, status: int, value: Any, **headers: str) -> Self:
        """Reply with a JSON value; ``_`` in the name of a header stands for ``-``."""
        named = {name.replace("_", "-"): text for name, text in headers.items()}
        return cls(status, json.dumps(value).encode(), {"Content-Type": "application/json"} | named)


class HubError(Exception):
    """A reply other than success: HTTP status, a message for people and the Hub's ``X-Error-Code``."""

    def __init__(self, status: int, message: str, code: str = "", **headers: str) -> None:
        super().__init__(message)
        self.reply = Reply.json(status, {"error": message}, X_Error_Message=message, X_Error_Code=code, **headers)
