"""Markdown tables of figures."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any


def number(value: Any) -> str:
    """Write a figure for people: fractions with three decimals, nothing as a dash, two as an interval."""
    if value is None:
        return "–"
    if isinstance(value, list):
        return "–".join(number(bound) for bound in value)
    return f"{value:.3f}" if isinstance(value, float) else str(value)


def table(head: Sequence[str], rows: Iterable[Sequence[Any]]) -> str:
    """Make a Markdown table; figures go through :func:`number`. Empty text if there are no rows."""
    lines = ["| " + " | ".join(number(cell) for cell in row) + " |" for row in rows]
    if not lines:
        return ""
    return "\n".join(["| " + " | ".join(head) + " |", "| " + " | ".join("---" for _ in head) + " |", *lines])


def key_table(values: Mapping[str, Any], head: tuple[str, str] = ("", "")) -> str:
    """Make a two-column table of nested values, with the keys of inner ones joined by ``/``."""
    return table(head, leaves(values))


def leaves(values: Mapping[str, Any], prefix: str = "") -> Iterable[tuple[str, Any]]:
    """List nested values with their keys joined by ``/``."""
    for key, value in values.items():
        if isinstance(value, Mapping):
            yield from leaves(value, f"{prefix}{key}/")
        else:
            yield f"{prefix}{key}", value


def with_interval(figures: Mapping[str, Any], name: str) -> str:
    """Write a figure and, where ``figures["intervals"]`` has one, its interval."""
    interval = figures.get("intervals", {}).get(name)
    return number(figures.get(name)) + (f" ({number(interval)})" if interval else "")


def uncertain_table(uncertain: Mapping[str, Any]) -> str:
    """Make the table of the shares of cells called uncertain, from ``uncertain`` in a classifier's ``metrics.json``."""
    rows = [["known marrow cells", None, uncertain.get("known_marrow")]]
    for name, figures in uncertain.get("unseen", {}).items():
        interval = f" ({number(figures['interval'])})" if "interval" in figures else ""
        rows.append([name, figures["n"], number(figures["share"]) + interval])
    return table(["cells", "number", "share called uncertain"], [row for row in rows if row[2] is not None])
