"""Open the two files that every model folder holds: ``config.json`` and ``model.onnx``."""

from __future__ import annotations

import json
import logging
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from marrow.errors import MarrowError
from marrow.integrity import NetworkConfig, digest
from marrow.records import parse

# openvino reports each start to Google Analytics; where this package cannot be imported, it does without
sys.modules.setdefault("openvino_telemetry", None)  # type: ignore[arg-type]
import openvino as ov  # noqa: E402

FORMER_KEYS = {"max_object_size": "largest", "tta_rotations": "views", "reject_logit": "none_logit"}
"""What releases before 0.2 call a key of ``config.json``."""

PREPARED = 1000
"""Operations that stay prepared for a shape of their input, some 60 for each shape that a network has seen lately.
OpenVINO's 5,000 take 740 MB after 50 shapes, these 430 MB; to change between 16 shapes takes 24 ms instead of 22."""

threads: int | None = None
"""Threads that a network computes with; as many as there are cores when ``None``. Read when a network is opened."""

_LOG = logging.getLogger(__name__)

Config = TypeVar("Config")


class Network:
    """A compiled network; safe to call from several threads.

    Attributes:
        takes_any_size: whether the height and the width of its input are free.
    """

    def __init__(self, compiled: ov.CompiledModel) -> None:
        self._compiled = compiled
        shape = compiled.input(0).partial_shape
        self.takes_any_size = len(shape) == 4 and shape[2].is_dynamic and shape[3].is_dynamic

    def __call__(self, inputs: np.ndarray) -> list[np.ndarray]:
        """Return the outputs for an input, in the order of the file."""
        results = self._compiled.create_infer_request().infer({0: inputs})
        return [np.array(results[output]) for output in self._compiled.outputs]


def read_config(folder: Path, kind: type[Config]) -> Config:
    """Read the keys of the dataclass ``kind`` from ``folder/config.json``; other keys are ignored.

    A key that is not there takes the default of its field.

    Raises:
        MarrowError: the file is missing or is not JSON, lacks a key without a default, or holds what no model has.
    """
    path = folder / "config.json"
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
        if isinstance(values, dict):
            values |= {now: values[then] for now, then in FORMER_KEYS.items() if then in values and now not in values}
        return parse(kind, values, path.name)
    except (OSError, RecursionError) as error:
        raise MarrowError(f"{path} cannot be read ({error}): pull the model again or name another one.") from error
    except ValueError as error:
        remedy = "pull the model again, or run training.measure if it was only exported"
        raise MarrowError(f"{path} cannot be used ({error}): {remedy}.") from error


def open_network(
    folder: Path,
    config: NetworkConfig,
    side: int,
    prepare: Callable[[np.ndarray], np.ndarray],
    fits: Callable[[list[np.ndarray]], bool],
    exact: bool = False,
) -> Network:
    """Compile ``folder/model.onnx``, once it is shown to be the network that ``config.json`` describes.

    Args:
        folder: a model folder.
        config: what its ``config.json`` says. Without a digest, as of releases before 0.2, a warning is logged.
        side: pixels of a picture that it takes.
        prepare: makes the network's input of a square picture, ``(…, …, 3)`` uint8 RGB.
        fits: tells whether the outputs have the shapes that belong to the config.
        exact: as in :func:`compile_onnx`.

    Raises:
        MarrowError: the file is damaged, or another one than the config says.
    """
    path = folder / "model.onnx"
    again = f"{path} is damaged, or does not belong to its config.json: pull the model again or name another one."
    if config.sha256 and config.sha256.get(path.name) != digest(path):
        raise MarrowError(again)
    network = compile_onnx(path, exact)
    try:
        image = config.self_test.image(side) if config.self_test else np.full((side, side, 3), 128, np.uint8)
        outputs = network(prepare(image))
        as_described = fits(outputs) and (config.self_test is None or config.self_test.agrees(outputs))
    except (RuntimeError, ValueError, IndexError) as error:
        raise MarrowError(again) from error
    if not as_described or not all(np.isfinite(output).all() for output in outputs):
        raise MarrowError(again)
    if not config.sha256:
        _LOG.warning("%s names no digest of its weights, so nothing shows whether they are damaged.", folder)
    return network


def compile_onnx(path: Path, exact: bool = False) -> Network:
    """Compile an ONNX file with OpenVINO for the CPU.

    Args:
        path: the ONNX file, with one input.
        exact: compute in single precision; otherwise OpenVINO chooses what is fastest on this CPU.

    Raises:
        MarrowError: the file is missing or is not a network that OpenVINO reads.
    """
    try:
        core = ov.Core()
        options: dict[str, Any] = {"PERFORMANCE_HINT": "LATENCY", "CPU_RUNTIME_CACHE_CAPACITY": PREPARED}
        if exact:
            options["INFERENCE_PRECISION_HINT"] = "f32"
        if threads:
            # pinned, the only thread of every process would sit on the same core
            options |= {"INFERENCE_NUM_THREADS": threads, "ENABLE_CPU_PINNING": False}
        return Network(core.compile_model(str(path), "CPU", options))
    except RuntimeError as error:
        raise MarrowError(f"{path} is not a usable ONNX model: pull the model again or name another one.") from error
