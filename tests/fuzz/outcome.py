"""What came of one odd input."""

from __future__ import annotations

from dataclasses import dataclass

PATIENCE = 20.0
"""Seconds that one input may take, beside other work."""


@dataclass(frozen=True)
class Outcome:
    """How one input ended: ``answer``, ``refused`` in one sentence, or ``fault``; the words, and the seconds."""

    kind: str
    text: str
    seconds: float

    @property
    def good(self) -> bool:
        """Whether this is how it should end: in time, and in an answer or a sentence."""
        return self.kind != "fault" and self.seconds < PATIENCE
