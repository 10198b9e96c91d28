"""The queue in which all work waits for a free processor, so that who waits can be told where they stand.

Gradio has a queue of its own, whose sentences are in English alone; it lets everyone through to this one.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from threading import Condition

from screen.limits import Limits
from screen.uploads import RefusedError

PULSE = 0.5
"""Seconds after which it is looked again whether one who waits is still there."""


@dataclass(frozen=True)
class Visitor:
    """Who asks.

    Attributes:
        address: of the client, by which places are shared out; everyone without one has all they want.
        session: of the browser's page, which ends when it is closed.
        is_gone: tells whether nobody waits for the answer any more.
    """

    address: str = ""
    session: str | None = None
    is_gone: Callable[[], bool] = lambda: False


@dataclass(eq=False)
class Place:
    """A place in the queue, of which ``weight`` slots are held once it is let through."""

    visitor: Visitor
    weight: int = 1
    is_through: bool = False
    is_left: bool = False

    def check(self) -> None:
        """End the work for a visitor who has left.

        Raises:
            RefusedError: they have.
        """
        if self.is_left or self.visitor.is_gone():
            raise RefusedError("left")


class AnalysisQueue:
    """Lets a few requests at a time through, in the order in which they came.

    Args:
        limits: how many at once, how many may wait, and how many of them of one visitor.
    """

    def __init__(self, limits: Limits | None = None) -> None:
        self._limits = limits or Limits()
        self._waiting: list[Place] = []  # who is let through, and who waits
        self._changed = Condition()
        self._seconds = 0.0  # that one took lately

    @contextmanager
    def slot(
        self,
        tell: Callable[[int, float], None] = lambda before, seconds: None,
        visitor: Visitor = Visitor(),
        is_heavy: bool = False,
    ) -> Iterator[Callable[[], None]]:
        """Wait for a free slot, and hold it inside the ``with``, whatever happens there.

        Args:
            tell: called whenever one moves up while waiting, with the number of those who are let through first and
                the estimated wait in seconds, 0 when none can be given.
            visitor: for whom.
            is_heavy: the work needs so much memory that nothing may run beside it.

        Yields:
            What to call between two steps of long work: it raises where the visitor has left.

        Raises:
            RefusedError: too many wait already, this visitor has too many places, or has left.
        """
        me = Place(visitor, self._limits.at_once if is_heavy else 1)
        with self._changed:
            if len(self._waiting) >= self._limits.at_once + self._limits.waiting:
                raise RefusedError("busy")
            own = sum(bool(visitor.address) and visitor.address == place.visitor.address for place in self._waiting)
            if own >= self._limits.per_visitor:
                raise RefusedError("busy_yourself", requests=own)
            self._waiting.append(me)
        start = None
        try:
            self._wait(me, tell)
            start = time.monotonic()
            yield me.check
        finally:
            with self._changed:
                if start is not None:
                    taken = time.monotonic() - start
                    self._seconds = (self._seconds + taken) / 2 if self._seconds else taken
                self._waiting.remove(me)
                self._changed.notify_all()

    def leave(self, session: str | None) -> None:
        """Drop the work of a page that was closed, or on which it was cancelled."""
        with self._changed:
            for place in self._waiting:
                place.is_left = place.is_left or (session is not None and place.visitor.session == session)
            self._changed.notify_all()

    def _wait(self, me: Place, tell: Callable[[int, float], None]) -> None:
        told = 0
        while True:
            with self._changed:
                before = self._before(me)
                if before and before == told and not me.is_left:
                    self._changed.wait(PULSE)
                    before = self._before(me)
                me.is_through = before == 0
                seconds = before / self._limits.at_once * self._seconds
            me.check()
            if me.is_through:
                return
            if before != told:
                tell(before, seconds)  # outside the lock: it may take its time
                told = before

    def _before(self, me: Place) -> int:
        """Count those who are let through before a place is; 0 when it can be now."""
        ahead = sum(not place.is_through for place in self._waiting[: self._waiting.index(me)])
        held = sum(place.weight for place in self._waiting if place.is_through)
        return 0 if ahead == 0 and held + me.weight <= self._limits.at_once else ahead + 1
