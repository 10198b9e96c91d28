"""One classifier experiment: its options, and the training cells that it leaves."""

from __future__ import annotations

from dataclasses import field, replace
from typing import Annotated, Literal, get_args

import numpy as np
from pydantic import Field, NonNegativeInt, PositiveFloat, PositiveInt
from pydantic.dataclasses import dataclass

from marrow.crop import CropConfig
from marrow.errors import MarrowError
from marrow.records import STRICT, Code, Share
from training.classifier.augmentation import Augmentation
from training.classifier.data import Cells, at_most

Architecture = Literal["simple_cnn", "vgg16", "resnet50", "mobilenet", "mobilenet_v2", "mobilenet_v3_small"]
ARCHITECTURES: tuple[Architecture, ...] = get_args(Architecture)
EXPORTED: Architecture = "mobilenet_v2"  # what Transformers and the segmenter's backbone have a twin of
CALM = 0.4
"""What is left, in the calm epochs, of the learning rate and of the changes to stains and sharpness."""


@dataclass(frozen=True, config=STRICT)
class ClassifierTraining:
    """One experiment; see ``training/configs/``.

    Attributes:
        arch: one of ``ARCHITECTURES``; ``EXPORTED`` alone can be exported and start the segmenter.
        epochs: passes over the training split.
        batch_size: cells per step.
        optimizer: ``sgd`` has a Nesterov momentum of 0.9.
        learning_rate: peak of the cosine schedule (one epoch of warm-up).
        weight_decay: of ``adamw`` alone.
        calm_epochs: of the ``epochs`` the last ones, which go on from what the others end with, at :data:`CALM` of
            their learning rate, with :data:`CALM` of their changes to stains and sharpness: they win back at home what
            strong changes cost.
        constant_rate: keep the learning rate at its peak after the warm-up, for averaged weights.
        average: momentum of the average over all steps' weights that a training ends with, 0 to 1; 0 ends with the last
            weights. Averages lie in flatter minima, which other laboratories move less (Cha et al. 2021,
            arXiv:2102.08604).
        dropout: before the last layer.
        batch_norm: batch normalisation of the pooled features, and after each convolution of ``simple_cnn``.
        label_smoothing: share of each target spread over all classes.
        balancing: ``weights`` lets every class weigh the same, ``laboratories`` draws laboratories, and in each of them
            its classes, by the square root of their cells, ``downsample`` keeps as many cells of each class as the
            rarest has, ``none`` takes the cells as they are.
        imbalance: the training cells are thinned out until the largest class has this many times the cells of the
            smallest; 1 leaves them. For studies of ``balancing``.
        expected: how often a class is met, as a share of what ``balancing`` shows of it: after the training its logit
            is moved by the logarithm of that (Saerens et al. 2002, doi:10.1162/089976602753284446).
        size: side of the crop in pixels.
        context: margin around the cell, as a share of its size.
        batch_norm_momentum: Keras' own 0.999 leaves stale statistics after a short training.
        frozen_blocks: the stem and the blocks of ``mobilenet_v2`` before this one keep their initial weights; edges and
            colours need no learning anew, and without them a step takes half the time.
        mixed_precision: compute most of ``mobilenet_v2`` in bfloat16; on Keras' torch backend alone.
        init: ``imagenet``, ``none``, or a ``.weights.h5`` file of the architecture without top.
        augment: change every training view at random; otherwise the plain crop is shown every time.
        augmentation: strength of each random change.
        outlier_exposure: views of none of the classes in every batch, as a share of ``batch_size`` that comes on top;
            see ``training/classifier/outlier_exposure.py``.
        tta_rotations: quarter turns that the runtime looks at and averages, 1 to 4; no part of training.
        seed: of weights, order, augmentation, and the choice of cells.

    Raises:
        ValueError: a name or a number is not one of those above.
        MarrowError: blocks are to be frozen that the architecture does not have.
    """

    arch: Architecture = EXPORTED
    epochs: PositiveInt = 16
    batch_size: PositiveInt = 32
    optimizer: Literal["adam", "adamw", "sgd", "rmsprop"] = "adamw"
    learning_rate: float = 1e-3
    weight_decay: float = 1e-4
    calm_epochs: NonNegativeInt = 0
    constant_rate: bool = False
    average: Annotated[float, Field(ge=0, lt=1)] = 0.0
    dropout: Annotated[float, Field(ge=0, lt=1)] = 0.3
    batch_norm: bool = False
    label_smoothing: float = 0.05
    balancing: Literal["weights", "laboratories", "downsample", "none"] = "weights"
    imbalance: Annotated[float, Field(ge=1)] = 1.0
    expected: dict[Code, PositiveFloat] = field(default_factory=dict)
    size: int = 129
    context: float = 0.15
    batch_norm_momentum: float = 0.9
    frozen_blocks: Annotated[int, Field(ge=0, le=16)] = 0
    mixed_precision: bool = False
    init: str = "none"
    augment: bool = True
    augmentation: Augmentation = field(default_factory=Augmentation)
    outlier_exposure: Share = 0.0
    tta_rotations: Annotated[int, Field(ge=1, le=4)] = 1
    seed: int = 0

    def __post_init__(self) -> None:
        if self.frozen_blocks and self.arch != EXPORTED:
            raise MarrowError(f"frozen_blocks is {self.frozen_blocks}: only the 16 blocks of {EXPORTED} can be frozen.")
        if self.calm_epochs >= self.epochs:
            raise MarrowError(f"calm_epochs is {self.calm_epochs}: at least one of {self.epochs} epochs comes before.")

    @property
    def crop(self) -> CropConfig:
        """The crop that the model is trained for."""
        return CropConfig(size=self.size, context=self.context)

    @property
    def lively_epochs(self) -> int:
        """The epochs before the calm ones."""
        return self.epochs - self.calm_epochs

    def of_epoch(self, epoch: int) -> ClassifierTraining:
        """Return the experiment that an epoch, from 0, belongs to: of the calm ones or of those before."""
        if epoch < self.lively_epochs or not self.calm_epochs:
            return replace(self, epochs=self.lively_epochs, calm_epochs=0)
        rate, views = CALM * self.learning_rate, self.augmentation.weakened(CALM)
        return replace(self, epochs=self.calm_epochs, calm_epochs=0, learning_rate=rate, augmentation=views)


def chosen_cells(cells: Cells, config: ClassifierTraining) -> Cells:
    """Return the training cells that ``imbalance`` and ``balancing`` leave, chosen with the experiment's seed."""
    rng = np.random.default_rng((config.seed, 12))
    if config.imbalance > 1:
        cells = cells.select(at_most(cells.labels, _falling(cells.labels, config.imbalance, rng), rng))
    if config.balancing == "downsample":
        sizes = np.bincount(cells.labels)
        cells = cells.select(at_most(cells.labels, sizes[sizes > 0].min(), rng))
    return cells


def _falling(labels: np.ndarray, ratio: float, rng: np.random.Generator) -> np.ndarray:
    """Class sizes that fall off geometrically, in a drawn order (the protocol of Cui et al. 2019, arXiv:1901.05555)."""
    sizes = np.bincount(labels)
    present = rng.permutation(np.flatnonzero(sizes))
    falling = np.zeros(len(sizes), int)
    falling[present] = np.geomspace(sizes.max(), sizes.max() / ratio, len(present)).round().clip(1)
    return falling
