"""What a person takes away from the screen and brings back: every format read by its own reader, saved work, a case."""

from __future__ import annotations

import base64
import csv
import json
import re
import shutil
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Page, expect

from dataset_scripts.drawing.pictures import draw_field
from dataset_scripts.drawing.stains import random_stain
from marrow.stain import Stain, measure_stain, normalize_stain
from tests.commands import succeed
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

NAMES = {1: "NGS", 2: "LYT", 4: "NGS"}
"""What :func:`reviewed` leaves of the smear: cell 3 is deleted, cell 2 is called a lymphocyte, the others stay."""


@pytest.fixture
def reviewed(page, smear_file) -> Page:
    """The smear with a cell renamed and one deleted, in the report."""
    page.on("dialog", lambda dialog: dialog.accept())
    upload(page, smear_file)
    _correct(page)
    return page


def test_each_format_is_read_by_its_own_reader(reviewed, tmp_path):
    saved = read_json(downloaded(reviewed, "json"))
    assert {cell["id"]: cell["label"] for cell in saved["cells"]} == NAMES
    assert saved["report"]["counts"] | {"NGS": 2, "LYT": 1, "EBO": 0} == saved["report"]["counts"]

    rows = list(csv.DictReader(downloaded(reviewed, "csv").read_text().splitlines()))
    assert [(row["label"], row["model_label"]) for row in rows] == [("NGS", "NGS"), ("LYT", "NGS"), ("NGS", "NGS")]

    _assert_coco(downloaded(reviewed, "coco"))
    with Image.open(downloaded(reviewed, "png")) as picture:
        assert picture.size == (320, 320)
    _assert_yolo(_unpacked(downloaded(reviewed, "yolo"), tmp_path / "yolo"))
    crops = _unpacked(downloaded(reviewed, "crops"), tmp_path / "crops")
    assert sorted(path.parent.name for path in crops.rglob("*.png")) == ["LYT", "NGS", "NGS"]
    _assert_data_set(crops, tmp_path / "set")


def _assert_coco(path: Path) -> None:
    from pycocotools.coco import COCO

    coco = COCO(str(path))
    names = {one["id"]: one["name"] for one in coco.loadCats(coco.getCatIds())}
    annotations = coco.loadAnns(coco.getAnnIds())
    assert {one["id"]: names[one["category_id"]] for one in annotations} == NAMES
    for one in annotations:
        assert coco.annToMask(one).sum() == pytest.approx(one["area"], rel=0.1)


def _assert_yolo(folder: Path) -> None:
    from ultralytics.data.dataset import YOLODataset
    from ultralytics.data.utils import check_det_dataset

    (settings,) = folder.rglob("data.yaml")
    data = check_det_dataset(str(settings), autodownload=False)
    (labels,) = YOLODataset(img_path=data["train"], data=data, task="segment", augment=False).labels
    assert sorted(data["names"][int(number)] for number in labels["cls"][:, 0]) == sorted(NAMES.values())
    assert len(labels["segments"]) == 3


def _assert_data_set(crops: Path, out: Path) -> None:
    options = ("--classes", "LYT", "NGS", "--per-class", "all", "--allow-short")
    succeed("dataset_scripts/bone_marrow_12.py", "--data-dir", crops, "--out", out, *options)
    from datasets import load_dataset

    rows = load_dataset("parquet", data_dir=str(out), split="train")  # all three: too few to part
    name = rows.features["label"].int2str
    assert sorted(name(label) for label in rows["label"]) == sorted(NAMES.values())


def test_the_page_to_print_holds_the_count(reviewed):
    with reviewed.context.expect_page() as opened:
        reviewed.click("#viewer [data-format=print]")
    sheet = opened.value
    expect(sheet.locator("body")).to_contain_text("Wilson", timeout=PATIENCE)
    text = sheet.locator("body").inner_text()
    assert "colours" in text and "lymphocyte" in text and "Ana" in text


def test_saved_work_is_opened_again_with_its_image(reviewed, visitor, smear_file, tmp_path):
    slide(reviewed, 0.35)
    path = _kept(downloaded(reviewed, "json"), tmp_path / "smear.json")
    saved = read_json(path)
    page = visitor()
    upload(page, smear_file)
    look(page, "report")
    page.set_input_files("#viewer [data-open]", path)
    expect(page.get_by_text("The saved work is open again.")).to_be_visible(timeout=PATIENCE)
    assert read_json(downloaded(page, "json")) == saved
    assert page.locator("#viewer input[type=range]").get_attribute("min") == "0.35"
    expect(page.locator("#viewer [data-act=undo]")).to_be_hidden()
    look(page, "review")
    expect(page.locator("#viewer [data-restore='3']")).to_be_visible()
    # dropped together, and before its image
    page.get_by_role("button", name="New image").click()
    expect(page.locator("#image button").first).to_be_visible()
    _drop(page, "#start", path)
    expect(page.get_by_text("taken up as soon as you choose its image")).to_be_visible()
    page.set_input_files("#image input[type=file]", smear_file)
    expect(page.get_by_text("The saved work is open again.")).to_be_visible(timeout=PATIENCE)
    expect(cells(page)).to_have_count(3)
    look(page, "flag")
    _drop(page, "#viewer .stage", path, smear_file)
    # a new image is shown with its annotations
    expect(page.locator("#viewer .legend")).to_be_visible(timeout=PATIENCE)
    expect(page.get_by_text("The saved work is open again.")).to_be_visible(timeout=PATIENCE)
    expect(cells(page)).to_have_count(3)


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        ("{", "This file holds no work that was saved here"),
        ('{"cells": 3}', "This file holds no work that was saved here"),
        ("other image", "This analysis is of another image, of 200×100 pixels"),
    ],
)
def test_a_json_that_is_not_this_image_ends_in_a_sentence(page, smear_file, tmp_path, content, sentence):
    upload(page, smear_file)
    look(page, "report")
    if content == "other image":
        plain = read_json(downloaded(page, "json")) | {"image": {"width": 200, "height": 100}, "cells": []}
        content = json.dumps(plain)
    (tmp_path / "saved.json").write_text(content)
    page.set_input_files("#viewer [data-open]", tmp_path / "saved.json")
    expect(page.locator("#viewer .message.wrong")).to_contain_text(sentence, timeout=PATIENCE)
    expect(cells(page)).to_have_count(4)


def test_images_add_up_to_a_case(reviewed, visitor, smear, smear_file, tmp_path):
    page = reviewed
    page.get_by_role("button", name="Add to a case").click()
    expect(page.locator("#viewer .sum")).to_contain_text("3 of 500")
    again = tmp_path / "again.png"
    Image.fromarray(smear).save(again, compress_level=0)  # the same picture in another file
    _drop(page, "#viewer .stage", again)
    page.get_by_role("button", name="Add this image").click(timeout=PATIENCE)
    expect(page.get_by_text("This image is in the case already.")).to_be_visible()
    other = tmp_path / "second field.png"
    Image.fromarray(smear).resize((480, 480)).save(other)
    _drop(page, "#viewer .stage", other)
    expect(page.locator("#viewer image")).to_have_attribute("width", "480", timeout=PATIENCE)
    expect(page.locator("#viewer .work")).to_have_count(1)
    page.get_by_role("button", name="Add this image").click(timeout=PATIENCE)
    expect(page.locator("#viewer .work")).to_have_count(2, timeout=PATIENCE)
    expect(page.locator("#viewer .sum")).to_contain_text("7 of 500")
    page.locator("#viewer .sum").click()
    total = report_on_screen(page)["figures"]
    assert (total["found"], total["total"]) == ("7", "7")
    page.locator("#viewer .work").first.locator("button").first.click()  # back, with nothing lost
    expect(cells(page)).to_have_count(3)
    page.locator("#viewer [data-act=undo]").click()
    expect(page.locator("#viewer .sum")).to_contain_text("8 of 500")  # the total follows
    page.locator("#viewer [data-act=redo]").click()

    with page.expect_download() as download:
        page.click("#viewer [data-case=json]")
    path = _kept(download.value.path(), tmp_path / "case.json")
    saved = read_json(path)
    assert [len(one["cells"]) for one in saved["case"]] == [3, 4]
    seen = report_on_screen(page)
    assert {key: seen[key] for key in ("figures", "classes")} == expected_on_screen(saved["report"])
    with page.context.expect_page() as opened:
        page.click("#viewer [data-case=print]")
    expect(opened.value.locator("body")).to_contain_text("second field", timeout=PATIENCE)
    opened.value.close()
    _assert_the_case_opens_again(visitor, path, smear_file, other)

    page.get_by_role("button", name=re.compile("Take smear.png out of the case")).click()
    expect(page.locator("#viewer .sum")).to_contain_text("4 of 500")


def test_cells_are_named_in_the_colours_of_a_picture_in_the_case(visitor, tmp_path):
    page, rng = visitor(), np.random.default_rng(7)
    trusted = draw_field(rng, 320, 320, 8, stain=random_stain(rng, "marrow")).image
    other = normalize_stain(
        trusted, measure_stain(trusted), Stain((180.0, 210.0, 240.0), (0.5, 1.0, 0.7), (0.4, 0.3, 0.2))
    )
    for name, image in (("trusted.png", trusted), ("other.png", other[:, :300])):
        Image.fromarray(image).save(tmp_path / name)
    upload(page, tmp_path / "trusted.png")
    look(page, "report")
    expect(page.locator("#viewer .colours")).to_contain_text("in the colours of their own picture. If its stain")
    expect(page.locator("#viewer [data-colours]")).to_have_count(0)
    page.get_by_role("button", name="Add to a case").click()
    _drop(page, "#viewer .stage", tmp_path / "other.png")
    expect(page.locator("#viewer image")).to_have_attribute("width", "300", timeout=PATIENCE)
    look(page, "report")
    before = read_json(downloaded(page, "json"))
    page.click("#viewer [data-colours='trusted.png']")
    expect(page.locator("#viewer .message")).to_contain_text("Named anew", timeout=PATIENCE)
    expect(page.locator("#viewer .colours")).to_contain_text("in the colours of another picture")
    after = read_json(downloaded(page, "json"))
    assert before["models"]["reference"] is None and after["models"]["reference"] is not None
    assert [cell["box"] for cell in after["cells"]] == [cell["box"] for cell in before["cells"]]
    assert [cell["probabilities"] for cell in after["cells"]] != [cell["probabilities"] for cell in before["cells"]]
    saved = _kept(downloaded(page, "json"), tmp_path / "other.json")
    page.click("#viewer [data-colours='']")
    expect(page.locator("#viewer .colours")).to_contain_text("of their own picture", timeout=PATIENCE)
    assert read_json(downloaded(page, "json")) == before
    page.set_input_files("#viewer [data-open]", saved)
    expect(page.locator("#viewer .colours")).to_contain_text("of another picture", timeout=PATIENCE)
    assert read_json(downloaded(page, "json")) == after


def _assert_the_case_opens_again(visitor, path: Path, first: Path, second: Path) -> None:
    """With one image at hand the other counts all the same, and is there when its image is."""
    page = visitor()
    upload(page, second)
    look(page, "report")
    page.set_input_files("#viewer [data-open]", path)
    expect(page.locator("#viewer .work.waits")).to_have_count(1, timeout=PATIENCE)
    expect(page.locator("#viewer .sum")).to_contain_text("7 of 500")
    page.locator("#viewer .sum").click()
    with page.expect_download() as download:
        page.click("#viewer [data-case=json]")
    assert read_json(download.value.path()) == read_json(path)
    _drop(page, "#viewer .stage", first)
    expect(page.locator("#viewer image")).to_have_attribute("width", "320", timeout=PATIENCE)
    expect(page.locator("#viewer .message")).to_contain_text("The saved work is open again.", timeout=PATIENCE)
    expect(page.locator("#viewer .work.waits")).to_have_count(0, timeout=PATIENCE)
    expect(cells(page)).to_have_count(3)
    expect(page.locator("#viewer .sum")).to_contain_text("7 of 500")


def test_who_leaves_with_work_that_is_neither_saved_nor_kept_is_asked(page, smear_file):
    asked: list[str] = []
    page.add_init_script("IDBFactory.prototype.open = () => { throw new DOMException('', 'SecurityError') }")
    visit(page, page.url)  # in a browser that keeps nothing

    def stay(dialog: Any) -> None:
        asked.append(dialog.type)
        dialog.dismiss()

    page.on("dialog", stay)
    upload(page, smear_file)
    _correct(page)
    page.get_by_role("button", name="New image").click()
    page.close(run_before_unload=True)
    page.wait_for_timeout(300)
    assert asked == ["confirm", "beforeunload"]
    expect(page.locator("#viewer .stage")).to_be_visible()
    downloaded(page, "json")
    page.get_by_role("button", name="New image").click()  # saved: nobody is asked
    expect(page.locator("#image button").first).to_be_visible()
    page.get_by_role("button", name="Back to the image").click()
    expect(cells(page)).to_have_count(3)
    assert len(asked) == 2


@pytest.mark.parametrize("width", [390, 1280])
def test_the_review_fits_the_screen_in_french(visitor, smear_file, width):
    page = visitor(viewport={"width": width, "height": 844}, locale="fr-FR")
    upload(page, smear_file)
    _correct(page)
    page.locator("#viewer .join").click()
    for view in ("review", "report", "case"):
        look(page, view)
        assert page.evaluate("document.documentElement.scrollWidth") <= width, view
        clipped = page.locator("#viewer .panel").evaluate("panel => panel.scrollWidth - panel.clientWidth")
        assert clipped <= 0, view
    look(page, "review")
    page.locator("#viewer .crops button").first.click()
    expect(page.locator("#viewer .bench")).to_contain_text("Confirmer")
    unnamed = "all => all.filter(one => !(one.ariaLabel || one.title || one.textContent.trim())).length"
    assert page.locator("#viewer button").evaluate_all(unnamed) == 0


def _correct(page: Page) -> None:
    """Call cell 2 a lymphocyte and delete cell 3; ends in the report."""
    look(page, "review")
    page.locator("#viewer [name=reviewer]").fill("Ana")
    page.locator("#viewer .crops button[data-id='2']").click()
    page.locator("#viewer [data-name=LYT]").click()
    page.locator("#viewer .crops button[data-id='3']").click()
    page.keyboard.press("Delete")
    expect(cells(page)).to_have_count(3)
    look(page, "report")


def _unpacked(archive: Path, folder: Path) -> Path:
    with zipfile.ZipFile(archive) as files:
        files.extractall(folder)
    return folder


def _kept(download: Path, path: Path) -> Path:
    return Path(shutil.copy(download, path))


def _drop(page: Page, where: str, *files: Path) -> None:
    drop = """([where, files]) => {
      const carried = new DataTransfer();
      for (const [name, type, content] of files)
        carried.items.add(new File([Uint8Array.from(atob(content), c => c.charCodeAt(0))], name, {type}));
      document.querySelector(where).dispatchEvent(
        new DragEvent('drop', {dataTransfer: carried, bubbles: true, cancelable: true}));
    }"""
    kinds = {".json": "application/json", ".png": "image/png"}
    sent = [[file.name, kinds[file.suffix], base64.b64encode(file.read_bytes()).decode()] for file in files]
    page.evaluate(drop, [where, sent])
