"""The small models of ``known_models`` and an image that they know."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Browser, Page, sync_playwright

from marrow import Analysis, Cell, Models, analyze
from marrow.cell import Edit
from marrow.integrity import digest
from marrow.report import make_report
from tests.space.known_models import DISCS, make_classifier, make_segmenter
from tests.space.served import PATIENCE, Server, serve, visit

Visitor = Callable[..., Page]
AT = "2026-11-23T12:00:00Z"


@pytest.fixture(scope="session")
def model_folders(tmp_path_factory) -> tuple[Path, Path]:
    """Folders of the two small models, whole as a release is."""
    root = tmp_path_factory.mktemp("models")
    folders = make_segmenter(root / "discs"), make_classifier(root / "colours")
    for folder in folders:
        config = json.loads((folder / "config.json").read_text())
        config["sha256"] = {"model.onnx": digest(folder / "model.onnx")}
        (folder / "config.json").write_text(json.dumps(config))
    return folders


@pytest.fixture(scope="session")
def models(model_folders) -> Models:
    return Models.from_pretrained(*map(str, model_folders))


@pytest.fixture(scope="session")
def familiar_folder(tmp_path_factory) -> Path:
    """A classifier that finds every picture unlike all that it was trained on."""
    stain = {"ground": [255, 255, 255], "nuclei": [1, 2, 0.3], "others": [0.2, 0.4, 0.1]}
    bounds = {"unlike_above": 0.0, "stains": [stain], "stain_far_above": 0.0}
    return make_classifier(tmp_path_factory.mktemp("familiar") / "colours", **bounds)


@pytest.fixture(scope="session")
def familiar_models(model_folders, familiar_folder) -> Models:
    return Models.from_pretrained(str(model_folders[0]), str(familiar_folder))


@pytest.fixture
def smear() -> np.ndarray:
    """320×320 RGB: the discs, reddish on the left and bluish on the right, on a pale ground."""
    image = np.full((320, 320, 3), (240, 225, 215), np.uint8)
    y, x = np.mgrid[:320, :320]
    for cx, cy, radius, _ in DISCS:
        image[(x - cx) ** 2 + (y - cy) ** 2 <= radius**2] = (200, 60, 90) if cx < 165 else (60, 60, 190)
    return image


@pytest.fixture
def reviewed(models, smear) -> Analysis:
    """The six discs, of which a person renamed one, confirmed one, deleted one, and merged two."""
    analysis = analyze(smear, models, 0.05)
    first, second, third, fourth, fifth, sixth = analysis.cells
    cells = (
        _named(first, "BLA", by="Åsa"),
        _named(second, second.label),
        third,
        replace(fourth, id=7, edited=Edit(AT, shape="merged", parent_ids=(4, 5))),
    )
    removed = (
        replace(fourth, edited=Edit(AT, shape="merged")),
        replace(fifth, edited=Edit(AT, shape="merged")),
        _named(sixth, "PLM", shape="deleted"),
    )
    report = make_report(cells, analysis.report.rules, removed)
    return replace(analysis, cells=cells, removed=removed, report=report)


def _named(cell: Cell, label: str, by: str | None = None, shape: str | None = None) -> Cell:
    edit = Edit(AT, by, label, shape)
    return replace(cell, label=label, probability=cell.probabilities[label], edited=edit)


@pytest.fixture
def smear_file(tmp_path, smear) -> Path:
    path = tmp_path / "smear.png"
    Image.fromarray(smear).save(path)
    return path


@pytest.fixture(scope="session")
def server(model_folders, tmp_path_factory) -> Iterator[Server]:
    """The app with the small models."""
    yield from serve(tmp_path_factory.mktemp("app"), *map(str, model_folders))


@pytest.fixture(scope="module")  # while it runs, no asyncio.run() is possible beside it
def browser() -> Iterator[Browser]:
    chromium = shutil.which("chromium")
    if not chromium:
        pytest.skip("no chromium on the PATH: the screen is not tested")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture
def visitor(browser, server) -> Iterator[Visitor]:
    """Opens the Space for visitors, each with a browser of their own, as far as it stores anything.

    An error of a page's scripts fails the test, and so does a request to another host.
    """
    wrong: list[str] = []
    with ExitStack() as contexts:

        def come(url: str = server.url, **options: Any) -> Page:
            wide = {"viewport": {"width": 1280, "height": 800}, "locale": "en-GB"}
            page = contexts.enter_context(browser.new_context(**(wide | options))).new_page()
            page.set_default_timeout(PATIENCE)
            page.on("pageerror", lambda error: wrong.append(str(error)))
            ours = (url, "data:", "blob:")
            page.on("request", lambda asked: asked.url.startswith(ours) or wrong.append(asked.url))
            return visit(page, url)

        yield come
    assert wrong == []


@pytest.fixture
def page(visitor) -> Page:
    """An English page, wide, with nothing chosen yet."""
    return visitor()
