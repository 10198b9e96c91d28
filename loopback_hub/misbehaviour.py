r"""What a Hub can be told to do wrong, so that tests see what becomes of it.

::

    hub.faults.append(Fault(r"GET .*/resolve/.*/model\.onnx", WRONG_BYTES))
    hub.faults.append(Fault(r"POST .*/commit/", ERROR, skip=2, status=503))
    hub.expire("hf_tester")
"""

import re
import time
from dataclasses import dataclass
from typing import Any

from loopback_hub.replies import HubError, Reply

ERROR = "error"
"""The request is refused with ``status``, and does nothing."""
AWAY = "away"
"""The connection is closed without an answer, and the request does nothing."""
ANSWER_LOST = "answer lost"
"""The request is done, and the connection is closed without an answer."""
SLOW = "slow"
"""The answer comes after ``seconds``."""
CUT_OFF = "cut off"
"""The connection is closed in the middle of the body."""
WRONG_BYTES = "wrong bytes"
"""The body has its length, and other bytes."""


@dataclass
class Fault:
    """One way of misbehaving.

    Attributes:
        request: regular expression, found in ``METHOD /path?query`` of a request.
        kind: one of the constants above.
        status: HTTP status of :data:`ERROR`.
        seconds: how late :data:`SLOW` is.
        skip: how many such requests are answered well before.
        times: how many go wrong after that; ``None`` for all.
    """

    request: str
    kind: str
    status: int = 500
    seconds: float = 0.0
    skip: int = 0
    times: int | None = None

    def strikes(self, request: str) -> bool:
        """Tell whether this request goes wrong, and count it."""
        if self.times == 0 or not re.search(self.request, request):
            return False
        if self.skip:
            self.skip -= 1
            return False
        if self.times is not None:
            self.times -= 1
        return True

    def before(self) -> None:
        """Do what goes wrong before the request has an effect."""
        if self.kind == SLOW:
            time.sleep(self.seconds)
        elif self.kind == ERROR:
            raise HubError(self.status, f"This Hub was told to answer {self.status}")

    def send(self, reply: Reply, wfile: Any) -> bool:
        """Send a body that goes wrong; ``False`` if it is to be sent as it is."""
        if self.kind == CUT_OFF:
            wfile.write(reply.body[: len(reply.body) // 2])
        elif self.kind == WRONG_BYTES:
            wfile.write(bytes(255 - byte for byte in reply.body))
        return self.kind in (CUT_OFF, WRONG_BYTES)
