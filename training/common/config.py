"""Experiment files: a TOML file read into a dataclass."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any, TypeVar, cast

from marrow.errors import MarrowError
from marrow.records import parse

Config = TypeVar("Config")


def load_config(
    kind: type[Config], path: Path | None, fixed: Mapping[str, Any] | None = None, **overrides: Any
) -> Config:
    """Read an experiment file.

    Args:
        kind: ``pydantic`` dataclass to make; a table of the file fills the field of its name.
        path: TOML file; ``None`` gives the defaults.
        fixed: values that the model brings with it; neither the file nor the command line may say anything else.
        overrides: values from the command line that win over the file; ``None`` leaves the file's.

    Raises:
        MarrowError: the file cannot be read, has an unknown key or a value of the wrong kind, or contradicts ``fixed``.
    """
    values: dict[str, Any] = {}
    if path is not None:
        try:
            values = tomllib.loads(path.read_text(encoding="utf-8"))
        except (OSError, tomllib.TOMLDecodeError) as error:
            raise MarrowError(f"The config {path} cannot be read: {error}.") from error
    values |= {key: value for key, value in overrides.items() if value is not None}
    for key, value in (fixed or {}).items():
        if values.setdefault(key, value) != value:
            raise MarrowError(f"{key} is {values[key]!r}, but {value!r} in the model to go on from: leave {key} out.")
    known = [option.name for option in fields(cast(Any, kind))]
    if unknown := sorted(set(values) - set(known)):
        raise MarrowError(f"The config has unknown keys {', '.join(unknown)}: known are {', '.join(known)}.")
    try:
        return parse(kind, values, "The config")
    except ValueError as error:
        raise MarrowError(f"{error}: see training/configs/ for what it may hold.") from error
