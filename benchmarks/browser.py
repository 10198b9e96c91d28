"""Large pictures on the screen: how soon their outlines are there, and how fluently one moves among them."""

from __future__ import annotations

import shutil
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from playwright.sync_api import Page, sync_playwright

from benchmarks.mosaics import BLOCK, make_mosaic
from benchmarks.runs import running_space
from marrow.errors import MarrowError

MEGAPIXELS = (1, 20, 99)
"""Of the pictures; the Space takes up to 100."""

PATIENCE = 600_000
"""Milliseconds to wait for outlines."""

STEPS = 60
"""Movements of the pointer, each in a frame of its own."""

# collects the milliseconds between the frames that the page draws while something is done
FRAMES = """() => {
    window.frames_seen = [];
    let last = performance.now();
    const step = (now) => {
        window.frames_seen.push(now - last);
        last = now;
        window.counting = requestAnimationFrame(step);
    };
    window.counting = requestAnimationFrame(step);
}"""
SEEN = "() => { cancelAnimationFrame(window.counting); return window.frames_seen; }"


def browser_rows(
    fields: Sequence[np.ndarray], work: Path, sizes: Sequence[int] = MEGAPIXELS, pictures: Path | None = None
) -> list[dict[str, Any]]:
    """Open mosaics in a browser.

    Args:
        fields: as :func:`benchmarks.mosaics.make_mosaic` takes them.
        work: folder for the pictures and the files of the Space.
        sizes: in megapixels.
        pictures: folder for pictures of the screen, whole and enlarged; none are made without it.

    Returns:
        For each picture the ``cells`` on the screen, ``seconds`` until they are there, and the milliseconds of a frame,
        median and 95th percentile, while one zooms, while one moves the enlarged picture, and while the confidence
        slides.

    Raises:
        MarrowError: there is no browser.
    """
    rows, chromium = [], shutil.which("chromium")
    if not chromium:
        raise MarrowError("There is no chromium on the PATH: install it, on Debian with apt-get install chromium.")
    with running_space(work) as space, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        for megapixels in sizes:
            blocks = max(1, int((megapixels * 1e6) ** 0.5 / BLOCK))
            image = make_mosaic(fields, blocks, blocks, [1.0], np.random.default_rng(0)).image
            path = work / f"mosaic_{megapixels}.jpg"  # a PNG of 99 megapixels is more than an upload may have
            Image.fromarray(image).save(path, quality=90)
            page = browser.new_page(viewport={"width": 1280, "height": 900})
            row = {"megapixels": round(image.shape[0] * image.shape[1] / 1e6, 1)} | _look_at(
                page, space.url, path, pictures
            )
            rows.append(row)
            page.close()
        browser.close()
    return rows


def _look_at(page: Page, url: str, picture: Path, pictures: Path | None) -> dict[str, Any]:
    page.set_default_timeout(PATIENCE)
    page.goto(url)
    page.locator("#viewer nav").wait_for(state="attached")
    start = time.perf_counter()
    page.set_input_files("#image input[type=file]", picture)
    page.locator("#viewer .cell").first.wait_for(state="attached")
    seconds = time.perf_counter() - start
    cells = page.locator("#viewer .cell").count()
    box = page.locator("#viewer svg.stage").bounding_box()
    assert box is not None
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    if pictures:
        page.screenshot(path=pictures / f"{picture.stem}_whole.png")
    page.mouse.move(x, y)
    zooming = _frames(page, [lambda: page.mouse.wheel(0, -60)] * STEPS)
    page.mouse.down()
    moving = _frames(page, [lambda n=n: page.mouse.move(x - 4 * n, y - 2 * n) for n in range(1, STEPS)])
    page.mouse.up()
    if pictures:
        page.screenshot(path=pictures / f"{picture.stem}_enlarged.png")
    slider = page.locator("#viewer input[type=range]")
    sliding = _frames(page, [lambda n=n: slider.fill(f"{0.4 + 0.005 * n:.3f}") for n in range(20)])
    return {"cells": cells, "seconds": seconds, "zooming": zooming, "moving": moving, "sliding": sliding}


def _frames(page: Page, steps: Sequence[Any]) -> dict[str, float]:
    """Do something step by step; return the milliseconds of a frame: their ``median`` and 95th percentile ``p95``."""
    page.evaluate(FRAMES)
    for step in steps:
        step()
        page.evaluate("() => new Promise(requestAnimationFrame)")
    seen = page.evaluate(SEEN)
    return {"median": float(np.median(seen)), "p95": float(np.quantile(seen, 0.95))}
