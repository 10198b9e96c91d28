"""Seeded cases of images and saved JSON: most are valid files with one thing changed."""

from __future__ import annotations

import copy
import io
import json
import random
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from marrow import Analysis, MarrowError, read_image
from tests.fuzz.outcome import Outcome

FORMATS = {"JPEG": "RGB", "PNG": "RGBA", "TIFF": "I;16", "WEBP": "RGB", "BMP": "L", "GIF": "P", "PPM": "RGB"}
ODD_VALUES = (
    None,
    True,
    -1,
    0,
    0.5,
    1e308,
    float("nan"),
    float("inf"),
    10**400,
    "",
    "=1+1",
    "\x00",
    "x" * 5000,
    [],
    {},
)


@dataclass(frozen=True)
class Case:
    """A file to read.

    Attributes:
        name: what was changed, and in what.
        suffix: ``".img"`` or ``".json"``.
        content: of the file.
    """

    name: str
    suffix: str
    content: bytes


def cases(seed: int) -> Iterator[Case]:
    """Make cases without end, the same for the same seed."""
    chance = random.Random(seed)
    while True:
        yield _image_case(chance) if chance.random() < 0.5 else _json_case(chance)


def run_case(case: Case, folder: Path) -> Outcome:
    """Read a case's file in a folder, in which nothing else may lie afterwards."""
    folder.mkdir(exist_ok=True)
    path = folder / f"case{case.suffix}"
    path.write_bytes(case.content)
    start = time.monotonic()
    try:
        if case.suffix == ".img":
            image = read_image(path)
            wrong = "" if image.dtype == np.uint8 and image.shape[2:] == (3,) else f"read as {image.shape}"
        else:
            analysis = Analysis.from_dict(json.loads(path.read_text()))
            again = Analysis.from_dict(json.loads(analysis.to_json()))
            wrong = "" if again.report == analysis.report else "does not come back as it was"
        kind, words = ("fault", wrong) if wrong else ("answer", "")
    except MarrowError as error:
        kind, words = ("refused" if "\n" not in str(error) else "fault"), str(error)
    except Exception as error:  # what this is here to find
        kind, words = "fault", repr(error)
    seconds = time.monotonic() - start
    if [one.name for one in folder.iterdir()] != [path.name]:
        kind, words = "fault", "left something beside the file"
    path.unlink()
    return Outcome(kind, words, seconds)


def _image_case(chance: random.Random) -> Case:
    kind = chance.choice(list(FORMATS))
    rng = np.random.default_rng(chance.getrandbits(32))
    height, width = (chance.choice((1, 2, 31, 64, 300)) for _ in range(2))
    levels = rng.integers(0, 256, (height, width), dtype=np.uint8)
    if FORMATS[kind] == "I;16":
        image = Image.fromarray(levels.astype(np.uint16) * chance.choice((1, 16, 257)))
    else:
        image = Image.fromarray(levels).convert("RGB").convert(FORMATS[kind])
    file = io.BytesIO()
    exif = Image.Exif()
    exif[0x0112] = chance.randrange(0, 12)
    options: dict[str, Any] = {"exif": exif} if kind in ("JPEG", "PNG", "TIFF", "WEBP") else {}
    if kind in ("GIF", "WEBP", "TIFF") and chance.random() < 0.2:
        options |= {"save_all": True, "append_images": [image.rotate(90)]}
    image.save(file, kind, **options)
    content, how = (
        bytearray(file.getvalue()),
        chance.choice(("whole", "one byte", "one byte", "one byte", "cut", "noise")),
    )
    if how == "one byte":
        content[chance.randrange(min(len(content), chance.choice((64, 512, 10**9))))] = chance.randrange(256)
    elif how == "cut":
        del content[chance.randrange(len(content)) :]
    elif how == "noise":
        content = bytearray(chance.randbytes(200))
    return Case(f"{kind} {width}×{height}, {how}", ".img", bytes(content))


def _json_case(chance: random.Random) -> Case:
    plain = _saved(chance)
    spots = list(_spots(plain))
    where, holder, key = chance.choice(spots)
    how = chance.choice(("whole", "value", "value", "value", "missing", "more"))
    if how == "value":
        holder[key] = copy.deepcopy(chance.choice(ODD_VALUES))
    elif how == "missing":
        del holder[key]
    elif how == "more" and isinstance(holder, list):
        holder.append(copy.deepcopy(holder[key]))
    return Case(f"JSON, {how} at {where}", ".json", json.dumps(plain).encode())


def _saved(chance: random.Random) -> dict[str, Any]:
    """Return a valid analysis of some cells, as plain values."""
    codes = ("BLA", "NGS", "EBO")
    rows = []
    for number in range(1, chance.randrange(2, 6)):
        x, y = chance.uniform(0, 200), chance.uniform(0, 100)
        share = round(chance.uniform(0.5, 1), 3)
        rows.append(
            {
                "id": number,
                "box": [x, y, x + 20, y + 20],
                "polygon": [[x, y], [x + 20, y], [x + 10, y + 20]],
                "area": 200.0,
                "score": 0.9,
                "label": codes[number % 3],
                "probability": share,
                "probabilities": {code: share if code == codes[number % 3] else 0.0 for code in codes},
                "edited": {
                    "at": "2026-11-23T12:00:00Z",
                    "by": "A",
                    "label": codes[number % 3],
                    "shape": None,
                    "from": [],
                },
            }
        )
    report = {"counts": dict.fromkeys(codes, 0), "uncertain_below": 0.5, "not_from_marrow": ["BLA"], "unknown": []}
    model = {"repo": "some/model", "revision": None}
    models = {"segmenter": model, "classifier": dict(model)}
    size = {"width": 320, "height": 240}
    return {"image": size, "models": models, "confidence": 0.5, "cells": rows, "removed": [], "report": report}


def _spots(plain: Any, where: str = "") -> Iterator[tuple[str, Any, Any]]:
    """Walk every value: where it is, what holds it, and under which key."""
    keys = plain.keys() if isinstance(plain, dict) else range(len(plain)) if isinstance(plain, list) else ()
    for key in keys:
        yield f"{where}/{key}", plain, key
        yield from _spots(plain[key], f"{where}/{key}")
