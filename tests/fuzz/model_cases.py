"""Model folders, most of them valid but for one field: ``config.json``, ``metrics.json`` and ``model.onnx``.

python -m pytest tests/fuzz/test_model_fuzz.py
"""

from __future__ import annotations

import copy
import json
import random
import shutil
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import numpy_helper

from marrow.classifier import Classifier
from marrow.errors import MarrowError
from marrow.integrity import changed_since_measured
from marrow.segmenter import Segmenter
from tests.fuzz.outcome import Outcome
from tests.space.known_models import HUB, make_classifier, make_segmenter
from training.common.metrics_schema import ClassifierMetrics, read_metrics
from training.common.model_folder import note_self_test, note_weights
from training.common.segmenter_schema import SegmenterMetrics

KINDS = {"classifier": (Classifier, make_classifier), "segmenter": (Segmenter, make_segmenter)}
METRICS = {"classifier": ClassifierMetrics, "segmenter": SegmenterMetrics}
RELEASE = {"classifier": "bone-marrow-mobilenet", "segmenter": "bone-marrow-yolov8-seg"}
NUMBERS = (0, -1, 1, 2, 0.5, 1e-300, 1e308, -1e308, 2**63, 10**30, 1_000_000, float("nan"), float("inf"))
TEXTS = ("", " ", "x", "0", "../../x", "/etc/passwd", "C:\\x", "\x00", "\ud800", "é", "a" * 100_000, "<b>", "BLA")
LISTS = ([], {}, [[]], [None], [{}], {"": ""}, {"0": "../../x"}, {"0": "BLA", "1": "BLA"}, [1] * 1000, ["cell"] * 3)
ODD: tuple[Any, ...] = (None, True, False, *NUMBERS, *TEXTS, *LISTS)
"""What takes the place of a value."""

NOISE = (
    b"",
    b"\x00" * 100,
    b"[]",
    b"null",
    b"{",
    b'"' + b"x" * 100,
    b"[" * 100_000,
    b"\xff\xfe{}",
    b"9" * 5000,
    b"NaN",
)


@dataclass(frozen=True)
class Case:
    """A model folder: of which ``kind``, what its ``file`` holds instead, and in words what is ``changed`` in it."""

    kind: str
    file: str
    content: bytes
    changed: str


def cases(seed: int) -> Iterator[Case]:
    """Yield cases without end; the same seed gives the same ones."""
    choose = random.Random(seed)
    while True:
        kind = choose.choice(sorted(KINDS))
        file = choose.choices(("config.json", "metrics.json", "model.onnx"), (5, 3, 2))[0]
        content = (base(kind) / file).read_bytes()
        if choose.random() < 0.1:
            yield Case(kind, file, choose.choice(NOISE), "the whole")
        elif file == "model.onnx":
            yield Case(kind, file, *_damaged(content, choose))
        else:
            yield Case(kind, file, *_changed(json.loads(content), choose))


def _changed(value: Any, choose: random.Random) -> tuple[bytes, str]:
    """Replace, delete or add one field of a JSON value, at any depth."""
    value = copy.deepcopy(value)
    path: list[Any] = []
    inner = value
    while isinstance(inner, (dict, list)) and inner and (not path or choose.random() < 0.7):
        path.append(choose.choice(sorted(inner) if isinstance(inner, dict) else range(len(inner))))
        holder, inner = inner, inner[path[-1]]
    where = ".".join(map(str, path))
    what = choose.random()
    if what < 0.75:
        holder[path[-1]] = odd = copy.deepcopy(choose.choice(ODD))
        return json.dumps(value).encode(), f"{where} = {str(odd)[:40]!r}"
    if what < 0.9:
        del holder[path[-1]]
        return json.dumps(value).encode(), f"{where} is gone"
    value[choose.choice(("x", "views", "largest", "sha256", "self_test"))] = copy.deepcopy(choose.choice(ODD))
    return json.dumps(value).encode(), "one key more"


def _damaged(content: bytes, choose: random.Random) -> tuple[bytes, str]:
    """Change one tensor of a network, or some of its bytes."""
    if choose.random() < 0.5:
        network = onnx.load_from_string(content)
        tensor = choose.choice(network.graph.initializer)
        array = np.array(numpy_helper.to_array(tensor))
        array.flat[choose.randrange(array.size)] += choose.choice((-100, -1, 1, 100))
        tensor.CopyFrom(numpy_helper.from_array(array, tensor.name))
        return network.SerializeToString(), f"a weight of {tensor.name}"
    damaged = bytearray(content)
    for _ in range(choose.choice((1, 8, 64))):
        damaged[choose.randrange(len(damaged))] = choose.randrange(256)
    return bytes(damaged[: choose.choice((None, None, len(damaged) // 2))]), "some bytes"


@cache
def base(kind: str) -> Path:
    """Make a small model folder of a kind, with digests, a self-test, and the metrics of the release."""
    folder = Path(tempfile.mkdtemp(prefix="fuzz-")) / RELEASE[kind]
    loader, make = KINDS[kind]
    make(folder)
    note_weights(folder)
    rng = np.random.default_rng(0)
    note_self_test(folder, loader.from_pretrained(str(folder)), rng.integers(0, 256, (64, 64, 3), np.uint8))
    metrics = json.loads((HUB / RELEASE[kind] / "metrics.json").read_text(encoding="utf-8"))
    metrics["sha256"] = json.loads((folder / "config.json").read_text(encoding="utf-8"))["sha256"]
    (folder / "metrics.json").write_text(json.dumps(metrics), encoding="utf-8")
    return folder


@cache
def base_answer(kind: str) -> str:
    """Return what the model of :func:`base` answers."""
    return _answer(kind, base(kind))


def _answer(kind: str, folder: Path) -> str:
    """Have the model of a folder look at a picture."""
    image = np.zeros((320, 320, 3), np.uint8)
    image[40:280, 40:280] = (200, 40, 120)
    if kind == "segmenter":
        return str([(d.box, round(d.score, 4)) for d in Segmenter.from_pretrained(str(folder))(image)])
    classifier = Classifier.from_pretrained(str(folder))
    assert not any("/" in label or ".." in label for label in classifier.labels), "a label may name a file"
    return str(classifier(image, [(40.0, 40.0, 280.0, 280.0)]).round(4).tolist())


def run_case(case: Case, folder: Path) -> Outcome:
    """Make the folder of a case, load it as the runtime, the cards and the publishing do, and look at a picture.

    Args:
        case: the case.
        folder: an empty or missing folder; it is removed in the end.
    """
    started = time.monotonic()
    shutil.copytree(base(case.kind), folder, dirs_exist_ok=True)
    (folder / case.file).write_bytes(case.content)
    try:
        if case.file == "metrics.json":
            changed_since_measured(folder)
            kind, text = "answer", type(read_metrics(METRICS[case.kind], folder / case.file)).__name__
        else:
            kind, text = "answer", _answer(case.kind, folder)
            damaged = case.file == "model.onnx" and case.content != (base(case.kind) / case.file).read_bytes()
            if damaged and text != base_answer(case.kind):
                kind = "fault"
    except MarrowError as error:
        kind, text = "refused", str(error)
        if "\n" in text or not text.endswith("."):
            kind = "fault"
    except Exception as error:  # whatever it is, it is what is looked for
        kind, text = "fault", f"{type(error).__name__}: {error}"
    finally:
        shutil.rmtree(folder)
    return Outcome(kind, text, time.monotonic() - started)
