"""What strangers bring is text wherever it is shown, and no page asks another host."""

from __future__ import annotations

import csv
import json
import shutil
from urllib.parse import urlsplit

import pytest
from PIL import Image
from playwright.sync_api import Page, expect

from tests.space.served import PATIENCE, Server, cells, downloaded, look, read_json, upload, visit

CHROMIUM = {"accounts.google.com", "update.googleapis.com", "content-autofill.googleapis.com"}
"""Hosts that the browser asks of itself, whatever page it shows."""

HOSTILE = "<img src=x onerror='window.hacked=1'>&amp;"


@pytest.fixture
def hostile(page, smear, tmp_path) -> Page:
    """An image with a hostile name, corrected by a reviewer with another, in a case."""
    file = tmp_path / f"{HOSTILE}.png"
    Image.fromarray(smear).save(file)
    upload(page, file)
    look(page, "review")
    page.locator("#viewer [name=reviewer]").fill(HOSTILE)
    page.locator("#viewer .crops button").first.click()
    page.locator("#viewer .bench [data-name=LYT]").click()
    look(page, "report")
    page.get_by_role("button", name="Add to a case").click()
    return page


def test_names_and_comments_are_text_in_every_view(hostile):
    for view in ("segmentation", "annotations", "report", "review", "case", "flag"):
        look(hostile, view)
        _assert_harmless(hostile)
    hostile.locator("#viewer textarea").fill(HOSTILE)
    hostile.locator("#viewer form input[type=checkbox]").check()
    hostile.get_by_role("button", name="Send flag").click()
    expect(hostile.get_by_text("Thank you")).to_be_visible(timeout=PATIENCE)
    look(hostile, "review")
    hostile.locator("#viewer .crops [data-id]").last.click()
    expect(hostile.locator("#viewer .bench")).to_contain_text("LYT")
    _assert_harmless(hostile)
    hostile.reload()
    visit(hostile, hostile.url)
    expect(hostile.locator(".kept-notice li")).to_have_count(1)
    _assert_harmless(hostile)


def test_names_of_a_saved_case_are_text_too(hostile, tmp_path):
    look(hostile, "case")
    with hostile.expect_download() as download:
        hostile.click("#viewer [data-case=json]")
    plain = read_json(download.value.path())
    assert plain["case"][0]["cells"][0]["edited"]["by"] == HOSTILE
    plain["case"][0]["file"] = HOSTILE
    (tmp_path / "case.json").write_text(json.dumps(plain))
    look(hostile, "report")
    hostile.set_input_files("#viewer [data-open]", tmp_path / "case.json")
    expect(hostile.locator("#viewer .work.waits .file")).to_have_text(HOSTILE, timeout=PATIENCE)
    look(hostile, "case")
    _assert_harmless(hostile)


@pytest.mark.parametrize("of", ["[data-format=print]", "[data-case=print]"])
def test_the_printed_page_shows_them_as_text(hostile, of):
    look(hostile, "case" if "case" in of else "report")
    with hostile.context.expect_page() as opened:
        hostile.click(f"#viewer {of}")
    sheet = opened.value
    expect(sheet.locator("body")).to_contain_text(HOSTILE, timeout=PATIENCE)
    _assert_harmless(sheet)


@pytest.mark.parametrize("name", [" =1+1", "＝1+1", "\t=1+1", "@SUM(A1)", "+1", "-1", "＠x", "＋1", "−1", " -=+@1"])
def test_no_name_becomes_a_formula_in_the_csv_of_the_browser(page, smear_file, name):
    upload(page, smear_file)
    look(page, "review")
    page.locator("#viewer [name=reviewer]").fill(name)
    page.locator("#viewer .crops button").first.click()
    page.locator("#viewer .bench [data-name=LYT]").click()
    rows = list(csv.DictReader(downloaded(page, "csv").read_text().splitlines()))
    (by,) = {row["edited_by"] for row in rows if row["edited"]}
    assert by in ("1+1", "SUM(A1)", "1", "x")


def test_no_other_host_is_looked_up(browser, server: Server, smear_file, tmp_path):
    """Chromium's own log of the network, which also holds what no page's script sees; `browser` starts Playwright."""
    log = tmp_path / "net.json"
    options = ["--no-sandbox", f"--log-net-log={log}", "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1"]
    own = browser.browser_type.launch(executable_path=shutil.which("chromium"), args=options)
    page = visit(own.new_page(locale="fr-FR"), server.url)
    upload(page, smear_file)
    expect(cells(page)).to_have_count(4)
    for view in ("segmentation", "annotations", "report", "review", "flag"):
        look(page, view)
    page.wait_for_timeout(2000)
    own.close()
    hosts = set()
    for event in json.loads(log.read_text())["events"]:
        for key in ("url", "host"):  # a host may stand with its scheme and port
            text = str(event.get("params", {}).get(key, ""))
            hosts.add(urlsplit(text if "://" in text else f"//{text}").hostname)
    hosts -= {None, "", "~notfound"}  # the last stands for all that must not be found
    assert "127.0.0.1" in hosts and hosts - CHROMIUM == {"127.0.0.1"}


def _assert_harmless(page: Page) -> None:
    page.wait_for_timeout(50)
    assert page.evaluate("window.hacked") is None
    assert page.locator("img[onerror]").count() == 0
