"""Ways to choose an image beside the file dialogue: paste, camera; and that each is named in the visitor's language."""

from __future__ import annotations

import base64
import io
import shutil

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Page, expect

from tests.space.served import PATIENCE, Server, cells, visit

COPY = """async ([file]) => {
  const blob = await (await fetch('data:image/png;base64,' + file)).blob();
  await navigator.clipboard.write([new ClipboardItem({'image/png': blob})]);
}"""


@pytest.fixture
def clipboard_page(visitor):
    return visitor(locale="fr-FR", permissions=["clipboard-read", "clipboard-write"])


def test_a_picture_is_pasted_by_its_button(clipboard_page, smear):
    _copy(clipboard_page, smear)
    clipboard_page.get_by_role("button", name="Coller une image").click()
    expect(cells(clipboard_page)).to_have_count(4, timeout=PATIENCE)


def test_a_picture_is_pasted_by_keys_at_the_start_and_over_the_viewer(clipboard_page, smear):
    picture = clipboard_page.locator("#viewer image")
    for width in (320, 200):
        _copy(clipboard_page, smear[:, :width])
        clipboard_page.keyboard.press("Control+V")
        expect(picture).to_have_attribute("width", str(width), timeout=PATIENCE)


def test_text_is_pasted_where_one_writes(clipboard_page, smear):
    _copy(clipboard_page, smear)
    clipboard_page.keyboard.press("Control+V")
    expect(cells(clipboard_page)).to_have_count(4, timeout=PATIENCE)
    clipboard_page.click("#viewer [data-view=flag]")
    clipboard_page.evaluate("navigator.clipboard.writeText('la cellule 3')")
    clipboard_page.locator("#viewer textarea").press("Control+V")
    expect(clipboard_page.locator("#viewer textarea")).to_have_value("la cellule 3")


@pytest.fixture
def camera_page(browser, server: Server):
    """A browser of its own, whose camera shows a test picture; `browser` first, since only it may start Playwright."""
    camera = ["--no-sandbox", "--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream"]
    own = browser.browser_type.launch(executable_path=shutil.which("chromium"), args=camera)
    yield visit(own.new_context(locale="fr-FR", permissions=["camera"]).new_page(), server.url)
    own.close()


def test_a_picture_is_taken(camera_page):
    camera_page.get_by_role("button", name="Prendre une photo").click()
    camera_page.get_by_text("Cliquez pour utiliser la caméra").click()
    camera_page.wait_for_function("document.querySelector('#image video')?.readyState > 2")
    camera_page.wait_for_timeout(500)
    camera_page.get_by_role("button", name="Prendre la photo").click(timeout=PATIENCE)
    picture = camera_page.locator("#viewer image")
    expect(picture).to_be_visible(timeout=PATIENCE)
    assert int(picture.get_attribute("width")) >= 320
    expect(cells(camera_page)).to_have_count(4)


def test_what_can_be_pressed_has_a_name_and_room_for_a_finger(clipboard_page):
    clipboard_page.get_by_role("button", name="Exemple 4").wait_for()
    for button in clipboard_page.locator("#start button").all():
        named = button.get_attribute("aria-label") or button.text_content().strip()
        box = button.bounding_box()
        assert named and min(box["width"], box["height"]) >= 44, (named, box)


def _copy(page: Page, image: np.ndarray) -> None:
    file = io.BytesIO()
    Image.fromarray(image).save(file, "png")
    page.evaluate(COPY, [base64.b64encode(file.getvalue()).decode()])
