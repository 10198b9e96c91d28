"""Cells with wide or pale cytoplasm, made of those at hand.

Free single-cell images show hardly any plasma cells, and a network that never saw one outlines its nucleus alone. So
real round nuclei get a drawn cytoplasm here, and the cytoplasm of any cell can be faded, as weak stain does.
"""

import cv2
import numpy as np

from dataset_scripts.drawing.shapes import blob, fill
from dataset_scripts.drawing.textures import smooth_noise
from dataset_scripts.fields.patches import Patch
from marrow.geometry import border_pixels, convex_hull, fill_holes, largest_region, polygon_area
from marrow.stain import nuclear_mask, optical_density

ROUND = 0.94  # area of a nucleus over that of its convex hull
WHOLE = 0.35  # least share of the cell that its nucleus covers
NUCLEUS_SHARE = (0.2, 0.5)  # of the area of a plasma cell
PALEST, DARKEST = 0.07, 0.6  # optical density of the cytoplasm in green light


def nucleus_of(patch: Patch) -> np.ndarray | None:
    """Find the nucleus of a patch's centre cell: ``(h, w)`` uint8, ``None`` where it is not one round piece."""
    dark = nuclear_mask(optical_density(patch.image)) * (patch.labels == 1)
    nucleus = fill_holes(largest_region(dark))
    if not nucleus.any() or patch.labels.max() > 1:
        return None
    area, hull = polygon_area(border_pixels(nucleus)), polygon_area(convex_hull(nucleus))
    (_, sides, _) = cv2.minAreaRect(convex_hull(nucleus))
    if area < WHOLE * (patch.labels == 1).sum() or area < ROUND * hull or min(sides) < 0.7 * max(sides):
        return None
    return nucleus


def random_dye(rng: np.random.Generator) -> np.ndarray:
    """Draw the optical density of a field's plasma cell cytoplasm, ``(3,)`` RGB: from grey haze to deep blue."""
    green = np.exp(rng.uniform(np.log(PALEST), np.log(DARKEST)))
    return green * np.array([rng.uniform(0.6, 1.05), 1, rng.uniform(0.1, 0.75)])


def plasma_cell(patch: Patch, nucleus: np.ndarray, dye: np.ndarray, rng: np.random.Generator) -> Patch:
    """Draw the wide, off-centre, mottled cytoplasm of a plasma cell around a real nucleus.

    Args:
        patch: a cell with a round nucleus.
        nucleus: its mask, as :func:`nucleus_of` gives it.
        dye: as :func:`random_dye` gives it.
        rng: source of randomness.
    """
    small = float(np.sqrt(nucleus.sum() / np.pi))
    radius = small / np.sqrt(rng.uniform(*NUCLEUS_SHARE))
    side = 2 * int(1.5 * radius + small) + 8
    middle = np.array([side / 2, side / 2])
    way = rng.uniform(0, 2 * np.pi)
    # the nucleus touches the border of the cell, or bulges a little beyond it
    centre = middle + (radius - small) * rng.uniform(0.5, 1.15) * np.array([np.cos(way), np.sin(way)])
    fringe = rng.uniform(0, 0.08) * (rng.random() < 0.3)
    outline = blob(rng, tuple(middle), radius, rng.uniform(0.02, 0.09), rng.uniform(1.0, 1.5), fringe)
    body = fill([outline], side, side, rng.uniform(0.01, 0.03) * radius)
    density = body * _mottle(middle, centre, radius, small, rng)
    image = patch.background * np.exp(-density[..., None] * dye * rng.normal(1, 0.15))
    image += rng.normal(0, 1.5, image.shape)

    moments = cv2.moments(nucleus, binaryImage=True)
    shift = centre - np.array([moments["m10"], moments["m01"]]) / moments["m00"]
    matrix = np.array([[1, 0, round(shift[0])], [0, 1, round(shift[1])]], np.float32)
    moved = cv2.warpAffine(patch.image, matrix, (side, side), borderMode=cv2.BORDER_REPLICATE)
    place = cv2.warpAffine(nucleus, matrix, (side, side))
    opacity = cv2.GaussianBlur(cv2.dilate(place, np.ones((3, 3))).astype(np.float32), (0, 0), 1)[..., None]
    image += opacity * (moved - image)
    labels = ((body > 0.5) | (place > 0)).astype(np.int32)
    return Patch(image.clip(0, 255).astype(np.uint8), labels, patch.background, "PLM")


def _mottle(
    middle: np.ndarray, centre: np.ndarray, radius: float, nucleus: float, rng: np.random.Generator
) -> np.ndarray:
    """How much dye lies where: uneven, with a pale zone beside the nucleus and sometimes vacuoles; mean near 1."""
    side = int(2 * middle[0])
    y, x = np.mgrid[:side, :side].astype(np.float32)
    amount = (
        1 + 0.22 * smooth_noise((side, side), 0.4 * radius, rng) + 0.1 * smooth_noise((side, side), 0.08 * radius, rng)
    )
    away = middle - centre
    hof = centre + away / max(np.hypot(*away), 1) * 1.1 * nucleus
    amount *= 1 - rng.uniform(0, 0.75) * np.exp(-((x - hof[0]) ** 2 + (y - hof[1]) ** 2) / (0.8 * nucleus) ** 2)
    for _ in range(int(rng.integers(1, 9)) if rng.random() < 0.35 else 0):
        spot = middle + rng.normal(0, 0.5 * radius, 2)
        amount *= 1 - 0.7 * np.exp(-((x - spot[0]) ** 2 + (y - spot[1]) ** 2) / (0.07 * radius) ** 2)
    return amount.clip(0.1, 2)


def faded(patch: Patch, strength: float) -> Patch:
    """Fade what is no nucleus in a patch towards the empty smear: ``strength`` of its optical density is left."""
    nuclei = nuclear_mask(optical_density(patch.image))
    kept = cv2.GaussianBlur(cv2.dilate(nuclei, np.ones((3, 3))).astype(np.float32), (0, 0), 1.2)[..., None]
    light = (patch.image.astype(np.float32) + 1) / (patch.background + 1)
    image = (patch.background + 1) * light ** (strength + (1 - strength) * kept) - 1
    return Patch(image.clip(0, 255).astype(np.uint8), patch.labels, patch.background, patch.code)
