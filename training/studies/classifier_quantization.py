"""Compare the precisions that the classifier can be run in: time, accuracy, names that change, as OpenVINO runs it.

python -m training.classifier_precision --model hub/bone-marrow-mobilenet --data DATASET

- ``single``: the released ``model.onnx``, computing in single precision, as the runtime does;
- ``half``: the same file, computing in what OpenVINO chooses on this CPU (bfloat16 if it has that);
- ``int8``: weights and activations of the convolutions in eight bits, with ranges from training cells.

Writes ``precision.json`` and ``precision.md`` into the model's folder; ``chosen`` is the fastest that loses at most 0.3
points of accuracy and renames at most one cell in a hundred, so that the exports of a release agree. The runtime takes
single precision: change ``marrow.classifier.Classifier`` where another is chosen.
"""

from __future__ import annotations

import argparse
import shutil
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from time import perf_counter
from typing import Any

import numpy as np

from marrow.classifier import Classifier, probabilities
from marrow.errors import MarrowError
from marrow.hub import ModelFolder
from marrow.runtime import compile_onnx
from training.classifier.data import Cells, load_cells, real_cells
from training.common.files import write_json, write_text
from training.common.markdown import table
from training.compare import machine
from training.precision import quantise

CALIBRATION = 16  # training cells of each class that the ranges of int8 are taken from
BATCH, REPEATS = 16, 30
TOLERANCE = 0.003  # of the accuracy
RENAMED = 0.01  # share of the cells
COLUMNS = {
    "ms": "ms per cell and view",
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
    """Open the released classifier in each precision.

    Args:
        model: Hub folder of a classifier.
        data: data set with a training split.
        work: empty folder for the quantised one.
    """
    single = Classifier.from_pretrained(str(model))
    shutil.copy(model / "config.json", work)
    cells = load_cells(data, "train", per_class=CALIBRATION)
    quantise(model / "model.onnx", list(network_input(cells.crops(single.crop))[:, None]), work / "model.onnx")
    return {
        "single": single,
        "half": FastClassifier.from_pretrained(str(model)),
        "int8": Classifier.from_pretrained(str(work)),
    }


def network_input(crops: np.ndarray) -> np.ndarray:
    """Return ``(n, 3, size, size)`` float32 in -1…1 of ``(n, size, size, 3)`` uint8 crops."""
    return np.ascontiguousarray(crops.transpose(0, 3, 1, 2)) / np.float32(127.5) - np.float32(1)


def measure_variants(variants: Mapping[str, Classifier], files: Mapping[str, Path], cells: Cells) -> dict[str, Any]:
    """Measure each variant; the keys of its figures are those of ``COLUMNS``."""
    crops = cells.crops(variants["single"].crop)
    named = {name: _name(classifier, crops) for name, classifier in variants.items()}
    return {
        name: {
            "ms": round(_milliseconds(classifier, crops[:BATCH]), 2),
            "file_mb": round(files[name].stat().st_size / 1e6, 1),
            "accuracy": float((named[name] == cells.labels).mean()),
            "changed": float((named[name] != named["single"]).mean()),
        }
        for name, classifier in variants.items()
    }


def _name(classifier: Classifier, crops: np.ndarray) -> np.ndarray:
    return probabilities(classifier.logits(crops), classifier.config.temperature).argmax(axis=1)


def _milliseconds(classifier: Classifier, crops: np.ndarray) -> float:
    inputs, times = network_input(crops), []
    for _ in range(REPEATS):
        start = perf_counter()
        classifier._network(inputs)
        times.append(1000 * (perf_counter() - start) / len(inputs))
    return median(times)


def choose(figures: Mapping[str, Mapping[str, Any]]) -> str:
    """Name the fastest variant that loses at most 0.3 points of accuracy and renames at most one cell in a hundred."""
    least = figures["single"]["accuracy"] - TOLERANCE
    near = (name for name, of in figures.items() if of["accuracy"] >= least and of["changed"] <= RENAMED)
    return min(near, key=lambda name: figures[name]["ms"])


def markdown(result: Mapping[str, Any]) -> str:
    """Return ``precision.json`` as Markdown."""
    rows = [[name, *(figures[key] for key in COLUMNS)] for name, figures in result["figures"].items()]
    said = (
        f"Measured on {result['n']} cells of the test split by OpenVINO on {result['machine']['cores']} cores, {BATCH} "
        f"at a time. The fastest that loses at most {TOLERANCE:g} of the accuracy and renames at most {RENAMED:.0%} of "
        f"the cells, so that the files of a release agree, is {result['chosen']}."
    )
    return f"{table(['precision', *COLUMNS.values()], rows)}\n\n{said}\n"


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line; return the exit code (2 for bad input)."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--model", type=Path, required=True, help="Hub folder of a classifier")
    parser.add_argument("--data", required=True, help="data set that bone_marrow_12.py built")
    args = parser.parse_args(argv)
    try:
        test = real_cells(load_cells(args.data, "test"))
        with TemporaryDirectory() as work:
            variants = build_variants(args.model, args.data, Path(work))
            released = args.model / "model.onnx"
            files = {"single": released, "half": released, "int8": Path(work) / "model.onnx"}
            figures = measure_variants(variants, files, test)
    except MarrowError as error:
        print(f"classifier_precision: {error}", file=sys.stderr)
        return 2
    result = {"n": len(test), "figures": figures, "chosen": choose(figures), "machine": machine()}
    write_json(args.model / "precision.json", result)
    write_text(args.model / "precision.md", markdown(result))
    print(markdown(result))
    return 0


if __name__ == "__main__":
    sys.exit(main())
