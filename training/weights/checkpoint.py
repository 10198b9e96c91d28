"""Checkpoints of ultralytics, which are pickles: opened only if they hold nothing but layers and plain values."""

from __future__ import annotations

import pickle
from importlib import import_module
from pathlib import Path
from typing import Any

import torch
from torch import nn
from torch.serialization import get_unsafe_globals_in_checkpoint, safe_globals
from ultralytics.utils import IterableSimpleNamespace

from marrow.errors import MarrowError

LIBRARIES = ("torch", "torchvision", "ultralytics")


def load_checkpoint(path: Path) -> dict[str, Any]:
    """Read a checkpoint into memory, on the CPU, without running any code but that of the layers it is made of.

    Raises:
        MarrowError: it cannot be read, or holds something else.
    """
    try:
        with safe_globals([_layer(name) for name in get_unsafe_globals_in_checkpoint(path)]):
            return torch.load(path, map_location="cpu", weights_only=True)
    except (OSError, RuntimeError, ValueError, LookupError, EOFError, pickle.UnpicklingError) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise MarrowError(f"{path} is no checkpoint of a segmenter ({reason}): train it again.") from error


def _layer(name: str) -> type:
    """Return the class of a layer by its full name.

    Raises:
        ValueError: it is no layer of the libraries.
    """
    module, _, attribute = name.rpartition(".")
    if module.split(".")[0] in LIBRARIES:
        found = getattr(import_module(module), attribute, None)
        if isinstance(found, type) and issubclass(found, (nn.Module, IterableSimpleNamespace)):
            return found
    raise ValueError(f"it holds {name}")
