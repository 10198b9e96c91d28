"""The differential count: what is counted, over what, and what is said beside it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from marrow import Cell, analyze
from marrow.analysis import filter_cells
from marrow.cell import Edit
from marrow.classifier import ClassifierConfig
from marrow.report import CountingRules, make_report, wilson_interval, write_notes
from tests.space.known_models import CODES


def rules(codes=CODES, **trained_on) -> CountingRules:
    config = ClassifierConfig(
        id2label={str(i): code for i, code in enumerate(codes)},
        crop={},
        temperature=1.0,
        uncertain_below=0.5,
        trained_on={code: {"bone_marrow": {"MLL": 100}} for code in codes} | trained_on,
    )
    return config.rules


def cells(**counts: int) -> list[Cell]:
    """Certain cells, so many of each code."""
    return [cell(code) for code, n in counts.items() for _ in range(n)]


def cell(code: str, probability: float = 0.9) -> Cell:
    return Cell(
        box=(0, 0, 60, 50),
        polygon=((0, 0), (60, 0), (60, 50)),
        area=1500.0,
        score=0.8,
        id=1,
        label=code,
        probability=probability,
        probabilities={},
    )


def test_percentages_leave_artefacts_and_uncertain_cells_out():
    report = make_report([*cells(ART=5, NGS=3, EBO=1), cell("BLA", 0.49), cell("BLA", 0.5)], rules())
    assert (report.found, report.total, report.uncertain) == (11, 5, 1)
    assert report.counts == dict.fromkeys(CODES, 0) | {"ART": 5, "NGS": 3, "EBO": 1, "BLA": 1}
    assert "ART" not in report.percent
    assert sum(report.percent.values()) == pytest.approx(100)
    assert report.percent["NGS"] == pytest.approx(60)


def test_smudges_unidentified_and_other_cells_are_no_part_of_a_differential():
    codes = sorted([*CODES, "KSC", "NIF", "OTH", "BAS", "PEB"])
    report = make_report(cells(KSC=2, NIF=3, OTH=4, BAS=1, PEB=1), rules(codes))
    assert report.total == 2
    assert report.percent["BAS"] == 50
    assert not {"KSC", "NIF", "OTH", "ART"} & report.percent.keys()


@pytest.mark.parametrize(
    ("counts", "ratio"),
    [
        ({"NGS": 4, "MYB": 2, "EOS": 1, "BLA": 9, "MON": 9, "LYT": 9, "PLM": 9, "EBO": 2}, 3.5),
        ({"EBO": 3}, 0.0),
        ({"NGS": 4}, None),
        ({}, None),
    ],
)
def test_me_ratio_is_granulocytes_over_erythroid_precursors(counts, ratio):
    assert make_report(cells(**counts), rules()).me_ratio == ratio


def test_nothing_found_is_a_report_of_zeros():
    report = make_report([], rules())
    assert report.total == 0
    assert set(report.percent.values()) == {0.0}
    assert set(report.intervals.values()) == {(0.0, 100.0)}


@pytest.mark.parametrize(
    ("count", "total", "low", "high"),
    [(0, 10, 0.0, 27.75), (10, 10, 72.25, 100.0), (15, 30, 33.15, 66.85), (81, 263, 25.53, 36.62)],
)
def test_wilson_interval(count, total, low, high):
    """Figures of the third kind are in Newcombe RG. Stat Med 1998;17:857-872 (81 of 263: 0.2553 to 0.3662)."""
    assert wilson_interval(count, total) == pytest.approx((low, high), abs=0.01)


@pytest.mark.parametrize(("n", "start"), [(299, "Below count"), (300, "300 cells counted"), (500, "For research")])
def test_first_note_says_whether_the_count_suffices(n, start):
    assert make_report(cells(NGS=n), rules()).notes[0].startswith(start)


def test_notes_warn_of_classes_not_learned_from_marrow():
    elsewhere = rules(
        EBO={"blood": {"Barcelona": 9}}, MMZ={"blood": {"Barcelona": 9}, "bone_marrow": {"MLL": 0}}, PLM={}
    )
    report = make_report(cells(NGS=400, EBO=100), elsewhere)
    assert report.not_from_marrow == ("EBO", "MMZ", "PLM")
    assert [note for note in report.notes if "M:E" in note and "EBO" in note and "MMZ" not in note]
    assert [note for note in report.notes if note.startswith("No training images") and "PLM" in note]
    assert not [note for note in make_report(cells(NGS=400, EBO=100), rules()).notes if "M:E" in note]


def test_what_a_person_named_needs_no_warning():
    elsewhere = rules(EBO={"blood": {"Barcelona": 9}})
    named = [replace(one, edited=Edit("2026-11-24T00:00:00Z", label="EBO")) for one in cells(EBO=2)]
    sure, half = make_report([*cells(NGS=4), *named], elsewhere), make_report([*cells(NGS=4, EBO=1), *named], elsewhere)
    assert (sure.counts["EBO"], sure.by_model["EBO"], sure.by_model["NGS"], sure.me_ratio) == (2, 0, 4, 2)
    assert not [note for note in sure.notes if "EBO" in note]
    assert half.by_model["EBO"] == 1 and [note for note in half.notes if "M:E" in note and "EBO" in note]


def test_where_most_cells_are_uncertain_there_are_only_counts():
    doubtful = [cell("BLA", 0.4)] * 3
    shown, silent = (make_report([*cells(NGS=n, EBO=1), *doubtful], rules()) for n in (2, 1))
    assert shown.warnings == () and shown.percent["NGS"] > 0 and shown.me_ratio == 2  # half of them is not yet too many
    (warning,) = silent.warnings
    assert warning.code == "mostly_uncertain" and warning.text == silent.notes[0]
    assert (silent.percent, silent.intervals, silent.lineages, silent.me_ratio) == ({}, {}, {}, None)
    assert (silent.found, silent.total, silent.uncertain, silent.counts["NGS"]) == (5, 2, 3, 1)
    assert write_notes(silent, "fr")[0].startswith("Plus de la moitié des cellules")


def test_a_share_of_uncertain_cells_says_nothing_of_few_cells():
    assert make_report([cell("BLA", 0.4)] * 3, rules()).warnings == ()
    assert make_report([cell("BLA", 0.4)] * 4, rules()).warnings
    assert wilson_interval(3, 3)[0] < 50 < wilson_interval(4, 4)[0]


def test_a_person_who_named_half_of_the_cells_gets_percentages():
    doubtful = [cell("BLA", 0.4)] * 4
    named = [replace(one, edited=Edit("2026-11-24T00:00:00Z", label="NGS")) for one in cells(NGS=3)]
    assert make_report([*named, *doubtful], rules()).warnings  # three of seven
    report = make_report([*named, *doubtful[1:]], rules())
    assert report.warnings == () and report.percent["NGS"] == 100
    assert make_report([], rules()).warnings == ()


KNOWING = {"unlike_above": 0.3, "stain_far_above": 0.15}


@pytest.mark.parametrize(
    ("unlikeness", "distance", "codes"),
    [
        (0.3, 0.15, []),  # at the bounds
        (0.31, 0.15, ["unlike_training"]),
        (0.3, 0.16, ["stain_far"]),
        (0.31, 0.16, ["no_smear"]),
        (None, 0.16, ["stain_far"]),
        (0.31, None, ["unlike_training"]),
        (None, None, []),
    ],
)
def test_cells_or_colours_unlike_those_of_the_training_leave_only_counts(unlikeness, distance, codes):
    shown = [replace(one, unlikeness=unlikeness) for one in cells(NGS=2, EBO=1)]
    report = make_report(shown, replace(rules(), **KNOWING), stain_distance=distance)
    assert [warning.code for warning in report.warnings] == codes
    assert [note for note in report.notes if note in {warning.text for warning in report.warnings}] == [
        warning.text for warning in report.warnings
    ]
    assert (report.unlikeness, bool(report.percent), report.me_ratio) == (unlikeness, not codes, None if codes else 2)
    assert (report.found, report.counts["NGS"], report.uncertain) == ((3, 0, 3) if codes == ["no_smear"] else (3, 2, 0))
    assert report.rules == replace(rules(), **KNOWING)  # so that it can be counted anew


def test_the_median_of_the_cells_says_how_unlike_a_picture_is():
    shown = [replace(cell("NGS"), unlikeness=value) for value in (0.1, 0.4, 0.9)]
    assert make_report(shown, replace(rules(), **KNOWING)).unlikeness == 0.4
    assert make_report([*shown, cell("NGS")], replace(rules(), **KNOWING)).unlikeness == 0.4  # one that nobody asked


@pytest.mark.parametrize(
    ("sides", "code", "words"),
    [
        ([29.9, 29.9, 200], "small_cells", "about 30 pixels"),
        ([20, 20.4], "small_cells", "about 20 pixels across, and the models know cells of 30 to 250"),
        ([30, 29], "small_cells", "30 pixels"),  # 29.5 on average
        ([30, 30], None, ""),
        ([250, 9, 300], None, ""),
        ([251, 9, 300], "large_cells", "about 251 pixels"),
    ],
)
def test_cells_of_a_size_that_the_models_do_not_know_leave_only_counts(sides, code, words):
    report = make_report([replace(cell("NGS"), box=(5.0, 0.0, 6.0, side)) for side in sides], rules())
    assert [warning.code for warning in report.warnings] == ([code] if code else [])
    assert words in "".join(warning.text for warning in report.warnings)
    assert bool(report.percent) == (code is None)


def test_where_nothing_is_found_the_smallest_size_is_said():
    report = make_report([], rules())
    assert [note for note in report.notes if "less than about 16 pixels" in note] and not report.warnings
    assert [note for note in write_notes(report, "fr") if "moins de 16 pixels" in note]


def test_a_picture_without_cells_is_no_smear_where_its_colours_are_of_none():
    far, near = (make_report([], replace(rules(), **KNOWING), stain_distance=d) for d in (12.0, 0.1))
    assert [warning.code for warning in far.warnings] == ["no_smear"] and near.warnings == ()


def test_a_person_who_named_half_of_the_cells_knows_better_than_any_warning():
    named = [replace(cell("NGS"), unlikeness=0.9, edited=Edit("2026-11-24T00:00:00Z", label="NGS"))]
    report = make_report([*named, replace(cell("EBO"), unlikeness=0.9)], replace(rules(), **KNOWING), stain_distance=12)
    assert report.warnings == () and report.me_ratio == 1


def test_a_doubtful_cell_whose_lineage_is_sure_is_counted_as_of_that_lineage():
    granulocyte = replace(cell("MYB", 0.4), probabilities={"MYB": 0.4, "MMZ": 0.3, "LYT": 0.2})
    nothing = replace(cell("MYB", 0.4), probabilities={"MYB": 0.4, "LYT": 0.4})
    blast = replace(cell("BLA", 0.49), probabilities={"BLA": 0.49})  # its lineage is one class
    report = make_report([granulocyte, granulocyte, nothing, blast, *cells(NGS=9)], rules())
    assert report.stage_uncertain == {"granulocytic": 2} and report.uncertain == 4
    assert [note for note in report.notes if "Granulocytic 2" in note]
    assert [note for note in write_notes(report, "fr") if "Lignée granuleuse 2" in note]


def test_notes_are_there_in_french():
    report = make_report(cells(NGS=3, EBO=1), rules(EBO={"blood": {"Barcelona": 9}}))
    french = write_notes(report, "fr")
    assert len(french) == len(report.notes)
    assert french[0].startswith("Décompte insuffisant : 4 cellules")


@pytest.mark.parametrize("confidence", [0.05, 0.3, 0.7, 0.95])
def test_filtering_an_analysis_equals_a_new_one(models, smear, confidence):
    low = analyze(smear, models, 0.05)
    assert len(low.cells) == 6
    # scores are float32: one a hair under its decimal value is on the other side for both
    filtered = filter_cells(low, confidence - 1e-6)
    anew = analyze(smear, models, confidence - 1e-6)
    assert filtered == anew
    assert filtered.report.found == len(filtered.cells) < 6 or confidence == 0.05
