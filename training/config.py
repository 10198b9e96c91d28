"""Experiment files: a TOML file read into a dataclass."""

from __future__ import annotations

import tomllib
from dataclasses import fields
from pathlib import Path
from typing import Any, TypeVar

from marrow.errors import MarrowError

Config = TypeVar("Config")


def load_config(kind: type[Config], path: Path | None, **overrides: Any) -> Config:
    """Read an experiment file.

    Args:
        kind: dataclass to make; a table of the file goes to the field of its name, as a dict.
        path: TOML file; ``None`` gives the defaults.
        overrides: values from the command line that win over the file; ``None`` leaves the file's.

    Raises:
        MarrowError: the file cannot be read or has an unknown key.
    """
    values: dict[str, Any] = {}
    if path is not None:
        try:
            values = tomllib.loads(path.read_text(encoding="utf-8"))
        except (OSError, tomllib.TOMLDecodeError) as error:
            raise MarrowError(f"The config {path} cannot be read: {error}.") from error
    values |= {key: value for key, value in overrides.items() if value is not None}
    unknown = set(values) - {field.name for field in fields(kind)}
    if unknown:
        known = ", ".join(field.name for field in fields(kind))
        raise MarrowError(f"The config has unknown keys {', '.join(sorted(unknown))}: known are {known}.")
    return kind(**values)
