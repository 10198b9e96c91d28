"""Cutting cells and cell-free ground out of single-cell images, the pieces that fields are composed of."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from dataset_scripts.synthetic_cells import draw_background, draw_cell, random_stain
from marrow.centre_cell import centre_cell_mask, nuclear_mask, optical_density

CENTRE_TOLERANCE = 0.1  # of the image side, between the middles of the mask's box and of the image
MAX_NEIGHBOURS = 0.01  # share of the surroundings covered by other nuclei
SOLIDITY = 0.92  # area of a mask over the area of its convex hull


@dataclass(frozen=True)
class Patch:
    """A cell that can be pasted into a field.

    Attributes:
        image: ``(h, w, 3)`` uint8 RGB around the cell.
        mask: ``(h, w)`` bool, the whole cell.
        ground: ``(3,)`` float, colour of the empty smear around it.
        code: its class code.
    """

    image: np.ndarray
    mask: np.ndarray
    ground: np.ndarray
    code: str


@dataclass(frozen=True)
class Ground:
    """Red cells and empty smear around a cell.

    Attributes:
        image: ``(h, w, 3)`` uint8 RGB.
        free: ``(h, w)`` float32, 1 where no nucleated cell is, fading to 0 towards cells and the border.
        colour: ``(3,)`` float, colour of the empty smear.
    """

    image: np.ndarray
    free: np.ndarray
    colour: np.ndarray


def cut_patch(image: np.ndarray, code: str) -> Patch | None:
    """Cut the centre cell out of a single-cell image.

    Args:
        image: ``(height, width, 3)`` uint8 RGB.
        code: its class code.

    Returns:
        The patch; ``None`` where the outline is doubtful: off the middle, at the border, ragged, or too small or
        large. Composed fields need right masks more than they need every cell.
    """
    mask = centre_cell_mask(image)
    if mask is None or not _plausible(mask):
        return None
    x, y, w, h = cv2.boundingRect(mask.astype(np.uint8))
    margin = 6
    rows = slice(max(0, y - margin), y + h + margin)
    columns = slice(max(0, x - margin), x + w + margin)
    return Patch(image[rows, columns], mask[rows, columns], ground_colour(image), code)


def _plausible(mask: np.ndarray) -> bool:
    height, width = mask.shape
    x, y, w, h = cv2.boundingRect(mask.astype(np.uint8))
    centred = np.hypot((x + w / 2) / width - 0.5, (y + h / 2) / height - 0.5) < CENTRE_TOLERANCE
    inside = x > 1 and y > 1 and x + w < width - 1 and y + h < height - 1
    contour, _ = cv2.findContours(mask.astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    solid = mask.sum() >= SOLIDITY * cv2.contourArea(cv2.convexHull(contour[0]))
    return centred and inside and solid and 0.02 < mask.mean() < 0.7


def ground_colour(image: np.ndarray) -> np.ndarray:
    """Give the colour of the empty smear: the median of the brightest 15 % of the pixels, ``(3,)`` float32."""
    values = image.reshape(-1, 3).astype(np.float32)
    brightness = values.sum(axis=1)
    return np.median(values[brightness >= np.percentile(brightness, 85)], axis=0)


def match_ground(image: np.ndarray, ground: np.ndarray, target: np.ndarray) -> np.ndarray:
    """Scale each channel so that the colour ``ground`` becomes ``target``, as another lamp would."""
    gain = (target / (ground + 1)).clip(0.4, 2.5)
    table = (np.arange(256)[:, None] * gain).clip(0, 255).astype(np.uint8)
    return cv2.LUT(image, table[None])


def drawn_patch(rng: np.random.Generator, codes: Sequence[str]) -> Patch:
    """Draw a cell of a random class, with its exact mask."""
    stain = random_stain(rng)
    cell = draw_cell(str(rng.choice(codes)), rng, stain=stain)
    return Patch(cell.image, cell.mask, ground_colour(cell.image), cell.code)


def cut_ground(image: np.ndarray) -> Ground | None:
    """Take what surrounds the cell in a single-cell image.

    Args:
        image: ``(height, width, 3)`` uint8 RGB.

    Returns:
        The ground; ``None`` where other nucleated cells are near, as their pale cytoplasm cannot be told from ground.
    """
    nuclei, centre = nuclear_mask(optical_density(image)), centre_cell_mask(image)
    if centre is None or (nuclei[~centre]).mean() > MAX_NEIGHBOURS:
        return None
    taken = cv2.dilate(nuclei | centre, cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (31, 31)))
    free = 1 - taken.astype(np.float32)
    free[:12], free[-12:], free[:, :12], free[:, -12:] = 0, 0, 0, 0
    return Ground(image, cv2.GaussianBlur(free, (0, 0), 5), ground_colour(image))


def quilted_ground(
    grounds: Sequence[Ground], height: int, width: int, scale: float, rng: np.random.Generator
) -> np.ndarray:
    """Make a field of red cells and empty smear, as found around the cells of single-cell images.

    Args:
        grounds: pieces of one source.
        height: of the field in pixels.
        width: of the field in pixels.
        scale: magnification relative to the pieces.
        rng: source of randomness.

    Returns:
        ``(height, width, 3)`` uint8 RGB, without nucleated cells.
    """
    target = grounds[rng.integers(len(grounds))].colour
    canvas = np.full((height, width, 3), target, np.float32)
    canvas += rng.normal(0, 2, canvas.shape)
    side = max(24, round(max(grounds[0].image.shape[:2]) * scale))
    for _ in range(int(np.clip(3.0 * height * width / side**2, 4, 60))):
        ground = grounds[rng.integers(len(grounds))]
        piece = match_ground(ground.image, ground.colour, target)
        piece = cv2.resize(piece, (side, side), interpolation=cv2.INTER_AREA)
        alpha = cv2.resize(ground.free, (side, side), interpolation=cv2.INTER_LINEAR)
        turn = int(rng.integers(4))
        y, x = rng.integers(-side // 2, height - side // 2), rng.integers(-side // 2, width - side // 2)
        _blend(canvas, np.rot90(piece, turn), np.rot90(alpha, turn), int(y), int(x))
    return canvas.clip(0, 255).astype(np.uint8)


def _blend(canvas: np.ndarray, piece: np.ndarray, alpha: np.ndarray, y: int, x: int) -> None:
    """Blend ``piece`` into ``canvas`` in place with its corner at ``(y, x)``, cut at the border."""
    height, width = canvas.shape[:2]
    top, left = max(0, -y), max(0, -x)
    bottom, right = min(piece.shape[0], height - y), min(piece.shape[1], width - x)
    if bottom <= top or right <= left:
        return
    part = canvas[y + top : y + bottom, x + left : x + right]
    weight = alpha[top:bottom, left:right, None]
    part += weight * (piece[top:bottom, left:right].astype(np.float32) - part)


def drawn_ground(height: int, width: int, red_cell: float, rng: np.random.Generator) -> np.ndarray:
    """Draw a field of red cells and ground: ``(height, width, 3)`` uint8 RGB."""
    return draw_background(height, width, rng, red_cell_diameter=red_cell, stain=random_stain(rng))
