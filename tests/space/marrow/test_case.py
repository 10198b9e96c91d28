"""Several images added up to one count, saved, opened again and printed."""

from __future__ import annotations

import json
import time
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from marrow import Analysis, MarrowError, analyze
from marrow.case import Case, NamedAnalysis, count_case, read_saved
from marrow.cell import Edit
from marrow.export import export
from marrow.print_page import to_page
from marrow.texts import PAGE


@pytest.fixture
def other(models, smear) -> Analysis:
    """Another field: the discs moved by one pixel."""
    analysis = analyze(smear, models, 0.5)
    moved = tuple(replace(cell, box=tuple(value + 1 for value in cell.box)) for cell in analysis.cells)
    return replace(analysis, cells=moved)


@pytest.fixture
def case(reviewed, other) -> Case:
    return Case((NamedAnalysis("first.png", reviewed), NamedAnalysis("second.png", other)))


def test_the_cells_of_all_images_are_counted_together(case, reviewed, other):
    report = count_case(case)
    assert (report.found, report.edited) == (8, 6)
    for code, n in report.counts.items():
        assert n == reviewed.report.counts[code] + other.report.counts[code]
    assert report.percent["NGS"] == pytest.approx(100 * report.counts["NGS"] / report.total)


def test_a_saved_case_opens_again(case):
    plain = json.loads(case.to_json())
    assert [row["file"] for row in plain["case"]] == ["first.png", "second.png"]
    assert plain["report"]["found"] == 8
    plain["report"]["found"] = 99
    again = Case.from_dict(plain)
    assert json.loads(again.to_json()) == json.loads(case.to_json())


@pytest.mark.parametrize("plain", [None, {}, {"case": []}, {"case": [{}] * 201}, {"case": [None]}])
def test_other_json_is_no_case(plain):
    with pytest.raises(MarrowError, match="choose a JSON"):
        Case.from_dict(plain)


def test_an_image_is_counted_once(case, reviewed):
    again = replace(reviewed, cells=reviewed.cells[1:])
    with pytest.raises(MarrowError, match=r"first\.png and third\.png are of the same image"):
        count_case(Case((*case.analyses, NamedAnalysis("third.png", again))))


def test_images_named_by_other_rules_are_not_added_up(case, other):
    stricter = replace(other, report=replace(other.report, uncertain_below=0.9))
    with pytest.raises(MarrowError, match=r"different classes or thresholds"):
        count_case(Case((*case.analyses, NamedAnalysis("third.png", stricter))))


def test_analyses_and_cases_are_read_from_files(case, reviewed, other, tmp_path):
    (tmp_path / "a.json").write_text(reviewed.to_json())
    (tmp_path / "b.json").write_text(Case((NamedAnalysis("b.jpg", other),)).to_json())
    read = read_saved([tmp_path / "a.json", tmp_path / "b.json"])
    assert [named.file for named in read.analyses] == ["a", "b.jpg"]
    assert count_case(read) == count_case(case)


@pytest.mark.parametrize(
    ("content", "words"),
    [(None, "check the path"), (b"{", "no JSON"), (b"\xff", "no JSON"), (b"[" * 5000, "no JSON"), (b"{}", "bad.json")],
)
def test_a_file_that_is_none_is_said_by_name(tmp_path, content, words):
    path = tmp_path / "bad.json"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(MarrowError, match=words) as refused:
        read_saved([path])
    assert "bad.json" in str(refused.value)


NOW = datetime(2026, 11, 24, 8, 30, tzinfo=UTC)


@pytest.mark.parametrize("language", ["en", "fr"])
def test_the_page_of_a_case_holds_counts_definitions_models_and_reviewer(case, language):
    page, words = to_page(case, {}, language, NOW), PAGE[language]
    report = count_case(case)
    share = f"{report.percent['NGS']:.1f}".replace(".", "," if language == "fr" else ".")
    low, high = report.intervals["NGS"]
    assert f"<td>{report.counts['NGS']}</td><td>{share}</td><td>{low:.0f}–{high:.0f}</td>" in page
    for text in (
        "first.png",
        "second.png",
        "discs",
        "colours",
        "Åsa",
        "2026-11-24 08:30 UTC",
        words["by_image"],
        "2026-11-23 12:00 UTC",
    ):
        assert text in page, text
    assert page.count("<li>") == len(report.notes) + 6
    assert "$" not in page and "None" not in page


def test_the_page_of_an_image_shows_it_and_needs_no_other_file(reviewed, smear, tmp_path):
    (path,) = export(reviewed, smear, "field.png", tmp_path, ["print"], "fr")
    page = path.read_text(encoding="utf-8")
    assert path.name == "field.html" and PAGE["fr"]["by_image"] not in page
    assert page.count("data:image/jpeg;base64,") == 1 and "http" not in page


def test_names_are_text_on_the_page(reviewed, smear):
    first = reviewed.cells[0]
    cell = replace(first, edited=Edit("2026-11-23T12:00:00Z", "<script>$title", first.label))
    bad = Case((NamedAnalysis("<img>&.png", replace(reviewed, cells=(cell, *reviewed.cells[1:]))),))
    page = to_page(bad, {"<img>&.png": smear})
    assert "<script>" not in page and "<img>" not in page
    assert "&lt;script&gt;$title" in page and "&lt;img&gt;&amp;.png" in page


@pytest.mark.timed
def test_a_large_case_is_counted_in_a_moment(reviewed):
    first, images = reviewed.cells[0], []
    for number in range(200):
        boxes = ((x, number, x + 1, number + 1) for x in range(2000))
        images.append(NamedAnalysis(f"{number}", replace(reviewed, cells=tuple(replace(first, box=b) for b in boxes))))
    start = time.monotonic()
    assert count_case(Case(tuple(images))).found == 400_000
    assert time.monotonic() - start < 20
