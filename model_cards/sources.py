"""What the training images are: their origin and laboratory in words, where they come from, and their licence."""

from __future__ import annotations

from collections.abc import Mapping

from marrow.classifier import SOURCES_OF_0_1
from training.common.markdown import table

ORIGINS = {"bone_marrow": "bone marrow", "blood": "blood", "drawn": "drawn", "unknown": "unknown origin"}

DRAWN = ("cells drawn by `dataset_scripts/synthetic_cells.py`", "part of this project")
LABORATORIES = {
    ("drawn", "drawn"): DRAWN,
    ("bone_marrow", "MLL"): (
        "bone-marrow cells, MLL / Helmholtz / Fraunhofer: Matek et al. 2021, TCIA, "
        "[10.7937/TCIA.AXH3-T579](https://doi.org/10.7937/TCIA.AXH3-T579)",
        "CC BY 4.0",
    ),
    ("blood", "Barcelona"): (
        "peripheral-blood cells, Hospital Clínic de Barcelona: Acevedo et al. 2020, "
        "[10.1016/j.dib.2020.105474](https://doi.org/10.1016/j.dib.2020.105474); "
        "platelets stand in for ART",
        "CC BY 4.0",
    ),
    ("blood", "LMU"): (
        "peripheral-blood cells, Munich AML morphology: Matek et al. 2019, TCIA, "
        "[10.7937/tcia.2019.36f5o9ld](https://doi.org/10.7937/tcia.2019.36f5o9ld)",
        "CC BY 3.0",
    ),
    ("blood", "JTSC"): (
        "white blood cells under a rapid stain, Jiangxi Tecom: Zheng et al. 2018, dataset 1, "
        "[10.1016/j.micron.2018.01.010](https://doi.org/10.1016/j.micron.2018.01.010)",
        "GPL-3.0",
    ),
    ("blood", "BCCD"): (
        "white cells cut out of peripheral-blood fields, [BCCD](https://github.com/Shenggan/BCCD_Dataset)",
        "MIT",
    ),
}
"""What the images of an origin and laboratory are, and their licence."""

FIELDS = {
    "composed": (
        "fields composed by `dataset_scripts/smear_fields.py` of the cells listed here",
        "that of the cells",
    ),
    "fields_bccd": ("peripheral-blood fields, [BCCD](https://github.com/Shenggan/BCCD_Dataset)", "MIT"),
}
"""What the fields of a kind are, and their licence."""

NOT_KNOWN = ("not described here", "–")


def laboratory_name(origin: str, laboratory: str) -> str:
    """Name a laboratory and the origin of its images."""
    name = ORIGINS.get(origin, origin)
    return name if laboratory == name else f"{name} ({laboratory})"


def laboratory_table(totals: Mapping[tuple[str, str], int]) -> str:
    """Return what a classifier was trained on, from the number of images by origin and laboratory."""
    rows = [[laboratory_name(*place), n, *LABORATORIES.get(place, NOT_KNOWN)] for place, n in totals.items()]
    return table(["origin", "images", "what", "licence"], rows)


def field_table(trained_on: Mapping[str, Mapping[str, int]]) -> str:
    """Return what a segmenter was trained on, from the number of images by ``fields`` and ``cells``, and their source.

    Only the exact names of sources are known that the project itself uses.
    """
    cells = {source: LABORATORIES[place] for source, place in SOURCES_OF_0_1.items()}
    known = {"fields": FIELDS, "cells": cells}
    rows = [
        [f"{kind}/{source}", n, *known.get(kind, {}).get(source, NOT_KNOWN)]
        for kind, numbers in trained_on.items()
        for source, n in numbers.items()
    ]
    return table(["source", "images", "what", "licence"], rows)
