"""The four repos of a release, and the files that each of them is a copy of."""

from __future__ import annotations

from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path

from marrow.errors import MarrowError

# The Hub's `datasets` refuses a dataset repo with a script named like the repo, so no script goes there at all.
# Flags kept beside a Space that was run from its folder are visitors' images: never published with it.
LEFT_OUT = {"dataset": ("*.py",), "space": ("*.egg-info/*", "*.pyi", "flags/*"), "model": ()}


@dataclass(frozen=True)
class RepoSpec:
    """One repo to publish: its name in ``--only``, its type and name on the Hub, and patterns of files it needs."""

    name: str
    repo_type: str
    repo: str
    needs: tuple[str, ...]


MODEL_FILES = ("config.json", "model.onnx", "metrics.json", "README.md")
DATASET = RepoSpec("dataset", "dataset", "bone-marrow-12", ("data/train-*.parquet", "README.md"))
CLASSIFIER = RepoSpec("classifier", "model", "bone-marrow-mobilenet", MODEL_FILES)
SEGMENTER = RepoSpec("segmenter", "model", "bone-marrow-yolov8-seg", MODEL_FILES)
SPACE_FILES = (
    "app.py",
    "requirements.txt",
    "README.md",
    "marrow/cli.py",
    "screen/static/gradio.js",
    "screen/locales/*.json",
    "examples/*.jpg",
    "examples/*.md",
    "examples/*.txt",
)
SPACE = RepoSpec("space", "space", "bone-marrow-smear", SPACE_FILES)
REPO_SPECS = (DATASET, CLASSIFIER, SEGMENTER, SPACE)
MODELS = (SEGMENTER, CLASSIFIER)


def find_files(spec: RepoSpec, folder: Path) -> dict[str, Path]:
    """List what a repo will hold.

    Args:
        spec: the repo.
        folder: the folder it is a copy of; hidden files, caches and :data:`LEFT_OUT` stay behind.

    Returns:
        Path on disk by path in the repo.

    Raises:
        MarrowError: the folder is missing, or lacks a file that the repo needs.
    """
    if not folder.is_dir():
        raise MarrowError(f"There is no {spec.name} folder {folder}; make it first or name another.")
    relative = {p.relative_to(folder).as_posix(): p for p in sorted(folder.rglob("*")) if p.is_file()}
    files = {name: path for name, path in relative.items() if _belongs(spec, name)}
    missing = [need for need in spec.needs if not any(fnmatch(name, need) for name in files)]
    if missing:
        raise MarrowError(f"The {spec.name} folder {folder} has no {' and no '.join(missing)}.")
    return files


def _belongs(spec: RepoSpec, name: str) -> bool:
    hidden = any(piece.startswith(".") or piece == "__pycache__" for piece in name.split("/"))
    return not hidden and not any(fnmatch(name, pattern) for pattern in LEFT_OUT[spec.repo_type])
