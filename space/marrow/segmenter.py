"""The segmenter: a YOLOv8-seg network in ONNX, run by OpenVINO, that outlines every nucleated cell.

It looks at a picture at half the size at which it fits, then in tiles at twice that scale, and so on up to the
picture's own size. A coarse scale shows whole the cells that are larger than those it was trained on, of which a finer
one gives a part (BCCD test part: box recall 0.88 at one scale, 1.00 at two). A finer tile is looked at only where the
coarser look left something to find, and a picture that fits only if that showed small cells, or none. What is outlined
without a nucleus, red cells of a stain that the network does not know, is left out.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from itertools import count
from typing import Annotated, Any

import cv2
import numpy as np
from pydantic import AfterValidator, Field
from pydantic.dataclasses import dataclass as checked_dataclass

from marrow.cell import Detection
from marrow.geometry import box_areas, box_intersections, contour, opened, polygon_area, simplify
from marrow.hub import ModelFolder
from marrow.integrity import SelfTest
from marrow.letterbox import Frame, bucket, letterbox
from marrow.nuclei import Nuclei, least_share
from marrow.pretrained import Pretrained
from marrow.pyramid import Tile, scales, tiles
from marrow.records import Code, Share, check_unique
from marrow.runtime import open_network, read_config

FINEST = 3.0  # most pixels of an outline's grid in one of the input, so that a huge image takes no minutes
SMOOTHING = 0.2  # share of a box; what is narrower leaks from the cell. Raises the mean IoU by 0.007 (validation)
COARSE_SCALE = 0.5  # size of the image at a coarser scale, against the next
COARSE_MIN_SIZE = 0.65  # share of `max_object_size` from which on a coarser scale counts too
# Share of that size from which on all cells of a picture that fits are shown well enough, 28 pixels of the released
# network's input. Chosen on validation fields: F1 .973, as with both looks always. Were this the bound for keeping too,
# 3 % of the cells of a large picture would depend on where its tiles lie.
ENOUGH = 0.5
DOUBT = 0.25  # share of the default confidence from which on something may be a cell that a finer scale shows
ROWS = 256  # boxes that are compared with all others at once
# a box with more than this share in one that is so much larger is a part of that cell
PART_MIN_OVERLAP, PART_MAX_AREA = 0.8, 0.75
# sure boxes in one from which on it is a crowd of cells, and no cell: in a picture of 251 megapixels one of 11,904
# pixels was outlined at a scale of 1/64, and half of the 18,139 others were taken for parts
CROWD = 9


Progress = Callable[[float], object]
"""Is told the share of a work that is done."""


@checked_dataclass(frozen=True)
class SegmenterConfig:
    """What a segmenter's ``config.json`` says.

    Attributes:
        input_size: side of the square network input in pixels, a multiple of 32.
        confidence: default score below which a cell is left out, 0 to 1.
        iou: box overlap above which the weaker of two detections is dropped, 0 to 1.
        labels: class names of the network.
        trained_on: number of training images by data set.
        max_object_size: longest side of a cell, in pixels of the input, that the network knows from its training.
            Larger ones are outlined at a coarser scale, the image at half its size; 0 for a single scale, all that
            the network finds there kept.
        sha256: digest of each file of weights, by its name; empty before release 0.2.
        self_test: what the network makes of a small picture; ``None`` before release 0.2.
    """

    input_size: Annotated[int, Field(ge=32, le=4096, multiple_of=32)]
    confidence: Share
    iou: Share
    labels: Annotated[tuple[Code, ...], Field(min_length=1, max_length=100), AfterValidator(check_unique)]
    trained_on: dict[str, Any]
    max_object_size: Annotated[int, Field(ge=0, le=4096)] = 0
    sha256: dict[str, str] = Field(default_factory=dict)
    self_test: SelfTest | None = None


class Segmenter(Pretrained):
    """Finds nucleated cells in an image.

    Args:
        folder: a folder with ``config.json`` and ``model.onnx``, as :func:`marrow.hub.resolve` returns it.

    Attributes:
        shift: where the first tile begins outside of a picture, as a share of a tile; 0 but where it is measured that
            the cells do not depend on it.
        thorough: whether a picture that fits is looked at twice, come what may; ``False`` but where it is measured what
            that would change.

    Raises:
        MarrowError: a file is missing or unreadable.
    """

    shift = 0.0
    thorough = False

    def __init__(self, folder: ModelFolder) -> None:
        super().__init__(folder)
        self.config = read_config(folder.path, SegmenterConfig)
        size = self.config.input_size
        self._network = open_network(folder.path, self.config, size, _network_input, self._fits)

    def __call__(
        self, image: np.ndarray, confidence: float | None = None, progress: Progress | None = None
    ) -> list[Detection]:
        """Find the cells in one image.

        Args:
            image: ``(height, width, 3)`` uint8 RGB.
            confidence: lowest score to keep, 0 to 1; the model's default when ``None``.
            progress: is told after each tile what share of the tiles is done, 0 to 1; what it raises ends the work.

        Returns:
            Detections in pixels of ``image``, by falling score.
        """
        confidence = self.config.confidence if confidence is None else confidence
        if self.config.max_object_size:
            nuclei = Nuclei.of(image)
            lowest = min(confidence, self.config.confidence)  # a cell may be surer for its parts
            candidates = _merge_scales(self._look_at_all_scales(image, nuclei, lowest, progress), self.config)
            candidates = _with_nucleus(candidates, nuclei, self.config.confidence)
        else:
            candidates = self._look(image, Tile((0, 0, *image.shape[1::-1]), 1.0), confidence)
        found = (candidate.detection() for candidate in candidates if candidate.score >= confidence)
        return [detection for detection in found if detection is not None]

    def _look_at_all_scales(
        self, image: np.ndarray, nuclei: Nuclei, confidence: float, progress: Progress | None = None
    ) -> list[_Candidate]:
        """Find cells at every scale, the coarsest first; a finer tile is looked at where something is left to find."""
        height, width = image.shape[:2]
        steps = scales(width, height, self.config.input_size)
        layout = {scale: list(tiles(width, height, self.config.input_size, scale, self.shift)) for scale in steps}
        done, fits, kept = count(1), len(steps) == 2, []
        lowest = min(confidence, DOUBT * self.config.confidence) if fits else confidence
        seen: _Seen | None = None
        for scale in steps:
            found = []
            for tile in layout[scale]:
                if fits or seen is None or seen.leave_open(tile, nuclei):
                    found += self._look(image, tile, lowest)
                if progress:
                    progress(next(done) / sum(map(len, layout.values())))
            seen = _Seen.at(scale, found, self.config)
            if fits and scale == steps[0] and seen.are_enough() and not self.thorough:
                return found
            most = np.inf if scale == steps[0] else self.config.max_object_size
            kept += seen.of_sizes(0 if scale == steps[-1] else seen.least, most)
        return [candidate for candidate in kept if candidate.score >= confidence]

    @property
    def takes_any_size(self) -> bool:
        """Whether the network takes pictures of other sizes than its ``input_size``."""
        return self._network.takes_any_size

    def raw_outputs(self, image: np.ndarray) -> list[np.ndarray]:
        """Return the outputs of the network for a square image, as :class:`SelfTest` compares them."""
        return self._network(_network_input(image))

    def _fits(self, outputs: list[np.ndarray]) -> bool:
        """Tell whether outputs are raw rows and prototypes of masks, as the config has them."""
        rows, prototypes = outputs
        coefficients = rows.shape[1] - 4 - len(self.config.labels)
        shown = (self.config.self_test and self.config.self_test.side) or self.config.input_size
        strides = {shown / side for side in prototypes.shape[2:]}
        return rows.ndim == 3 and prototypes.shape[1] == coefficients > 0 and strides in ({4.0}, {2.0}, {8.0})

    def _look(self, image: np.ndarray, tile: Tile, confidence: float) -> list[_Candidate]:
        """Find the cells in a tile that none of its borders cuts; a picture that does not fit is made to."""
        part, size = tile.part_of(image), self.config.input_size
        fits = tile.scale * max(part.shape[:2]) <= size
        shape = bucket(part.shape, tile.scale) if fits and self.takes_any_size else (size, size)
        inputs, scale, (left, top) = letterbox(part, shape, tile.scale if fits else None)
        rows, prototypes = self._network(inputs)
        boxes, scores, coefficients = _decode(rows[0], confidence, self.config.iou, len(self.config.labels))
        offset = left - tile.box[0] * scale, top - tile.box[1] * scale
        frame = Frame(image.shape[1::-1], scale, offset, inputs.shape[2] // prototypes.shape[2])
        places = frame.to_image(boxes.reshape(-1, 2)).reshape(-1, 4)
        return [
            _Candidate(
                boxes[i], scores[i], *_mask_logits(coefficients[i], prototypes[0], boxes[i] / frame.stride), frame
            )
            for i in np.flatnonzero(tile.holds(places))
        ]


def _network_input(image: np.ndarray) -> np.ndarray:
    """Return ``(1, 3, side, side)`` float32 in 0…1 of a square image."""
    return letterbox(image, len(image))[0]


def _mask_logits(
    coefficients: np.ndarray, prototypes: np.ndarray, box: np.ndarray
) -> tuple[np.ndarray, tuple[int, int]]:
    """Return the logits of a mask in a box and a little around it, and where they begin: column and row."""
    limits = np.array(prototypes.shape[:0:-1])
    left, top = (np.floor(box[:2]) - 2).clip(0, limits - 1).astype(int).tolist()
    right, bottom = (np.ceil(box[2:]) + 2).clip(1, limits).astype(int).tolist()
    return np.tensordot(coefficients, prototypes[:, top:bottom, left:right], 1), (left, top)


@dataclass(frozen=True)
class _Candidate:
    """A cell found at one scale.

    Attributes:
        box: left, top, right and bottom in pixels of the input.
        score: 0 to 1.
        logits: ``(rows, columns)`` of its mask, in its box and a little around it.
        corner: column and row of the prototypes at which they begin.
        frame: where the image lies in that input.
    """

    box: np.ndarray
    score: float
    logits: np.ndarray
    corner: tuple[int, int]
    frame: Frame

    def place(self) -> np.ndarray:
        """Return its box in pixels of the image."""
        return self.frame.to_image(self.box.reshape(2, 2)).ravel()

    def detection(self) -> Detection | None:
        """Outline it; ``None`` for a mask without area."""
        return _detection(self)


@dataclass(frozen=True)
class _Seen:
    """What one scale showed.

    Attributes:
        candidates: what was found, ``n`` of them.
        places: ``(n, 4)`` their boxes in pixels of the picture.
        sizes: ``(n,)`` their longest sides in pixels of the input.
        scores: ``(n,)``, 0 to 1.
        default: the default confidence. Whatever confidence is asked for, the same is looked at.
        least: size from which on they count, unless the scale is the finest.
    """

    candidates: list[_Candidate]
    places: np.ndarray
    sizes: np.ndarray
    scores: np.ndarray
    default: float
    least: float

    @classmethod
    def at(cls, scale: float, candidates: list[_Candidate], config: SegmenterConfig) -> _Seen:
        """Measure what was found at a scale."""
        places = np.array([candidate.place() for candidate in candidates]).reshape(-1, 4)
        sizes = (places[:, 2:] - places[:, :2]).max(axis=1, initial=0) * scale
        scores = np.array([candidate.score for candidate in candidates])
        halved = config.max_object_size * COARSE_SCALE
        return cls(candidates, places, sizes, scores, config.confidence, COARSE_MIN_SIZE * halved)

    def of_sizes(self, least: float, most: float) -> list[_Candidate]:
        """Return what is as large, in pixels of the input."""
        return [self.candidates[i] for i in np.flatnonzero((least <= self.sizes) & (self.sizes <= most))]

    def are_enough(self) -> bool:
        """Tell whether all cells are shown well: something is, and nothing else may be a cell."""
        well = (self.scores >= self.default) & (self.sizes >= ENOUGH * self.least)
        return bool(well.any() and well[self.scores >= DOUBT * self.default].all())

    def leave_open(self, tile: Tile, nuclei: Nuclei) -> bool:
        """Tell whether there may be cells in a tile of the next finer scale that this one did not show well."""
        left, top, right, bottom = tile.box
        x, y = (self.places[:, 0] + self.places[:, 2]) / 2, (self.places[:, 1] + self.places[:, 3]) / 2
        here = (self.scores >= self.default) & (left <= x) & (x <= right) & (top <= y) & (y <= bottom)
        return bool((self.sizes[here] < self.least).any()) if here.any() else nuclei.are_in(tile.box)


def _decode(
    rows: np.ndarray, confidence: float, iou: float, n_classes: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Boxes, scores and mask coefficients of the best of ``(4 + classes + coefficients, anchors)`` raw rows."""
    scores = rows[4 : 4 + n_classes].max(axis=0)
    chosen = scores >= confidence
    rows, scores = rows[:, chosen].T, scores[chosen]
    centres, sizes = rows[:, :2], rows[:, 2:4]
    corners = np.concatenate([centres - sizes / 2, centres + sizes / 2], axis=1)
    order = _nms(corners, scores, iou)
    return corners[order], scores[order], rows[order, 4 + n_classes :]


def _nms(corners: np.ndarray, scores: np.ndarray, iou: float) -> np.ndarray:
    """Non-maximum suppression: indices of the ``(n, 4)`` boxes that stay, by falling score."""
    top_left_and_size = np.concatenate([corners[:, :2], corners[:, 2:] - corners[:, :2]], axis=1)
    kept = cv2.dnn.NMSBoxes(top_left_and_size.tolist(), scores.tolist(), 0.0, iou)
    return np.array(kept, np.int64).ravel()


def _merge_scales(candidates: list[_Candidate], config: SegmenterConfig) -> list[_Candidate]:
    """Join what both scales found, by falling score: of boxes that overlap the best stays, and mere parts go.

    A part is a box that lies in that of a larger cell; a neighbour has more of its own outside. The cell is then as
    sure as its surest part. One below the default confidence takes only parts of lower scores with it. What holds a
    crowd is no cell; only parts from the default confidence on are counted. So leaving out low scores afterwards gives
    what a higher confidence gives.
    """
    places = np.array([candidate.place() for candidate in candidates], np.float32).reshape(-1, 4)
    scores = np.array([candidate.score for candidate in candidates], np.float32)
    order = _nms(places, scores, config.iou)
    places, scores = places[order], scores[order]
    pairs = _parts(places, scores, config.confidence)
    sure = pairs[scores[pairs[:, 0]] >= config.confidence]
    raised, whole = scores.copy(), np.bincount(sure[:, 1], minlength=len(scores)) < CROWD
    for part, cell in pairs[whole[pairs[:, 1]]]:
        raised[cell] = max(raised[cell], scores[part])
        whole[part] = False
    kept = [replace(candidates[i], score=score) for i, score in zip(order[whole], raised[whole], strict=True)]
    return sorted(kept, key=lambda candidate: -candidate.score)


def _with_nucleus(candidates: list[_Candidate], nuclei: Nuclei, confidence: float) -> list[_Candidate]:
    """Leave out what has no nucleus, as those of the default confidence tell it, whatever others are asked for."""
    shares = nuclei.shares(np.array([candidate.place() for candidate in candidates]).reshape(-1, 4))
    sure = np.array([candidate.score >= confidence for candidate in candidates], bool)
    least = least_share(shares[sure])
    return [candidate for candidate, share in zip(candidates, shares, strict=True) if share >= least]


def _parts(places: np.ndarray, scores: np.ndarray, confidence: float) -> np.ndarray:
    """Return which boxes are parts of which cells, ``(n, 2)`` pairs of indices."""
    areas, pairs = box_areas(places), [np.zeros((0, 2), int)]
    for first in range(0, len(places), ROWS):
        rows = slice(first, first + ROWS)
        inside = box_intersections(places[rows], places) > PART_MIN_OVERLAP * areas[rows, None]
        smaller = areas[rows, None] < PART_MAX_AREA * areas
        surer = scores >= np.minimum(scores, confidence)[rows, None]
        pairs.append(np.argwhere(inside & smaller & surer) + np.array([first, 0]))
    return np.concatenate(pairs)


def _detection(candidate: _Candidate) -> Detection | None:
    """Outline a cell, from the logits of its mask, in pixels of the image; ``None`` for a mask without area.

    As with ultralytics' ``retina_masks`` the logits are brought to the image's own pixels, and the mask ends at those
    whose numbers lie in the box. The outline is the border of these pixels.
    """
    frame, corners = candidate.frame, candidate.place().reshape(2, 2)
    pixel = max(1.0, 1 / (FINEST * frame.scale))  # pixels of the image in one of the mask
    first, last = np.ceil(corners / pixel).astype(int)
    if (last <= first).any():
        return None
    step = pixel * frame.scale / frame.stride
    start = ((first + 0.5) * pixel * frame.scale + frame.offset) / frame.stride - 0.5 - candidate.corner
    matrix = np.array([[step, 0, start[0]], [0, step, start[1]]])
    size = (last - first).tolist()
    part = cv2.warpAffine(
        candidate.logits, matrix, size, flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP, borderMode=cv2.BORDER_REPLICATE
    )
    border = contour(opened(np.pad(part > 0, 1), SMOOTHING * min(size) / 2))
    if len(border) == 0:
        return None
    points = (simplify(border) + first - 1) * pixel
    return Detection(
        box=tuple(corners.ravel().tolist()),
        polygon=tuple(map(tuple, points.clip(0, frame.limit).tolist())),
        area=polygon_area(border) * pixel**2,
        score=float(candidate.score),
    )
