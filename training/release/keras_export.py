"""The ``.keras`` file of a classifier, from its Hub folder."""

from __future__ import annotations

import json
import re
import zipfile
from pathlib import Path

import keras
import numpy as np
from safetensors.numpy import load_file

from marrow.files import atomic_path
from marrow.outputs import MARK
from training.common.files import check_outputs, read_json
from training.weights.transformers_to_keras import fill_keras


def export_keras(model: Path, out: Path) -> None:
    """Write the ``.keras`` file of a classifier's Hub folder, from its ``model.safetensors``.

    The same weights give the same bytes, so that publishing them again is no change.

    Args:
        model: Hub folder of a classifier.
        out: file to write.

    Raises:
        MarrowError: the folder cannot be read, or a file of somebody else is at ``out``.
    """
    check_outputs(out.parent, [out.name])
    config = read_json(model / "config.json")
    size = config["crop"]["size"]
    base = keras.applications.MobileNetV2(input_shape=(size, size, 3), include_top=False, weights=None)
    features = keras.layers.GlobalAveragePooling2D(name="pool")(base.output)
    logits = keras.layers.Dense(len(config["id2label"]), name="logits")(features)
    network = keras.Model(base.input, logits, name="classifier")
    tensors = {k: v.astype(np.float32) for k, v in load_file(model / "model.safetensors").items()}
    fill_keras(network, tensors)
    with atomic_path(out) as beside:
        network.save(beside)
        _make_repeatable(beside)


def _make_repeatable(path: Path) -> None:
    """Write a ``.keras`` file, a zip, anew without the time of saving and the numbers of objects in memory."""
    with zipfile.ZipFile(path) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    metadata = json.loads(parts["metadata.json"])
    parts["metadata.json"] = json.dumps({**metadata, "date_saved": ""}).encode()
    numbers: dict[bytes, bytes] = {}
    parts["config.json"] = re.sub(
        rb'(?<="shared_object_id": )\d+',
        lambda found: numbers.setdefault(found[0], str(len(numbers)).encode()),
        parts["config.json"],
    )
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in parts.items():
            archive.writestr(zipfile.ZipInfo(name), content)  # dated 1980, the earliest that a zip holds
        archive.comment = MARK
