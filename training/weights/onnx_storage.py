"""ONNX files whose weights are stored in half precision."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from marrow.files import atomic_path

OPSET = 18
"""Operator set of every network that is exported."""


def store_halved(source: Path, target: Path) -> None:
    """Store the large float32 weights of an ONNX file in half precision, cast back when it is loaded.

    The network still computes in the precision that the runtime chooses; only the file shrinks by half. The time of
    the export is left out, so that the same weights give the same bytes.
    """
    network = onnx.load(source)
    graph = network.graph
    for told in [told for told in network.metadata_props if told.key == "date"]:
        network.metadata_props.remove(told)
    casts = []
    for tensor in list(graph.initializer):
        if tensor.data_type != TensorProto.FLOAT or np.prod(tensor.dims) < 256:
            continue
        half = numpy_helper.from_array(numpy_helper.to_array(tensor).astype(np.float16), tensor.name + "_half")
        casts.append(helper.make_node("Cast", [half.name], [tensor.name], to=TensorProto.FLOAT))
        graph.initializer.remove(tensor)
        graph.initializer.append(half)
    nodes = [*casts, *graph.node]
    del graph.node[:]
    graph.node.extend(nodes)
    onnx.checker.check_model(network)
    with atomic_path(target) as beside:
        onnx.save(network, beside)
