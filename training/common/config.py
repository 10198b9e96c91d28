"""Experiment files: a TOML file read into a dataclass."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import MISSING, Field, fields, is_dataclass
from pathlib import Path
from typing import Any, TypeVar, cast

from marrow.errors import MarrowError

Config = TypeVar("Config")


def load_config(
    kind: type[Config], path: Path | None, fixed: Mapping[str, Any] | None = None, **overrides: Any
) -> Config:
    """Read an experiment file.

    Args:
        kind: dataclass to make; a table of the file fills the field of its name, a dataclass or a dict.
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
    return _filled(kind, values)


def _filled(kind: type[Config], values: dict[str, Any]) -> Config:
    options: tuple[Field[Any], ...] = fields(cast(Any, kind))
    known: dict[str, Any] = {option.name: option.default_factory for option in options}
    defaults = {option.name: option.default for option in options}
    unknown = set(values) - set(known)
    if unknown:
        raise MarrowError(f"The config has unknown keys {', '.join(sorted(unknown))}: known are {', '.join(known)}.")
    for key, value in values.items():
        wanted = dict if defaults[key] is MISSING else type(defaults[key])
        if type(value) is not wanted and (type(value), wanted) != (int, float):
            raise MarrowError(f"The config's {key} is {value!r}: give it a value of the kind {wanted.__name__}.")
    tables: dict[str, Any] = {
        key: _filled(known[key], table) for key, table in values.items() if is_dataclass(known[key])
    }
    return kind(**(values | tables))
