"""The patch bank: cells and backgrounds cut out of a data set, that the fields of one split are composed of."""

from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from itertools import chain

import datasets
import numpy as np
from tqdm import tqdm

from dataset_scripts.fields.outlines import cell_labels, labels_of_all
from dataset_scripts.fields.patches import NOT_NUCLEATED, Background, Patch, cut_background, cut_patch
from marrow.errors import MarrowError
from marrow.images import to_rgb

MOST_BACKGROUNDS = 400  # of each source
WORKERS = 2
BATCH = 16  # cells that a worker cuts out at a time


@dataclass(frozen=True)
class PatchBank:
    """What the fields of one split are composed of.

    Attributes:
        patches: cells to paste, by source.
        backgrounds: backgrounds to paste them on, by source.
    """

    patches: dict[str, list[Patch]]
    backgrounds: dict[str, list[Background]]


def make_patch_bank(data: str, split: str, limit: int, model: str | None = None) -> PatchBank:
    """Cut patches from up to ``limit`` random cells of each source of a split.

    Args:
        data: folder or Hub id of the data set.
        split: of the data set.
        limit: most cells of each source.
        model: segmenter that outlines them; colour alone when ``None``.

    Raises:
        MarrowError: the data set cannot be loaded, or no cell can be cut out.
    """
    try:
        cells = datasets.load_dataset(data, split=split).shuffle(seed=0)
    except (OSError, ValueError, datasets.exceptions.DatasetsError) as error:
        raise MarrowError(f"The data set {data} cannot be loaded: build it with bone_marrow_12.py first.") from error
    patches: dict[str, list[Patch]] = {}
    backgrounds: dict[str, list[Background]] = {}
    sources = np.array(cells["source"])
    for source in sorted(set(sources)):
        chosen = cells.select(np.flatnonzero(sources == source)[:limit])
        patches[source], backgrounds[source] = [], []
        pieces = _cut_all(chosen, model)
        for patch, background in tqdm(pieces, total=len(chosen), desc=f"{split} {source}"):
            if patch:
                patches[source].append(patch)
            if background and len(backgrounds[source]) < MOST_BACKGROUNDS:
                backgrounds[source].append(background)
    patches = {source: found for source, found in patches.items() if found}
    if not patches:
        raise MarrowError(f"No cell of the {split} split of {data} stands clear enough to be cut out: add images.")
    return PatchBank(patches, backgrounds)


def _cut_all(cells: datasets.Dataset, model: str | None) -> Iterator[tuple[Patch | None, Background | None]]:
    """Cut each cell and its background out, in several processes, in their order."""
    names = cells.features["label"].names
    batches = (
        [(to_rgb(image), names[label]) for image, label in zip(batch["image"], batch["label"], strict=True)]
        for batch in cells.iter(BATCH)
    )
    with ProcessPoolExecutor(WORKERS) as pool:
        yield from chain.from_iterable(pool.map(partial(_cut, model=model), batches))


def _cut(cells: Sequence[tuple[np.ndarray, str]], model: str | None) -> list[tuple[Patch | None, Background | None]]:
    nucleated = iter(labels_of_all([image for image, code in cells if code not in NOT_NUCLEATED], model))
    pieces = []
    for image, code in cells:
        labels = cell_labels(image) if code in NOT_NUCLEATED else next(nucleated)
        pieces.append((cut_patch(image, labels, code), cut_background(image, labels)))
    return pieces
