"""The number format that the classifier computes in: time, accuracy, names that change, as OpenVINO runs it.

- ``single``: the released ``model.onnx``, computing in single precision, as the runtime does;
- ``four views``: the same, its answers averaged over the rotations of a cell by quarter turns;
- ``half``: the same file, computing in what OpenVINO chooses on this CPU (bfloat16 if it has that);
- ``int8``: weights and activations of the convolutions in eight bits, with ranges from training cells.

The fastest is chosen that loses at most 0.3 points of accuracy and renames at most one cell in a hundred, so that the
exports of a release agree. The runtime takes single precision: change ``marrow.classifier.Classifier`` where another is
chosen.
"""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from marrow.classifier import Classifier, probabilities
from marrow.hub import ModelFolder
from marrow.runtime import compile_onnx
from training.classifier.data import Cells, load_cells, real_cells
from training.common.environment import machine
from training.common.markdown import table
from training.common.model_folder import update_config
from training.common.timing import median_milliseconds
from training.studies.segmenter_quantization import quantize

CALIBRATION = 16  # training cells of each class that the ranges of int8 are taken from
BATCH, REPEATS = 16, 30
TOLERANCE = 0.003  # of the accuracy
RENAMED = 0.01  # share of the cells
COLUMNS = {
    "ms": "ms per cell",
    "file_mb": "file, MB",
    "accuracy": "accuracy",
    "changed": "cells named otherwise than in single precision",
}


class FastClassifier(Classifier):
    """A classifier that computes in whatever the CPU is fastest in."""

    def __init__(self, folder: ModelFolder) -> None:
        super().__init__(folder)
        self._network = compile_onnx(folder.path / "model.onnx")


def build_variants(model: Path, data: str, work: Path) -> dict[str, Classifier]:
    """Open the released classifier in each number format.

    Args:
        model: Hub folder of a classifier.
        data: data set with a training split.
        work: empty folder for the quantized one.
    """
    single, turned = (Classifier.from_pretrained(str(model)) for _ in range(2))
    turned.config = replace(turned.config, tta_rotations=4)
    shutil.copy(model / "config.json", work)
    update_config(work, sha256={}, self_test=None)  # which are of the released network
    cells = load_cells(data, "train", per_class=CALIBRATION)
    quantize(model / "model.onnx", list(network_input(cells.crops(single.crop))[:, None]), work / "model.onnx")
    return {
        "single": single,
        "four views": turned,
        "half": FastClassifier.from_pretrained(str(model)),
        "int8": Classifier.from_pretrained(str(work)),
    }


def network_input(crops: np.ndarray) -> np.ndarray:
    """Return ``(n, 3, size, size)`` float32 in -1…1 of ``(n, size, size, 3)`` uint8 crops."""
    return np.ascontiguousarray(crops.transpose(0, 3, 1, 2)) / np.float32(127.5) - np.float32(1)


def measure_variants(variants: Mapping[str, Classifier], files: Mapping[str, Path], cells: Cells) -> dict[str, Any]:
    """Measure each variant; the keys of its metrics are those of ``COLUMNS``."""
    crops = cells.crops(variants["single"].crop)
    named = {name: _name(classifier, crops) for name, classifier in variants.items()}
    return {
        name: {
            "ms": round(
                median_milliseconds(partial(classifier.logits, crops[:BATCH]), REPEATS) / len(crops[:BATCH]), 2
            ),
            "file_mb": round(files[name].stat().st_size / 1e6, 1),
            "accuracy": float((named[name] == cells.labels).mean()),
            "changed": float((named[name] != named["single"]).mean()),
        }
        for name, classifier in variants.items()
    }


def _name(classifier: Classifier, crops: np.ndarray) -> np.ndarray:
    return probabilities(classifier.logits(crops), classifier.config.temperature).argmax(axis=1)


def choose(variants: Mapping[str, Mapping[str, Any]]) -> str:
    """Name the fastest variant that loses at most 0.3 points of accuracy and renames at most one cell in a hundred."""
    least = variants["single"]["accuracy"] - TOLERANCE
    near = (name for name, of in variants.items() if of["accuracy"] >= least and of["changed"] <= RENAMED)
    return min(near, key=lambda name: float(variants[name]["ms"]))


def markdown(result: Mapping[str, Any]) -> str:
    """Return ``quantization.json`` as Markdown."""
    rows = [[name, *(metrics[key] for key in COLUMNS)] for name, metrics in result["variants"].items()]
    caption = (
        f"Measured on {result['n']} cells of the test split by OpenVINO on {result['machine']['cores']} cores, {BATCH} "
        f"at a time. The fastest that loses at most {TOLERANCE:g} of the accuracy and renames at most {RENAMED:.0%} of "
        f"the cells, so that the files of a release agree, is {result['chosen']}."
    )
    return f"{table(['computed in', *COLUMNS.values()], rows)}\n\n{caption}\n"


def study(model: Path, data: str) -> dict[str, Any]:
    """Measure the variants of a classifier.

    Args:
        model: Hub folder.
        data: data set with the splits ``train`` and ``test``.

    Returns:
        The content of ``quantization.json``.
    """
    test = real_cells(load_cells(data, "test"))
    with TemporaryDirectory() as work:
        classifiers = build_variants(model, data, Path(work))
        released = model / "model.onnx"
        files = dict.fromkeys(classifiers, released) | {"int8": Path(work) / "model.onnx"}
        variants = measure_variants(classifiers, files, test)
    return {"n": len(test), "variants": variants, "chosen": choose(variants), "machine": machine()}
