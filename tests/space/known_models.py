"""Small models with a known answer: a segmenter that always finds six discs, a classifier that looks at colour."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

CODES = "ART BLA EBO EOS LYT MMZ MON MYB NGB NGS PLM PMO".split()
HUB = Path(__file__).parents[2] / "hub"

# centre x, centre y, radius (pixels of a 320×320 image) and score of each disc
DISCS = [
    (60, 60, 30, 0.95),
    (160, 60, 35, 0.9),
    (260, 70, 25, 0.8),
    (70, 200, 40, 0.6),
    (180, 200, 30, 0.3),
    (270, 250, 35, 0.1),
]


def make_segmenter(folder: Path, discs: list[tuple[int, int, int, float]] = DISCS) -> Path:
    """YOLOv8-seg's raw output as constants: one prototype mask per disc."""
    count = len(discs)
    y, x = (np.mgrid[:80, :80] + 0.5) * 4
    prototypes = np.stack([r - np.hypot(x - cx, y - cy) for cx, cy, r, _ in discs])[None]
    rows = [[cx, cy, 2 * r, 2 * r, s, *row] for (cx, cy, r, s), row in zip(discs, np.eye(count), strict=True)]
    config = {
        "input_size": 320,
        "confidence": 0.5,
        "iou": 0.6,
        "labels": ["cell"],
        "trained_on": {"drawn": 1},
    }
    nodes = [
        # the input takes part with a weight of 0, since a network must use its input
        helper.make_node("ReduceMean", ["images"], ["mean"], keepdims=0),
        helper.make_node("Mul", ["mean", "nought"], ["nothing"]),
        helper.make_node("Add", ["rows", "nothing"], ["output0"]),
        helper.make_node("Add", ["prototypes", "nothing"], ["output1"]),
    ]
    constants = {"nought": np.float32(0), "rows": np.array(rows).T[None], "prototypes": prototypes}
    outputs = {"output0": (1, 5 + count, count), "output1": (1, count, 80, 80)}
    return _write(folder, config, nodes, constants, {"images": (1, 3, 320, 320)}, outputs)


def make_classifier(folder: Path, maps: bool = True, **familiar: object) -> Path:
    """Red makes a segmented neutrophil, blue an erythroblast, grey neither for certain; maps lie 32 pixels apart.

    With ``familiar`` keys of its config, black is as unlike the training as can be (1), and white as like (0).
    """
    weights = np.zeros((12, 3, 1, 1))
    weights[CODES.index("NGS"), :, 0, 0] = (20, -10, -10)
    weights[CODES.index("EBO"), :, 0, 0] = (-10, -10, 20)
    config = {
        "id2label": {str(i): code for i, code in enumerate(CODES)},
        "crop": {},
        "temperature": 1.0,
        "uncertain_below": 0.6,
        "trained_on": {code: {"bone_marrow": {"MLL": 100}} for code in CODES}
        | {"EBO": {"blood": {"Barcelona": 100}}, "PLM": {}},
    }
    nodes = [
        helper.make_node("ReduceMean", ["image", "axes"], ["colour"]),
        helper.make_node("Conv", ["colour", "weights"], ["column"]),
        helper.make_node("Flatten", ["column"], ["logits"]),
        helper.make_node("Conv", ["image", "weights"], ["everywhere"]),
        helper.make_node(
            "AveragePool", ["everywhere"], ["maps"], kernel_shape=[33, 33], strides=[32, 32], pads=[16, 16, 16, 16]
        ),
    ]
    outputs = {"logits": ("n", len(CODES)), "maps": ("n", len(CODES), "rows", "columns")}
    if not maps:
        nodes, outputs = nodes[:3], {"logits": outputs["logits"]}
    constants = {"axes": np.array([2, 3], np.int64), "weights": weights}
    if familiar:
        config |= familiar
        nodes += [
            helper.make_node("ReduceMean", ["image", "all"], ["brightness"], keepdims=0),
            helper.make_node("Mul", ["brightness", "minus_half"], ["darkness"]),
            helper.make_node("Add", ["darkness", "half"], ["distance"]),
            helper.make_node("Unsqueeze", ["distance", "last"], ["unlikeness"]),
        ]
        constants |= {"all": np.array([1, 2, 3], np.int64), "last": np.array([1], np.int64)}
        constants |= {"half": np.float32(0.5), "minus_half": np.float32(-0.5)}
        outputs |= {"unlikeness": ("n", 1)}
    return _write(folder, config, nodes, constants, {"image": ("n", 3, "h", "w")}, outputs)


def _write(folder: Path, config: dict, nodes: list, constants: dict, inputs: dict, outputs: dict) -> Path:
    initializers = [
        numpy_helper.from_array(v if v.dtype == np.int64 else np.asarray(v, np.float32), name)
        for name, v in constants.items()
    ]
    graph = helper.make_graph(nodes, "known", _infos(inputs), _infos(outputs), initializers)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
    onnx.checker.check_model(model)
    folder.mkdir()
    onnx.save(model, folder / "model.onnx")
    (folder / "config.json").write_text(json.dumps(config))
    return folder


def _infos(shapes: dict) -> list:
    return [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name, shape in shapes.items()]
