"""The queue in which requests wait for a free processor, so that who waits can be told where they stand.

Gradio has a queue of its own, whose sentences are in English alone; it lets everyone through to this one.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Condition

from screen.uploads import RefusedError

AT_ONCE = 2
"""Analyses that run beside each other: the processors of the hosted Space."""

LONGEST = 20
"""Requests that may wait; who comes later is asked to try again."""


class AnalysisQueue:
    """Lets a few requests at a time through, in the order in which they came.

    Args:
        at_once: how many.
        longest: how many may wait.
    """

    def __init__(self, at_once: int = AT_ONCE, longest: int = LONGEST) -> None:
        self._at_once = at_once
        self._longest = longest
        self._waiting: list[object] = []  # who is let through, then who waits
        self._changed = Condition()
        self._seconds = 0.0  # that one took lately

    @contextmanager
    def slot(self, tell: Callable[[int, float], None] = lambda before, seconds: None) -> Iterator[None]:
        """Wait for a free slot, and hold it inside the ``with``.

        Args:
            tell: called whenever one moves up while waiting, with the number of those who are let through first and
                the estimated wait in seconds, 0 when none can be given.

        Raises:
            RefusedError: too many wait already.
        """
        me = object()
        with self._changed:
            if len(self._waiting) >= self._at_once + self._longest:
                raise RefusedError("busy")
            self._waiting.append(me)
            while (before := self._waiting.index(me) - self._at_once + 1) > 0:
                tell(before, before / self._at_once * self._seconds)
                self._changed.wait()
        start = time.monotonic()
        try:
            yield
        finally:
            with self._changed:
                taken = time.monotonic() - start
                self._seconds = (self._seconds + taken) / 2 if self._seconds else taken
                self._waiting.remove(me)
                self._changed.notify_all()
