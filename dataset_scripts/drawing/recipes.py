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
class Outline:
    """The size and border of a cell.

    Attributes:
        diameter: In red cell diameters.
        roughness: Irregularity.
        fringe: Hairiness.
        elongation: Long over short axis.
    """

    diameter: Range
    roughness: float = 0.03
    fringe: float = 0.0
    elongation: Range = (1.0, 1.15)


@dataclass(frozen=True)
class Nucleus:
    """Where the nucleus lies and what it looks like from afar.

    Attributes:
        shape: Its shape from (rng, centre, radius).
        share: Its area over the area of the cell.
        eccentric: How far it lies off centre; 1 is touching the border.
    """

    shape: Callable[[np.random.Generator, tuple[float, float], float], shapes.Shape]
    share: Range
    eccentric: Range


@dataclass(frozen=True)
class Chromatin:
    """What is seen inside a nucleus.

    Attributes:
        amount: Dye units.
        pattern: "fine", "lacy", "clumped" or "clock-face".
        clump: Size of clumps, meshes or stipples as a share of the red cell diameter.
        clumping: Strength of the pattern.
        nucleoli: Smallest and largest number of nucleoli.
        folds: Largest number of creases.
    """

    amount: Range
    pattern: str
    clump: float
    clumping: float
    nucleoli: tuple[int, int] = (0, 0)
    folds: int = 0


@dataclass(frozen=True)
class Cytoplasm:
    """What lies around the nucleus.

    Attributes:
        basophil: Blue dye units.
        neutral: Pink dye units.
        haemoglobin: Red cell dye units.
        hof: Paleness of the zone beside the nucleus, 0 to 1.
        vacuoles: Largest number of vacuoles.
        vacuolated: Share of cells with vacuoles.
        granules: Kinds of granules.
    """

    basophil: Range
    neutral: Range
    haemoglobin: Range = (0.0, 0.0)
    hof: Range = (0.0, 0.0)
    vacuoles: int = 1
    vacuolated: float = 0.0
    granules: tuple[Granules, ...] = ()


@dataclass(frozen=True)
class Recipe:
    """How one class, or one stage of it, is drawn; a range is drawn from evenly for every cell.

    Attributes:
        code: Code of the class.
        outline: Size and border.
        nucleus: The nucleus.
        chromatin: What is seen in that.
        cytoplasm: What lies around it.
    """

    code: str
    outline: Outline
    nucleus: Nucleus
    chromatin: Chromatin
    cytoplasm: Cytoplasm


_SPECIFIC = Granules("neutral", packing=(0.3, 0.6), radius=0.017, amount=(0.4, 0.8))  # of neutrophils
_FEW_AZUROPHIL = Granules("azurophil", packing=(0.015, 0.05), radius=0.017, amount=(0.25, 0.6))
_EOSIN = Granules("eosin", (0.95, 1.2), 0.043, (1.0, 1.25), over_nucleus=0.04, refractile=0.4, disorder=0.3)
_DUST = Granules("azurophil", packing=(0.05, 0.2), radius=0.014, amount=(0.15, 0.35))  # of monocytes
_SOME_AZUROPHIL = Granules("azurophil", packing=(0.05, 0.2), radius=0.022, amount=(0.35, 0.8), over_nucleus=0.15)
_MANY_AZUROPHIL = Granules("azurophil", packing=(0.2, 0.5), radius=0.021, amount=(0.7, 1.25), over_nucleus=0.55)
_FEW_COARSE = Granules("azurophil", packing=(0, 0.02), radius=0.024, amount=(0.5, 0.8))

RECIPES = (
    Recipe(
        "BLA",
        Outline(diameter=(1.65, 2.3), roughness=0.045, elongation=(1.0, 1.2)),
        Nucleus(shapes.blast_nucleus, share=(0.66, 0.85), eccentric=(0.2, 0.9)),
        Chromatin((0.68, 0.86), "fine", clump=0.04, clumping=0.08, nucleoli=(1, 3)),
        Cytoplasm(basophil=(0.7, 1.25), neutral=(0.0, 0.3), hof=(0.0, 0.35)),
    ),
    Recipe(  # orthochromatic: pyknotic nucleus, pink-grey cytoplasm
        "EBO",
        Outline(diameter=(1.0, 1.2), roughness=0.04),
        Nucleus(shapes.round_nucleus, share=(0.24, 0.38), eccentric=(0.2, 0.8)),
        Chromatin((1.2, 1.4), "clumped", clump=0.16, clumping=0.06),
        Cytoplasm(basophil=(0.12, 0.3), neutral=(0.1, 0.3), haemoglobin=(0.7, 1.0)),
    ),
    Recipe(  # polychromatic: chequered nucleus, grey cytoplasm
        "EBO",
        Outline(diameter=(1.2, 1.45), roughness=0.04),
        Nucleus(shapes.round_nucleus, share=(0.36, 0.5), eccentric=(0.1, 0.5)),
        Chromatin((1.02, 1.18), "clumped", clump=0.14, clumping=0.24),
        Cytoplasm(basophil=(0.4, 0.65), neutral=(0.1, 0.4), haemoglobin=(0.35, 0.65)),
    ),
    Recipe(  # basophilic: large nucleus with coarse chromatin, deep blue cytoplasm
        "EBO",
        Outline(diameter=(1.45, 1.75), roughness=0.04),
        Nucleus(shapes.round_nucleus, share=(0.52, 0.66), eccentric=(0.1, 0.5)),
        Chromatin((0.92, 1.06), "clumped", clump=0.11, clumping=0.22),
        Cytoplasm(basophil=(1.0, 1.4), neutral=(0.0, 0.2), hof=(0.1, 0.4)),
    ),
    Recipe(
        "EOS",
        Outline(diameter=(1.65, 2.0), roughness=0.035),
        Nucleus(shapes.two_lobed_nucleus, share=(0.29, 0.42), eccentric=(0.4, 1.0)),
        Chromatin((0.95, 1.1), "clumped", clump=0.12, clumping=0.2),
        Cytoplasm(basophil=(0.0, 0.15), neutral=(0.5, 0.9), vacuoles=2, vacuolated=0.2, granules=(_EOSIN,)),
    ),
    Recipe(
        "LYT",
        Outline(diameter=(1.05, 1.5), roughness=0.04, fringe=0.04),
        Nucleus(shapes.round_nucleus, share=(0.7, 0.85), eccentric=(0.3, 0.9)),
        Chromatin((0.98, 1.2), "clumped", clump=0.17, clumping=0.17),
        Cytoplasm(basophil=(0.55, 1.0), neutral=(0.0, 0.2), granules=(_FEW_COARSE,)),
    ),
    Recipe(
        "MMZ",
        Outline(diameter=(1.5, 1.95)),
        Nucleus(shapes.kidney_nucleus, share=(0.42, 0.54), eccentric=(0.4, 0.9)),
        Chromatin((0.92, 1.1), "clumped", clump=0.12, clumping=0.19),
        Cytoplasm(basophil=(0.05, 0.25), neutral=(0.75, 1.05), granules=(_SPECIFIC, _FEW_AZUROPHIL)),
    ),
    Recipe(
        "MON",
        Outline(diameter=(1.7, 2.35), roughness=0.065, fringe=0.03, elongation=(1.0, 1.3)),
        Nucleus(shapes.folded_nucleus, share=(0.48, 0.62), eccentric=(0.2, 0.7)),
        Chromatin((0.74, 0.92), "lacy", clump=0.06, clumping=0.19, folds=2),
        Cytoplasm(basophil=(0.4, 0.68), neutral=(0.4, 0.65), vacuoles=9, vacuolated=0.65, granules=(_DUST,)),
    ),
    Recipe(
        "MYB",
        Outline(diameter=(1.6, 2.1)),
        Nucleus(shapes.oval_nucleus, share=(0.48, 0.62), eccentric=(0.65, 1.0)),
        Chromatin((0.88, 1.04), "clumped", clump=0.1, clumping=0.17),
        Cytoplasm(basophil=(0.3, 0.55), neutral=(0.5, 0.85), hof=(0.4, 0.7), granules=(_SPECIFIC, _SOME_AZUROPHIL)),
    ),
    Recipe(
        "NGB",
        Outline(diameter=(1.55, 1.95), roughness=0.04),
        Nucleus(shapes.band_nucleus, share=(0.29, 0.4), eccentric=(0.0, 0.5)),
        Chromatin((1.0, 1.16), "clumped", clump=0.13, clumping=0.17),
        Cytoplasm(basophil=(0.0, 0.08), neutral=(0.75, 1.1), granules=(_SPECIFIC, _FEW_AZUROPHIL)),
    ),
    Recipe(
        "NGS",
        Outline(diameter=(1.55, 1.9), roughness=0.04),
        Nucleus(shapes.lobed_nucleus, share=(0.27, 0.38), eccentric=(0.0, 0.4)),
        Chromatin((1.04, 1.2), "clumped", clump=0.14, clumping=0.17),
        Cytoplasm(basophil=(0.0, 0.05), neutral=(0.75, 1.1), granules=(_SPECIFIC, _FEW_AZUROPHIL)),
    ),
    Recipe(
        "PLM",
        Outline(diameter=(1.65, 2.2), roughness=0.05, elongation=(1.1, 1.45)),
        Nucleus(shapes.round_nucleus, share=(0.24, 0.36), eccentric=(0.8, 1.0)),
        Chromatin((0.95, 1.1), "clock-face", clump=0.13, clumping=0.32),
        Cytoplasm(basophil=(0.95, 1.45), neutral=(0.2, 0.5), hof=(0.6, 0.85), vacuoles=3, vacuolated=0.25),
    ),
    Recipe(
        "PMO",
        Outline(diameter=(1.95, 2.45), roughness=0.05, elongation=(1.0, 1.2)),
        Nucleus(shapes.oval_nucleus, share=(0.52, 0.66), eccentric=(0.6, 1.0)),
        Chromatin((0.74, 0.9), "fine", clump=0.055, clumping=0.1, nucleoli=(1, 2)),
        Cytoplasm(basophil=(0.55, 0.95), neutral=(0.1, 0.35), hof=(0.35, 0.7), granules=(_MANY_AZUROPHIL,)),
    ),
)
