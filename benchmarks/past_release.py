"""The release of 24 November 2026, out of the history: what the present one is compared with."""

from __future__ import annotations

import subprocess
from pathlib import Path

from marrow.errors import MarrowError
from marrow.integrity import digest
from training.common.paths import ROOT

REVISION = "88391c6312eb59ed5f62cfbe655c0503b6a55601"

FILES = {
    "bone-marrow-mobilenet/config.json": "ed56156f32cddd8cb60140531a879f1f6d1f93078e54d266e2e1e8dd72c8bee6",
    "bone-marrow-mobilenet/model.onnx": "abb0404502b69b9a4806ea866860dd60bdbfcfa6db7053ce8daaeb93cdc69cad",
    "bone-marrow-mobilenet/model.safetensors": "534c73772d29d2ae0d1c0f8cdda22b6a3ca31de4bcb4876fc07214bc3fa1c84b",
    "bone-marrow-yolov8-seg/config.json": "2cba65c2793be4aed9be7fd363d36492c6cbaab531889a202335a2310d3a5ca9",
    "bone-marrow-yolov8-seg/model.pt": "a7e76abfa48f4fe42a175f2da867b9df444cbe847a9536693ea6cef4cac2ee9a",
}
"""SHA-256 of each file that is used, by its path in ``hub``."""


def fetch_release(out: Path) -> Path:
    """Write the files of the release from the history of the checkout.

    Args:
        out: folder to write them to.

    Returns:
        The folder, with one folder in it for each model.

    Raises:
        MarrowError: the history does not reach back that far, or holds something else.
    """
    for name, wanted in FILES.items():
        place = f"{REVISION}:hub/{name}"
        shown = subprocess.run(["git", "show", place], cwd=ROOT, capture_output=True, check=False)
        if shown.returncode:
            raise MarrowError(f"{place} is not in the history: fetch all of it, with git fetch --unshallow.")
        path = out / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(shown.stdout)
        if digest(path) != wanted:
            raise MarrowError(f"{place} is another file than that of the release: clone the project again.")
    return out
