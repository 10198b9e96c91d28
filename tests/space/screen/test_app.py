"""The Space's start, and what it does with files that are no smear."""

from __future__ import annotations

import socket
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
from gradio_client import Client, handle_file
from PIL import Image
from playwright.sync_api import expect

from screen.uploads import KEPT, RefusedError, Upload, Uploads, uploaded
from tests.space.known_models import HUB
from tests.space.served import APP, EXAMPLES, PATIENCE, cells, environment, serve, upload


def test_no_file_is_refused():
    with pytest.raises(RefusedError) as refused:
        Uploads().header(None)
    assert refused.value.reason == "no_image"


@pytest.mark.parametrize("content", [b"", b"not an image", b"\x89PNG\r\n\x1a\n" + bytes(40)])
def test_a_file_that_is_no_image_is_refused(tmp_path, content):
    (tmp_path / "a.png").write_bytes(content)
    assert _refused(tmp_path / "a.png").reason == "not_an_image"


def test_a_torn_image_is_refused(smear_file):
    smear_file.write_bytes(smear_file.read_bytes()[:400])
    assert _refused(smear_file).reason == "not_an_image"


@pytest.mark.parametrize("size", [(20_000, 10_000), (10_001, 10_000)])
def test_too_many_pixels_are_refused_unread(tmp_path, size):
    Image.new("1", size).save(tmp_path / "a.png")
    assert _refused(tmp_path / "a.png").reason == "too_large"


def test_a_single_pixel_is_refused(tmp_path):
    Image.new("RGB", (1, 1)).save(tmp_path / "a.png")
    refused = _refused(tmp_path / "a.png")
    assert (refused.reason, refused.values["width"]) == ("too_small", 1)


def test_what_is_converted_is_said(tmp_path, smear):
    Image.fromarray(smear).convert("CMYK").save(tmp_path / "a.tif")
    Image.fromarray(smear[..., 0].astype(np.uint16) * 257).save(tmp_path / "b.png")
    Image.fromarray(smear).save(tmp_path / "c.png")
    cv2.imwrite(str(tmp_path / "d.png"), smear[..., ::-1].astype(np.uint16) * 257)
    cv2.imwrite(str(tmp_path / "e.tif"), smear[..., ::-1].astype(np.uint16) * 257)
    cv2.imwrite(str(tmp_path / "f.tif"), smear[..., ::-1].astype(np.uint16) * 257, [cv2.IMWRITE_TIFF_COMPRESSION, 1])
    uploads = Uploads()
    assert uploads.header(str(tmp_path / "a.tif")).is_cmyk
    assert uploads.header(str(tmp_path / "b.png")).is_deep
    assert np.array_equal(uploads.image(tmp_path / "b.png")[..., 0], smear[..., 0])
    for name in ("d.png", "e.tif", "f.tif"):
        assert uploads.header(str(tmp_path / name)).is_deep and np.array_equal(uploads.image(tmp_path / name), smear), (
            name
        )
    plain = uploads.header(str(tmp_path / "c.png"))
    assert not plain.is_cmyk and not plain.is_deep


def test_uploads_are_forgotten_an_hour_after_their_last_use(tmp_path):
    now = 0.0
    uploads = Uploads(clock=lambda: now)
    key = uploads.keep(Upload(tmp_path, None))
    now = KEPT - 1
    assert uploads.find(key).path == tmp_path
    now = 2 * KEPT - 2
    assert uploads.find(key).path == tmp_path
    now = 3 * KEPT - 2
    with pytest.raises(RefusedError) as refused:
        uploads.find(key)
    assert refused.value.reason == "forgotten"


def test_no_file_but_an_upload_is_opened_for_a_browser(tmp_path, monkeypatch):
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(tmp_path / "uploads"))
    assert uploaded(str(tmp_path / "uploads" / "a" / "b.png"))
    assert uploaded(str(tmp_path / "uploads" / ".." / "flags" / "b.png")) is None
    assert uploaded(str(APP)) is None


SENTENCES = {
    "not_an_image": ("This file cannot be read as an image", "Ce fichier n’est pas une image lisible"),
    "too_large": ("This image has more than 100 megapixels", "Cette image a plus de 100 mégapixels"),
    "too_small": ("This image has only 1×1 pixels", "Cette image n’a que 1×1 pixels"),
}


@pytest.mark.parametrize(("number", "locale"), [(0, "en-GB"), (1, "fr-FR")])
def test_bad_files_end_in_a_sentence_and_the_next_can_be_chosen(visitor, server, smear_file, tmp_path, number, locale):
    (tmp_path / "not_an_image.jpg").write_bytes(b"not an image")
    Image.new("1", (20_000, 10_000)).save(tmp_path / "too_large.png")
    Image.new("RGB", (1, 1)).save(tmp_path / "too_small.png")
    page = visitor(locale=locale)
    for reason in SENTENCES:
        (file,) = tmp_path.glob(f"{reason}.*")
        page.set_input_files("#image input[type=file]", file)
        expect(page.get_by_text(SENTENCES[reason][number]).first).to_be_visible(timeout=PATIENCE)
    upload(page, smear_file)
    expect(cells(page)).to_have_count(4)
    assert "Traceback" not in server.log.read_text()


def test_print_colours_are_read_and_remarked_on(page, smear, tmp_path):
    Image.fromarray(smear).convert("CMYK").save(tmp_path / "print.tif")
    upload(page, tmp_path / "print.tif")
    expect(page.get_by_text("print colours (CMYK)")).to_be_visible()


def test_a_large_image_is_shown_smaller_and_measured_as_it_is(page, smear, tmp_path):
    Image.fromarray(smear).resize((6400, 6400)).save(tmp_path / "large.jpg")
    upload(page, tmp_path / "large.jpg")
    expect(page.get_by_text("shown at 2560×2560 pixels")).to_be_visible()
    assert page.locator("#viewer image").get_attribute("width") == "6400"
    shown = page.evaluate(
        "async url => { const image = new Image(); image.src = url; await image.decode(); return image.naturalWidth }",
        page.locator("#viewer image").get_attribute("href"),
    )
    assert shown == 2560


@pytest.mark.skipif(not EXAMPLES, reason="space/examples holds no image")
def test_the_examples_are_found_and_named_by_the_embedded_release(tmp_path):
    folders = [HUB / name for name in ("bone-marrow-yolov8-seg", "bone-marrow-mobilenet")]
    if not all((folder / "model.onnx").is_file() for folder in folders):
        pytest.skip("hub/ holds no weights")
    for server in serve(tmp_path, *map(str, folders)):
        client = Client(server.url, verbose=False)
        for example in EXAMPLES:
            report = client.predict(handle_file(example), api_name="/analyze")["report"]
            if example.name.startswith("real_"):  # one or two cells, whatever they are called
                assert 1 <= report["found"] <= 3, example
            else:
                assert report["total"] >= 5, example


@pytest.mark.parametrize("port", [None, "http"])
def test_a_start_that_cannot_be_ends_in_one_line(tmp_path, port):
    released = (HUB / "bone-marrow-yolov8-seg", HUB / "bone-marrow-mobilenet")  # of which there is nothing to warn
    with socket.create_server(("127.0.0.1", 0)) as taken:
        variables = environment(*map(str, released), port or str(taken.getsockname()[1]), tmp_path)
        _assert_one_line(variables, "set PORT")


def test_a_model_that_is_not_there_ends_in_one_line(model_folders, tmp_path):
    _assert_one_line(environment("no/such/folder", str(model_folders[1]), "0", tmp_path), "no/such/folder")


def _refused(path: Path) -> RefusedError:
    with pytest.raises(RefusedError) as refused:
        Uploads().header(str(path))
        Uploads().image(path)
    return refused.value


def _assert_one_line(variables: dict[str, str], words: str) -> None:
    done = subprocess.run([sys.executable, str(APP)], env=variables, capture_output=True, text=True, timeout=60)
    (line,) = done.stderr.splitlines()
    assert line.startswith("marrow: ") and words in line
    assert done.returncode == 2
