"""Markdown tables of metrics."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any


def number(value: Any) -> str:
    """Write a value for people: fractions with three decimals, nothing as a dash, a pair as an interval."""
    if value is None:
        return "–"
    if isinstance(value, (list, tuple)):
        return "–".join(number(bound) for bound in value)
    return f"{value:.3f}" if isinstance(value, float) else str(value)


def with_interval(value: float | None, interval: Sequence[float] | None) -> str:
    """Write a metric and, where it is known, its interval."""
    return number(value) + (f" ({number(interval)})" if interval else "")


def table(head: Sequence[str], rows: Iterable[Sequence[Any]]) -> str:
    """Make a Markdown table; values go through :func:`number`. Empty text if there are no rows."""
    lines = ["| " + " | ".join(number(cell) for cell in row) + " |" for row in rows]
    if not lines:
        return ""
    return "\n".join(["| " + " | ".join(head) + " |", "| " + " | ".join("---" for _ in head) + " |", *lines])


def key_table(values: Mapping[str, Any], head: tuple[str, str] = ("", "")) -> str:
    """Make a two-column table of names and values."""
    return table(head, values.items())
