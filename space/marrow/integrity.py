"""Whether the files of a model belong together: digests of its weights, and what its network makes of a picture."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Annotated, Protocol

import cv2
import numpy as np
from pydantic import Field
from pydantic.dataclasses import dataclass

TOLERANCE = 0.1
"""Share of a channel's mean absolute value by which its mean may differ: bfloat16 stays far below, other weights do
not."""


@dataclass(frozen=True)
class SelfTest:
    """A small drawn picture, and what the network makes of it.

    Attributes:
        picture: a PNG, in base64.
        outputs: by output of the network, the mean of each channel.
        side: pixels of the image that the network was shown; those that it takes when ``None``.
    """

    picture: Annotated[str, Field(max_length=100_000)]
    outputs: Annotated[list[list[float]], Field(min_length=1)]
    side: Annotated[int, Field(ge=32, le=4096)] | None = None

    def image(self, side: int) -> np.ndarray:
        """Return the picture, enlarged to the test's own side, or to ``side``; see :func:`enlarged`."""
        return enlarged(self.picture, self.side or side)

    def agrees(self, outputs: Sequence[np.ndarray]) -> bool:
        """Tell whether a network's outputs for the picture are those that are expected."""
        if [len(means) for means in self.outputs] != [output.shape[1] for output in outputs]:
            return False
        pairs = zip(self.outputs, outputs, strict=True)
        return all((abs(_means(out) - means) <= TOLERANCE * _means(abs(out)) + 1e-3).all() for means, out in pairs)


class NetworkConfig(Protocol):
    """What every ``config.json`` says of the weights beside it; releases before 0.2 say nothing."""

    @property
    def sha256(self) -> dict[str, str]:
        """Digest of each file of weights, by its name."""

    @property
    def self_test(self) -> SelfTest | None:
        """What the network answers."""


def make_self_test(
    picture: np.ndarray, side: int, answer: Callable[[np.ndarray], Sequence[np.ndarray]], shown: int = 48
) -> SelfTest:
    """Show a network a picture, and note what it answers.

    Args:
        picture: ``(height, width, 3)`` uint8 RGB.
        side: pixels of the image that the network is shown.
        answer: returns the outputs of the network for an image of that size.
        shown: pixels of the picture that is kept.
    """
    small = cv2.resize(picture, (shown, shown), interpolation=cv2.INTER_AREA)
    kept = base64.b64encode(cv2.imencode(".png", small[..., ::-1])[1].tobytes()).decode()
    outputs = answer(enlarged(kept, side))
    return SelfTest(kept, [[round(float(mean), 4) for mean in _means(output)] for output in outputs], side)


def enlarged(picture: str, side: int) -> np.ndarray:
    """Return a PNG in base64 as ``(side, side, 3)`` uint8 RGB, the same on every machine.

    Raises:
        ValueError: it is no picture.
    """
    data = np.frombuffer(base64.b64decode(picture, validate=True), np.uint8)
    small = cv2.imdecode(data, cv2.IMREAD_COLOR) if len(data) else None
    if small is None:
        raise ValueError("the self-test holds no picture")
    rows, columns = (np.arange(side) * length // side for length in small.shape[:2])
    return np.ascontiguousarray(small[rows][:, columns, ::-1])


def changed_since_measured(folder: Path, names: Sequence[str] | None = None) -> list[str]:
    """Name the files of a model folder that are not those that its ``metrics.json`` was measured on.

    Args:
        folder: a model folder; without a ``metrics.json`` that names digests nothing is known to have changed.
        names: look at these files alone.
    """
    try:
        measured = json.loads((folder / "metrics.json").read_text(encoding="utf-8"))["sha256"].items()
    except (OSError, ValueError, LookupError, TypeError, AttributeError, RecursionError):
        return []
    wanted = [(name, sha256) for name, sha256 in measured if names is None or name in names]
    return [name for name, sha256 in wanted if not (folder / name).is_file() or digest(folder / name) != sha256]


def digest(path: Path) -> str:
    """Return the SHA-256 of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _means(output: np.ndarray) -> np.ndarray:
    """Return the mean of each channel of ``(1, channels, …)``."""
    return output.reshape(output.shape[1], -1).mean(axis=1)
