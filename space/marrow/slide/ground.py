"""Which areas of a slide can be counted: not empty, not too thick, and in focus."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from math import ceil

import cv2
import numpy as np

from marrow.errors import MarrowError
from marrow.geometry import box_intersections
from marrow.slide.focus import FOCUS_UM, edge_width
from marrow.slide.grid import Area, Grid
from marrow.slide.reader import IntBox, Slide
from marrow.stain import STAINED, Triple, background_colour, nuclear_mask, optical_density

OVERVIEW = 2560
"""Longest side of the overview, in pixels."""

COARSE_UM = 4.0
"""µm per pixel at which densities are measured, or coarser where the overview is: one cell is two pixels."""

EMPTY = 0.02
"""Share of an area that is stained below which there is nothing to count."""

PART_UM = 32.0
"""Side of the parts of an area whose densities are told apart, in µm: two or three cells."""

THICK = 1.5
"""Mean optical density, summed over the channels, of a part above which cells lie upon each other. Of fields of single
layers it is 0.3 to 0.9 (BCCD, SegPC and Raabin), and three times that where three lie upon each other."""

BARE = 0.05
"""The same below which a part is empty."""

CROWDED = 0.25
"""Share of crowded parts above which an area is too thick; a clump of nuclei is no reason to leave it out."""

LEAST_GAPS = 0.12
"""Share of empty ground between the cells below which they lie upon each other: 0.26 to 0.85 in the same fields, a
median of 0.05 to 0.13 in three layers."""

BLURRED_UM = 0.9
"""Width of the sharpest edges, in µm, above which a place is out of focus: 0.2 to 0.8 in the same fields, at least that
where a Gaussian of 1 µm blurs them."""

FOCUS_SIDE_UM = 128.0
"""Side of the place in the middle of an area whose edges are measured, in µm."""

SAMPLES = 1000
"""Most areas that are looked at; those of a larger slide are taken to be like a neighbour."""

SMALL = 160
"""Side of the picture of an area, in pixels, in which nuclei and gaps are measured: of 224 µm, 1.4 µm each."""

TOGETHER = 128
"""Areas whose nuclei are told by one threshold, from all over the slide: one alone may hold none."""

ENOUGH_NUCLEI, ENOUGH_GAPS, SHARP_UM = 0.03, 0.3, 0.5
"""From which on more nuclei, more light and sharper edges make no better area."""

WHITE = 255
"""Of what was not scanned."""


@dataclass(frozen=True)
class _Sample:
    """What an area looks like: the width of its edges in µm, and a small picture of it."""

    blur_um: float
    small: np.ndarray


def find_ground(slide: Slide, grid: Grid, overview: np.ndarray) -> list[Area]:
    """Tell of each area of a slide whether it can be counted.

    Args:
        slide: the slide.
        grid: its areas.
        overview: all of it, ``(height, width, 3)`` uint8 RGB, as :meth:`Slide.overview` returns it.

    Returns:
        The areas, row by row.
    """
    ground = ground_colour(overview)
    areas = [_judged(area, slide.damaged) for area in _measured(slide, grid, overview, ground)]
    samples = _look_closely(slide, grid, areas, ground)
    return [_judged_closely(area, samples.get(at)) for at, area in enumerate(areas)]


def ground_colour(overview: np.ndarray) -> Triple:
    """Return the colour of the empty smear; what was not scanned, and is white, is no ground where there is other."""
    scanned = overview[(overview < WHITE).any(axis=2)]
    shown = scanned[:, None] if 20 * len(scanned) > overview[..., 0].size else overview
    red, green, blue = background_colour(np.ascontiguousarray(shown)).tolist()
    return red, green, blue


def _measured(slide: Slide, grid: Grid, overview: np.ndarray, ground: Triple) -> Iterator[Area]:
    """Measure in the overview how much of each area is stained, and how densely."""
    overview_um = slide.pixel_um * slide.width / overview.shape[1]
    scale = min(1.0, overview_um / COARSE_UM)
    small = cv2.resize(overview, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA) if scale < 1 else overview
    shrunk = np.array(small.shape[1::-1]) / (slide.width, slide.height)
    for area in grid:
        corners = np.reshape(area.core, (2, 2))
        (left, top), (right, bottom) = (
            np.floor(corners[0] * shrunk).astype(int),
            np.ceil(corners[1] * shrunk).astype(int),
        )
        density = optical_density(small[top:bottom, left:right], ground).clip(0, None).sum(axis=2)
        columns, rows = np.ceil((corners[1] - corners[0]) * slide.pixel_um / PART_UM).astype(int).tolist()
        size = min(columns, density.shape[1]), min(rows, density.shape[0])
        parts = cv2.resize(density, size, interpolation=cv2.INTER_AREA)
        shares = (density > STAINED, parts > THICK, parts > BARE)
        stained, crowded, filled = (round(float(share.mean()), 4) for share in shares)
        mean = round(float(density.mean()), 4)
        yield replace(area, stained=stained, density=mean, crowded=crowded, filled=filled)


def _judged(area: Area, damaged: Sequence[IntBox]) -> Area:
    if area.stained < EMPTY:
        is_damaged = box_intersections(np.array(area.core), np.array(damaged)).any()
        return replace(area, kind="unreadable" if is_damaged else "empty")
    return replace(area, kind="too_thick" if area.crowded > CROWDED else "countable")


def _look_closely(
    slide: Slide, grid: Grid, areas: Sequence[Area], ground: Triple
) -> dict[int, tuple[float, float, float] | None]:
    """Look at each area that may be counted, or at one of several neighbours.

    Returns:
        For each such area, by its index, its gaps, nuclei and blur as in :class:`Area`; ``None`` for one that cannot be
        read.
    """
    open_ones = [at for at, area in enumerate(areas) if area.kind == "countable"]
    side, shared = 1, _blocks(areas, open_ones, 1)
    while len(shared) > SAMPLES:
        side += 1
        shared = _blocks(areas, open_ones, side)
    groups = list(shared.values())
    samples = [_sample_one(slide, [areas[at].core for at in group], grid.pixel_um, ground) for group in groups]
    read = [sample for sample in samples if sample]
    shares = iter(_gaps_and_nuclei([sample.small for sample in read], ground))
    found = [(*next(shares), sample.blur_um) if sample else None for sample in samples]
    return {at: one for group, one in zip(groups, found, strict=True) for at in group}


def _blocks(areas: Sequence[Area], chosen: Sequence[int], side: int) -> dict[tuple[int, int], list[int]]:
    """Put the chosen areas together that lie in one block of ``side`` rows and columns."""
    blocks: dict[tuple[int, int], list[int]] = {}
    for at in chosen:
        blocks.setdefault((areas[at].row // side, areas[at].column // side), []).append(at)
    return blocks


def _sample_one(slide: Slide, cores: Sequence[IntBox], pixel_um: float, ground: Triple) -> _Sample | None:
    """Look at the area in the middle of several, or at the next one that can be read; ``None`` where none can."""
    middle = len(cores) // 2
    samples = (_sample(slide, core, pixel_um, ground) for core in (*cores[middle:], *cores[:middle]))
    return next((sample for sample in samples if sample), None)


def _sample(slide: Slide, core: IntBox, pixel_um: float, ground: Triple) -> _Sample | None:
    """Look at an area; ``None`` where it cannot be read."""
    seen_um = max(FOCUS_UM, pixel_um)
    left, top, right, bottom = core
    reach = FOCUS_SIDE_UM / 2 / slide.pixel_um
    across, down = min(reach, (right - left) / 2), min(reach, (bottom - top) / 2)
    x, y = (left + right) / 2, (top + bottom) / 2
    box = round(x - across), round(y - down), round(x + across), round(y + down)
    width, height = (max(8, round(2 * length * slide.pixel_um / seen_um)) for length in (across, down))
    try:
        place, small = slide.read(box, width, height), slide.read(core, SMALL, SMALL)
    except MarrowError:
        return None
    return _Sample(edge_width(optical_density(place, ground).sum(axis=2)) * seen_um, small)


def _gaps_and_nuclei(pictures: Sequence[np.ndarray], ground: Triple) -> list[tuple[float, float]]:
    """Return for each of some small pictures the shares that are empty ground, and that are stained like nuclei."""
    shares = np.zeros((len(pictures), 2))
    groups = ceil(len(pictures) / TOGETHER)
    for group in range(groups):
        some = pictures[group::groups]
        density = optical_density(np.concatenate(some), ground)
        marks = density.sum(axis=2) < STAINED, nuclear_mask(density)
        shares[group::groups] = np.stack([mark.reshape(len(some), -1).mean(axis=1) for mark in marks], axis=1)
    return [(gaps, nuclei) for gaps, nuclei in shares.tolist()]


def _judged_closely(area: Area, seen: tuple[float, float, float] | None) -> Area:
    if area.kind != "countable":
        return area
    if seen is None:
        return replace(area, kind="unreadable")
    gaps, nuclei, blur_um = seen
    kind = "too_thick" if gaps < LEAST_GAPS else "out_of_focus" if blur_um > BLURRED_UM else "countable"
    score = 0.0
    if kind == "countable":
        sharp = min(1.0, (BLURRED_UM - blur_um) / (BLURRED_UM - SHARP_UM))
        score = min(1.0, nuclei / ENOUGH_NUCLEI) * min(1.0, gaps / ENOUGH_GAPS) * sharp * area.filled
    measured = {"gaps": round(gaps, 4), "nuclei": round(nuclei, 4), "blur_um": round(blur_um, 3)}
    return replace(area, kind=kind, score=round(score, 4), **measured)  # type: ignore[arg-type]
