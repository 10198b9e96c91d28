"""The viewer without Gradio: mounted twice on one plain page, each by itself."""

from __future__ import annotations

import json
import shutil
import threading
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from PIL import Image
from playwright.sync_api import Page, expect

from marrow import Models, analyze
from screen.viewer import STATIC, make_settings


@pytest.fixture
def shown(models) -> Models:
    """What names the cells of the page."""
    return models


@pytest.fixture
def page(browser, shown, smear, tmp_path) -> Iterator[Page]:
    """The page with both viewers, served as plain files; an error of its scripts fails the test."""
    shutil.copytree(STATIC, tmp_path / "static")
    shutil.copy(Path(__file__).with_name("page.html"), tmp_path / "index.html")
    Image.fromarray(smear).save(tmp_path / "smear.png")
    plain = analyze(smear, shown, 0.05).to_dict()
    value = {"picture": {"url": "smear.png"}, **{key: plain[key] for key in ("image", "models", "cells")}}
    settings = make_settings(shown) | {"explains": False}
    (tmp_path / "fixture.json").write_text(json.dumps({"settings": settings, "value": value}))
    handler = partial(SimpleHTTPRequestHandler, directory=str(tmp_path))
    wrong: list[str] = []
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        with browser.new_context(viewport={"width": 1280, "height": 900}) as context:
            page = context.new_page()
            page.on("pageerror", lambda error: wrong.append(str(error)))
            page.goto(f"http://127.0.0.1:{server.server_port}/")
            expect(page.locator("body[data-ready]")).to_be_attached()
            yield page
        server.shutdown()
    assert wrong == []


def test_two_viewers_on_a_page_know_nothing_of_each_other(page):
    one, two = page.locator("#one"), page.locator("#two")
    for viewer in (one, two):
        expect(viewer.locator(".cell:not(.gone)")).to_have_count(4)
    expect(one.locator("[data-view=report]")).to_have_text("Classification report")
    expect(two.locator("[data-view=report]")).to_have_text("Rapport de classification")
    one.locator("input[type=range]").fill("0.05")
    expect(one.locator(".cell:not(.gone)")).not_to_have_count(4)
    expect(two.locator(".cell:not(.gone)")).to_have_count(4)
    for viewer in (one, two):
        viewer.locator("[data-view=review]").click()
    first = two.locator(".crops button").first
    first.click()
    first.press("1")  # names the chosen cell
    expect(two.locator("[data-act=undo]")).to_be_enabled()
    expect(one.locator("[data-act=undo]")).to_be_disabled()
    page.evaluate("document.activeElement.blur()")
    page.keyboard.press("Control+z")  # nothing has the focus: the viewer that was touched last
    expect(two.locator("[data-act=redo]")).to_be_enabled()
    expect(one.locator("[data-act=redo]")).to_be_disabled()


class TestNoSmear:
    """A picture whose cells and colours are none of a smear's."""

    @pytest.fixture
    def shown(self, familiar_models) -> Models:
        return familiar_models

    def test_the_report_is_the_sentence_alone_until_half_of_the_cells_are_named(self, page):
        one, two = page.locator("#one"), page.locator("#two")
        for viewer, sentence in ((one, "This does not look like a smear"), (two, "Cela ne ressemble pas à un frottis")):
            viewer.locator("[data-view=report]").click()
            expect(viewer.locator(".report [data-warning]")).to_contain_text(sentence)
            for silent in (".figures", "table", ".notes"):
                expect(viewer.locator(f".report {silent}")).to_have_count(0)
        one.locator("[data-view=review]").click()
        for number in (0, 1):
            one.locator(".crops button").nth(number).click()
            page.keyboard.press("1")
        one.locator("[data-view=report]").click()
        expect(one.locator("[data-warning]")).to_have_count(0)
        expect(one.locator(".report table")).to_be_visible()


def test_a_viewer_that_is_closed_leaves_the_other_alone(page):
    page.evaluate("document.body.dispatchEvent(new Event('close-one'))")
    expect(page.locator("#one .mv")).to_have_count(0)
    two = page.locator("#two")
    two.locator("[data-view=review]").click()
    two.locator(".crops button").first.click()
    page.keyboard.press("c")
    expect(two.locator("[data-act=undo]")).to_be_enabled()


def test_nothing_is_put_on_the_window_and_nothing_is_gradio_s(page):
    own = page.evaluate(
        """async () => {
          const frame = document.body.appendChild(document.createElement('iframe'));
          const plain = new Set(Object.getOwnPropertyNames(frame.contentWindow));
          frame.remove();
          return Object.getOwnPropertyNames(window).filter(name => !plain.has(name) && isNaN(name));
        }"""
    )
    assert [name for name in own if not name.startswith("__") and name not in ("one", "two")] == []
    for path in STATIC.rglob("*.js"):
        assert path.name == "gradio.js" or "gradio" not in path.read_text(encoding="utf-8").lower(), path


def test_a_class_says_where_it_was_learned(page):
    one = page.locator("#one")
    one.locator(".cell .line").first.click()
    expect(one.locator(".card .origins")).to_contain_text("learned from")
