"""Plasma cells around given nuclei, faded cytoplasm, and what else lies in a field."""

import numpy as np
import pytest

from dataset_scripts.fields.artefacts import padded, random_padding, with_droplets, with_haze
from dataset_scripts.fields.pale_cells import faded, nucleus_of, plasma_cell, random_dye
from dataset_scripts.fields.patches import drawn_patch


@pytest.mark.parametrize("seed", range(4))
def test_a_plasma_cell_has_the_nucleus_in_a_wide_pale_body(seed):
    rng = np.random.default_rng(seed)
    patch = next(p for p in (drawn_patch(rng, ["LYT"]) for _ in range(20)) if nucleus_of(p) is not None)
    nucleus = nucleus_of(patch)
    cell = plasma_cell(patch, nucleus, random_dye(rng), rng)
    assert cell.code == "PLM" and set(np.unique(cell.labels)) == {0, 1}
    assert 1.7 < cell.labels.sum() / nucleus.sum() < 6
    edges = np.concatenate([cell.labels[[0, -1]].ravel(), cell.labels[:, [0, -1]].ravel()])
    assert not edges.any(), "the whole cell lies in the patch"
    dark = cell.image.sum(axis=2) < patch.image[nucleus > 0].sum(axis=1).mean() + 40
    assert dark[cell.labels > 0].sum() > 0.4 * nucleus.sum(), "the nucleus is still seen"
    assert np.abs(cell.image[:3].astype(float) - cell.background).mean() < 6, "around it there is empty smear"


def test_lobed_nuclei_serve_for_no_plasma_cell():
    rng = np.random.default_rng(0)
    assert all(nucleus_of(drawn_patch(rng, ["NGS"])) is None for _ in range(5))


def test_fading_leaves_the_nucleus_and_the_outline():
    patch = drawn_patch(np.random.default_rng(3), ["PLM"])
    pale = faded(patch, 0.3)
    assert np.array_equal(pale.labels, patch.labels)
    change = pale.image.astype(int).sum(axis=2) - patch.image.astype(int).sum(axis=2)
    inside = change[patch.labels > 0]
    assert np.percentile(inside, 90) > 60 and (np.abs(inside) < 12).mean() > 0.1


def test_haze_darkens_droplets_lighten_and_padding_has_no_cells():
    rng = np.random.default_rng(1)
    ground = np.full((120, 160, 3), 200, np.uint8)
    assert with_haze(ground, 40, rng).mean() < 199
    grey = rng.integers(140, 200, ground.shape).astype(np.uint8)
    assert (with_droplets(grey, 40, rng).astype(int) - grey).max() > 20
    padding = random_padding(200, rng)
    image, labels = padded(ground, np.ones((120, 160), np.int32), padding, rng)
    assert image.shape[:2] == labels.shape == (120 + sum(padding[:2]), 160 + sum(padding[2:]))
    assert labels.sum() == 120 * 160 and sum(padding) > 0
