"""What each class of nucleated cell looks like: its recipe, or one recipe per stage of maturation.

Diameters are in red cells (about 7.2 µm across on a dry film) and lie within what haematology texts give for normal
cells: B. J. Bain, D. M. Clark, B. S. Wilkins, "Bone Marrow Pathology" (myeloblast 12 to 20 µm, promyelocyte the
largest granulocyte precursor at 15 to 25 µm, myelocyte 10 to 20 µm) and B. J. Bain, "Blood Cells" (neutrophil 12 to
15 µm, eosinophil 12 to 17 µm, monocyte 12 to 20 µm). The same texts describe nucleus, chromatin, granules and
cytoplasm as drawn here. Nucleus shares and dye amounts were then set so that drawn and real single-cell images agree
in nucleus area and in the colour of nucleus and cytoplasm.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from dataset_scripts.drawing import shapes

Range = tuple[float, float]


@dataclass(frozen=True)
class Granules:
    """One kind of granule.

    Attributes:
        dye: Name of the `Stain` dye.
        packing: Granules per square of one granule diameter; 1 is side by side.
        radius: As a share of the red cell diameter.
        amount: Dye units in a granule.
        over_nucleus: Share of granules that lie over the nucleus.
        refractile: Depth of the bright spot in a granule, 0 to 1.
        disorder: How far granules lie off a regular grid, in grid steps; 0.5 and more is at random.
    """

    dye: str
    packing: Range
    radius: float
    amount: Range
    over_nucleus: float = 0.0
    refractile: float = 0.0
    disorder: float = 0.6


@dataclass(frozen=True)
class Recipe:
    """How one class, or one stage of it, is drawn; a range is drawn from evenly for every cell.

    Attributes:
        diameter: Cell diameter in red cell diameters.
        nucleus_share: Area of the nucleus over area of the cell.
        nucleus: Shape of the nucleus from (rng, centre, radius).
        eccentric: How far the nucleus lies off centre; 1 is touching the border.
        chromatin: Dye units in the nucleus.
        pattern: Chromatin pattern: "fine", "lacy", "clumped" or "clock-face".
        clump: Size of clumps, meshes or stipples as a share of the red cell diameter.
        clumping: Strength of the pattern.
        basophil: Blue dye units in the cytoplasm.
        neutral: Pink dye units in the cytoplasm.
        haemoglobin: Red cell dye units in the cytoplasm.
        granules: Kinds of granules.
        hof: Paleness of the zone beside the nucleus, 0 to 1.
        nucleoli: Smallest and largest number of nucleoli.
        folds: Largest number of creases in the nucleus.
        vacuoles: Largest number of vacuoles.
        vacuolated: Share of cells with vacuoles.
        roughness: Irregularity of the outline.
        fringe: Hairiness of the outline.
        elongation: Long over short axis.
    """

    diameter: Range
    nucleus_share: Range
    nucleus: Callable[[np.random.Generator, tuple[float, float], float], shapes.Shape]
    eccentric: Range
    chromatin: Range
    pattern: str
    clump: float
    clumping: float
    basophil: Range
    neutral: Range
    haemoglobin: Range = (0.0, 0.0)
    granules: tuple[Granules, ...] = ()
    hof: Range = (0.0, 0.0)
    nucleoli: tuple[int, int] = (0, 0)
    folds: int = 0
    vacuoles: int = 1
    vacuolated: float = 0.0
    roughness: float = 0.03
    fringe: float = 0.0
    elongation: Range = (1.0, 1.15)


_SPECIFIC = Granules("neutral", packing=(0.3, 0.6), radius=0.017, amount=(0.4, 0.8))  # of neutrophils
_FEW_AZUROPHIL = Granules("azurophil", packing=(0.015, 0.05), radius=0.017, amount=(0.25, 0.6))

RECIPES: dict[str, tuple[Recipe, ...]] = {
    "BLA": (
        Recipe(
            diameter=(1.65, 2.3),
            nucleus_share=(0.66, 0.85),
            nucleus=shapes.blast_nucleus,
            eccentric=(0.2, 0.9),
            chromatin=(0.68, 0.86),
            pattern="fine",
            clump=0.04,
            clumping=0.08,
            basophil=(0.7, 1.25),
            neutral=(0.0, 0.3),
            hof=(0.0, 0.35),
            nucleoli=(1, 3),
            roughness=0.045,
            elongation=(1.0, 1.2),
        ),
    ),
    "EBO": (
        Recipe(  # orthochromatic: pyknotic nucleus, pink-grey cytoplasm
            diameter=(1.0, 1.2),
            nucleus_share=(0.24, 0.38),
            nucleus=shapes.round_nucleus,
            eccentric=(0.2, 0.8),
            chromatin=(1.2, 1.4),
            pattern="clumped",
            clump=0.16,
            clumping=0.06,
            basophil=(0.12, 0.3),
            neutral=(0.1, 0.3),
            haemoglobin=(0.7, 1.0),
            roughness=0.04,
        ),
        Recipe(  # polychromatic: chequered nucleus, grey cytoplasm
            diameter=(1.2, 1.45),
            nucleus_share=(0.36, 0.5),
            nucleus=shapes.round_nucleus,
            eccentric=(0.1, 0.5),
            chromatin=(1.02, 1.18),
            pattern="clumped",
            clump=0.14,
            clumping=0.24,
            basophil=(0.4, 0.65),
            neutral=(0.1, 0.4),
            haemoglobin=(0.35, 0.65),
            roughness=0.04,
        ),
        Recipe(  # basophilic: large nucleus with coarse chromatin, deep blue cytoplasm
            diameter=(1.45, 1.75),
            nucleus_share=(0.52, 0.66),
            nucleus=shapes.round_nucleus,
            eccentric=(0.1, 0.5),
            chromatin=(0.92, 1.06),
            pattern="clumped",
            clump=0.11,
            clumping=0.22,
            basophil=(1.0, 1.4),
            neutral=(0.0, 0.2),
            hof=(0.1, 0.4),
            roughness=0.04,
        ),
    ),
    "EOS": (
        Recipe(
            diameter=(1.65, 2.0),
            nucleus_share=(0.29, 0.42),
            nucleus=shapes.two_lobed_nucleus,
            eccentric=(0.4, 1.0),
            chromatin=(0.95, 1.1),
            pattern="clumped",
            clump=0.12,
            clumping=0.2,
            basophil=(0.0, 0.15),
            neutral=(0.5, 0.9),
            granules=(Granules("eosin", (0.95, 1.2), 0.043, (1.0, 1.25), 0.04, refractile=0.4, disorder=0.3),),
            vacuoles=2,
            vacuolated=0.2,
            roughness=0.035,
        ),
    ),
    "LYT": (
        Recipe(
            diameter=(1.05, 1.5),
            nucleus_share=(0.7, 0.85),
            nucleus=shapes.round_nucleus,
            eccentric=(0.3, 0.9),
            chromatin=(0.98, 1.2),
            pattern="clumped",
            clump=0.17,
            clumping=0.17,
            basophil=(0.55, 1.0),
            neutral=(0.0, 0.2),
            granules=(Granules("azurophil", (0, 0.02), 0.024, (0.5, 0.8)),),
            roughness=0.04,
            fringe=0.04,
        ),
    ),
    "MMZ": (
        Recipe(
            diameter=(1.5, 1.95),
            nucleus_share=(0.42, 0.54),
            nucleus=shapes.kidney_nucleus,
            eccentric=(0.4, 0.9),
            chromatin=(0.92, 1.1),
            pattern="clumped",
            clump=0.12,
            clumping=0.19,
            basophil=(0.05, 0.25),
            neutral=(0.75, 1.05),
            granules=(_SPECIFIC, _FEW_AZUROPHIL),
        ),
    ),
    "MON": (
        Recipe(
            diameter=(1.7, 2.35),
            nucleus_share=(0.48, 0.62),
            nucleus=shapes.folded_nucleus,
            eccentric=(0.2, 0.7),
            chromatin=(0.74, 0.92),
            pattern="lacy",
            clump=0.06,
            clumping=0.19,
            basophil=(0.4, 0.68),
            neutral=(0.4, 0.65),
            granules=(Granules("azurophil", (0.05, 0.2), 0.014, (0.15, 0.35)),),
            folds=2,
            vacuoles=9,
            vacuolated=0.65,
            roughness=0.065,
            fringe=0.03,
            elongation=(1.0, 1.3),
        ),
    ),
    "MYB": (
        Recipe(
            diameter=(1.6, 2.1),
            nucleus_share=(0.48, 0.62),
            nucleus=shapes.oval_nucleus,
            eccentric=(0.65, 1.0),
            chromatin=(0.88, 1.04),
            pattern="clumped",
            clump=0.1,
            clumping=0.17,
            basophil=(0.3, 0.55),
            neutral=(0.5, 0.85),
            granules=(_SPECIFIC, Granules("azurophil", (0.05, 0.2), 0.022, (0.35, 0.8), 0.15)),
            hof=(0.4, 0.7),
        ),
    ),
    "NGB": (
        Recipe(
            diameter=(1.55, 1.95),
            nucleus_share=(0.29, 0.4),
            nucleus=shapes.band_nucleus,
            eccentric=(0.0, 0.5),
            chromatin=(1.0, 1.16),
            pattern="clumped",
            clump=0.13,
            clumping=0.17,
            basophil=(0.0, 0.08),
            neutral=(0.75, 1.1),
            granules=(_SPECIFIC, _FEW_AZUROPHIL),
            roughness=0.04,
        ),
    ),
    "NGS": (
        Recipe(
            diameter=(1.55, 1.9),
            nucleus_share=(0.27, 0.38),
            nucleus=shapes.lobed_nucleus,
            eccentric=(0.0, 0.4),
            chromatin=(1.04, 1.2),
            pattern="clumped",
            clump=0.14,
            clumping=0.17,
            basophil=(0.0, 0.05),
            neutral=(0.75, 1.1),
            granules=(_SPECIFIC, _FEW_AZUROPHIL),
            roughness=0.04,
        ),
    ),
    "PLM": (
        Recipe(
            diameter=(1.65, 2.2),
            nucleus_share=(0.24, 0.36),
            nucleus=shapes.round_nucleus,
            eccentric=(0.8, 1.0),
            chromatin=(0.95, 1.1),
            pattern="clock-face",
            clump=0.13,
            clumping=0.32,
            basophil=(0.95, 1.45),
            neutral=(0.2, 0.5),
            hof=(0.6, 0.85),
            vacuoles=3,
            vacuolated=0.25,
            roughness=0.05,
            elongation=(1.1, 1.45),
        ),
    ),
    "PMO": (
        Recipe(
            diameter=(1.95, 2.45),
            nucleus_share=(0.52, 0.66),
            nucleus=shapes.oval_nucleus,
            eccentric=(0.6, 1.0),
            chromatin=(0.74, 0.9),
            pattern="fine",
            clump=0.055,
            clumping=0.1,
            basophil=(0.55, 0.95),
            neutral=(0.1, 0.35),
            granules=(Granules("azurophil", (0.2, 0.5), 0.021, (0.7, 1.25), 0.55),),
            hof=(0.35, 0.7),
            nucleoli=(1, 2),
            roughness=0.05,
            elongation=(1.0, 1.2),
        ),
    ),
}
