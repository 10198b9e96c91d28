"""What each class of nucleated cell looks like: one recipe per class code.

The morphology follows the usual haematology descriptions; sizes, nucleus shares and dye amounts were then set so that
drawn and real single-cell images agree in nucleus area and in the colour of nucleus and cytoplasm.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from dataset_scripts import cell_shapes

Range = tuple[float, float]


@dataclass(frozen=True)
class Granules:
    """One kind of granule.

    Attributes:
        dye: Name of the `Stain` dye.
        count: Granules per square of 10 x 10 radii.
        radius: As a share of the red cell diameter.
        amount: Dye units at the centre of a granule.
        over_nucleus: Share of granules that lie over the nucleus.
    """

    dye: str
    count: Range
    radius: float
    amount: Range
    over_nucleus: float = 0.1


@dataclass(frozen=True)
class Recipe:
    """How one class is drawn; a range is drawn from evenly for every cell.

    Attributes:
        diameter: Cell diameter in red cell diameters.
        nucleus_share: Area of the nucleus over area of the cell.
        nucleus: Shape of the nucleus from (rng, centre, radius).
        eccentric: How far the nucleus lies off centre; 1 is touching the border.
        chromatin: Dye units in the nucleus.
        clump: Chromatin clump size as a share of the red cell diameter.
        clumping: Variation of the chromatin by its clumps.
        clefts: Share of the nucleus taken by pale gaps between the clumps.
        basophil: Blue dye units in the cytoplasm.
        neutral: Pink dye units in the cytoplasm.
        granules: Kinds of granules.
        hof: Paleness of the zone beside the nucleus, 0 to 1.
        nucleoli: Largest number of nucleoli.
        vacuoles: Largest number of vacuoles.
        roughness: Irregularity of the outline.
        fringe: Hairiness of the outline.
        elongation: Long over short axis.
    """

    diameter: Range
    nucleus_share: Range
    nucleus: Callable[[np.random.Generator, tuple[float, float], float], cell_shapes.Shape]
    eccentric: Range
    chromatin: Range
    clump: float
    clumping: float
    clefts: float
    basophil: Range
    neutral: Range
    granules: tuple[Granules, ...] = ()
    hof: Range = (0.0, 0.0)
    nucleoli: int = 0
    vacuoles: int = 0
    roughness: float = 0.03
    fringe: float = 0.0
    elongation: Range = (1.0, 1.15)


RECIPES: dict[str, Recipe] = {
    "BLA": Recipe(
        diameter=(1.55, 2.2),
        nucleus_share=(0.64, 0.85),
        nucleus=cell_shapes.blast_nucleus,
        eccentric=(0.2, 0.9),
        chromatin=(0.72, 0.96),
        clump=0.06,
        clumping=0.10,
        clefts=0.04,
        basophil=(0.65, 1.25),
        neutral=(0.0, 0.3),
        hof=(0.0, 0.4),
        nucleoli=3,
        vacuoles=1,
        roughness=0.05,
        elongation=(1.0, 1.25),
    ),
    "EBO": Recipe(
        diameter=(1.0, 1.45),
        nucleus_share=(0.3, 0.55),
        nucleus=cell_shapes.round_nucleus,
        eccentric=(0.1, 0.6),
        chromatin=(1.1, 1.3),
        clump=0.12,
        clumping=0.18,
        clefts=0.1,
        basophil=(0.2, 0.95),
        neutral=(0.5, 1.0),
        roughness=0.04,
    ),
    "EOS": Recipe(
        diameter=(1.5, 1.9),
        nucleus_share=(0.3, 0.45),
        nucleus=cell_shapes.two_lobed_nucleus,
        eccentric=(0.3, 0.9),
        chromatin=(0.95, 1.1),
        clump=0.1,
        clumping=0.22,
        clefts=0.14,
        basophil=(0.0, 0.2),
        neutral=(0.4, 0.8),
        granules=(Granules("eosin", (48, 70), 0.036, (0.32, 0.46), 0.05),),
        vacuoles=1,
        roughness=0.035,
    ),
    "LYT": Recipe(
        diameter=(1.0, 1.4),
        nucleus_share=(0.68, 0.86),
        nucleus=cell_shapes.round_nucleus,
        eccentric=(0.3, 0.9),
        chromatin=(1.0, 1.4),
        clump=0.16,
        clumping=0.17,
        clefts=0.07,
        basophil=(0.4, 1.0),
        neutral=(0.0, 0.3),
        granules=(Granules("azurophil", (0, 0.8), 0.025, (0.4, 0.8)),),
        roughness=0.04,
        fringe=0.04,
    ),
    "MMZ": Recipe(
        diameter=(1.5, 1.95),
        nucleus_share=(0.4, 0.52),
        nucleus=cell_shapes.kidney_nucleus,
        eccentric=(0.4, 0.9),
        chromatin=(0.92, 1.12),
        clump=0.1,
        clumping=0.22,
        clefts=0.14,
        basophil=(0.05, 0.3),
        neutral=(0.75, 1.05),
        granules=(Granules("azurophil", (3, 10), 0.022, (0.3, 0.8), 0.2),),
    ),
    "MON": Recipe(
        diameter=(1.6, 2.2),
        nucleus_share=(0.42, 0.6),
        nucleus=cell_shapes.folded_nucleus,
        eccentric=(0.2, 0.8),
        chromatin=(0.82, 1.0),
        clump=0.07,
        clumping=0.15,
        clefts=0.09,
        basophil=(0.35, 0.65),
        neutral=(0.3, 0.6),
        granules=(Granules("azurophil", (1, 5), 0.016, (0.2, 0.5)),),
        vacuoles=6,
        roughness=0.06,
        fringe=0.03,
        elongation=(1.0, 1.3),
    ),
    "MYB": Recipe(
        diameter=(1.55, 2.0),
        nucleus_share=(0.46, 0.62),
        nucleus=cell_shapes.flattened_nucleus,
        eccentric=(0.6, 1.0),
        chromatin=(0.88, 1.05),
        clump=0.09,
        clumping=0.20,
        clefts=0.14,
        basophil=(0.25, 0.55),
        neutral=(0.5, 0.9),
        granules=(Granules("azurophil", (4, 16), 0.024, (0.3, 0.9), 0.4),),
        hof=(0.0, 0.45),
    ),
    "NGB": Recipe(
        diameter=(1.5, 1.9),
        nucleus_share=(0.3, 0.42),
        nucleus=cell_shapes.band_nucleus,
        eccentric=(0.0, 0.6),
        chromatin=(1.0, 1.18),
        clump=0.11,
        clumping=0.22,
        clefts=0.12,
        basophil=(0.0, 0.08),
        neutral=(0.75, 1.1),
        granules=(Granules("azurophil", (3, 9), 0.02, (0.2, 0.5)),),
        roughness=0.04,
    ),
    "NGS": Recipe(
        diameter=(1.5, 1.85),
        nucleus_share=(0.3, 0.42),
        nucleus=cell_shapes.lobed_nucleus,
        eccentric=(0.0, 0.4),
        chromatin=(1.02, 1.22),
        clump=0.12,
        clumping=0.22,
        clefts=0.1,
        basophil=(0.0, 0.05),
        neutral=(0.75, 1.1),
        granules=(Granules("azurophil", (3, 10), 0.02, (0.2, 0.5)),),
        roughness=0.04,
    ),
    "PLM": Recipe(
        diameter=(1.55, 2.1),
        nucleus_share=(0.24, 0.38),
        nucleus=cell_shapes.round_nucleus,
        eccentric=(0.75, 1.0),
        chromatin=(1.0, 1.15),
        clump=0.15,
        clumping=0.28,
        clefts=0.12,
        basophil=(0.6, 1.15),
        neutral=(0.2, 0.5),
        hof=(0.4, 0.75),
        vacuoles=2,
        roughness=0.05,
        elongation=(1.05, 1.4),
    ),
    "PMO": Recipe(
        diameter=(1.75, 2.35),
        nucleus_share=(0.5, 0.68),
        nucleus=cell_shapes.flattened_nucleus,
        eccentric=(0.5, 1.0),
        chromatin=(0.8, 1.0),
        clump=0.06,
        clumping=0.17,
        clefts=0.12,
        basophil=(0.45, 0.9),
        neutral=(0.1, 0.4),
        granules=(Granules("chromatin", (5, 40), 0.02, (0.1, 0.36), 0.8),),
        hof=(0.2, 0.65),
        nucleoli=2,
        roughness=0.05,
        elongation=(1.0, 1.25),
    ),
}
