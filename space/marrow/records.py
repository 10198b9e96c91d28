"""Dataclasses read from files that people or other programs may have changed, and what is wrong with those."""

from __future__ import annotations

import json
import reprlib
from typing import Annotated, Any, TypeVar

from pydantic import AfterValidator, ConfigDict, Field, TypeAdapter, ValidationError
from pydantic_core import ErrorDetails

STRICT = ConfigDict(extra="forbid")
"""Of a ``pydantic.dataclasses.dataclass`` that takes no keys but its own."""


def _check_share(value: float) -> float:
    if not 0 <= value <= 1:
        raise ValueError("give a share from 0 to 1")
    return value


Share = Annotated[float, AfterValidator(_check_share)]
Code = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]{0,31}$")]
"""A label of a class: plain, since files and folders are named after it."""

Record = TypeVar("Record")


def check_unique(labels: tuple[str, ...]) -> tuple[str, ...]:
    """Return labels, of which each stands for one class.

    Raises:
        ValueError: one occurs twice.
    """
    if len(set(labels)) < len(labels):
        raise ValueError("a label stands for two classes")
    return labels


def parse(kind: type[Record], value: Any, place: str) -> Record:
    """Make a dataclass of what a JSON or TOML file holds, without turning one kind of value into another.

    Args:
        kind: the dataclass.
        value: what was read.
        place: what the value is called in an error.

    Raises:
        ValueError: a value is of another kind or out of its range, or a key is missing or not known; in one line.
    """
    try:
        return TypeAdapter(kind).validate_json(json.dumps(value, default=str), strict=True)
    except ValidationError as error:
        raise ValueError(_reason(error.errors(include_url=False), place)) from error


def _reason(errors: list[ErrorDetails], place: str) -> str:
    first = errors[0]
    *above, _ = first["loc"] or (place,)
    for wrong, name in (("lacks", "missing"), ("has the unknown", "unexpected_keyword_argument")):
        if first["type"] == name:
            keys = sorted(str(one["loc"][-1]) for one in errors if one["type"] == name and [*one["loc"][:-1]] == above)
            return f"{_path(place, above)} {wrong} {', '.join(keys)}"
    return f"{_path(place, first['loc'])} is {reprlib.repr(first['input'])} ({first['msg']})"


def _path(place: str, keys: Any) -> str:
    return place + "".join(f"[{key}]" if isinstance(key, int) else f".{key}" for key in keys)
