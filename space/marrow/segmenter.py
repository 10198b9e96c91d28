"""The segmenter: a YOLOv8-seg network in ONNX, run by OpenVINO, that outlines every nucleated cell."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np

from marrow.analysis import Detection, ModelInfo
from marrow.hub import ModelFolder, resolve
from marrow.runtime import compile_onnx, read_config

FINE = 2
SMOOTHING = 0.2  # share of a box; what is narrower leaks from the cell. Raises the mean IoU by 0.01 (validation)
GREY = 114  # the colour of ultralytics' letterbox


@dataclass(frozen=True)
class SegmenterConfig:
    """What a segmenter's ``config.json`` says.

    Attributes:
        input_size: side of the square network input in pixels, a multiple of 32.
        confidence: default score below which a cell is left out, 0 to 1.
        iou: box overlap above which the weaker of two detections is dropped, 0 to 1.
        labels: class names of the network.
        trained_on: number of training images by data set.
    """

    input_size: int
    confidence: float
    iou: float
    labels: tuple[str, ...]
    trained_on: dict[str, Any]


class Segmenter:
    """Finds nucleated cells in an image.

    Args:
        folder: a folder with ``config.json`` and ``model.onnx``, as :func:`marrow.hub.resolve` gives it.

    Raises:
        MarrowError: a file is missing or unreadable.
    """

    def __init__(self, folder: ModelFolder) -> None:
        self.info: ModelInfo = folder.info
        self.config = read_config(folder.path, SegmenterConfig)
        self._network = compile_onnx(folder.path / "model.onnx")

    @classmethod
    def from_pretrained(cls, reference: str, revision: str | None = None) -> Segmenter:
        """Load a segmenter from a Hub id or a local folder, optionally at one revision."""
        return cls(resolve(reference, revision))

    def __call__(self, image: np.ndarray, confidence: float | None = None) -> list[Detection]:
        """Find the cells in one image.

        Args:
            image: ``(height, width, 3)`` uint8 RGB.
            confidence: lowest score to keep, 0 to 1; the model's default when ``None``.

        Returns:
            Detections in pixels of ``image``, by falling score.
        """
        confidence = self.config.confidence if confidence is None else confidence
        size = self.config.input_size
        inputs, scale, offset = letterbox(image, size)
        rows, prototypes = self._network(inputs)
        boxes, scores, coefficients = _keep(rows[0], confidence, self.config.iou, len(self.config.labels))
        depth, *grid = prototypes[0].shape
        logits = (coefficients @ prototypes[0].reshape(depth, -1)).reshape(-1, *grid)
        limit = np.array(image.shape[1::-1], float)

        def to_image(points: np.ndarray) -> np.ndarray:
            return ((points - offset) / scale).clip(0, limit)

        outlines = [_outline(logit, size // grid[0], box) for logit, box in zip(logits, boxes, strict=True)]
        found = (
            _detection(outline, box, score, to_image)
            for outline, box, score in zip(outlines, boxes, scores, strict=True)
            if outline is not None
        )
        return [detection for detection in found if detection.area > 0]  # none in the grey border


def letterbox(image: np.ndarray, size: int) -> tuple[np.ndarray, float, tuple[int, int]]:
    """Fit an image into a grey square, as ultralytics does, but never enlarge it.

    A small image is a cut-out whose cells are large already: enlarged, they leave the range of sizes that the network
    knows (composed validation fields of 448 px: F1 0.970 enlarged, 0.977 as they are).

    Args:
        image: ``(height, width, 3)`` uint8 RGB.
        size: side of the square in pixels.

    Returns:
        ``(1, 3, size, size)`` float32 in 0…1, the scale, and the ``(left, top)`` offset in pixels.
    """
    height, width = image.shape[:2]
    scale = min(size / height, size / width, 1.0)
    new_width, new_height = max(1, round(width * scale)), max(1, round(height * scale))
    resized = cv2.resize(image, (new_width, new_height), interpolation=cv2.INTER_LINEAR)
    left, top = round((size - new_width) / 2 - 0.1), round((size - new_height) / 2 - 0.1)
    square = np.full((size, size, 3), GREY, np.uint8)
    square[top : top + new_height, left : left + new_width] = resized
    return (square.transpose(2, 0, 1)[None] / np.float32(255)), scale, (left, top)


def _keep(rows: np.ndarray, confidence: float, iou: float, n_classes: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Non-maximum suppression over ``(4 + classes + coefficients, anchors)`` raw rows."""
    scores = rows[4 : 4 + n_classes].max(axis=0)
    chosen = scores >= confidence
    rows, scores = rows[:, chosen].T, scores[chosen]
    centres, sizes = rows[:, :2], rows[:, 2:4]
    corners = np.concatenate([centres - sizes / 2, centres + sizes / 2], axis=1)
    top_left_and_size = np.concatenate([corners[:, :2], sizes], axis=1)
    order = np.asarray(cv2.dnn.NMSBoxes(top_left_and_size, scores, confidence, iou), dtype=int).ravel()
    return corners[order], scores[order], rows[order, 4 + n_classes :]


def _outline(logits: np.ndarray, stride: int, box: np.ndarray) -> np.ndarray | None:
    """Outline a cell in its box, from mask logits on a grid of ``stride`` pixels.

    Only the part under the box is enlarged, to ``FINE`` times the input's resolution: OpenCV's contours run through
    pixel centres, and at the input's own resolution they would lie half a pixel inside the cell.

    Returns:
        ``(n, 2)`` float x and y in pixels of the network's input; ``None`` for a mask without area.
    """
    height, width = logits.shape
    x0, y0 = np.floor(box[:2] / stride).astype(int).clip(1, (width - 1, height - 1)) - 1
    x1, y1 = np.ceil(box[2:] / stride).astype(int).clip(1, (width - 1, height - 1)) + 1
    zoom = stride * FINE
    part = cv2.resize(logits[y0:y1, x0:x1], None, fx=zoom, fy=zoom, interpolation=cv2.INTER_LINEAR)
    mask = np.zeros(part.shape, np.uint8)
    origin = np.array([x0, y0]) * stride
    left, top, right, bottom = ((box - np.tile(origin, 2)) * FINE).round().astype(int).clip(0)
    mask[top:bottom, left:right] = part[top:bottom, left:right] > 0
    width = int(SMOOTHING * min(right - left, bottom - top)) | 1
    mask = cv2.morphologyEx(mask, cv2.MORPH_OPEN, cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (width, width)))
    contours, _ = cv2.findContours(mask, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    contour = max(contours, key=cv2.contourArea, default=None)
    if contour is None or cv2.contourArea(contour) == 0:
        return None
    contour = cv2.approxPolyDP(contour, 0.5, True)
    return (contour[:, 0] + 0.5) / FINE + origin


def _detection(
    outline: np.ndarray, box: np.ndarray, score: float, to_image: Callable[[np.ndarray], np.ndarray]
) -> Detection:
    """Bring a cell into pixels of the image."""
    points = to_image(outline)
    return Detection(
        box=tuple(to_image(box.reshape(2, 2)).ravel().tolist()),
        polygon=tuple(map(tuple, points.tolist())),
        area=float(cv2.contourArea(points.astype(np.float32))),
        score=float(score),
    )
