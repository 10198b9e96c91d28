"""The folder that a Hub repo of a model is a copy of."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from training.common.files import read_json, write_json


def update_config(folder: Path, **values: Any) -> None:
    """Set keys of a Hub folder's ``config.json``.

    Raises:
        MarrowError: the folder has no ``config.json`` that can be read.
    """
    write_json(folder / "config.json", read_json(folder / "config.json") | values)
