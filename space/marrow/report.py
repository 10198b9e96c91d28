"""The differential count of an analysis: counts, percentages with their intervals, M:E ratio and notes.

The rules follow the guideline of the International Council for Standardization in Haematology: Lee SH, Erber
WN, Porwit A, Tomonaga M, Peterson LC. ICSH guidelines for the standardization of bone marrow specimens and
reports. Int J Lab Hematol 2008;30:349-364 ("ICSH 2008" below).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from math import sqrt
from statistics import median

from marrow.cell import Cell
from marrow.texts import LINEAGE_NAMES, NOTES

NOT_IN_DIFFERENTIAL = frozenset({"ART", "KSC", "NIF", "OTH"})
"""Codes that stay out of the denominator: artefact, smudge cell, not identifiable, other cell."""

LINEAGES = {
    "blast": ("BLA",),
    "granulocytic": ("PMO", "MYB", "MMZ", "NGB", "NGS", "EOS", "ABE", "BAS"),
    "erythroid": ("PEB", "EBO"),
    "monocytic": ("MON",),
    "lymphoid": ("LYT", "LYI", "HAC", "PLM"),
    "other": ("FGC",),
}
"""Codes of each lineage, in order of maturation; each counted code is in exactly one."""

MYELOID = frozenset(LINEAGES["granulocytic"])
"""Granulocytes and their precursors. Blasts, monocytes, lymphocytes and plasma cells are on neither side."""

ERYTHROID = frozenset(LINEAGES["erythroid"])
"""Erythroid precursors."""

FLOOR = 300
"""Fewest cells of a differential, ICSH 2008."""

TARGET = 500
"""Cells of a differential that a diagnosis may rest on, ICSH 2008."""

DOUBTFUL = 0.5
"""Share of uncertain cells above which a picture says too little of the cells that are counted."""

FEW = 4
"""Cells from which a share of uncertain ones says something: of three uncertain ones of three, the true share may still
be a half (Wilson interval)."""

KNOWN_SIZES = (30.0, 250.0)
"""Longest side of a cell's box, in pixels, that the segmenter was trained on; it finds down to about 16, and to 400."""

Z95 = 1.959964
"""Two-sided 95 % quantile of the normal distribution."""


@dataclass(frozen=True)
class CountingRules:
    """What a count must know of the classifier that named the cells.

    Attributes:
        labels: its codes, in the order of its outputs.
        uncertain_below: best probability below which a cell is uncertain, 0 to 1.
        not_from_marrow: codes that it never saw in a real marrow image.
        unknown: codes of which it never saw an image at all.
        unlike_above: median unlikeness of the cells above which they are unlike all that it was trained on; ``None``
            where it does not say, as ``stain_far_above``.
        stain_far_above: distance of the stain above which the colours are far from all that it was trained on.
    """

    labels: tuple[str, ...]
    uncertain_below: float
    not_from_marrow: tuple[str, ...]
    unknown: tuple[str, ...]
    unlike_above: float | None = None
    stain_far_above: float | None = None


@dataclass(frozen=True)
class ReportWarning:
    """A reason for which the counts do not stand for the smear.

    Attributes:
        code: ``no_smear`` where neither cells nor colours are those of a smear; ``unlike_training`` where the cells,
            ``stain_far`` where the colours are unlike those of the training; ``small_cells`` and ``large_cells`` where
            half of the cells are smaller or larger than :data:`KNOWN_SIZES`; ``mostly_uncertain`` where more than
            :data:`DOUBTFUL` of the cells, of :data:`FEW` at least, are uncertain.
        text: the sentence (English).
    """

    code: str
    text: str


@dataclass(frozen=True)
class Report:
    """A differential count; see :func:`make_report` for the rules.

    Attributes:
        found: number of cells in the analysis.
        edited: number of cells that a person changed, confirmed, made or removed.
        total: number of cells in the differential, the denominator of ``percent``.
        uncertain: number of cells that no person named and whose probability is below ``uncertain_below``.
        counts: number of certain cells by code, for every code of the classifier (0 included).
        by_model: how many of these no person named.
        percent: share of ``total`` by code, 0 to 100, for every code that belongs in a differential; empty under a
            warning, as are ``intervals`` and ``lineages``.
        intervals: 95 % Wilson interval of each percentage, ``(low, high)``, 0 to 100.
        lineages: number of cells in the differential by lineage, see :data:`LINEAGES`.
        stage_uncertain: by lineage, how many of the uncertain cells are surely of it: the probabilities of its codes
            add up to ``uncertain_below`` or more.
        me_ratio: myeloid to erythroid ratio, ``None`` when no erythroid cell was counted, and under a warning.
        warnings: reasons for which there are no more than counts; none where a person named half of the cells.
        cell_size: median of the longest sides of the cells' boxes, in pixels; ``None`` without cells.
        unlikeness: median of the cells', see :class:`marrow.cell.Cell`; ``None`` where the classifier does not say.
        uncertain_below: best probability below which a cell is uncertain, 0 to 1.
        not_from_marrow: codes that the classifier never saw in a real marrow image.
        unknown: codes of which it never saw an image at all.
        unlike_above: bound of the unlikeness; ``None`` where the classifier does not say, as the next.
        stain_far_above: the bound of the distance of the stain.
        notes: sentences (English) that a reader of the figures must know.
    """

    found: int
    edited: int
    total: int
    uncertain: int
    counts: dict[str, int]
    by_model: dict[str, int]
    percent: dict[str, float]
    intervals: dict[str, tuple[float, float]]
    lineages: dict[str, int]
    stage_uncertain: dict[str, int]
    me_ratio: float | None
    warnings: tuple[ReportWarning, ...]
    cell_size: float | None
    unlikeness: float | None
    uncertain_below: float
    not_from_marrow: tuple[str, ...]
    unknown: tuple[str, ...]
    unlike_above: float | None
    stain_far_above: float | None
    notes: tuple[str, ...]

    @property
    def is_smear(self) -> bool:
        """Whether there is no warning that the picture is none."""
        return all(warning.code != "no_smear" for warning in self.warnings)

    @property
    def rules(self) -> CountingRules:
        """The rules that were counted by."""
        kept = {one.name: getattr(self, one.name) for one in fields(CountingRules) if one.name != "labels"}
        return CountingRules(tuple(self.counts), **kept)


def make_report(
    cells: Sequence[Cell], rules: CountingRules, removed: Sequence[Cell] = (), stain_distance: float | None = None
) -> Report:
    """Count the cells of an analysis.

    A cell whose probability is below ``rules.uncertain_below`` is uncertain and in no count, unless a person named it.
    ``total`` and ``percent`` run over the certain cells that belong in a marrow differential (not
    ``NOT_IN_DIFFERENTIAL``). Under a warning there are counts alone, and where there is no smear not even these, unless
    a person named half of the cells.

    Args:
        cells: the named cells.
        rules: labels and threshold of the classifier that named them, and what it never saw.
        removed: cells that a person took away; they are in no count but ``edited``.
        stain_distance: how far the colours of the picture are from those of the training, see
            :meth:`marrow.classifier.ClassifierConfig.stain_distance`; ``None`` where the classifier does not say.

    Returns:
        The report, with English notes.
    """
    unlikeness, size = _median_unlikeness(cells), _cell_size(cells)
    doubtful = [cell for cell in cells if cell.is_uncertain(rules.uncertain_below)]
    named = Counter(cell.label for cell in cells if cell.is_human_labelled)
    warnings = _find_warnings(cells, len(doubtful), size, unlikeness, stain_distance, rules)
    if "no_smear" in warnings:
        doubtful = list(cells)
    certain = Counter(cell.label for cell in cells) - Counter(cell.label for cell in doubtful)
    counts = {code: certain[code] for code in rules.labels}
    counted = {code: n for code, n in counts.items() if code not in NOT_IN_DIFFERENTIAL}
    total = sum(counted.values())
    shown = {} if warnings else counted
    report = Report(
        found=len(cells),
        edited=sum(cell.edited is not None for cell in cells) + len(removed),
        total=total,
        uncertain=len(doubtful),
        counts=counts,
        by_model={code: n - named[code] for code, n in counts.items()},
        percent={code: 100 * n / total if total else 0.0 for code, n in shown.items()},
        intervals={code: wilson_interval(n, total) for code, n in shown.items()},
        lineages={name: sum(shown.get(code, 0) for code in codes) for name, codes in LINEAGES.items() if not warnings},
        stage_uncertain={} if "no_smear" in warnings else _stage_uncertain(doubtful, rules.uncertain_below),
        me_ratio=_me_ratio(shown),
        warnings=tuple(ReportWarning(code, _warning_text(code, size, "en")) for code in warnings),
        cell_size=size,
        unlikeness=unlikeness,
        uncertain_below=rules.uncertain_below,
        not_from_marrow=rules.not_from_marrow,
        unknown=rules.unknown,
        unlike_above=rules.unlike_above,
        stain_far_above=rules.stain_far_above,
        notes=(),
    )
    return replace(report, notes=write_notes(report))


def _median_unlikeness(cells: Sequence[Cell]) -> float | None:
    known = [cell.unlikeness for cell in cells if cell.unlikeness is not None]
    return median(known) if known else None


def _cell_size(cells: Sequence[Cell]) -> float | None:
    """Return the median of the longest sides of the cells' boxes, which are rounded as in the JSON."""
    boxes = [[round(value, 1) for value in cell.box] for cell in cells]
    return median(max(x1 - x0, y1 - y0) for x0, y0, x1, y1 in boxes) if boxes else None


def _warning_text(code: str, cell_size: float | None, language: str) -> str:
    low, high = KNOWN_SIZES
    size = "" if cell_size is None else f"{cell_size:.0f}"
    return NOTES[language][code].format(size=size, low=f"{low:.0f}", high=f"{high:.0f}")


def _find_warnings(
    cells: Sequence[Cell],
    uncertain: int,
    size: float | None,
    unlikeness: float | None,
    stain_distance: float | None,
    rules: CountingRules,
) -> list[str]:
    """Return the codes of the warnings; none where a person named half of the cells."""
    found = len(cells)
    if found and 2 * sum(cell.is_human_labelled for cell in cells) >= found:
        return []
    unlike = _exceeds(unlikeness, rules.unlike_above)
    far = _exceeds(stain_distance, rules.stain_far_above)
    if far and (unlike or not found):
        return ["no_smear"]
    signs = {
        "unlike_training": unlike,
        "stain_far": far,
        "small_cells": size is not None and size < KNOWN_SIZES[0],
        "large_cells": size is not None and size > KNOWN_SIZES[1],
        "mostly_uncertain": found >= FEW and uncertain > DOUBTFUL * found,
    }
    return [code for code, is_there in signs.items() if is_there]


def _exceeds(value: float | None, bound: float | None) -> bool:
    return value is not None and bound is not None and value > bound


def _stage_uncertain(doubtful: Sequence[Cell], bound: float) -> dict[str, int]:
    """Count the doubtful cells whose lineage is not in doubt, by lineage."""
    kin = Counter(
        name
        for cell in doubtful
        for name, codes in LINEAGES.items()
        if len(codes) > 1 and sum(cell.probabilities.get(code, 0.0) for code in codes) >= bound
    )
    return {name: kin[name] for name in LINEAGES if kin[name]}


def wilson_interval(count: int, total: int) -> tuple[float, float]:
    """Return the 95 % score interval of a proportion, in percent.

    Formula: Wilson EB. Probable inference, the law of succession, and statistical inference.
    J Am Stat Assoc 1927;22:209-212.

    Args:
        count: number of cells of the class, 0 to ``total``.
        total: number of cells counted.

    Returns:
        ``(low, high)``, 0 to 100; ``(0, 100)`` when nothing was counted.
    """
    if total == 0:
        return 0.0, 100.0
    share, z2 = count / total, Z95**2
    centre = (share + z2 / (2 * total)) / (1 + z2 / total)
    half = Z95 / (1 + z2 / total) * sqrt(share * (1 - share) / total + z2 / (4 * total**2))
    low = 0.0 if count == 0 else centre - half  # exactly, where rounding would leave 1e-17
    high = 1.0 if count == total else centre + half
    return 100 * low, 100 * high


def write_notes(report: Report, language: str = "en") -> tuple[str, ...]:
    """Say what a reader of the figures must know.

    Args:
        report: the figures.
        language: a key of :data:`marrow.texts.NOTES`.

    Returns:
        Sentences, the weightiest first.
    """
    text = NOTES[language]
    if not report.is_smear:
        return text["no_smear"], text["no_diagnosis"]
    from_elsewhere = [c for c in report.not_from_marrow if report.by_model[c]]  # what a person named needs no warning
    elsewhere = [c for c in from_elsewhere if c not in report.unknown]
    ratio_rests_on = [c for c in from_elsewhere if c in MYELOID | ERYTHROID]
    notes = [_warning_text(warning.code, report.cell_size, language) for warning in report.warnings]
    if not report.found:
        notes.append(text["nothing_found"])
    if report.total < FLOOR:
        notes.append(text["below_count"].format(total=report.total, floor=FLOOR, target=TARGET))
    elif report.total < TARGET:
        notes.append(text["below_target"].format(total=report.total, target=TARGET))
    if stages := [f"{LINEAGE_NAMES[language][name]} {n}" for name, n in report.stage_uncertain.items()]:
        notes.append(text["stage_uncertain"].format(lineages=", ".join(stages)))
    if report.me_ratio is not None and ratio_rests_on:
        notes.append(text["me_ratio"].format(codes=", ".join(ratio_rests_on)))
    if elsewhere:
        notes.append(text["not_from_marrow"].format(codes=", ".join(elsewhere)))
    if report.unknown:
        notes.append(text["unknown"].format(codes=", ".join(report.unknown)))
    return (*notes, text["no_diagnosis"])


def _me_ratio(counts: Mapping[str, int]) -> float | None:
    myeloid = sum(n for code, n in counts.items() if code in MYELOID)
    erythroid = sum(n for code, n in counts.items() if code in ERYTHROID)
    return myeloid / erythroid if erythroid else None
