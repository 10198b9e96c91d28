"""Drawn cells have what a haematologist tells their class by, measured on picture and masks."""

from dataclasses import astuple, dataclass, replace

import cv2
import numpy as np
import pytest
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis

from dataset_scripts.drawing.pictures import CODES, DrawnCell, draw_cell
from dataset_scripts.drawing.stains import random_stain

NUCLEATED = [code for code in CODES if code != "ART"]
CELLS = 24
RED_CELL_MICRONS = 7.2


@dataclass(frozen=True)
class Traits:
    """What is measured on one cell.

    Attributes:
        share: Area of the nucleus over area of the cell.
        lobes: Parts of the nucleus that are left when necks of under half its greatest width are cut.
        slimness: Area of the nucleus over its greatest width squared.
        dent: Deepest indentation of the nucleus over its width.
        off_centre: Distance between the middles of nucleus and cell over the radius of the cell.
        coarseness: Unevenness of the chromatin at the scale of clumps.
        nucleolus: How much bluer than the rest the bluest round spot in the nucleus is.
        darkness: Red light absorbed by the nucleus (optical density).
        blueness: Red over green light absorbed by the cytoplasm.
        orange: Blue over red light absorbed by the cytoplasm.
        granularity: Unevenness of the cytoplasm at the scale of granules.
        hof: How much paler than the rest the palest tenth of the cytoplasm is.
        holes: Vacuoles.
        over_nucleus: Unevenness of the green light absorbed over the nucleus at the scale of granules.
        diameter: In red cells.
    """

    share: float
    lobes: int
    slimness: float
    dent: float
    off_centre: float
    coarseness: float
    nucleolus: float
    darkness: float
    blueness: float
    orange: float
    granularity: float
    hof: float
    holes: int
    over_nucleus: float
    diameter: float


def eroded(mask: np.ndarray, by: float) -> np.ndarray:
    """Drop the pixels nearer than `by` to the border; of thin parts the inner half stays."""
    depth = cv2.distanceTransform(mask.astype(np.uint8), cv2.DIST_L2, 5)
    return depth > min(by, depth.max() / 2)


def blurred(values: np.ndarray, inside: np.ndarray, sigma: float) -> np.ndarray:
    """Mean over a neighbourhood of the pixels inside alone."""
    weight = inside.astype(np.float32)
    total = cv2.GaussianBlur(values.astype(np.float32) * weight, (0, 0), sigma)
    return total / np.maximum(cv2.GaussianBlur(weight, (0, 0), sigma), 1e-4)


def indentation(nucleus: np.ndarray) -> float:
    outlines, _ = cv2.findContours(nucleus.astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    outline = max(outlines, key=cv2.contourArea)
    defects = cv2.convexityDefects(outline, cv2.convexHull(outline, returnPoints=False))
    depth = 0 if defects is None else defects.reshape(-1, 4)[:, 3].max() / 256
    return depth / min(cv2.minAreaRect(outline)[1])


def measure(cell: DrawnCell, ground: tuple[float, ...], red_cell: float) -> Traits:
    nucleus, mask = cell.nucleus, cell.mask
    density = -np.log((cell.image.astype(np.float32) + 1) / (np.array(ground, np.float32) + 1))
    red, green, _ = np.moveaxis(density, 2, 0)
    depth = cv2.distanceTransform(nucleus.astype(np.uint8), cv2.DIST_L2, 5)
    deep = eroded(nucleus, 0.04 * red_cell)
    plasm = eroded(mask & ~nucleus, 0.05 * red_cell)
    middle_of_nucleus, middle_of_cell = np.argwhere(nucleus).mean(0), np.argwhere(mask).mean(0)
    radius = np.sqrt(mask.sum() / np.pi)
    clumps = blurred(red, deep, 0.05 * red_cell)[deep]
    tint = blurred(red / green.clip(0.05), deep, 0.05 * red_cell)[eroded(nucleus, 0.1 * red_cell)]
    fine = green - cv2.GaussianBlur(green, (0, 0), 0.04 * red_cell)
    smooth = blurred(red, plasm, 0.06 * red_cell)[plasm]
    colour = density[plasm].mean(0)
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * int(0.1 * red_cell) + 1,) * 2)
    pits = cv2.morphologyEx(blurred(green, plasm, 0.015 * red_cell), cv2.MORPH_BLACKHAT, kernel) * plasm
    return Traits(
        share=nucleus.sum() / mask.sum(),
        lobes=cv2.connectedComponents((depth > 0.5 * depth.max()).astype(np.uint8))[0] - 1,
        slimness=nucleus.sum() / (2 * depth.max()) ** 2,
        dent=indentation(nucleus),
        off_centre=np.hypot(*(middle_of_nucleus - middle_of_cell)) / radius,
        coarseness=clumps.std() / clumps.mean(),
        nucleolus=tint.max() - np.median(tint),
        darkness=red[deep].mean(),
        blueness=colour[0] / colour[1],
        orange=colour[2] / colour[0],
        granularity=fine[plasm].std(),
        hof=1 - np.percentile(smooth, 10) / np.median(smooth),
        holes=cv2.connectedComponents((pits > 0.4 * colour[1]).astype(np.uint8))[0] - 1,
        over_nucleus=fine[deep].std(),
        diameter=2 * radius / red_cell,
    )


@pytest.fixture(scope="module")
def traits() -> dict[str, list[Traits]]:
    """Traits of some cells of every class under marrow stains, without camera noise."""
    measured: dict[str, list[Traits]] = {}
    for number, code in enumerate(NUCLEATED):
        for k in range(CELLS):
            stain = replace(random_stain(np.random.default_rng([number, k, 0]), "marrow"), noise=0.0)
            cell = draw_cell(code, np.random.default_rng([number, k, 1]), stain=stain)
            measured.setdefault(code, []).append(measure(cell, stain.background, stain.red_cell))
    return measured


def values(cells: list[Traits], trait: str) -> np.ndarray:
    return np.array([getattr(cell, trait) for cell in cells])


def median(cells: list[Traits], trait: str) -> float:
    return float(np.median(values(cells, trait)))


@pytest.mark.parametrize(
    ("code", "low", "high"),
    [
        ("BLA", 0.65, 0.85),
        ("LYT", 0.65, 0.85),
        ("PMO", 0.5, 0.67),
        ("MYB", 0.45, 0.62),
        ("MMZ", 0.4, 0.54),
        ("MON", 0.4, 0.62),
        ("NGB", 0.26, 0.4),
        ("NGS", 0.24, 0.38),
        ("EOS", 0.25, 0.42),
        ("PLM", 0.22, 0.36),
        ("EBO", 0.24, 0.66),
    ],
)
def test_nucleus_takes_its_share_of_the_cell(traits, code, low, high):
    assert low < median(traits[code], "share") < high


def test_nucleus_shrinks_from_promyelocyte_to_neutrophil(traits):
    shares = [median(traits[code], "share") for code in ("BLA", "PMO", "MYB", "MMZ", "NGB", "NGS")]
    assert shares == sorted(shares, reverse=True)


@pytest.mark.parametrize(
    ("code", "low", "high"),
    [
        ("BLA", 12, 20),
        ("PMO", 15, 25),
        ("MYB", 10, 20),
        ("NGS", 12, 15),
        ("EOS", 12, 17),
        ("MON", 12, 20),
    ],
)
def test_diameter_is_what_the_texts_give(traits, code, low, high):
    """Microns, of the sources named in `drawing.recipes`."""
    assert low < median(traits[code], "diameter") * RED_CELL_MICRONS < high


def test_promyelocyte_is_the_largest_and_lymphocyte_the_smallest_cell(traits):
    diameters = {code: median(cells, "diameter") for code, cells in traits.items()}
    assert max(diameters, key=diameters.get) == "PMO" and min(diameters, key=diameters.get) == "LYT"


def test_segmented_neutrophil_has_two_to_five_lobes_on_thin_threads(traits):
    lobes = values(traits["NGS"], "lobes")
    assert ((lobes >= 2) & (lobes <= 5)).mean() > 0.9 and np.median(lobes) >= 3


def test_eosinophil_mostly_has_two_lobes(traits):
    assert (values(traits["EOS"], "lobes") == 2).mean() > 0.6


@pytest.mark.parametrize("code", ["BLA", "EBO", "LYT", "MMZ", "MYB", "NGB", "PLM", "PMO"])
def test_other_nuclei_are_in_one_piece(traits, code):
    assert (values(traits[code], "lobes") == 1).mean() > 0.95


def test_band_is_slim_and_bent_and_the_kidney_is_neither(traits):
    band, kidney = traits["NGB"], traits["MMZ"]
    assert values(band, "slimness").min() > 2.6 > 2.1 > values(kidney, "slimness").max()
    assert median(band, "dent") > 0.4


def test_metamyelocyte_is_indented_by_less_than_half_and_myelocyte_not_at_all(traits):
    dents = values(traits["MMZ"], "dent")
    assert 0.1 < np.median(dents) and dents.max() < 0.5
    assert median(traits["MYB"], "dent") < 0.04


def test_monocyte_nucleus_is_folded_and_cytoplasm_has_vacuoles(traits):
    assert median(traits["MON"], "dent") > 0.1 > 0.05 > median(traits["BLA"], "dent")
    assert (values(traits["MON"], "holes") > 0).mean() > 0.4
    assert (values(traits["LYT"], "holes") > 0).mean() < 0.1


@pytest.mark.parametrize("code", ["BLA", "PMO"])
def test_only_young_cells_have_nucleoli(traits, code):
    assert values(traits[code], "nucleolus").min() > 0.04
    for mature in ("EBO", "LYT", "MMZ", "MYB", "NGB", "NGS", "PLM"):
        assert median(traits[mature], "nucleolus") < 0.025


def test_chromatin_is_fine_in_blasts_clumped_in_lymphocytes_and_coarsest_in_plasma_cells(traits):
    coarse = {code: median(cells, "coarseness") for code, cells in traits.items()}
    assert 1.25 * coarse["BLA"] < coarse["LYT"] < coarse["PLM"] / 1.25
    assert max(coarse, key=coarse.get) == "PLM"
    assert median(traits["BLA"], "darkness") < median(traits["MYB"], "darkness") < median(traits["LYT"], "darkness")


def test_plasma_cell_nucleus_lies_off_centre_in_blue_cytoplasm_with_a_hof(traits):
    plasma = traits["PLM"]
    assert values(plasma, "off_centre").min() > 0.25
    assert all(median(cells, "off_centre") < 0.25 for code, cells in traits.items() if code != "PLM")
    assert median(plasma, "blueness") > 0.85
    assert median(plasma, "hof") > 1.4 * median(traits["LYT"], "hof")


def test_only_eosinophil_granules_are_orange(traits):
    assert median(traits["EOS"], "orange") > 0.85 and values(traits["EOS"], "orange").min() > 0.6
    assert all(median(cells, "orange") < 0.5 for code, cells in traits.items() if code != "EOS")


def test_promyelocyte_has_the_coarsest_purple_granules_also_over_its_nucleus(traits):
    grains = {code: median(cells, "granularity") for code, cells in traits.items()}
    assert grains["PMO"] > 1.3 * max(grains["BLA"], grains["MYB"], grains["MMZ"], grains["NGS"])
    assert median(traits["PMO"], "over_nucleus") > 1.3 * median(traits["BLA"], "over_nucleus")


def test_cytoplasm_turns_from_blue_to_pink_as_granulocytes_ripen(traits):
    blueness = [median(traits[code], "blueness") for code in ("BLA", "PMO", "MYB", "MMZ", "NGS")]
    assert blueness == sorted(blueness, reverse=True)


def test_erythroblasts_ripen_to_small_cells_with_a_dark_nucleus_in_pink_grey_cytoplasm(traits):
    cells = sorted(traits["EBO"], key=lambda cell: cell.diameter)
    late, early = cells[: CELLS // 4], cells[-CELLS // 4 :]
    assert median(late, "share") < 0.42 < 0.52 < median(early, "share")
    assert median(late, "darkness") > 1.1 * median(early, "darkness")
    assert median(late, "orange") > 2 * median(early, "orange")


def test_classes_can_be_told_apart_by_their_traits(traits):
    """Half of the cells say how, the other half is named; one in eleven would be right by chance."""
    measured = np.array([astuple(cell) for cells in traits.values() for cell in cells])
    codes = np.repeat(list(traits), CELLS)
    known = np.arange(len(codes)) % 2 == 1
    named = LinearDiscriminantAnalysis().fit(measured[known], codes[known]).predict(measured[~known])
    assert (named == codes[~known]).mean() > 0.92
    for code in NUCLEATED:
        assert (named == codes[~known])[codes[~known] == code].mean() > 0.7, code
