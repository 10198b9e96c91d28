"""The report of a slide: the differential count over all of its cells, their sizes in µm, and the areas they lie in."""

from __future__ import annotations

import re
import sys
from collections import Counter
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import asdict, replace
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np

from marrow.report import CountingRules, make_report
from marrow.slide.count import CountedArea, is_counted
from marrow.slide.grid import KINDS, Area, Grid
from marrow.slide.reader import Slide
from marrow.slide.tables import diameter_um

REPORT = "report.json"
AREAS = "areas.json"


def summarize(
    slide: Slide, grid: Grid, areas: Sequence[Area], counted: Iterable[CountedArea], rules: CountingRules
) -> dict[str, Any]:
    """Count the cells of a slide together, as :func:`marrow.case.count_case` does those of several pictures.

    Args:
        slide: the slide.
        grid: its areas.
        areas: what each of them is like.
        counted: those that were counted.
        rules: that the cells are counted by.

    Returns:
        Plain values, in the layout of ``report.json`` (see ``docs/developer.md``).
    """
    cells, rows, distances = [], [], []
    diameters: dict[str, list[float]] = {}
    for one in counted:
        for cell in one.cells:
            cells.append(replace(cell, polygon=()))  # of a hundred thousand cells, outlines would fill the memory
            name = "uncertain" if cell.is_uncertain(rules.uncertain_below) else cell.label
            diameters.setdefault(name, []).append(diameter_um(cell.area, grid.pixel_um))
        if one.stain_distance is not None:
            distances.append(one.stain_distance)
        number = {"found": len(one.cells), "counted": sum(is_counted(cell, rules) for cell in one.cells)}
        rows.append(area_to_dict(one.area) | number | {"error": one.error})
    report = make_report(cells, rules, (), median(distances) if distances else None)
    names = [name for name in (*rules.labels, "uncertain") if name in diameters]
    return {
        "slide": {
            **{"width": slide.width, "height": slide.height},
            **{"um_per_pixel": list(slide.mpp), "um_per_pixel_from": slide.mpp_from},
        },
        "read": {"level": grid.level, "um_per_pixel": round(grid.pixel_um, 5)},
        "ground": _ground(slide, areas),
        "areas": rows,
        "diameters_um": {name: _sizes(diameters[name]) for name in names},
        "report": asdict(report),
    }


def area_to_dict(area: Area) -> dict[str, Any]:
    """Return an area as plain values; its box is in pixels of level 0."""
    plain = {key: value for key, value in vars(area).items() if key not in ("row", "column", "core")}
    return {"name": area.name, "box": list(area.core), **plain}


def describe(report: dict[str, Any], out: Path) -> list[str]:
    """Return what a command says of a finished slide, line by line, with its own peak of memory."""
    counts, ground, read = report["report"], report["ground"], report["read"]
    kinds = ", ".join(f"{kind.replace('_', ' ')} {of['mm2']:.2f} mm²" for kind, of in ground.items() if of["areas"])
    top = ", ".join(f"{code} {n}" for code, n in Counter(counts["counts"]).most_common(4) if n)
    number = f"{counts['found']} cells in {len(report['areas'])} areas, {counts['total']} counted"
    lines = [
        f"{report['name']}: {report['slide']['width']}×{report['slide']['height']} pixels, read at level "
        f"{read['level']} and {read['um_per_pixel']:.3g} µm per pixel",
        f"ground: {kinds}",
        f"{number}, {counts['uncertain']} uncertain" + (f"; {top}" if top else ""),
        *(f"  warning: {warning['text']}" for warning in counts["warnings"]),
    ]
    if report["cells"] is not None and counts["total"] < report["cells"]:
        lines.append(f"  warning: the countable ground holds fewer than the {report['cells']} cells asked for")
    if damaged := unreadable(report):
        lines.append(f"  warning: {damaged} areas could not be read: {out / REPORT} and {out / AREAS} say which")
    peak = peak_memory()
    return [*lines, f"all of it in {out}" + (f"; peak memory {peak / 1e9:.2f} GB" if peak else "")]


def unreadable(report: dict[str, Any]) -> int:
    """Return the number of areas that could not be read."""
    return report["ground"]["unreadable"]["areas"] + sum(area["error"] is not None for area in report["areas"])


def peak_memory() -> int | None:
    """Return the most bytes that this process had in memory; ``None`` where the system does not tell."""
    with suppress(OSError):  # Linux counts what the caller held before in ru_maxrss
        told = re.search(r"VmHWM:\s+(\d+) kB", Path("/proc/self/status").read_text(encoding="ascii"))
        if told:
            return 1024 * int(told[1])
    try:
        import resource
    except ImportError:  # Windows
        return None
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else 1024 * peak


def _ground(slide: Slide, areas: Sequence[Area]) -> dict[str, Any]:
    """Say how many areas of each kind there are, and how large they are together, in mm²."""
    number = Counter(area.kind for area in areas)
    pixels: Counter[str] = Counter()
    for area in areas:
        left, top, right, bottom = area.core
        pixels[area.kind] += (right - left) * (bottom - top)
    return {
        kind: {"areas": number[kind], "mm2": round(pixels[kind] * slide.mpp[0] * slide.mpp[1] / 1e6, 3)}
        for kind in KINDS
    }


def _sizes(diameters: Sequence[float]) -> dict[str, float]:
    """Say how large cells are: number, median, and the range of the middle 90 %, in µm."""
    low, middle, high = np.quantile(diameters, (0.05, 0.5, 0.95)).round(2).tolist()
    return {"n": len(diameters), "median": middle, "p5": low, "p95": high}
