"""What something was computed with: the machine, its processor and the versions that count."""

from __future__ import annotations

import os
import platform
from importlib.metadata import version
from pathlib import Path
from typing import Any


def machine() -> dict[str, Any]:
    """Name what times were measured on."""
    named = {"machine": platform.machine(), "processor": processor_name()}
    return named | {"cores": os.cpu_count(), "python": platform.python_version()}


def runtime_versions() -> dict[str, str]:
    """Name what metrics were measured with."""
    packages = ("openvino", "numpy", "opencv-python-headless")
    return {"python": platform.python_version(), "machine": platform.machine()} | {p: version(p) for p in packages}


def processor() -> str:
    """Name what a training computes on: the GPU if there is one, else the processor."""
    import torch

    if torch.cuda.is_available():
        return torch.cuda.get_device_name(0)
    return processor_name()


def processor_name() -> str:
    """Name the processor, or its kind where the system does not say."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        lines = []
    names = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(names, platform.machine())
