"""A person's work on the screen: every edit in a real browser, and the counts after it."""

from __future__ import annotations

import re

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Locator, Page, expect

from tests.space.known_models import DISCS
from tests.space.served import (
    PATIENCE,
    cells,
    downloaded,
    expected_on_screen,
    look,
    read_json,
    report_on_screen,
    slide,
    upload,
    visit,
)


@pytest.fixture
def smear(smear) -> np.ndarray:
    """The smear with its second disc, cell 2, in a grey that is nothing for certain."""
    cx, cy, radius, _ = DISCS[1]
    y, x = np.mgrid[:320, :320]
    smear[(x - cx) ** 2 + (y - cy) ** 2 <= radius**2] = (110, 110, 110)
    return smear


@pytest.fixture
def review(page, smear_file) -> Page:
    """The review of the smear: cells 1 and 4 are NGS, 3 is EBO, 2 is uncertain, 5 and 6 lie below the slider."""
    upload(page, smear_file)
    expect(cells(page)).to_have_count(4)
    look(page, "review")
    return page


def test_the_ratio_is_called_unreliable_until_a_person_named_its_cells(review):
    ratio = review.locator("#viewer [data-figure=me_ratio]")
    look(review, "report")
    expect(ratio).to_contain_text("unreliable")
    look(review, "review")
    _crop(review, 3).click()
    review.locator("#viewer .bench [data-act=confirm]").click()
    look(review, "report")
    expect(ratio).not_to_contain_text("unreliable")
    assert _saved(review)["report"]["by_model"]["EBO"] == 0


def test_where_most_cells_are_uncertain_the_screen_has_counts_alone(visitor, smear, tmp_path):
    for cx, cy, radius, _ in DISCS[:3]:
        y, x = np.mgrid[:320, :320]
        smear[(x - cx) ** 2 + (y - cy) ** 2 <= radius**2] = (110, 110, 110)
    Image.fromarray(smear).save(tmp_path / "grey.png")
    for locale, sentence in (("en-GB", "More than half of the cells"), ("fr-FR", "Plus de la moitié des cellules")):
        page = visitor(locale=locale)
        upload(page, tmp_path / "grey.png")
        expect(page.locator("#viewer [data-warning=mostly_uncertain]")).to_contain_text(sentence)
        look(page, "report")
        expect(page.locator("#viewer [data-warning=mostly_uncertain]")).to_contain_text(sentence)
        expect(page.locator("#viewer .report .notes")).not_to_contain_text(sentence)
        assert report_on_screen(page)["figures"]["me_ratio"] == "–"
        expect(page.locator("#viewer .report tbody .bar")).to_have_count(0)
        assert {values[1] for values in report_on_screen(page)["classes"].values()} <= {"–", ""}
        saved = read_json(downloaded(page, "json"))
        assert [warning["code"] for warning in saved["report"]["warnings"]] == ["mostly_uncertain"]
        assert saved["report"]["percent"] == {} and saved["report"]["me_ratio"] is None
    look(page, "review")
    for number in (2, 3):
        _crop(page, number).click()
        page.keyboard.press("1")
    look(page, "report")
    expect(page.locator("#viewer [data-warning]")).to_have_count(0)
    assert read_json(downloaded(page, "json"))["report"]["percent"]


def test_a_cell_is_renamed_from_its_card(page, smear_file):
    upload(page, smear_file)
    _outline(page, 3).click()
    page.keyboard.press("1")
    expect(page.locator("#viewer .legend [data-group=EBO]")).to_be_visible()  # folded tools have no keys
    page.locator("#viewer .card summary").click()
    page.locator("#viewer .card [data-name=LYT]").click()
    expect(page.locator("#viewer .legend [data-group=LYT]")).to_contain_text("1")
    expect(page.locator("#viewer .legend [data-group=EBO]")).to_have_count(0)
    expect(page.locator("#viewer .card .edit")).to_contain_text(
        re.compile("Named by hand · .* The model said: erythroblast")
    )
    edited = _saved(page)["cells"][2]
    assert (edited["label"], edited["edited"]["label"], edited["edited"]["by"]) == ("LYT", "LYT", None)
    assert max(edited["probabilities"], key=edited["probabilities"].get) == "EBO"
    assert edited["probability"] == edited["probabilities"]["LYT"]
    look(page, "annotations")
    page.locator("#viewer .card [data-act=reset]").click()
    assert _saved(page)["cells"][2]["edited"] is None


def test_an_uncertain_cell_counts_once_it_is_confirmed(review):
    review.locator("#viewer [name=reviewer]").fill("Ana Óliver")
    before = _saved(review)["report"]
    assert (before["uncertain"], before["total"]) == (1, 3)
    look(review, "review")
    expect(review.locator("#viewer .group").first).to_have_attribute("data-group", "?")
    _crop(review, 2).click()
    review.locator("#viewer .bench [data-act=confirm]").click()
    expect(review.locator("#viewer .group[data-group='?']")).to_have_count(0)
    expect(_crop(review, 2)).to_have_attribute("title", re.compile("by hand.* · Ana Óliver · .*The model said"))
    expect(_crop(review, 2).locator(".icon")).to_be_visible()
    saved = _saved(review)
    assert (saved["report"]["uncertain"], saved["report"]["total"], saved["report"]["edited"]) == (0, 4, 1)
    assert saved["cells"][1]["edited"]["by"] == "Ana Óliver"
    assert saved["cells"][1]["edited"]["label"] == saved["cells"][1]["label"]
    slide(review, 0.93)  # what a person has seen passes the slider
    assert [cell["id"] for cell in _saved(review)["cells"]] == [1, 2]
    review.reload()
    visit(review, review.url)
    assert review.evaluate("localStorage['marrow-reviewer']") == "Ana Óliver"


def test_what_is_deleted_can_be_brought_back(review):
    _crop(review, 3).click()
    review.keyboard.press("Delete")
    expect(cells(review)).to_have_count(3)
    saved = _saved(review)
    assert (saved["report"]["found"], saved["report"]["edited"], saved["report"]["counts"]["EBO"]) == (3, 1, 0)
    assert [(cell["id"], cell["edited"]["shape"]) for cell in saved["removed"]] == [(3, "deleted")]
    look(review, "review")
    review.locator("#viewer [data-restore='3']").click()
    saved = _saved(review)
    assert saved["removed"] == [] and [cell["edited"] for cell in saved["cells"]] == [None] * 4


def test_undo_and_redo_go_all_the_way(review):
    first = _saved(review)
    look(review, "review")
    _crop(review, 1).click()
    for key, count in (("6", 4), ("7", 4), ("Delete", 3)):
        review.keyboard.press(key)
        expect(cells(review)).to_have_count(count)
    last = _saved(review)
    for _ in range(3):
        review.keyboard.press("Control+z")
    expect(review.locator("#viewer [data-act=undo]")).to_be_disabled()
    assert _saved(review) == first
    review.keyboard.press("Control+Shift+z")
    review.keyboard.press("Control+y")
    review.locator("#viewer [data-act=redo]").click()
    expect(review.locator("#viewer [data-act=redo]")).to_be_disabled()
    assert _saved(review) == last


def test_several_are_renamed_at_once_in_the_gallery(review):
    review.locator("#viewer [data-all=NGS]").click()
    expect(review.locator("#viewer .bench h3")).to_have_text("2 cells")
    _crop(review, 3).click(modifiers=["Control"])
    expect(review.locator("#viewer .cell.selected")).to_have_count(3)
    review.keyboard.press("9")
    expect(review.locator("#viewer .group[data-group=MON] .crops button")).to_have_count(3)
    assert _saved(review)["report"]["counts"]["MON"] == 3
    look(review, "review")
    review.keyboard.press("Control+z")
    expect(review.locator("#viewer .group[data-group=NGS] .crops button")).to_have_count(2)
    _crop(review, 2).click()
    _crop(review, 3).click(modifiers=["Shift"])  # the uncertain one, then NGS, then EBO
    expect(review.locator("#viewer .bench h3")).to_have_text("4 cells")
    review.locator("#viewer .bench [data-name=PLM]").click()
    assert _saved(review)["report"]["counts"]["PLM"] == 4


def test_several_are_chosen_one_by_one_with_a_finger(review):
    review.get_by_role("button", name="Choose several").click()
    _crop(review, 1).click()
    _outline(review, 4).click()
    expect(review.locator("#viewer .cell.selected")).to_have_count(2)
    review.keyboard.press("Delete")
    assert [cell["id"] for cell in _saved(review)["cells"]] == [2, 3]


@pytest.mark.parametrize("how", ["mouse", "keys"])
def test_a_cell_is_added_in_a_box(review, how):
    """Cell 5, which lies below the slider, drawn by hand."""
    cx, cy, radius, _ = DISCS[4]
    review.locator("#viewer [data-act=add]").click()
    if how == "mouse":
        _drag(review, [cx - radius, cy - radius, cx + radius, cy + radius])
    else:
        _move_box(review, [cx - radius, cy - radius, cx + radius, cy + radius])
        review.keyboard.press("Enter")
    expect(review.locator("#viewer .message")).to_have_text("Cell added.", timeout=PATIENCE)
    expect(review.locator("#viewer .bench h3")).to_have_text("cell 7")
    expect(review.locator("#viewer [data-act=add]")).to_have_attribute("aria-pressed", "false")
    saved = _saved(review)
    added = saved["cells"][-1]
    assert added["edited"]["shape"] == "added" and added["edited"]["label"] is None
    assert added["label"] == "EBO" and saved["report"]["counts"]["EBO"] == 2
    assert _overlap(added["box"], [cx - radius, cy - radius, cx + radius, cy + radius]) > 0.6


def test_a_finger_draws_the_box(visitor, smear_file):
    cx, cy, radius, _ = DISCS[4]
    page = visitor(viewport={"width": 390, "height": 844}, has_touch=True)
    upload(page, smear_file)
    look(page, "review")
    page.locator("#viewer [data-act=add]").tap()
    page.locator("#viewer .stage").scroll_into_view_if_needed()
    devtools = page.context.new_cdp_session(page)
    for kind, reach in [("touchStart", -radius), ("touchMove", 0), ("touchMove", radius)]:
        x, y = _on_screen(page, cx + reach, cy + reach)
        devtools.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": [{"x": x, "y": y}]})
    devtools.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})
    expect(cells(page)).to_have_count(5, timeout=PATIENCE)


def test_cells_are_merged_and_split(review):
    """A cell drawn below cell 1 is merged with it, the two are split again, and all of it is undone."""
    first = _saved(review)
    whole = first["cells"][0]
    look(review, "review")
    review.keyboard.press("a")
    _drag(review, [42, 94, 78, 130])
    expect(review.locator("#viewer .message")).to_have_text("Cell added.", timeout=PATIENCE)
    added = _saved(review)["cells"][-1]
    look(review, "review")
    _crop(review, 1).click()
    _crop(review, 7).click(modifiers=["Control"])
    review.keyboard.press("m")
    expect(review.locator("#viewer .message")).to_have_text("Cells merged.", timeout=PATIENCE)
    saved = _saved(review)
    merged = saved["cells"][-1]
    assert (merged["id"], merged["edited"]["shape"], merged["edited"]["from"]) == (8, "merged", [1, 7])
    assert merged["area"] == pytest.approx(whole["area"] + added["area"], rel=0.2)
    assert [(cell["id"], cell["edited"]["shape"]) for cell in saved["removed"]] == [(1, "merged"), (7, "merged")]
    assert (saved["report"]["found"], saved["report"]["edited"]) == (4, 3)
    look(review, "review")
    review.locator("#viewer .bench [data-act=split]").click()
    expect(review.locator("#viewer .message")).to_have_text("Cell split.", timeout=PATIENCE)
    saved = _saved(review)
    halves = [cell for cell in saved["cells"] if cell["edited"]]
    assert [(cell["id"], cell["edited"]["shape"], cell["edited"]["from"]) for cell in halves] == [
        (9, "split", [8]),
        (10, "split", [8]),
    ]
    assert max(_overlap(cell["box"], whole["box"]) for cell in halves) > 0.8
    assert (saved["report"]["found"], saved["report"]["edited"]) == (5, 5)
    look(review, "review")
    for _ in range(3):
        review.keyboard.press("Control+z")
    assert _saved(review) == first


def test_cells_far_apart_are_not_merged(review):
    _crop(review, 1).click()
    _crop(review, 4).click(modifiers=["Control"])
    review.keyboard.press("m")
    expect(review.locator("#viewer .message.wrong")).not_to_be_empty(timeout=PATIENCE)
    expect(review.locator("#viewer [data-act=undo]")).to_be_disabled()
    expect(cells(review)).to_have_count(4)


def _saved(page: Page) -> dict:
    """Save the JSON, which the server counts, and compare it with the figures that the browser counts."""
    look(page, "report")
    saved = read_json(downloaded(page, "json"))
    seen = report_on_screen(page)
    assert {key: seen[key] for key in ("figures", "classes")} == expected_on_screen(saved["report"])
    return saved


def _outline(page: Page, number: int) -> Locator:
    return page.locator(f"#viewer .cell[data-id='{number}'] .line")


def _crop(page: Page, number: int) -> Locator:
    return page.locator(f"#viewer .crops button[data-id='{number}']")


def _on_screen(page: Page, x: float, y: float) -> tuple[float, float]:
    """Where a point of the image is on the screen."""
    place = "svg => { const m = svg.getScreenCTM(); return [m.a, m.e, m.d, m.f] }"
    a, e, d, f = page.locator("#viewer .stage").evaluate(place)
    return a * x + e, d * y + f


def _drag(page: Page, box: list[float]) -> None:
    page.mouse.move(*_on_screen(page, *box[:2]))
    page.mouse.down()
    page.mouse.move(*_on_screen(page, *box[2:]), steps=3)
    page.mouse.up()


def _move_box(page: Page, wanted: list[float]) -> None:
    """Bring the box of the add tool to where it is wanted with the arrow keys alone."""
    page.locator("#viewer .stage").focus()
    page.keyboard.press("ArrowRight")
    for edge in range(4):  # left, top, right, bottom: first moved, then sized
        keys = ("ArrowLeft", "ArrowRight") if edge % 2 == 0 else ("ArrowUp", "ArrowDown")
        for _ in range(60):
            missing = wanted[edge] - _box(page)[edge]
            if abs(missing) < 3:
                break
            page.keyboard.press(("Shift+" if edge > 1 else "") + keys[missing > 0])


def _box(page: Page) -> list[float]:
    read = "r => ['x', 'y', 'width', 'height'].map(name => Number(r.getAttribute(name)))"
    x, y, width, height = page.locator("#viewer rect.box").evaluate(read)
    return [x, y, x + width, y + height]


def _overlap(one: list[float], other: list[float]) -> float:
    """Intersection over union of two boxes."""
    width = max(0, min(one[2], other[2]) - max(one[0], other[0]))
    height = max(0, min(one[3], other[3]) - max(one[1], other[1]))
    area = [(box[2] - box[0]) * (box[3] - box[1]) for box in (one, other)]
    return width * height / (sum(area) - width * height)
