"""The stacks that are timed against each other: each outlines and names the cells of a picture.

Frameworks do not share a process: they would share threads, and slow each other down.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np

from benchmarks.mosaics import Look, boxes_by
from marrow.cell import Box
from marrow.classifier import probabilities
from marrow.crop import CropConfig, crop_cell
from marrow.defaults import RELEASE
from marrow.pipeline import Models, analyze
from marrow.runtime import compile_onnx
from marrow.segmenter import Segmenter


@dataclass(frozen=True)
class NamedCell:
    """A cell that a stack found.

    Attributes:
        box: x0, y0, x1, y1 in pixels.
        polygon: ``(n, 2)`` its outline in pixels.
        code: what it is called.
    """

    box: Box
    polygon: np.ndarray
    code: str


Stack = Callable[[np.ndarray], list[NamedCell]]
"""Takes a picture, ``(height, width, 3)`` uint8 RGB."""

Outlines = tuple[list[Box], list[np.ndarray]]

SEGMENTER, CLASSIFIER = RELEASE["segmenter"], RELEASE["classifier"]

OPENVINO = "model_openvino_model"
"""The folder that ultralytics exports beside ``model.pt``."""


class Worker:
    """Something in a process of its own, and how long each of its answers took there.

    Args:
        make: makes it, called in that process.
        arguments: of ``make``.
    """

    def __init__(self, make: Callable[..., Callable[[Any], Any]], *arguments: Any) -> None:
        self._pool = ProcessPoolExecutor(1, get_context("spawn"), initializer=_open, initargs=(make, arguments))

    def __call__(self, asked: Any) -> tuple[float, Any]:
        """Return milliseconds and the answer."""
        return self._pool.submit(_timed, asked).result()

    def close(self) -> None:
        """End the process."""
        self._pool.shutdown()


class OriginalStack:
    """The first stack of this project: ultralytics on torch, then Keras' ``predict`` for one cell after the other.

    Args:
        release: folder with a folder for each model; the classifier's holds ``model.keras``.
    """

    def __init__(self, release: Path) -> None:
        self._outlining = Worker(ultralytics_on_torch, release)
        self._naming = Worker(keras_one_by_one, release)

    def __call__(self, image: np.ndarray) -> tuple[float, list[NamedCell]]:
        """Return milliseconds, the sum of both processes, and the cells."""
        outlining, (boxes, polygons) = self._outlining(image)
        naming, codes = self._naming((image, boxes))
        return outlining + naming, named(boxes, polygons, codes)

    def close(self) -> None:
        """End both processes."""
        self._outlining.close()
        self._naming.close()


_running: Callable[[Any], Any]


def _open(make: Callable[..., Callable[[Any], Any]], arguments: Sequence[Any]) -> None:
    global _running
    _running = make(*arguments)


def _timed(asked: Any) -> tuple[float, Any]:
    start = perf_counter()
    answer = _running(asked)
    return 1000 * (perf_counter() - start), answer


def named(boxes: Sequence[Box], polygons: Sequence[np.ndarray], codes: Sequence[str]) -> list[NamedCell]:
    """Put the parts of cells together."""
    return [NamedCell(*parts) for parts in zip(boxes, polygons, codes, strict=True)]


def this_project(segmenter: str, classifier: str) -> Stack:
    """Analyze with models, as ``marrow analyze`` does, report and all."""
    return analyzing(Models.from_pretrained(segmenter, classifier))


def analyzing(models: Models) -> Stack:
    """Return what :func:`marrow.pipeline.analyze` finds."""

    def look(image: np.ndarray) -> list[NamedCell]:
        return [NamedCell(one.box, np.array(one.polygon), one.label) for one in analyze(image, models).cells]

    return look


def slow_path(segmenter: str, classifier: str, thorough: bool = False) -> Stack:
    """Analyze in single precision, each look in a square of the full size: what no shortcut may change.

    Args:
        segmenter: folder of the model.
        classifier: folder of the model.
        thorough: whether a picture that fits is looked at twice even if its coarse look shows all cells well.
    """
    models = Models.from_pretrained(segmenter, classifier)
    models.segmenter.thorough = thorough
    network = compile_onnx(Path(segmenter) / "model.onnx", exact=True)
    network.takes_any_size = False
    models.segmenter._network = network
    return analyzing(models)


def stock(release: Path) -> Stack:
    """Analyze with ultralytics on OpenVINO, and the classifier on OpenVINO, all cells in one batch and one view.

    Args:
        release: folder with a folder for each model; the segmenter's holds what ultralytics exported.
    """
    outline = ultralytics_on_openvino(release)
    name = openvino_in_one_batch(release)

    def look(image: np.ndarray) -> list[NamedCell]:
        boxes, polygons = outline(image)
        return named(boxes, polygons, name((image, boxes)))

    return look


def ultralytics_on_openvino(release: Path) -> Callable[[np.ndarray], Outlines]:
    """Outline with what ultralytics exported for OpenVINO."""
    return _ultralytics(release, OPENVINO)


def ultralytics_on_torch(release: Path) -> Callable[[np.ndarray], Outlines]:
    """Outline with ultralytics on torch."""
    return _ultralytics(release, "model.pt")


def _ultralytics(release: Path, weights: str) -> Callable[[np.ndarray], Outlines]:
    from ultralytics import YOLO

    config = json.loads((release / SEGMENTER / "config.json").read_text())
    options = {"imgsz": config["input_size"], "conf": config["confidence"], "iou": config["iou"], "verbose": False}
    network = YOLO(release / SEGMENTER / weights, task="segment")

    def look(image: np.ndarray) -> Outlines:
        result: Any = next(iter(network.predict(np.ascontiguousarray(image[..., ::-1]), **options)))
        if result.masks is None:
            return [], []
        return [tuple(box) for box in result.boxes.xyxy.tolist()], result.masks.xy

    return look


def outlining(segmenter: str) -> Look:
    """Outline with this project alone."""
    return boxes_by(Segmenter.from_pretrained(segmenter))


def sahi_on_openvino(release: Path) -> Look:
    """Outline with SAHI's slices, of the size that the network takes, and ultralytics on OpenVINO."""
    from sahi import AutoDetectionModel
    from sahi.predict import get_sliced_prediction
    from ultralytics import YOLO

    config = json.loads((release / SEGMENTER / "config.json").read_text())
    side = config["input_size"]
    options: dict[str, Any] = {"confidence_threshold": config["confidence"], "image_size": side, "device": "cpu"}
    network = YOLO(release / SEGMENTER / OPENVINO, task="segment")
    model = AutoDetectionModel.from_pretrained("ultralytics", model=network, **options)

    def look(image: np.ndarray) -> np.ndarray:
        found = get_sliced_prediction(image, model, slice_height=side, slice_width=side, verbose=0)
        return np.array([one.bbox.to_xyxy() for one in found.object_prediction_list], float).reshape(-1, 4)

    return look


def openvino_in_one_batch(release: Path) -> Callable[[tuple[np.ndarray, list[Box]]], list[str]]:
    """Name all cells of a picture at once, one view of each, in what precision OpenVINO likes best."""
    network = compile_onnx(release / CLASSIFIER / "model.onnx")
    crop, labels = _classifier_config(release)

    def name(asked: tuple[np.ndarray, list[Box]]) -> list[str]:
        image, boxes = asked
        if not boxes:
            return []
        crops = np.stack([crop_cell(image, box, crop) for box in boxes])
        logits = network(crops.transpose(0, 3, 1, 2) / np.float32(127.5) - np.float32(1))[0]
        return [labels[i] for i in probabilities(logits[None]).argmax(axis=1)]

    return name


def keras_one_by_one(release: Path) -> Callable[[tuple[np.ndarray, list[Box]]], list[str]]:
    """Name one cell after the other with Keras on tensorflow."""
    import keras

    network = keras.models.load_model(release / CLASSIFIER / "model.keras", compile=False)
    crop, labels = _classifier_config(release)

    def name(asked: tuple[np.ndarray, list[Box]]) -> list[str]:
        image, boxes = asked
        crops = [crop_cell(image, box, crop)[None] / np.float32(127.5) - np.float32(1) for box in boxes]
        return [labels[int(network.predict(one, verbose=0)[0].argmax())] for one in crops]

    return name


def _classifier_config(release: Path) -> tuple[CropConfig, list[str]]:
    config = json.loads((release / CLASSIFIER / "config.json").read_text())
    return CropConfig(**config["crop"]), list(config["id2label"].values())
