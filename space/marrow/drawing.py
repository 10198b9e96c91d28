"""Pictures of an analysis: outlines and labels on a copy of the image, and where the evidence for a class lies.

Line widths and letters grow with the image, so that a field of 512 pixels and one of 3,000 look alike on a
screen.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import ceil, floor

import cv2
import numpy as np
from PIL import Image, ImageDraw, ImageFont

from marrow.analysis import Analysis
from marrow.cell import Box, Cell
from marrow.geometry import box_intersections, fill

Colour = tuple[int, int, int]

# After the "vibrant" and "muted" schemes of Paul Tol (Colour Schemes, SRON/EPS/TN/09-002, 2021), which stay
# apart for colour-blind readers as far as twelve colours can; each cell carries its code as well.
PALETTE: dict[str, Colour] = {
    "ART": (221, 221, 221),
    "BLA": (204, 51, 17),
    "EBO": (0, 119, 187),
    "EOS": (238, 51, 119),
    "LYT": (51, 187, 238),
    "MMZ": (153, 153, 51),
    "MON": (51, 34, 136),
    "MYB": (238, 204, 85),
    "NGB": (0, 153, 136),
    "NGS": (17, 119, 51),
    "PLM": (170, 68, 153),
    "PMO": (238, 119, 51),
    "ABE": (204, 102, 119),
    "BAS": (136, 34, 85),
    "FGC": (102, 17, 0),
    "HAC": (136, 102, 34),
    "LYI": (136, 204, 238),
    "PEB": (68, 119, 170),
}
BLACK: Colour = (0, 0, 0)
WHITE: Colour = (255, 255, 255)
GREY: Colour = (119, 119, 119)
"""Uncertain cells, and codes without a colour of their own."""

CELL: Colour = (0, 160, 180)
"""Every cell of a segmentation."""

DASH_PATTERNS: dict[tuple[int, ...], tuple[str, ...]] = {
    (): ("BLA", "EBO", "ART", "HAC"),
    (9, 4): ("PMO", "NGB", "MON", "BAS"),
    (12, 3, 2, 3): ("MYB", "NGS", "PLM", "LYI"),
    (5, 3): ("MMZ", "EOS", "LYT", "FGC", "PEB", "ABE"),
}
"""Line of each class: lengths of its dashes and gaps in turn, where the line is 2.5 wide; whole without any.

Of the twelve released classes, those with the same line differ in colour for colour-blind eyes too: by at least 30 in
CIE 1976 L*a*b* under each full deficiency as simulated by Machado et al. 2009 (doi:10.1109/TVCG.2009.113).
"""

DASHES = {code: dashes for dashes, codes in DASH_PATTERNS.items() for code in codes}
OTHER_DASHES = (5, 5)
"""Codes without a line of their own."""

UNCERTAIN_DASHES = (1, 4)

HEAT: Colour = (255, 190, 0)
"""Evidence; no stain is yellow, and against a dark nucleus it is light for every eye."""

HEAT_OPACITY = 0.7
"""Of the most evidence; the cell stays to be seen."""


def draw_segmentation(image: np.ndarray, analysis: Analysis) -> np.ndarray:
    """Draw every cell as the segmenter found it: filled outline, box and score.

    Args:
        image: ``(height, width, 3)`` uint8 RGB, the image that was analyzed.
        analysis: its analysis.

    Returns:
        A new array like ``image``.
    """
    line, _ = _sizes(analysis)
    picture, inside = image.copy(), np.zeros(image.shape[:2], bool)
    for cell in analysis.cells:
        fill(inside, cell.polygon, True)
    picture[inside] = (0.35 * np.array(CELL) + 0.65 * picture[inside]).round()
    for cell in analysis.cells:
        _stroke(picture, cell, CELL, line)
        x0, y0, x1, y1 = (round(v) for v in cell.box)
        cv2.rectangle(picture, (x0, y0), (x1, y1), CELL, max(1, line // 2), cv2.LINE_AA)
    return _label(picture, analysis, lambda cell: (f"cell {cell.score:.2f}", CELL))


def draw_annotations(image: np.ndarray, analysis: Analysis) -> np.ndarray:
    """Draw every cell with its class: its colour, its line and its code; grey, dotted and "?" where uncertain.

    Args:
        image: ``(height, width, 3)`` uint8 RGB, the image that was analyzed.
        analysis: its analysis.

    Returns:
        A new array like ``image``.
    """
    line, _ = _sizes(analysis)
    picture = image.copy()
    for cell in analysis.cells:
        _, colour, dashes = _cell_style(cell, analysis)
        _stroke(picture, cell, colour, line, dashes)
    return _label(picture, analysis, lambda cell: _cell_style(cell, analysis)[:2])


def draw_mask(analysis: Analysis) -> np.ndarray:
    """Fill every outline with the id of its cell.

    Args:
        analysis: the analysis.

    Returns:
        ``(height, width)`` uint16, 0 between the cells; where two overlap, that of the later one.
    """
    mask = np.zeros((analysis.height, analysis.width), np.uint16)
    for cell in analysis.cells:
        fill(mask, cell.polygon, cell.id)
    return mask


def draw_heat(evidence: np.ndarray) -> np.ndarray:
    """Draw where the evidence for a class lies, to be laid over the crop.

    Args:
        evidence: ``(height, width)``, as :meth:`marrow.classifier.Classifier.explain` gives it.

    Returns:
        ``(height, width, 4)`` uint8 RGBA: one colour, the more opaque the more evidence there is, relative to the most;
        transparent where there is none, or evidence against.
    """
    share = evidence.clip(0) / max(float(evidence.max()), 1e-6)
    alpha = np.round(255 * HEAT_OPACITY * share).astype(np.uint8)
    return np.dstack([np.full((*alpha.shape, 3), HEAT, np.uint8), alpha])


def _cell_style(cell: Cell, analysis: Analysis) -> tuple[str, Colour, tuple[int, ...]]:
    """Label, colour and dashes of a cell."""
    if analysis.is_uncertain(cell):
        return f"{cell.label}?", GREY, UNCERTAIN_DASHES
    return cell.label, PALETTE.get(cell.label, GREY), DASHES.get(cell.label, OTHER_DASHES)


def _sizes(analysis: Analysis) -> tuple[int, float]:
    """Line width and letter height in pixels."""
    side = max(analysis.width, analysis.height)
    cell_side = np.median([max(c.box[2] - c.box[0], c.box[3] - c.box[1]) for c in analysis.cells] or [side])
    return max(2, round(side / 320)), max(12.0, min(side / 48, cell_side / 3))


def _stroke(picture: np.ndarray, cell: Cell, colour: Colour, width: int, dashes: tuple[int, ...] = ()) -> None:
    """Draw an outline on a thin light or dark edge, so that it shows on any stain."""
    ring = np.array([*cell.polygon, cell.polygon[0]])
    _lines(picture, [ring], edge_of(colour), width + max(2, width // 2))
    _lines(picture, _cut(ring, [length * width / 2.5 for length in dashes], width) if dashes else [ring], colour, width)


def _lines(picture: np.ndarray, lines: list[np.ndarray], colour: Colour, width: int) -> None:
    fraction = 4  # bits
    points = [np.round((line - 0.5) * 2**fraction).astype(np.int32) for line in lines]  # from centres of pixels
    cv2.polylines(picture, points, False, colour, width, cv2.LINE_AA, fraction)


def _cut(ring: np.ndarray, lengths: list[float], width: int) -> list[np.ndarray]:
    """Cut an outline into dashes, of ``lengths`` pixels of dash and gap in turn, so that whole patterns fit it."""
    along = np.concatenate([[0], np.hypot(*np.diff(ring, axis=0).T).cumsum()])
    patterns = max(2, round(along[-1] / sum(lengths)))
    ends = np.cumsum([0, *lengths]) * along[-1] / (patterns * sum(lengths))
    dashes = []
    for start, stop in zip(ends[:-1:2], ends[1::2], strict=True):
        cap = min(width, stop - start) / 2  # OpenCV's lines have round ends
        for begin in np.arange(patterns) * ends[-1]:
            at = np.linspace(begin + start + cap, begin + stop - cap, 8)
            dashes.append(np.stack([np.interp(at, along, ring[:, axis]) for axis in (0, 1)], axis=1))
    return dashes


def _label(picture: np.ndarray, analysis: Analysis, text_of: Callable[[Cell], tuple[str, Colour]]) -> np.ndarray:
    """Write a coloured chip at each cell, where it hides no other chip if there is such a place."""
    size = _sizes(analysis)[1]
    font = ImageFont.load_default(size)
    measure = ImageDraw.Draw(Image.new("RGB", (1, 1)))
    taken: list[Box] = []
    for cell in analysis.cells:
        text, colour = text_of(cell)
        limit = analysis.width, analysis.height
        chip = _place(cell, measure.textbbox((0, 0), text, font, anchor="lt"), size / 4, limit, taken)
        taken.append(chip)
        left, top = max(0, floor(chip[0])), max(0, floor(chip[1]))
        part = picture[top : ceil(chip[3]) + 1, left : ceil(chip[2]) + 1]  # Pillow copies what it draws on
        x0, y0, x1, y1 = chip[0] - left, chip[1] - top, chip[2] - left, chip[3] - top
        canvas = Image.fromarray(part)
        draw = ImageDraw.Draw(canvas)
        draw.rounded_rectangle((x0, y0, x1, y1), size / 4, fill=colour)
        draw.text(((x0 + x1) / 2, (y0 + y1) / 2), text, ink_on(colour), font, anchor="mm")
        part[:] = np.asarray(canvas)
    return picture


def _place(cell: Cell, text: Box, margin: float, size: tuple[int, int], taken: Sequence[Box]) -> Box:
    width, height = text[2] + 2 * margin, text[3] + 2 * margin
    x0, y0, x1, y1 = cell.box
    corners = np.array([(x0, y0 - height), (x0, y1), (x1 - width, y0 - height), (x1 - width, y1), (x0, y0)])
    corners = np.minimum(corners.clip(0), (size[0] - 1 - width, size[1] - 1 - height))
    chips = np.hstack([corners, corners + np.array([width, height])])
    return chips[box_intersections(chips, np.array(taken)).sum(axis=1).argmin()].tolist()


def ink_on(colour: Colour) -> Colour:
    """Choose black or white letters for a ground, whichever has the higher contrast (WCAG 2.2, relative luminance)."""
    share = np.array(colour) / 255
    linear = np.where(share <= 0.04045, share / 12.92, ((share + 0.055) / 1.055) ** 2.4)
    return BLACK if linear @ (0.2126, 0.7152, 0.0722) > 0.179 else WHITE


def edge_of(colour: Colour) -> Colour:
    """Choose the thin edge that shows a line on any stain: black around a light one (ITU-R BT.601 luma), else white."""
    return BLACK if np.dot(colour, (0.299, 0.587, 0.114)) > 150 else WHITE
