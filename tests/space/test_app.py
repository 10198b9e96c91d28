"""The Space as a visitor has it: a server of its own, in a real browser and through its API."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from gradio_client import Client, handle_file
from gradio_client.exceptions import AppError
from playwright.sync_api import Browser, Page, expect, sync_playwright

from marrow import analyze
from tests.space.known_models import HUB

APP = Path(__file__).parents[2] / "space" / "app.py"
EXAMPLES = sorted((APP.parent / "examples").glob("*.jpg"))
CHROMIUM = shutil.which("chromium")


@dataclass(frozen=True)
class Server:
    url: str
    flags: Path
    log: Path


@pytest.fixture(scope="module")
def server(model_folders, tmp_path_factory) -> Iterator[Server]:
    """The app with the small models."""
    yield from serve(tmp_path_factory.mktemp("app"), *map(str, model_folders))


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    if not CHROMIUM:
        pytest.skip("no chromium on the PATH: the screen is not tested")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture
def page(browser, server) -> Iterator[Page]:
    with browser.new_context(viewport={"width": 1280, "height": 800}, locale="en-GB") as context:
        yield visit(context.new_page(), server.url)


def test_upload_shows_the_cells_and_the_slider_filters_them(page, smear_file):
    upload(page, smear_file)
    picture = page.locator("#picture img")
    expect(picture).to_be_visible()
    page.click("#report")
    summary = page.locator("#summary")
    expect(summary).to_contain_text("4 cells found · 4 counted · 0 uncertain · M:E ratio 3.0")
    expect(summary).to_be_in_viewport()
    before = picture.get_attribute("src")
    page.get_by_label("number input for Confidence").fill("0.2")
    page.keyboard.press("Enter")
    expect(summary).to_contain_text("5 cells found")
    expect(picture).not_to_have_attribute("src", before)
    expect(page.locator("#table")).to_contain_text("segmented neutrophil")
    expect(page.locator("#bars canvas, #bars svg").first).to_be_visible()
    expect(page.locator("#notes")).to_contain_text("not for diagnosis")


def test_the_two_pictures_differ(page, smear_file):
    upload(page, smear_file)
    picture = page.locator("#picture img")
    named = picture.get_attribute("src")
    page.click("#segmentation")
    expect(picture).not_to_have_attribute("src", named)
    page.click("#annotations")
    expect(picture).to_have_attribute("src", named)


def test_json_can_be_downloaded(page, smear_file):
    upload(page, smear_file)
    page.click("#report")
    expect(page.locator("#summary")).to_contain_text("4 cells found")
    with page.expect_download() as download:
        page.get_by_text("JSON", exact=True).click()
    assert download.value.suggested_filename == "smear.json"
    assert len(json.loads(download.value.path().read_text())["cells"]) == 4


def test_a_flag_needs_consent(page, smear_file, server):
    upload(page, smear_file)
    page.click("#flag")
    page.locator("#flag-panel textarea").fill("cell 3")
    before = len(list(server.flags.glob("data/*")))
    page.click("#send")
    expect(page.get_by_text("Tick the consent box first")).to_be_visible()
    assert len(list(server.flags.glob("data/*"))) == before
    page.locator("#flag-panel input[type=checkbox]").check()
    page.click("#send")
    expect(page.get_by_text("Thank you")).to_be_visible()
    (entry,) = (path for path in server.flags.glob("data/*") if "cell 3" in (path / "metadata.jsonl").read_text())
    assert (entry / "image.png").is_file()


@pytest.mark.parametrize("content", [b"not an image", b""])
def test_a_damaged_file_ends_in_a_sentence(page, smear_file, tmp_path, server, content):
    upload(page, smear_file)
    bad = tmp_path / "bad.jpg"
    bad.write_bytes(content)
    page.locator("#image button[aria-label*=emove], #image button[aria-label*=lear]").first.click()
    page.set_input_files("#image input[type=file]", bad)
    expect(page.get_by_text("This file cannot be used")).to_be_visible()
    expect(page.locator("#picture img")).to_have_count(0)
    assert "Traceback" not in server.log.read_text()


def test_the_screen_speaks_french_and_asks_nothing_of_other_hosts(browser, server, smear_file):
    asked: list[str] = []
    with browser.new_context(viewport={"width": 390, "height": 844}, locale="fr-FR") as context:
        page = context.new_page()
        page.on("request", lambda request: asked.append(request.url))
        upload(visit(page, server.url), smear_file)
        page.click("#report")
        expect(page.locator("h1")).to_have_text("Frottis de moelle osseuse")
        expect(page.locator("#report")).to_have_text("Rapport de classification")
        expect(page.locator("#table")).to_contain_text("neutrophile segmenté")
        expect(page.locator("#notes")).to_contain_text("Décompte insuffisant")
        assert page.evaluate("document.documentElement.scrollWidth") <= 390
    assert [url for url in asked if not url.startswith((server.url, "data:", "blob:"))] == []


def test_the_api_gives_what_python_gives(server, smear_file, smear, models):
    client = Client(server.url, verbose=False)
    image = handle_file(smear_file)
    expected = analyze(smear, models, 0.5).to_dict()
    assert client.predict(image, 0.5, api_name="/analyze") == json.loads(json.dumps(expected))
    for name in ("/segmentation", "/annotations"):
        assert Path(client.predict(image, 0.5, api_name=name)).stat().st_size > 1000
    summary, table, _, _, json_file, csv_file = client.predict(image, 0.5, api_name="/report")
    assert "**4** cells found" in summary and "|segmented neutrophil|NGS|3|75.0|" in table
    assert json.loads(Path(json_file).read_text())["report"]["total"] == 4
    assert len(Path(csv_file).read_text().splitlines()) == 5
    assert "Thank you" in client.predict(image, 0.5, "by program", True, api_name="/flag")


def test_the_api_refuses_in_a_sentence(server, smear_file):
    client = Client(server.url, verbose=False)
    with pytest.raises(AppError, match="Choose an image first"):
        client.predict(None, 0.5, api_name="/analyze")
    with pytest.raises(AppError, match="Tick the consent box"):
        client.predict(handle_file(smear_file), 0.5, "x", False, api_name="/flag")


@pytest.mark.skipif(not EXAMPLES, reason="space/examples holds no image")
def test_an_example_can_be_picked_and_then_a_file_uploaded(page, smear_file):
    page.locator("#examples button.gallery-item").first.click()
    picture = page.locator("#picture img")
    expect(picture).to_be_visible(timeout=30_000)
    page.click("#report")
    expect(page.locator("#summary")).to_contain_text("4 cells found")
    first = picture.get_attribute("src")
    page.locator("#image button[aria-label*=emove], #image button[aria-label*=lear]").first.click()
    expect(picture).to_have_count(0)
    upload(page, smear_file)
    expect(picture).not_to_have_attribute("src", first)


@pytest.mark.skipif(not EXAMPLES, reason="space/examples holds no image")
def test_the_examples_are_found_and_named_by_the_embedded_release(tmp_path):
    folders = [HUB / name for name in ("bone-marrow-yolov8-seg", "bone-marrow-mobilenet")]
    if not all((folder / "model.onnx").is_file() for folder in folders):
        pytest.skip("hub/ holds no weights")
    for server in serve(tmp_path, *map(str, folders)):
        client = Client(server.url, verbose=False)
        for example in EXAMPLES:
            report = client.predict(handle_file(example), api_name="/analyze")["report"]
            assert report["total"] >= 5, example


@pytest.mark.parametrize("port", [None, "http"])
def test_a_start_that_cannot_be_ends_in_one_line(model_folders, tmp_path, port):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        environment = _environment(*map(str, model_folders), port or str(taken.getsockname()[1]), tmp_path)
        _assert_one_line(environment, "set PORT")


def test_a_model_that_is_not_there_ends_in_one_line(model_folders, tmp_path):
    _assert_one_line(_environment("no/such/folder", str(model_folders[1]), "0", tmp_path), "no/such/folder")


def serve(folder: Path, segmenter: str, classifier: str) -> Iterator[Server]:
    """Run the app on a free port until the caller is done."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = str(free.getsockname()[1])
    log = folder / "stderr.txt"
    with log.open("w") as errors:
        process = subprocess.Popen(
            [sys.executable, str(APP)],
            env=_environment(segmenter, classifier, port, folder),
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
        )
    try:
        line = process.stdout.readline()
        names = f"{Path(segmenter).name} and {Path(classifier).name}"
        assert line == f"Serving {names} on http://127.0.0.1:{port}\n", log.read_text()
        yield Server(f"http://127.0.0.1:{port}", folder / "flags", log)
    finally:
        process.terminate()
        process.wait(20)


def visit(page: Page, url: str) -> Page:
    page.goto(url)
    expect(page.locator("#annotations")).to_be_visible(timeout=30_000)
    return page


def upload(page: Page, path: Path) -> None:
    page.set_input_files("#image input[type=file]", path)
    expect(page.locator("#picture img")).to_be_visible(timeout=30_000)


def _environment(segmenter: str, classifier: str, port: str, folder: Path) -> dict[str, str]:
    own = {
        "MARROW_SEGMENTER": segmenter,
        "MARROW_CLASSIFIER": classifier,
        "MARROW_FLAGS_DIR": str(folder / "flags"),
        "GRADIO_TEMP_DIR": str(folder / "gradio"),
        "PORT": port,
    }
    without = ("GRADIO_SERVER_NAME", "MARROW_FLAGS_REPO")
    return {key: value for key, value in os.environ.items() if key not in without} | own


def _assert_one_line(environment: dict[str, str], words: str) -> None:
    done = subprocess.run([sys.executable, str(APP)], env=environment, capture_output=True, text=True, timeout=60)
    (line,) = done.stderr.splitlines()
    assert line.startswith("marrow: ") and words in line
    assert done.returncode == 2
