"""Which models are used when none is named: in a checkout, in a published Space, and in an installed package."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from uuid import uuid4

import pytest

from marrow.defaults import RELEASE, default_reference
from tests.commands import ROOT
from tests.space.known_models import HUB

COMMIT = "a" * 40
PINNED = f"""---
sdk: gradio
preload_from_hub:
- someone/bone-marrow-yolov8-seg config.json,model.onnx {COMMIT}
- someone/bone-marrow-mobilenet config.json,model.onnx {COMMIT}
---
"""


def run(site: Path, cwd: Path, *arguments: str | Path, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run Python with the package of one folder."""
    environment = {key: value for key, value in os.environ.items() if not key.startswith("MARROW_")}
    return subprocess.run(
        [sys.executable, *map(str, arguments)],
        env=environment | {"PYTHONPATH": str(site)} | variables,
        cwd=cwd,
        capture_output=True,
        text=True,
    )


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of packages that this one is installed in, beside what others may have left there."""
    folder = tmp_path_factory.mktemp("python") / "site-packages"
    install = [
        "-m",
        "pip",
        "install",
        "-q",
        "--no-deps",
        "--no-build-isolation",
        "--no-index",
        "--target",
        folder,
        ROOT,
    ]
    done = subprocess.run([sys.executable, *map(str, install)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return folder


def test_the_wheel_holds_the_runtime_alone(site: Path) -> None:
    packages = {path.name for path in site.iterdir() if path.name != "bin" and path.suffix != ".dist-info"}
    assert packages == {"marrow"}
    assert (site / "marrow" / "templates" / "page.html").is_file() and (
        site / "marrow" / "locales" / "fr.json"
    ).is_file()


def test_an_installed_package_says_which_model_to_name(site: Path, smear_file: Path, tmp_path: Path) -> None:
    (site / "README.md").write_text(PINNED)
    for name in RELEASE.values():
        (site.parents[0] / "hub" / name).mkdir(parents=True, exist_ok=True)
    done = run(site, tmp_path, "-m", "marrow.cli", "analyze", smear_file, "--out", "out")
    assert done.returncode == 2
    (line,) = done.stderr.splitlines()
    assert "--segmenter or MARROW_SEGMENTER" in line and "NAMESPACE/bone-marrow-yolov8-seg" in line
    assert run(site, tmp_path, "-c", "import marrow; print(marrow.__file__)").stdout.startswith(str(site))


def test_an_installed_package_uses_what_it_is_configured_for(
    site: Path, model_folders: tuple[Path, Path], smear_file: Path, tmp_path: Path
) -> None:
    variables = dict(zip(("MARROW_SEGMENTER", "MARROW_CLASSIFIER"), map(str, model_folders), strict=True))
    arguments = (smear_file, "--out", "out", "--format", "json,print", "--language", "fr")
    done = run(site, tmp_path, "-m", "marrow.cli", "analyze", *arguments, **variables)
    assert (done.returncode, done.stderr) == (0, "")
    assert json.loads((tmp_path / "out" / "smear.json").read_text())["report"]["counts"]["NGS"] == 3
    assert '<html lang="fr">' in (tmp_path / "out" / "smear.html").read_text()


@pytest.mark.parametrize("is_pulled", [False, True])
def test_a_published_space_uses_what_it_is_pinned_to(tmp_path: Path, is_pulled: bool) -> None:
    """In a folder of files, and in the Hub's cache, where each file is a link to one that is named by its checksum."""

    def link(source: str, target: str) -> str:
        blob = blobs / uuid4().hex
        shutil.copy2(source, blob)
        Path(target).symlink_to(blob)
        return target

    blobs = tmp_path / "blobs"
    blobs.mkdir()
    ignore = shutil.ignore_patterns("__pycache__", "flags", "README.md")
    space = shutil.copytree(
        ROOT / "space", tmp_path / "space", ignore=ignore, copy_function=link if is_pulled else shutil.copy2
    )
    (space / "README.md").write_text(PINNED)
    code = (
        "from marrow.defaults import default_reference as default; print(default('segmenter'), default('classifier'))"
    )
    expected = " ".join(f"someone/{name}@{COMMIT}" for name in RELEASE.values())
    assert run(space, tmp_path, "-c", code).stdout.strip() == expected


def test_the_embedded_release_is_the_default(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MARROW_SEGMENTER", raising=False)
    if (HUB / "bone-marrow-yolov8-seg").is_dir():
        assert Path(default_reference("segmenter")) == HUB / "bone-marrow-yolov8-seg"
    monkeypatch.setenv("MARROW_SEGMENTER", "me/mine@v1")
    assert default_reference("segmenter") == "me/mine@v1"
