"""The two networks as they are recorded for the browser's pipeline: what they were given, and what they answered."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime as ort

from marrow.classifier import Classifier, ClassifierConfig
from marrow.defaults import RELEASE
from marrow.hub import ModelInfo
from marrow.pipeline import Models
from marrow.records import parse
from marrow.segmenter import Segmenter, SegmenterConfig
from tests.commands import ROOT

BLOCKS = 4
"""Parts, across and down, of a picture whose mean levels are recorded."""

LEAST = 0.1
"""Score below which what the segmenter says is left out of the recording; nothing looks at less."""

LEVELS = 8
"""Levels above and below 0 to which prototypes are rounded before anything is made of them."""

Run = Callable[[np.ndarray], list[np.ndarray]]
Call = dict[str, Any]
"""One use of a network: ``means``, of its input, and its ``outputs``."""


class Recorder:
    """A network that notes down how it is used."""

    def __init__(self, run: Run, takes_any_size: bool) -> None:
        self.takes_any_size = takes_any_size
        self.calls: list[Call] = []
        self._run = run

    def __call__(self, inputs: np.ndarray) -> list[np.ndarray]:
        """Return the outputs for an input."""
        outputs = self._run(inputs)
        self.calls.append({"means": block_means(inputs), "outputs": outputs})
        return outputs


class Player:
    """A network that answers as it was recorded, one call after the other."""

    def __init__(self, calls: list[Call], takes_any_size: bool) -> None:
        self.takes_any_size = takes_any_size
        self.means: list[np.ndarray] = []
        self._answers = iter([call["outputs"] for call in calls])

    def __call__(self, inputs: np.ndarray) -> list[np.ndarray]:
        """Return the outputs of the next call."""
        self.means.append(block_means(inputs))
        return next(self._answers)


def block_means(inputs: np.ndarray) -> np.ndarray:
    """Return mean levels of ``(n, channels, rows, columns)`` pictures, ``(n, channels, BLOCKS, BLOCKS)`` float32."""
    for axis in (2, 3):
        bounds = [len(part) for part in np.array_split(range(inputs.shape[axis]), BLOCKS)]
        starts = np.cumsum([0, *bounds[:-1]])
        sizes = np.reshape(bounds, (-1, 1) if axis == 2 else (-1,))
        inputs = np.add.reduceat(inputs.astype(float), starts, axis=axis) / sizes
    return inputs.astype(np.float32)


def read_configs() -> tuple[dict[str, Any], dict[str, Any]]:
    """Return what the pipeline reads of the release's two ``config.json``, the segmenter's first."""
    texts = [(ROOT / "hub" / RELEASE[kind] / "config.json").read_text("utf-8") for kind in ("segmenter", "classifier")]
    kinds: tuple[Any, Any] = (SegmenterConfig, ClassifierConfig)
    used = [kind.__dataclass_fields__.keys() - {"sha256", "self_test"} for kind in kinds]
    configs = [{k: v for k, v in json.loads(text).items() if k in keys} for text, keys in zip(texts, used, strict=True)]
    return configs[0], configs[1]


def make_models(segmenter: dict[str, Any], classifier: dict[str, Any], networks: tuple[Any, Any]) -> Models:
    """Return the models of two configs that ask these networks."""
    finds, names = Segmenter.__new__(Segmenter), Classifier.__new__(Classifier)
    finds.config = parse(SegmenterConfig, segmenter, "config.json")
    names.config = parse(ClassifierConfig, classifier, "config.json")
    names.labels, names.crop = names.config.labels, names.config.crop
    names.knows, names.explains = names.config.unlike_above is not None, False
    for model, network in ((finds, networks[0]), (names, networks[1])):
        model._network = network
        model.info = ModelInfo("recorded", None)
    return Models(finds, names)


def open_onnx(kind: Any) -> ort.InferenceSession:
    """Open a network of the release with ONNX Runtime, which computes in float32."""
    path: Path = ROOT / "hub" / RELEASE[kind] / "model.onnx"
    return ort.InferenceSession(path, providers=["CPUExecutionProvider"])


def run_segmenter(session: ort.InferenceSession, inputs: np.ndarray) -> list[np.ndarray]:
    """Return the outputs, without what no cell needs: rows of low scores, and prototypes where there is no box."""
    rows, prototypes = session.run(None, {session.get_inputs()[0].name: inputs})
    rows = np.ascontiguousarray(rows[:, :, rows[0, 4] >= LEAST])
    needed = np.zeros(prototypes.shape[2:], bool)
    stride = inputs.shape[2] // prototypes.shape[2]
    for x, y, width, height in rows[0, :4].T / stride:
        top, left = max(int(y - height / 2) - 3, 0), max(int(x - width / 2) - 3, 0)
        needed[top : int(y + height / 2) + 4, left : int(x + width / 2) + 4] = True
    step = np.float32(max(np.abs(prototypes).max(), 1e-6) / LEVELS)
    levels = np.where(needed, (prototypes / step).round(), 0).astype(np.float32)
    return [rows, levels * step]


def run_classifier(
    session: ort.InferenceSession, knows: bool, unlikeness: float | None, inputs: np.ndarray
) -> list[np.ndarray]:
    """Return the logits and, where the classifier knows it, the unlikeness: the one given, else the network's own."""
    logits, *others = session.run(None, {session.get_inputs()[0].name: inputs})
    if not knows:
        return [logits]
    if unlikeness is not None:
        return [logits, np.full((len(inputs), 1), unlikeness, np.float32)]
    return [logits, *(output for output in others if output.shape == (len(inputs), 1))]
