"""Cutting cells and cell-free background out of single-cell images, the pieces that fields are composed of."""

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from dataset_scripts.drawing.pictures import draw_background, draw_cell
from dataset_scripts.drawing.shapes import meeting
from dataset_scripts.drawing.stains import random_stain
from marrow.geometry import fill_holes, largest_region, mask_box, solidity
from marrow.stain import background_colour, nuclear_mask, optical_density

NOT_NUCLEATED = {"ART"}
CENTRE_TOLERANCE = 0.16  # of the image side, between the middles of the mask's box and of the image
SOLIDITY = 0.92  # area of a mask over the area of its convex hull
NEAR = 9  # pixels; a neighbour nearer to the centre cell is pasted with it
NEIGHBOUR_SIZES = (0.4, 2.5)  # of the centre cell's area; smaller ones are mostly platelets and debris
MARGIN = 6
EDGE = 5  # pixels; the outline of a cell that the border cuts may end a little before it
MIN_BACKGROUND = 0.02  # share of an image that whole red cells must cover for it to serve as background
STAINED = 0.12  # total optical density from which something lies on the smear


@dataclass(frozen=True)
class Patch:
    """A cell that can be pasted into a field, with the whole neighbours that touch it.

    Attributes:
        image: ``(h, w, 3)`` uint8 RGB around the cell.
        labels: ``(h, w)`` int32, 1 in the cell, 2 and up in its neighbours, 0 in what is not pasted.
        background: ``(3,)`` float, colour of the empty smear around it.
        code: class code of the cell.
    """

    image: np.ndarray
    labels: np.ndarray
    background: np.ndarray
    code: str

    @property
    def diameter(self) -> float:
        """Of the disc with the area of the centre cell, in pixels."""
        return float(np.sqrt((self.labels == 1).sum() * 4 / np.pi))


@dataclass(frozen=True)
class Background:
    """Whole red cells, platelets and specks from around a cell, to scatter over a field.

    Attributes:
        image: ``(h, w, 3)`` uint8 RGB.
        alpha: ``(h, w)`` float32, 1 in what is to be pasted, fading to 0 around it.
        colour: ``(3,)`` float, colour of the empty smear.
    """

    image: np.ndarray
    alpha: np.ndarray
    colour: np.ndarray


def cut_patch(image: np.ndarray, labels: np.ndarray, code: str) -> Patch | None:
    """Cut the centre cell out of a single-cell image, along its outline.

    Neighbours that touch it and are whole are cut out with it; others are cut away, so that no nucleus without an
    outline is ever pasted.

    Args:
        image: ``(height, width, 3)`` uint8 RGB.
        labels: the outlines, as :func:`dataset_scripts.fields.outlines.cell_labels` gives them.
        code: its class code.

    Returns:
        The patch; ``None`` where the outline is doubtful: off the middle, at the border, ragged, or too small or
        large. Composed fields need right masks more than they need every cell.
    """
    centre = labels == 1
    if not (_whole(centre) and _central(centre)):
        return None
    near = cv2.dilate(centre.astype(np.uint8), np.ones((NEAR, NEAR), np.uint8)) > 0
    kept = centre.astype(np.int32)
    for number in np.unique(labels[near & (labels > 1)]):
        neighbour = labels == number
        if NEIGHBOUR_SIZES[0] < neighbour.sum() / centre.sum() < NEIGHBOUR_SIZES[1] and _whole(neighbour):
            kept[neighbour] = kept.max() + 1
    x0, y0, x1, y1 = map(int, mask_box(kept))
    place = np.s_[max(0, y0 - MARGIN) : y1 + MARGIN, max(0, x0 - MARGIN) : x1 + MARGIN]
    return Patch(image[place], kept[place], background_colour(image), code)


def _whole(mask: np.ndarray) -> bool:
    """Whether a mask looks like one whole cell: in one piece, off the border, hardly dented."""
    height, width = mask.shape
    if not mask.any() or (largest_region(mask) != mask).any():
        return False
    x0, y0, x1, y1 = mask_box(mask)
    inside = x0 > EDGE and y0 > EDGE and x1 < width - EDGE and y1 < height - EDGE
    return inside and solidity(mask) >= SOLIDITY


def _central(mask: np.ndarray) -> bool:
    height, width = mask.shape
    x0, y0, x1, y1 = mask_box(mask)
    off = np.hypot((x0 + x1) / 2 / width - 0.5, (y0 + y1) / 2 / height - 0.5)
    return off < CENTRE_TOLERANCE and 0.02 < mask.mean() < 0.7


def match_background(image: np.ndarray, background: np.ndarray, target: np.ndarray) -> np.ndarray:
    """Scale each channel so that the colour ``background`` becomes ``target``, as another lamp would."""
    gain = (target / (background + 1)).clip(0.4, 2.5)
    table = (np.arange(256)[:, None] * gain).clip(0, 255).astype(np.uint8)
    return cv2.LUT(image, table[None])


def drawn_patch(rng: np.random.Generator, codes: Sequence[str]) -> Patch:
    """Draw a cell of a random class, with its exact mask."""
    stain = random_stain(rng)
    cell = draw_cell(str(rng.choice(codes)), rng, stain=stain)
    return Patch(cell.image, cell.mask.astype(np.int32), background_colour(cell.image), cell.code)


def cut_background(image: np.ndarray, labels: np.ndarray) -> Background | None:
    """Take the red cells and platelets around the cells of a single-cell image.

    Args:
        image: ``(height, width, 3)`` uint8 RGB.
        labels: the outlines of all its nucleated cells, 0 elsewhere.

    Returns:
        What lies whole in the image and well away from all that is outlined or stains like a nucleus; ``None``
        where there is hardly anything.
    """
    density = optical_density(image)
    taken = ((labels > 0) | (nuclear_mask(density) > 0)).astype(np.uint8)
    taken = cv2.dilate(taken, cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (19, 19)))
    taken[:2], taken[-2:], taken[:, :2], taken[:, -2:] = 1, 1, 1, 1
    stained = cv2.GaussianBlur(density.clip(0, None).sum(axis=2), (0, 0), 1.5) > STAINED
    _, parts = cv2.connectedComponents(stained.astype(np.uint8))
    whole = stained & ~np.isin(parts, np.unique(parts[taken > 0]))
    if whole.mean() < MIN_BACKGROUND:
        return None
    filled = cv2.dilate(fill_holes(whole).astype(np.float32), np.ones((5, 5)))
    alpha = cv2.GaussianBlur(filled, (0, 0), 1.5)
    return Background(image, alpha, background_colour(image))


def tile_background(
    backgrounds: Sequence[Background], height: int, width: int, scale: float, rng: np.random.Generator
) -> np.ndarray:
    """Make a field of red cells and empty smear, as found around the cells of single-cell images.

    Args:
        backgrounds: pieces of one source.
        height: of the field in pixels.
        width: of the field in pixels.
        scale: magnification relative to the pieces.
        rng: source of randomness.

    Returns:
        ``(height, width, 3)`` uint8 RGB, without nucleated cells.
    """
    target = backgrounds[rng.integers(len(backgrounds))].colour
    canvas = np.full((height, width, 3), target, np.float32)
    canvas += 2 * rng.standard_normal(canvas.shape, np.float32)
    side = max(24, round(max(backgrounds[0].image.shape[:2]) * scale))
    for _ in range(int(np.clip(7 * height * width / side**2, 6, 150))):
        background = backgrounds[rng.integers(len(backgrounds))]
        piece = match_background(background.image, background.colour, target)
        piece = cv2.resize(piece, (side, side), interpolation=cv2.INTER_AREA)
        alpha = cv2.resize(background.alpha, (side, side), interpolation=cv2.INTER_LINEAR)
        turn = int(rng.integers(4))
        y, x = rng.integers(-side // 2, height - side // 2), rng.integers(-side // 2, width - side // 2)
        _blend(canvas, np.rot90(piece, turn), np.rot90(alpha, turn), int(y), int(x))
    return canvas.clip(0, 255).astype(np.uint8)


def _blend(canvas: np.ndarray, piece: np.ndarray, alpha: np.ndarray, y: int, x: int) -> None:
    """Blend ``piece`` into ``canvas`` in place with its corner at ``(y, x)``, cut at the border."""
    if met := meeting(canvas.shape, piece.shape, y, x):
        place, part = met
        canvas[place] += alpha[part][..., None] * (piece[part].astype(np.float32) - canvas[place])


def drawn_background(height: int, width: int, red_cell: float, rng: np.random.Generator) -> np.ndarray:
    """Draw a field of red cells and background: ``(height, width, 3)`` uint8 RGB."""
    return draw_background(height, width, rng, red_cell_diameter=red_cell, stain=random_stain(rng))
