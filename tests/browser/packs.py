"""Plain values with arrays, in two files: JSON that says where each array lies, and their bytes, compressed."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import numpy as np

FOLDER = Path(__file__).parent / "fixtures"
"""Where the fixtures lie."""

ARRAY = "array"
"""Key that tells an array from other mappings."""


def write_pack(name: str, plain: Any, folder: Path = FOLDER) -> None:
    """Write values as ``name.json`` and ``name.bin.gz``; arrays are of float32, int32 or uint8."""
    blob = _Blob()
    folder.mkdir(exist_ok=True)
    text = json.dumps(_packed(plain, blob), separators=(",", ":"))
    (folder / f"{name}.json").write_text(f"{text}\n", encoding="utf-8")
    (folder / f"{name}.bin.gz").write_bytes(gzip.compress(bytes(blob.content), 9, mtime=0))


def read_pack(name: str, folder: Path = FOLDER) -> Any:
    """Read what :func:`write_pack` wrote."""
    blob = gzip.decompress((folder / f"{name}.bin.gz").read_bytes())
    return _unpacked(json.loads((folder / f"{name}.json").read_text(encoding="utf-8")), blob)


class _Blob:
    """The bytes of arrays one after the other; what occurs twice is kept once."""

    def __init__(self) -> None:
        self.content = bytearray()
        self._places: dict[bytes, int] = {}

    def add(self, content: bytes) -> int:
        """Return where these bytes lie."""
        if content not in self._places:
            self.content.extend(bytes(-len(self.content) % 4))  # so that floats lie at multiples of their size
            self._places[content] = len(self.content)
            self.content.extend(content)
        return self._places[content]


def _packed(value: Any, blob: _Blob) -> Any:
    if isinstance(value, np.ndarray):
        return {ARRAY: value.dtype.name, "shape": list(value.shape), "at": blob.add(value.tobytes())}
    if isinstance(value, dict):
        return {key: _packed(item, blob) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_packed(item, blob) for item in value]
    return value


def _unpacked(value: Any, blob: bytes) -> Any:
    if isinstance(value, dict) and ARRAY in value:
        count = int(np.prod(value["shape"]))
        return np.frombuffer(blob, value[ARRAY], count, value["at"]).reshape(value["shape"])
    if isinstance(value, dict):
        return {key: _unpacked(item, blob) for key, item in value.items()}
    return [_unpacked(item, blob) for item in value] if isinstance(value, list) else value


def differences(one: Any, other: Any, tolerance: float = 1e-4, where: str = "") -> list[str]:
    """Say where two values differ: floats by more than a tolerance, pixels in more than one of a thousand.

    Args:
        one: what was written.
        other: the same, computed anew.
        tolerance: of floats, absolute for small ones and relative for large ones.
        where: the name of both.
    """
    if isinstance(one, np.ndarray) or isinstance(other, np.ndarray):
        one, other = np.asarray(one), np.asarray(other)
        if one.shape != other.shape or one.dtype != other.dtype:
            return [f"{where} is {one.dtype}{one.shape}, and now {other.dtype}{other.shape}"]
        if one.dtype == np.float32:
            far = ~np.isclose(one, other, tolerance, tolerance)
            return [f"{where} differs in {far.sum()} of {far.size} values"] if far.any() else []
        share = np.mean(one != other) if one.size else 0.0
        return [f"{where} differs in a share of {share:.4f}"] if share > 0.001 else []
    if isinstance(one, dict) and isinstance(other, dict):
        found = [f"{where}.{key} is in one alone" for key in one.keys() ^ other.keys()]
        both = [key for key in one if key in other]
        return found + [text for key in both for text in differences(one[key], other[key], tolerance, f"{where}.{key}")]
    if isinstance(one, list | tuple) and isinstance(other, list | tuple):
        if len(one) != len(other):
            return [f"{where} has {len(one)} items, and now {len(other)}"]
        pairs = enumerate(zip(one, other, strict=True))
        return [text for i, (a, b) in pairs for text in differences(a, b, tolerance, f"{where}[{i}]")]
    if isinstance(one, float) and isinstance(other, float | int):
        return [] if np.isclose(one, other, tolerance, tolerance) else [f"{where} is {one}, and now {other}"]
    return [] if one == other else [f"{where} is {one!r}, and now {other!r}"]
