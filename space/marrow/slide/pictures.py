"""Pictures of a slide: the map of what can be counted, and the overview with the cells; and those of single cells."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
from PIL import Image, ImageDraw, ImageFont

from marrow.drawing import BLACK, GREY, PALETTE, WHITE, Colour, edge_of, ink_on
from marrow.files import write_whole
from marrow.images import encode_png
from marrow.outputs import MARK
from marrow.report import CountingRules
from marrow.slide.count import CountedArea
from marrow.slide.grid import Area
from marrow.slide.reader import IntBox, Slide
from marrow.zips import cut_pictures

MAP, OVERVIEW, CROPS = "map.png", "overview.png", "crops"

# After the "vibrant" scheme of Paul Tol, as marrow.drawing.PALETTE
KIND_COLOURS: dict[str, Colour] = {
    "countable": (0, 153, 136),
    "too_thick": (238, 119, 51),
    "out_of_focus": (51, 34, 136),
    "empty": (187, 187, 187),
    "unreadable": (0, 0, 0),
}
KIND_NAMES = {
    "countable": "countable, the fuller the better",
    "too_thick": "too thick",
    "out_of_focus": "out of focus",
    "empty": "empty",
    "unreadable": "cannot be read",
}
FAINT, STRONG = 0.2, 0.6
"""Opacity of a colour on the map, of the least and the best area."""

MARGIN = 10
"""Pixels around the words of a legend."""


def draw_map(overview: np.ndarray, slide: Slide, areas: Sequence[Area], counted: Sequence[Area] = ()) -> np.ndarray:
    """Draw which areas of a slide can be counted, and frame those that were.

    Args:
        overview: ``(height, width, 3)`` uint8 RGB.
        slide: that it shows.
        areas: all of its areas.
        counted: those that were counted, in their order, which is written into them.

    Returns:
        The overview in colours, over a legend.
    """
    picture = overview.copy()
    for area in areas:
        left, top, right, bottom = _box_on(overview, slide, area.core)
        part = picture[top:bottom, left:right]
        opacity = FAINT + (STRONG - FAINT) * (area.score if area.kind == "countable" else 0.5)
        part[:] = (part * (1 - opacity) + np.array(KIND_COLOURS[area.kind]) * opacity).round()
    _frame(picture, slide, counted)
    number = Counter(area.kind for area in areas)
    lines = [(KIND_COLOURS[kind], f"{KIND_NAMES[kind]}: {number[kind]}") for kind in KIND_NAMES if number[kind]]
    if counted:
        lines.append((BLACK, f"counted, in this order: {len(counted)}"))
    return _with_legend(picture, lines)


def draw_overview(overview: np.ndarray, slide: Slide, areas: Iterable[CountedArea], rules: CountingRules) -> np.ndarray:
    """Draw every cell as a dot in the colour of its class, and frame the areas that were counted.

    Args:
        overview: ``(height, width, 3)`` uint8 RGB.
        slide: that it shows.
        areas: the counted areas.
        rules: that decide which cells are uncertain.

    Returns:
        The overview with the cells, over a legend with their numbers.
    """
    picture, scale = overview.copy(), _scale(overview, slide)
    radius = max(2, round(max(overview.shape) / 1000))
    number: Counter[str] = Counter()
    framed = []
    for one in areas:
        framed.append(one.area)
        for cell in one.cells:
            name = "uncertain" if cell.is_uncertain(rules.uncertain_below) else cell.label
            number[name] += 1
            middle = one.place.to_slide([((cell.box[0] + cell.box[2]) / 2, (cell.box[1] + cell.box[3]) / 2)])
            x, y = (middle[0] * scale).round().astype(int).tolist()
            colour = PALETTE.get(name, GREY)
            cv2.circle(picture, (x, y), radius + 1, edge_of(colour), cv2.FILLED, cv2.LINE_AA)
            cv2.circle(picture, (x, y), radius, colour, cv2.FILLED, cv2.LINE_AA)
    _frame(picture, slide, framed, numbered=False)
    names = [code for code in (*rules.labels, "uncertain") if number[code]]
    return _with_legend(picture, [(PALETTE.get(name, GREY), f"{name} {number[name]}") for name in names])


def write_picture(path: Path, picture: np.ndarray) -> None:
    """Write a picture as PNG with the mark of this package.

    Raises:
        MarrowError: it cannot be written.
    """
    write_whole(path, encode_png(picture, MARK.decode()))


def write_crops(
    folder: Path, slide: Slide, areas: Iterable[CountedArea], rules: CountingRules, stem: str, most: int
) -> None:
    """Write pictures of single cells whose name is certain, as ``CODE/STEM_ID.png``.

    Args:
        folder: that gets the folders of the classes.
        slide: the slide.
        areas: the counted areas.
        rules: that decide which cells are uncertain.
        stem: that the names of the files begin with.
        most: pictures of a class, the first ones that were counted.

    Raises:
        MarrowError: a file cannot be written.
    """
    taken: Counter[str] = Counter()
    for one in areas:
        chosen = []
        for cell in one.cells:
            if not cell.is_uncertain(rules.uncertain_below) and taken[cell.label] < most:
                taken[cell.label] += 1
                chosen.append(replace(cell, polygon=()))
        if chosen:
            image = slide.read(one.place.box, one.place.width, one.place.height)
            for name, content in cut_pictures(image, chosen, stem):
                write_whole(folder / name, content)


def _scale(overview: np.ndarray, slide: Slide) -> np.ndarray:
    """Return pixels of the overview in one of level 0, in x and y."""
    return np.array(overview.shape[1::-1]) / (slide.width, slide.height)


def _box_on(overview: np.ndarray, slide: Slide, box: IntBox) -> tuple[int, int, int, int]:
    left, top, right, bottom = (np.reshape(box, (2, 2)) * _scale(overview, slide)).round().astype(int).ravel().tolist()
    return left, top, right, bottom


def _frame(picture: np.ndarray, slide: Slide, areas: Sequence[Area], numbered: bool = True) -> None:
    """Draw a frame around each area, and its number where it fits."""
    width = max(1, round(max(picture.shape) / 1200))
    for number, area in enumerate(areas, start=1):
        left, top, right, bottom = _box_on(picture, slide, area.core)
        cv2.rectangle(picture, (left, top), (right - 1, bottom - 1), WHITE, width + 2)
        cv2.rectangle(picture, (left, top), (right - 1, bottom - 1), BLACK, width)
        if numbered:
            _write_number(picture[top:bottom, left:right], str(number))


def _write_number(part: np.ndarray, text: str) -> None:
    height = max(12, min(part.shape[:2]) // 3)
    canvas = Image.fromarray(np.ascontiguousarray(part))
    draw, font = ImageDraw.Draw(canvas), ImageFont.load_default(height)
    box = draw.textbbox((part.shape[1] / 2, part.shape[0] / 2), text, font, anchor="mm", stroke_width=2)
    if box[0] < 0 or box[1] < 0 or box[2] > part.shape[1] or box[3] > part.shape[0]:
        return
    middle = part.shape[1] / 2, part.shape[0] / 2
    draw.text(middle, text, BLACK, font, anchor="mm", stroke_width=2, stroke_fill=WHITE)
    part[:] = np.asarray(canvas)


def _with_legend(picture: np.ndarray, lines: Sequence[tuple[Colour, str]]) -> np.ndarray:
    """Return a picture over a strip of words, each on its colour, in as many rows as they need."""
    size = max(14, round(max(picture.shape) / 90))
    font = ImageFont.load_default(size)
    measure = ImageDraw.Draw(Image.new("RGB", (1, 1)))
    width = max(picture.shape[1], max((_wide(measure, text, font) for _, text in lines), default=0))
    row = size + 2 * MARGIN
    places, x, y = [], 0, 0
    for _, text in lines:
        wide = _wide(measure, text, font)
        if x and x + wide > width:
            x, y = 0, y + row
        places.append((x, y, x + wide, y + row))
        x += wide
    canvas = Image.new("RGB", (width, y + row), WHITE)
    draw = ImageDraw.Draw(canvas)
    for (colour, text), (left, top, right, bottom) in zip(lines, places, strict=True):
        draw.rectangle((left, top, right - 2, bottom - 2), fill=colour)
        draw.text((left + MARGIN, (top + bottom) / 2), text, ink_on(colour), font, anchor="lm")
    shown = np.full((picture.shape[0], width, 3), 255, np.uint8)
    shown[:, : picture.shape[1]] = picture
    return np.vstack([shown, np.asarray(canvas)])


def _wide(measure: ImageDraw.ImageDraw, text: str, font: ImageFont.FreeTypeFont | ImageFont.ImageFont) -> int:
    return round(measure.textlength(text, font)) + 2 * MARGIN
