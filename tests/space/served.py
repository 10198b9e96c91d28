"""The Space as a visitor has it: a server of its own, and a page of a real browser on it."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from playwright.sync_api import Locator, Page, expect

APP = Path(__file__).parents[2] / "space" / "app.py"
EXAMPLES = sorted((APP.parent / "examples").glob("*.jpg"))
PATIENCE = 60_000
"""Milliseconds for what waits for the server, which may share its processor."""

expect.set_options(timeout=PATIENCE / 3)  # for what the page does by itself, on the same processor


@dataclass(frozen=True)
class Server:
    url: str
    flags: Path
    log: Path
    pid: int


def serve(
    folder: Path, segmenter: str, classifier: str, app: Path = APP, python: str = sys.executable, **variables: str
) -> Iterator[Server]:
    """Run the app on a free port until the caller is done, with more environment variables if need be."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = variables.get("PORT", str(free.getsockname()[1]))
    log = folder / "stderr.txt"
    with log.open("w") as errors:
        process = subprocess.Popen(
            [python, str(app)],
            env=environment(segmenter, classifier, port, folder) | variables,
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
            cwd=folder,
        )
    try:
        line = process.stdout.readline()
        names = f"{Path(segmenter).name} and {Path(classifier).name}"
        assert line == f"Serving {names} on http://127.0.0.1:{port}\n", log.read_text()
        yield Server(f"http://127.0.0.1:{port}", folder / "flags", log, process.pid)
    finally:
        process.terminate()
        process.wait(90)


def environment(segmenter: str, classifier: str, port: str, folder: Path) -> dict[str, str]:
    own = {
        "MARROW_SEGMENTER": segmenter,
        "MARROW_CLASSIFIER": classifier,
        "MARROW_FLAGS_DIR": str(folder / "flags"),
        "GRADIO_TEMP_DIR": str(folder / "gradio"),
        "TMPDIR": str(folder),  # Gradio serves any file under it, and the project may lie under the usual one
        "PORT": port,
    }
    without = ("GRADIO_SERVER_NAME", "MARROW_FLAGS_REPO")
    inherited = {key: value for key, value in os.environ.items() if key not in without}
    return inherited | own


def visit(page: Page, url: str) -> Page:
    page.goto(url)
    expect(page.locator("#image button").first).to_be_visible(timeout=PATIENCE)
    expect(page.locator("#viewer nav")).to_be_attached(timeout=PATIENCE)  # the viewer's modules are there
    return page


def upload(page: Page, path: Path) -> None:
    page.set_input_files("#image input[type=file]", path)
    expect(page.locator("#viewer .cell").first).to_be_attached(timeout=PATIENCE)


def cells(page: Page) -> Locator:
    """The outlines on the screen."""
    return page.locator("#viewer .cell:not(.gone)")


def look(page: Page, view: str) -> None:
    page.click(f"#viewer [data-view={view}]")


def slide(page: Page, confidence: float) -> None:
    page.locator("#viewer input[type=range]").fill(str(confidence))


def downloaded(page: Page, kind: str) -> Path:
    with page.expect_download() as download:
        page.click(f"#viewer [data-format={kind}]")
    return download.value.path()


def report_on_screen(page: Page) -> dict[str, Any]:
    """Read the figures of the report view, as strings, in the layout of the JSON."""
    rows = page.locator("#viewer .report tbody tr").evaluate_all(
        "all => all.map(row => [row.dataset, [...row.querySelectorAll('td:not(.bars)')].map(one => one.textContent)])"
    )
    figures = page.locator("#viewer .figures > div").evaluate_all(
        "all => all.map(one => [one.dataset.figure, one.querySelector('b').textContent])"
    )
    classes = {row["code"]: values for row, values in rows if "code" in row}
    lineages = {row["lineage"]: values for row, values in rows if "lineage" in row}
    return {"figures": dict(figures), "classes": classes, "lineages": lineages}


def expected_on_screen(report: dict[str, Any], comma: bool = False) -> dict[str, Any]:
    """Return what :func:`report_on_screen` should read for the ``report`` of a JSON."""

    def decimal(value: float) -> str:
        return f"{value:.1f}".replace(".", "," if comma else ".")

    def row(code: str) -> list[str]:
        if code not in report["percent"] or not report["total"]:
            return [str(report["counts"][code]), "–", "–"]
        low, high = report["intervals"][code]
        return [str(report["counts"][code]), decimal(report["percent"][code]), f"{low:.0f}–{high:.0f}"]

    ratio = "–" if report["me_ratio"] is None else decimal(report["me_ratio"])
    return {
        "figures": {name: str(report[name]) for name in ("found", "total", "uncertain")} | {"me_ratio": ratio},
        "classes": {code: row(code) for code in report["counts"]},
    }


def read_json(path: Path) -> dict[str, Any]:
    return json.loads(path.read_text())
