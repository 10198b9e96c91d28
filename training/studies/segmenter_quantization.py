"""The number format of the segmenter's ``model.onnx``: time and mask mAP50 of each, as OpenVINO runs it.

Compared are, all made from ``model.pt``:

- ``f32``: weights and computing in single precision;
- ``f16``: weights stored in half precision, computing in what OpenVINO chooses on this CPU (bfloat16 if it has that);
- ``int8``: weights and activations of the convolutions in eight bits, with ranges from training fields.

The fastest is chosen that loses at most half a point of mask mAP50 and whose masks are still those of ultralytics: mask
mAP50 hardly sees what eight bits do to scores and outlines, which real fields show at once.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import onnx

from marrow.errors import MarrowError
from marrow.hub import ModelFolder
from marrow.letterbox import letterbox
from marrow.runtime import compile_onnx
from marrow.segmenter import Segmenter
from training.common.environment import machine
from training.common.files import read_json
from training.common.markdown import table
from training.common.model_folder import note_weights, replaced, update_config
from training.common.timing import median_milliseconds
from training.evaluation.ground_truth import GroundTruth, annotation_file, coco_fields
from training.evaluation.matching import detection_rles, encode_rle, match_rles
from training.evaluation.segmenter import average_precision, outline
from training.weights.checkpoint import load_checkpoint
from training.weights.onnx_storage import OPSET, store_halved

CALIBRATION = 48  # training fields that the ranges of int8 are taken from
REPEATS = 30
TOLERANCE = 0.005  # of mask mAP50
LOST_AGREEMENT = 0.02  # of the mean IoU with ultralytics
AGREEING = 24  # fields to compare with ultralytics on
COLUMNS = {
    "ms": "ms per field, network alone",
    "file_mb": "file, MB",
    "mask_map50": "mask mAP50",
    "mask_map50_95": "mask mAP50-95",
    "agreement": "mean IoU with ultralytics",
    "same_count": "fields with as many cells",
}


def build_variants(model: Path, data: Path, work: Path) -> dict[str, Path]:
    """Write each variant as a folder that :class:`marrow.segmenter.Segmenter` opens.

    Args:
        model: Hub folder with ``model.pt`` and ``config.json``.
        data: folder that ``smear_fields.py`` wrote, with training fields.
        work: folder to write.

    Returns:
        The folder of each, by name.
    """
    from ultralytics import YOLO

    folders = {name: work / name for name in ("f32", "f16", "int8")}
    for folder in folders.values():
        folder.mkdir()
        shutil.copy(model / "config.json", folder)
        update_config(folder, sha256={}, self_test=None)  # which are of the released network
    size = read_json(model / "config.json")["input_size"]
    single = folders["f32"] / "model.onnx"
    load_checkpoint(model / "model.pt")  # refuses what holds more than layers, before ultralytics unpickles it
    shutil.copy(model / "model.pt", folders["f32"])
    YOLO(folders["f32"] / "model.pt").export(format="onnx", imgsz=size, opset=OPSET, simplify=False)
    store_halved(single, folders["f16"] / "model.onnx")
    fields = coco_fields(data, "train")[:CALIBRATION]
    quantize(single, (letterbox(field.image(), size)[0] for field in fields), folders["int8"] / "model.onnx")
    return folders


def quantize(source: Path, inputs: Iterable[np.ndarray], target: Path) -> None:
    """Quantize the convolutions of a network, but for the last ones: of a segmenter these make boxes, scores and masks.

    Args:
        source: ONNX file with one input.
        inputs: to take the ranges of the activations from.
        target: file to write, with quantize and dequantize nodes, which OpenVINO reads.
    """
    from onnxruntime.quantization import CalibrationDataReader, QuantType, quantize_static
    from onnxruntime.quantization.shape_inference import quant_pre_process

    class Inputs(CalibrationDataReader):
        def __init__(self, name: str) -> None:
            self._inputs: Iterator[dict[str, np.ndarray]] = ({name: each} for each in inputs)

        def get_next(self) -> dict[str, np.ndarray] | None:
            return next(self._inputs, None)

    prepared = target.with_name("prepared.onnx")
    quant_pre_process(str(source), str(prepared), skip_symbolic_shape=True)
    graph = onnx.load(prepared).graph
    quantize_static(
        str(prepared),
        str(target),
        Inputs(graph.input[0].name),
        op_types_to_quantize=["Conv"],
        nodes_to_exclude=_last_convolutions(graph),
        per_channel=True,
        activation_type=QuantType.QUInt8,
        weight_type=QuantType.QInt8,
    )
    prepared.unlink()


def _last_convolutions(graph: onnx.GraphProto) -> list[str]:
    """Name the convolutions that no other comes after, but the fixed one that sums up a distribution of box sides."""
    makers = {output: node for node in graph.node for output in node.output}
    followed: set[str] = set()
    for node in graph.node:
        if node.op_type in ("Conv", "ConvTranspose") and "/dfl/" not in node.name:
            open_inputs, seen = list(node.input[:1]), set()
            while open_inputs:
                maker = makers.get(open_inputs.pop())
                if maker is None or maker.name in seen:
                    continue
                seen.add(maker.name)
                if maker.op_type == "Conv":
                    followed.add(maker.name)
                else:
                    open_inputs += maker.input
    return [node.name for node in graph.node if node.op_type == "Conv" and node.name not in followed]


class ExactSegmenter(Segmenter):
    """A segmenter that computes in single precision, whatever the CPU is fastest in."""

    def __init__(self, folder: ModelFolder) -> None:
        super().__init__(folder)
        self._network = compile_onnx(folder.path / "model.onnx", exact=True)


def measure_variant(folder: Path, exact: bool, data: Path, fields: Sequence[GroundTruth]) -> dict[str, Any]:
    """Measure one variant.

    Returns:
        ``ms`` of the network alone, one field at a time, ``file_mb``, ``mask_map50``, ``mask_map50_95``, and how far it
        agrees with ultralytics on ``model.pt``: ``agreement`` and ``same_count``, as :func:`agreement` returns them.
    """
    segmenter = (ExactSegmenter if exact else Segmenter).from_pretrained(str(folder))
    network = compile_onnx(folder / "model.onnx", exact)
    inputs = letterbox(fields[0].image(), segmenter.config.input_size)[0]
    return {
        "ms": round(median_milliseconds(lambda: network(inputs), REPEATS), 1),
        "file_mb": round((folder / "model.onnx").stat().st_size / 1e6, 1),
        **average_precision(annotation_file(data, "test"), outline(segmenter, fields)),
        **agreement(segmenter, folder.parent / "f32" / "model.pt", fields[:AGREEING]),
    }


def agreement(segmenter: Segmenter, weights: Path, fields: Sequence[GroundTruth]) -> dict[str, float]:
    """Compare with what ultralytics outlines with the same weights, both at the default confidence.

    Returns:
        ``agreement``, the mean overlap of ultralytics' masks with the best of ours, and ``same_count``, the share of
        fields in which both find as many cells.
    """
    from ultralytics import YOLO

    model, config = YOLO(weights), segmenter.config
    segmenter.config = replace(config, max_object_size=0)  # ultralytics looks at one scale
    overlaps, same = [], []
    for field in fields:
        square = letterbox(field.image(), config.input_size)[0]  # ultralytics would enlarge a small field
        image = (255 * square[0]).round().astype(np.uint8).transpose(1, 2, 0)
        results: Any = model(
            image[..., ::-1], imgsz=config.input_size, conf=config.confidence, iou=config.iou,
            rect=False, retina_masks=True, verbose=False,
        )  # fmt: skip
        (theirs,) = results
        masks = [] if theirs.masks is None else [encode_rle(mask > 0) for mask in theirs.masks.data.numpy()]
        ours = segmenter(image)
        match = match_rles(masks, detection_rles(ours, image.shape[:2]), [detection.score for detection in ours])
        overlaps += match.overlaps.max(axis=1, initial=0).tolist()
        same.append(len(masks) == len(ours))
    segmenter.config = config
    return {"agreement": float(np.mean(overlaps or [1])), "same_count": float(np.mean(same))}


def choose(variants: Mapping[str, Mapping[str, Any]]) -> str:
    """Name the fastest variant within ``TOLERANCE`` and ``LOST_AGREEMENT`` of single precision."""
    best = variants["f32"]
    close = [
        name
        for name, one in variants.items()
        if one["mask_map50"] >= best["mask_map50"] - TOLERANCE
        and one["agreement"] >= best["agreement"] - LOST_AGREEMENT
    ]
    return min(close, key=lambda name: float(variants[name]["ms"]))


def markdown(result: Mapping[str, Any]) -> str:
    """Return ``quantization.json`` as Markdown."""
    rows = [[name, *(metrics[key] for key in COLUMNS)] for name, metrics in result["variants"].items()]
    caption = (
        f"Measured on {result['n_images']} composed test fields by OpenVINO on {result['machine']['cores']} cores. The "
        f"fastest within {TOLERANCE:g} of the mask mAP50 of f32 and within {LOST_AGREEMENT:g} of its overlap with "
        f"ultralytics is {result['chosen']}. That overlap is between its masks from `model.pt` and the ones from "
        "`model.onnx`, on the same input, at the same confidence."
    )
    return f"{table(['number format', *COLUMNS.values()], rows)}\n\n{caption}\n"


def study(model: Path, data: Path, number: int = 80, keep: str | None = None) -> dict[str, Any]:
    """Measure the variants of a segmenter.

    Args:
        model: Hub folder with ``model.pt``.
        data: folder that ``smear_fields.py`` wrote.
        number: composed test fields to measure on.
        keep: variant that becomes the ``model.onnx``: ``f32``, ``f16``, ``int8`` or ``chosen``.

    Returns:
        The content of ``quantization.json``.

    Raises:
        MarrowError: there are no weights, or no fields with cells.
    """
    if not (model / "model.pt").is_file():
        raise MarrowError(f"There is no model.pt in {model}: name the Hub folder of a segmenter.")
    fields = [field for field in coco_fields(data, "test") if field.composed][:number]
    if not any(field.cells for field in fields):
        raise MarrowError(f"No composed test field of {data} has a cell: compose more with smear_fields.py.")
    with TemporaryDirectory() as work:
        folders = build_variants(model, data, Path(work))
        variants = {name: measure_variant(folder, name == "f32", data, fields) for name, folder in folders.items()}
        chosen = choose(variants)
        if keep:
            with replaced(model) as folder:
                shutil.copy(folders[chosen if keep == "chosen" else keep] / "model.onnx", folder)
                note_weights(folder)
    return {"n_images": len(fields), "variants": variants, "chosen": chosen, "machine": machine()}
