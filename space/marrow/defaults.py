"""Which models to use when none is named."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Literal

from marrow.errors import MarrowError
from marrow.hub import pinned_models

Kind = Literal["segmenter", "classifier"]

RELEASE: dict[Kind, str] = {"segmenter": "bone-marrow-yolov8-seg", "classifier": "bone-marrow-mobilenet"}
"""Names of the released models, on the Hub and in the checkout's folder ``hub``."""


def default_reference(kind: Kind) -> str:
    """Return the reference of the model to use when none is named.

    Returns:
        The variable ``MARROW_SEGMENTER`` or ``MARROW_CLASSIFIER`` if it is set, else what the published Space is
        pinned to, else the checkout's own release. A package that was installed knows of the variable alone.

    Raises:
        MarrowError: none of these is there.
    """
    variable = f"MARROW_{kind.upper()}"
    if reference := os.environ.get(variable):
        return reference
    around = Path(__file__).absolute().parents[1]  # not resolved: in the Hub's cache each file is a link to elsewhere
    if (around / "app.py").is_file() and (around / "screen").is_dir():  # the Space's folder, not one of site-packages
        for pinned in pinned_models(around / "README.md"):
            if pinned.partition("@")[0].endswith(f"/{RELEASE[kind]}"):
                return pinned
        release = around.parent / "hub" / RELEASE[kind]
        if release.is_dir():
            return str(release)
    raise MarrowError(
        f"No {kind} is embedded here: name one with --{kind} or {variable}, "
        f"as a folder or a Hub id like NAMESPACE/{RELEASE[kind]}."
    )
