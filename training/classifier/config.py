"""One classifier experiment: its options, and the training cells that it leaves."""

from __future__ import annotations

from dataclasses import field

import numpy as np
from pydantic.dataclasses import dataclass

from marrow.crop import CropConfig
from marrow.errors import MarrowError
from marrow.records import STRICT
from training.classifier.augmentation import Augmentation
from training.classifier.data import Cells, at_most

ARCHITECTURES = ("simple_cnn", "vgg16", "resnet50", "mobilenet", "mobilenet_v2", "mobilenet_v3_small")
EXPORTED = "mobilenet_v2"  # what Transformers and the segmenter's backbone have a twin of
OPTIMIZERS = ("adam", "adamw", "sgd", "rmsprop")
BALANCINGS = ("weights", "downsample", "none")


@dataclass(frozen=True, config=STRICT)
class ClassifierTraining:
    """One experiment; see ``training/configs/``.

    Attributes:
        arch: one of ``ARCHITECTURES``; ``EXPORTED`` alone can be exported and start the segmenter.
        epochs: passes over the training split.
        batch_size: cells per step.
        optimizer: one of ``OPTIMIZERS``; ``sgd`` has a Nesterov momentum of 0.9.
        learning_rate: peak of the cosine schedule (one epoch of warm-up).
        weight_decay: of ``adamw`` alone.
        dropout: before the last layer.
        batch_norm: batch normalisation of the pooled features, and after each convolution of ``simple_cnn``.
        label_smoothing: share of each target spread over all classes.
        balancing: ``weights`` lets every class weigh the same, ``downsample`` keeps as many cells of each class as the
            rarest has, ``none`` takes the cells as they are.
        imbalance: the training cells are thinned out until the largest class has this many times the cells of the
            smallest; 1 leaves them. For studies of ``balancing``.
        size: side of the crop in pixels.
        context: margin around the cell, as a share of its size.
        batch_norm_momentum: Keras' own 0.999 leaves stale statistics after a short training.
        frozen_blocks: the stem and the blocks of ``mobilenet_v2`` before this one keep their initial weights; edges and
            colours need no learning anew, and without them a step takes half the time.
        init: ``imagenet``, ``none``, or a ``.weights.h5`` file of the architecture without top.
        augment: change every training view at random; otherwise the plain crop is shown every time.
        augmentation: strength of each random change.
        outlier_exposure: views of none of the classes in every batch, as a share of ``batch_size`` that comes on top;
            see ``training/classifier/outlier_exposure.py``.
        tta_rotations: quarter turns that the runtime looks at and averages, 1 to 4; no part of training.
        seed: of weights, order, augmentation, and the choice of cells.

    Raises:
        MarrowError: a name or a number is not one of those above.
    """

    arch: str = "mobilenet_v2"
    epochs: int = 16
    batch_size: int = 32
    optimizer: str = "adamw"
    learning_rate: float = 1e-3
    weight_decay: float = 1e-4
    dropout: float = 0.3
    batch_norm: bool = False
    label_smoothing: float = 0.05
    balancing: str = "weights"
    imbalance: float = 1.0
    size: int = 129
    context: float = 0.15
    batch_norm_momentum: float = 0.9
    frozen_blocks: int = 0
    init: str = "none"
    augment: bool = True
    augmentation: Augmentation = field(default_factory=Augmentation)
    outlier_exposure: float = 0.0
    tta_rotations: int = 1
    seed: int = 0

    def __post_init__(self) -> None:
        for name, known in (("arch", ARCHITECTURES), ("optimizer", OPTIMIZERS), ("balancing", BALANCINGS)):
            if getattr(self, name) not in known:
                raise MarrowError(f"{name} is {getattr(self, name)!r}: choose one of {', '.join(known)}.")
        if self.epochs < 1 or self.batch_size < 1 or self.imbalance < 1 or not 0 <= self.dropout < 1:
            raise MarrowError("epochs, batch_size and imbalance are at least 1, and dropout is from 0 to below 1.")
        if not 0 <= self.outlier_exposure <= 1:
            raise MarrowError(f"outlier_exposure is {self.outlier_exposure}: give a share from 0 to 1.")
        if not 1 <= self.tta_rotations <= 4:
            raise MarrowError(f"tta_rotations is {self.tta_rotations}: give 1 to 4 quarter turns.")
        if self.frozen_blocks and (self.arch != EXPORTED or not 0 < self.frozen_blocks <= 16):
            raise MarrowError(f"frozen_blocks is {self.frozen_blocks}: only the 16 blocks of {EXPORTED} can be frozen.")

    @property
    def crop(self) -> CropConfig:
        """The crop that the model is trained for."""
        return CropConfig(size=self.size, context=self.context)


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
