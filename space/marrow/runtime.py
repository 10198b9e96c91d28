"""Open the two files that every model folder holds: ``config.json`` and ``model.onnx``."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from marrow.errors import MarrowError
from marrow.records import parse

# openvino reports each start to Google Analytics; where this package cannot be imported, it does without
sys.modules.setdefault("openvino_telemetry", None)  # type: ignore[arg-type]
import openvino as ov  # noqa: E402

FORMER_KEYS = {"max_object_size": "largest", "tta_rotations": "views", "reject_logit": "none_logit"}
"""What releases before 0.2 call a key of ``config.json``."""

Config = TypeVar("Config")
Network = Callable[[np.ndarray], list[np.ndarray]]


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
        raise MarrowError(f"{path} cannot be used ({error}): pull the model again or export it anew.") from error


def compile_onnx(path: Path, exact: bool = False) -> Network:
    """Compile an ONNX file with OpenVINO for the CPU.

    Args:
        path: the ONNX file, with one input.
        exact: compute in single precision; otherwise OpenVINO chooses what is fastest on this CPU.

    Returns:
        A function from the input array to the list of output arrays; safe to call from several threads.

    Raises:
        MarrowError: the file is missing or is not a network that OpenVINO reads.
    """
    try:
        core = ov.Core()
        options: dict[str, Any] = {"PERFORMANCE_HINT": "LATENCY"}
        if exact:
            options["INFERENCE_PRECISION_HINT"] = "f32"
        compiled = core.compile_model(str(path), "CPU", options)
    except RuntimeError as error:
        raise MarrowError(f"{path} is not a usable ONNX model: pull the model again or name another one.") from error

    def run(inputs: np.ndarray) -> list[np.ndarray]:
        results = compiled.create_infer_request().infer({0: inputs})
        return [np.array(results[output]) for output in compiled.outputs]

    return run
