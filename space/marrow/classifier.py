"""The classifier: a MobileNetV2 in ONNX, run by OpenVINO, that names a cell from its crop."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import Annotated, Any

import cv2
import numpy as np
from pydantic import AfterValidator, BeforeValidator, Field
from pydantic.dataclasses import dataclass

from marrow.cell import Box
from marrow.crop import CropConfig, crop_cell
from marrow.errors import MarrowError
from marrow.hub import ModelFolder
from marrow.integrity import SelfTest
from marrow.pretrained import Pretrained
from marrow.records import Code, Share, check_unique
from marrow.report import CountingRules
from marrow.runtime import open_network, read_config
from marrow.stain import UNSTAINED, Stain, nearest_stain

BATCH = 32

TrainedOn = dict[str, dict[str, dict[str, int]]]
"""Number of training images by code, origin (see :data:`marrow.analysis.ORIGINS`) and laboratory."""

SOURCES_OF_0_1 = {"marrow": ("bone_marrow", "MLL"), "blood": ("blood", "Barcelona"), "drawn": ("drawn", "drawn")}
"""Origin and laboratory of the training images of release 0.1, which knew them by these names of sources."""

SEEN_IN_MARROW = 50
"""Images from bone marrow under which a class does not count as learned from marrow: a handful is an anchor."""

LEAST_UNLIKE = 0.001
"""Unlikeness under which a cell is as like the training as any other."""

CAM_SHIFTS = (-11, 0, 11)
"""Pixels by which a crop is shifted for a finer map; they divide the 32 of a step of the last feature map."""


def read_trained_on(plain: Any) -> TrainedOn:
    """Read what ``config.json`` says of the training images.

    Args:
        plain: ``{code: {origin: {laboratory: number of images}}}``, or ``{code: {source: number of images}}`` as
            release 0.1 wrote it. Of the sources only :data:`SOURCES_OF_0_1` are known; the origin of any other is
            ``"unknown"`` and its laboratory the name of the source.

    Raises:
        ValueError: it is neither.
    """
    if not isinstance(plain, dict) or not all(isinstance(entry, dict) for entry in plain.values()):
        raise ValueError("trained_on is not a mapping of codes to numbers of images")
    return {code: _read_origins(entry) for code, entry in plain.items()}


def _read_origins(entry: dict[str, Any]) -> dict[str, dict[str, int]]:
    origins: dict[str, dict[str, int]] = {}
    for name, value in entry.items():
        if isinstance(value, dict):
            origins.setdefault(name, {}).update(value)
        else:
            origin, laboratory = SOURCES_OF_0_1.get(name, ("unknown", name))
            origins.setdefault(origin, {})[laboratory] = value
    if not all(isinstance(n, int) for laboratories in origins.values() for n in laboratories.values()):
        raise ValueError("trained_on holds something else than numbers of images")
    return origins


def _check_labels(labels: dict[str, str]) -> dict[str, str]:
    if sorted(labels) != sorted(map(str, range(len(labels)))) or not labels:
        raise ValueError("its keys are not 0, 1 and so on")
    check_unique(tuple(labels.values()))
    return labels


@dataclass(frozen=True)
class Softening:
    """How much less sure a classifier may be of a cell that is unlike those of its training.

    Attributes:
        unlikeness: of a common cell, see :meth:`Classifier.name`; the temperature of a config is that of such a cell.
        exponent: of the power of the unlikeness with which the temperature grows.
    """

    unlikeness: Annotated[float, Field(gt=0, le=2)]
    exponent: Annotated[float, Field(ge=0, le=2)]

    def factors(self, unlikeness: np.ndarray) -> np.ndarray:
        """Return by what to multiply the temperature for cells of an unlikeness, ``(n,)`` each."""
        return (unlikeness.clip(LEAST_UNLIKE) / self.unlikeness) ** self.exponent


@dataclass(frozen=True)
class ClassifierConfig:
    """What a classifier's ``config.json`` says beside its Transformers keys.

    Attributes:
        id2label: class code by index, as Transformers writes it.
        crop: how a cell is cut out.
        temperature: the logits are divided by it before the softmax.
        uncertain_below: a cell whose best probability is lower counts as uncertain, 0 to 1.
        trained_on: number of training images by code, origin and laboratory; an empty entry means none. What release
            0.1 wrote is read too, see :func:`read_trained_on`.
        tta_rotations: number of quarter turns of each crop whose probabilities are averaged, 1 to 4.
        reject_logit: constant logit that competes with those of the classes and stands for none of them, so that the
            probabilities add up to less than 1 where no class speaks up; nothing competes when ``None``.
        softening: how the temperature grows with the unlikeness of a cell; it is the same for all when ``None``.
        unlike_above: median unlikeness of its cells above which a picture is unlike those of the training, see
            :meth:`Classifier.name`; ``None`` where the network does not say how unlike a cell is.
        stains: those of the pictures that the network was trained on, or their likes.
        stain_far_above: distance to the nearest of them, :func:`marrow.stain.stain_distance`, above which a picture's
            colours are far from all; ``None`` without any.
        sha256: digest of each file of weights, by its name; empty before release 0.2.
        self_test: what the network makes of a small picture; ``None`` before release 0.2.
    """

    id2label: Annotated[dict[str, Code], AfterValidator(_check_labels)]
    crop: CropConfig
    temperature: Annotated[float, Field(ge=0.01, le=100, allow_inf_nan=False)]
    uncertain_below: Share
    trained_on: Annotated[TrainedOn, BeforeValidator(read_trained_on)]
    tta_rotations: Annotated[int, Field(ge=1, le=4)] = 1
    reject_logit: Annotated[float, Field(ge=-1000, le=1000, allow_inf_nan=False)] | None = None
    softening: Softening | None = None
    unlike_above: Annotated[float, Field(ge=0, le=2)] | None = None
    stains: Annotated[tuple[Stain, ...], Field(max_length=256)] = ()
    stain_far_above: Annotated[float, Field(ge=0, le=UNSTAINED)] | None = None
    sha256: dict[str, str] = Field(default_factory=dict)
    self_test: SelfTest | None = None

    @property
    def labels(self) -> tuple[str, ...]:
        """The class codes in the order of the network's outputs."""
        return tuple(self.id2label[str(i)] for i in range(len(self.id2label)))

    @property
    def rules(self) -> CountingRules:
        """What a differential count must know of the classifier."""
        seen = {code: self._counts(code) for code in self.labels}
        return CountingRules(
            labels=self.labels,
            uncertain_below=self.uncertain_below,
            not_from_marrow=tuple(code for code, n in seen.items() if n.get("bone_marrow", 0) < SEEN_IN_MARROW),
            unknown=tuple(code for code, n in seen.items() if not any(n.values())),
            unlike_above=self.unlike_above,
            stain_far_above=self.stain_far_above,
        )

    def temperatures(self, unlikeness: np.ndarray | None) -> float | np.ndarray:
        """Return what divides the logits of cells of an unlikeness, ``(n,)``; ``None`` where it is not known."""
        return soften(self.temperature, self.softening, unlikeness)

    def stain_distance(self, image: np.ndarray) -> float | None:
        """Return how far the colours of a picture are from those of the training, see ``stains``.

        Args:
            image: ``(height, width, 3)`` uint8 RGB.

        Returns:
            The distance to the nearest of ``stains``, :data:`marrow.stain.UNSTAINED` where there is no stain to
            measure; ``None`` where the model does not name its stains.
        """
        return nearest_stain(image, self.stains) if self.stains else None

    def _counts(self, code: str) -> dict[str, int]:
        """Return the number of images of a class that the classifier was trained on, by origin."""
        by_origin = self.trained_on.get(code, {})
        return {origin: sum(n for n in laboratories.values() if n > 0) for origin, laboratories in by_origin.items()}


class Classifier(Pretrained):
    """Names cells.

    Args:
        folder: a folder with ``config.json`` and ``model.onnx``, as :func:`marrow.hub.resolve` returns it.

    Attributes:
        explains: whether ``model.onnx`` has the output ``maps`` that :meth:`explain` needs; older exports have not.
        knows: whether it has the output ``unlikeness``, see :meth:`name`; exports before release 0.3 have not.

    Raises:
        MarrowError: a file is missing or unreadable.
    """

    def __init__(self, folder: ModelFolder) -> None:
        super().__init__(folder)
        self.config = read_config(folder.path, ClassifierConfig)
        self.labels = self.config.labels
        self.crop = self.config.crop
        # bfloat16 moves the logits by up to 0.25, and rounds the unlikeness to eight bits
        self._network = open_network(folder.path, self.config, self.crop.size, _network_input, self._fits, exact=True)

    def __call__(self, image: np.ndarray, boxes: Sequence[Box]) -> np.ndarray:
        """Name the cells in the boxes of one image.

        Args:
            image: ``(height, width, 3)`` uint8 RGB.
            boxes: one box around each cell, in pixels.

        Returns:
            ``(len(boxes), len(labels))`` float32 probabilities; each row adds up to 1, or to less where none of the
            classes fits.
        """
        return self.name(image, boxes)[0]

    def name(self, image: np.ndarray, boxes: Sequence[Box]) -> tuple[np.ndarray, np.ndarray | None]:
        """Name the cells in the boxes of one image, and say how unlike those of the training they are.

        Args:
            image: ``(height, width, 3)`` uint8 RGB.
            boxes: one box around each cell, in pixels.

        Returns:
            The probabilities, as calling the classifier gives them, and ``(len(boxes),)`` float32 unlikeness: the
            cosine distance, 0 to 2, of the network's features to those of the most similar group of training cells;
            ``None`` where the network has no such output.
        """
        return self.name_crops(crop_cell(image, box, self.crop) for box in boxes)

    def name_crops(self, crops: Iterable[np.ndarray]) -> tuple[np.ndarray, np.ndarray | None]:
        """Name cells that are cut out of one image or several, as :meth:`name` does.

        Args:
            crops: ``(size, size, 3)`` uint8 RGB each, as :func:`marrow.crop.crop_cell` gives them; no more than
                :data:`BATCH` of them are kept at a time.
        """
        waiting = iter(crops)
        given, unlike = [np.zeros((0, len(self.labels)), np.float32)], [np.zeros(0, np.float32)]
        while batch := list(islice(waiting, BATCH)):
            logits, unlikeness = self.answers(np.stack(batch))
            given.append(probabilities(logits, self.config.temperatures(unlikeness), self.config.reject_logit))
            if unlikeness is not None:
                unlike.append(unlikeness)
        return np.concatenate(given), np.concatenate(unlike) if self.knows else None

    def predict(self, crops: np.ndarray) -> np.ndarray:
        """Return the probabilities of ``(n, size, size, 3)`` uint8 RGB crops, as ``(n, len(labels))`` float32."""
        return self.name_crops(crops)[0]

    def answers(self, crops: np.ndarray) -> tuple[np.ndarray, np.ndarray | None]:
        """Return what the network says of crops.

        Args:
            crops: ``(n, size, size, 3)`` uint8 RGB.

        Returns:
            The logits, ``(tta_rotations, n, len(labels))``, and the unlikeness, ``(n,)``, as :meth:`name` gives it.
        """
        outputs = list(self._forward(crops))
        logits = np.stack([logits for logits, *_ in outputs])
        return logits, np.mean([last[:, 0] for *_, last in outputs], axis=0) if self.knows else None

    def logits(self, crops: np.ndarray) -> np.ndarray:
        """Return the logits of ``(n, size, size, 3)`` uint8 RGB crops, ``(tta_rotations, n, len(labels))``."""
        return self.answers(crops)[0]

    def raw_outputs(self, crop: np.ndarray) -> list[np.ndarray]:
        """Return the outputs of the network for a crop, as :class:`SelfTest` compares them."""
        return self._network(_network_input(crop))

    def _fits(self, outputs: list[np.ndarray]) -> bool:
        """Tell whether outputs are logits of the labels, and maps of them and the unlikeness if there are any."""
        logits, *maps = outputs
        self.knows = outputs[-1].shape == (1, 1) and len(outputs) > 1
        if self.knows:
            maps.pop()
        self.explains = len(maps) > 0
        return logits.shape == (1, len(self.labels)) and all(
            one.ndim == 4 and one.shape[1] == len(self.labels) and one.shape[2] == one.shape[3] > 1 for one in maps
        )

    def explain(self, crop: np.ndarray, code: str) -> np.ndarray:
        """Say where the evidence for a class lies.

        This is the class activation map (Zhou et al. 2016, arXiv:1512.04150), less the mean of those of all classes,
        which is all that a softmax sees of it. Its places are 32 pixels apart, so the crop is mapped nine times at
        each rotation, a few pixels aside each time, and the maps are averaged.

        Args:
            crop: ``(size, size, 3)`` uint8 RGB, as :func:`marrow.crop.crop_cell` gives it.
            code: one of ``labels``.

        Returns:
            ``(size, size)`` float32, in logits: positive where the picture speaks for the class, negative where
            against.

        Raises:
            MarrowError: the classifier does not explain.
        """
        if not self.explains:
            raise MarrowError(f"{self.info.repo} explains nothing: its model.onnx has no maps, export it again.")
        aside = [(dx, dy) for dx in CAM_SHIFTS for dy in CAM_SHIFTS]
        size, reach = len(crop), max(CAM_SHIFTS)
        wide = np.pad(crop, ((reach, reach), (reach, reach), (0, 0)), constant_values=self.crop.background)
        moved = np.stack([wide[reach - dy :, reach - dx :][:size, :size] for dx, dy in aside])
        evidence = []
        for turn, (_, maps, *_) in enumerate(self._forward(moved)):
            upright = np.rot90(maps, -turn, axes=(2, 3))
            relative = upright[:, self.labels.index(code)] - upright.mean(axis=1)
            step = (size - 1) / (relative.shape[1] - 1)  # the outermost places lie on the outermost pixels
            for one, (dx, dy) in zip(relative, aside, strict=True):
                back = np.array([[step, 0, -dx], [0, step, -dy]])
                # contiguous, since OpenCV takes no view with negative strides
                one = np.ascontiguousarray(one)
                evidence.append(cv2.warpAffine(one, back, (size, size), None, cv2.INTER_CUBIC, cv2.BORDER_REPLICATE))
        return np.mean(evidence, axis=0)

    def _forward(self, crops: np.ndarray) -> Iterator[list[np.ndarray]]:
        """Return the network's outputs for crops at each rotation, whose maps are turned as the crops are."""
        inputs = _network_input(crops)
        for turn in range(self.config.tta_rotations):
            turned = np.ascontiguousarray(np.rot90(inputs, turn, axes=(2, 3)))
            batches = [self._network(turned[i : i + BATCH]) for i in range(0, len(turned), BATCH)]
            yield [np.concatenate(parts) for parts in zip(*batches, strict=True)]


def _network_input(crops: np.ndarray) -> np.ndarray:
    """Return ``(n, 3, size, size)`` float32 in -1…1 of one crop or several, uint8 RGB."""
    return crops.reshape(-1, *crops.shape[-3:]).transpose(0, 3, 1, 2) / np.float32(127.5) - np.float32(1)


def soften(temperature: float, softening: Softening | None, unlikeness: np.ndarray | None) -> float | np.ndarray:
    """Return what divides the logits of cells: the temperature, higher where a cell is unlike the training.

    Args:
        temperature: of a common cell.
        softening: ``None`` where it is the same for all.
        unlikeness: ``(n,)``, as :meth:`Classifier.name` gives it; ``None`` where it is not known.
    """
    return temperature if softening is None or unlikeness is None else temperature * softening.factors(unlikeness)


def probabilities(
    logits: np.ndarray, temperature: float | np.ndarray = 1, reject_logit: float | None = None
) -> np.ndarray:
    """Turn logits into probabilities, averaged over the rotations.

    Args:
        logits: ``(rotations, n, classes)``.
        temperature: divides the logits, ``(n,)`` where it is not the same for all.
        reject_logit: logit of none of the classes, as in :class:`ClassifierConfig`.

    Returns:
        ``(n, classes)`` float32; each row adds up to 1, or to less with ``reject_logit``.
    """
    temperature = np.reshape(np.asarray(temperature, logits.dtype), (-1, 1))
    logits = logits / temperature
    highest = logits.max(axis=2, keepdims=True)
    exponents = np.exp(logits - highest)
    total = exponents.sum(axis=2, keepdims=True)
    if reject_logit is not None:
        total = total + np.exp(reject_logit / temperature - highest)
    return (exponents / total).mean(axis=0).astype(np.float32)
