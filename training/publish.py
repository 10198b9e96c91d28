"""Push the dataset, both models and the Space to the Hub that ``HF_ENDPOINT`` names (huggingface.co by default).

``python -m training.publish --namespace NAMESPACE [--only dataset|classifier|segmenter|space]``

Each repo becomes a copy of its folder, in one commit whose message names the revision of this source; a repo that is
already the same gets no commit. In each card the word ``NAMESPACE`` before a slash becomes the real one. The Space is
pinned, in its variables and in ``preload_from_hub``, to the commits of the two models.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path

from huggingface_hub import (
    CommitOperationAdd,
    CommitOperationDelete,
    HfApi,
    SpaceCard,
    constants,
    get_token,
)
from huggingface_hub.errors import (
    HfHubHTTPError,
    HFValidationError,
    HTTPError,
    OfflineModeIsEnabled,
    RepositoryNotFoundError,
)

from marrow.errors import MarrowError

ROOT = Path(__file__).resolve().parents[1]
# The Hub's `datasets` refuses a dataset repo with a script named like the repo, so no script goes there at all.
# Flags kept beside a Space that was run from its folder are visitors' images: never published with it.
LEFT_OUT = {"dataset": ("*.py",), "space": ("*.egg-info/*", "*.pyi", "flags/*"), "model": ()}
RUNTIME_FILES = "config.json,model.onnx"


@dataclass(frozen=True)
class Part:
    """One repo to publish: its name in ``--only``, its type and name on the Hub, and patterns of files it needs."""

    name: str
    repo_type: str
    repo: str
    needs: tuple[str, ...]


MODEL_FILES = ("config.json", "model.onnx", "metrics.json", "README.md")
DATASET = Part("dataset", "dataset", "bone-marrow-12", ("data/train-*.parquet", "README.md"))
CLASSIFIER = Part("classifier", "model", "bone-marrow-mobilenet", MODEL_FILES)
SEGMENTER = Part("segmenter", "model", "bone-marrow-yolov8-seg", MODEL_FILES)
SPACE = Part("space", "space", "bone-marrow-smear", ("app.py", "requirements.txt", "README.md"))
PARTS = (DATASET, CLASSIFIER, SEGMENTER, SPACE)
PINS = {"MARROW_SEGMENTER": SEGMENTER, "MARROW_CLASSIFIER": CLASSIFIER}


def find_files(part: Part, folder: Path) -> dict[str, Path]:
    """List what a repo will hold.

    Args:
        part: the repo.
        folder: the folder it is a copy of; hidden files, caches and :data:`LEFT_OUT` stay behind.

    Returns:
        Path on disk by path in the repo.

    Raises:
        MarrowError: the folder is missing, or lacks a file that the repo needs.
    """
    if not folder.is_dir():
        raise MarrowError(f"There is no {part.name} folder {folder}; make it first or name another.")
    relative = {p.relative_to(folder).as_posix(): p for p in sorted(folder.rglob("*")) if p.is_file()}
    files = {name: path for name, path in relative.items() if _belongs(part, name)}
    missing = [need for need in part.needs if not any(fnmatch(name, need) for name in files)]
    if missing:
        raise MarrowError(f"The {part.name} folder {folder} has no {' and no '.join(missing)}.")
    return files


def _belongs(part: Part, name: str) -> bool:
    hidden = any(piece.startswith(".") or piece == "__pycache__" for piece in name.split("/"))
    return not hidden and not any(fnmatch(name, pattern) for pattern in LEFT_OUT[part.repo_type])


def pin_space(readme: str, namespace: str, commits: dict[str, str]) -> str:
    """Name the models and the dataset in a Space's front matter, and preload the models' weights.

    Args:
        readme: text of the Space's ``README.md``.
        namespace: user or organisation on the Hub.
        commits: commit by model repo, ``NAMESPACE/name``.

    Returns:
        The text with ``models``, ``datasets`` and ``preload_from_hub`` set.
    """
    card = SpaceCard(readme)
    card.data.models = list(commits)
    card.data.datasets = [f"{namespace}/{DATASET.repo}"]
    card.data.preload_from_hub = [f"{repo} {RUNTIME_FILES} {commit}" for repo, commit in commits.items()]
    return str(card)


class Publisher:
    """Pushes parts to one namespace and remembers the commits that the Space is to be pinned to."""

    def __init__(self, namespace: str, private: bool) -> None:
        if not get_token():
            raise MarrowError("No access token; run `hf auth login` or set HF_TOKEN to a token that may write.")
        self.api = HfApi()
        self.namespace = namespace
        self.private = private
        self.message = f"Publish from source {source_revision()}"

    def push(self, part: Part, files: dict[str, Path]) -> str:
        """Make a repo the copy of some files, and give one line that says where it is and at which commit."""
        repo = f"{self.namespace}/{part.repo}"
        readme = files["README.md"].read_text(encoding="utf-8").replace("NAMESPACE/", f"{self.namespace}/")
        pins = self._model_commits() if part is SPACE else {}
        url = self.api.create_repo(
            repo,
            repo_type=part.repo_type,
            private=self.private or None,
            space_sdk="gradio" if part is SPACE else None,
            exist_ok=True,
        )
        if part is SPACE:
            readme = pin_space(readme, self.namespace, pins)
            self._set_variables(repo, pins)
        before = self.api.repo_info(repo, repo_type=part.repo_type).sha
        after = self.api.create_commit(
            repo,
            self._changes(repo, part.repo_type, files, readme),
            commit_message=self.message,
            repo_type=part.repo_type,
        ).oid
        return f"{part.name:10} {url} {'unchanged at' if after == before else 'commit'} {after}"

    def _changes(
        self, repo: str, repo_type: str, files: dict[str, Path], readme: str
    ) -> list[CommitOperationAdd | CommitOperationDelete]:
        content = {name: readme.encode() if name == "README.md" else path for name, path in files.items()}
        there = set(self.api.list_repo_files(repo, repo_type=repo_type)) - {".gitattributes"}
        return [
            *(CommitOperationDelete(name) for name in sorted(there - set(files))),
            *(CommitOperationAdd(name, source) for name, source in content.items()),
        ]

    def _model_commits(self) -> dict[str, str]:
        commits = {}
        for part in PINS.values():
            repo = f"{self.namespace}/{part.repo}"
            try:
                commits[repo] = self.api.model_info(repo).sha
            except RepositoryNotFoundError as error:
                raise MarrowError(f"The Space needs {repo}; publish --only {part.name} first.") from error
        return commits

    def _set_variables(self, space: str, commits: dict[str, str]) -> None:
        # A changed variable restarts a Space, so leave alone what is right already.
        known = {key: variable.value for key, variable in self.api.get_space_variables(space).items()}
        for key, part in PINS.items():
            repo = f"{self.namespace}/{part.repo}"
            pinned = f"{repo}@{commits[repo]}"
            if known.get(key) != pinned:
                self.api.add_space_variable(space, key, pinned)


def source_revision() -> str:
    """Name the git revision of this source, with ``-dirty`` if files have changed, or ``unknown`` without git."""
    command = ["git", "-C", str(ROOT), "describe", "--always", "--dirty", "--abbrev=12"]
    try:
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return "unknown"


def publish(options: argparse.Namespace) -> None:
    """Check all folders, then push them one after the other, with a printed line for each.

    Raises:
        MarrowError: a folder is missing or incomplete, or the Hub is away or refuses.
    """
    folders = {
        DATASET: options.dataset_dir,
        CLASSIFIER: options.hub_dir / CLASSIFIER.repo,
        SEGMENTER: options.hub_dir / SEGMENTER.repo,
        SPACE: options.space_dir,
    }
    parts = [part for part in PARTS if options.only in (None, part.name)]
    if options.dataset_dir is None:
        if options.only == DATASET.name:
            raise MarrowError("Name the dataset's folder: --dataset-dir DIR, as dataset_scripts wrote it.")
        if DATASET in parts:
            parts.remove(DATASET)
            print("dataset    left out, because no --dataset-dir is given", flush=True)
    files = {part: find_files(part, folders[part]) for part in parts}
    if options.dry_run:
        for part in parts:
            size = sum(path.stat().st_size for path in files[part].values()) / 1e6
            repo = f"{constants.ENDPOINT}/{options.namespace}/{part.repo}"
            print(f"{part.name:10} {repo} would get {len(files[part])} files, {size:.1f} MB")
        return
    publisher = Publisher(options.namespace, options.private)
    for part in parts:
        try:
            print(publisher.push(part, files[part]), flush=True)
        except (HTTPError, OfflineModeIsEnabled, HFValidationError, ValueError, RuntimeError) as error:
            raise MarrowError(_explain(part, options.namespace, error)) from error


def _explain(part: Part, namespace: str, error: Exception) -> str:
    text = " ".join(str(error).split())
    if not isinstance(error, HTTPError | OfflineModeIsEnabled):
        return f"{part.name}: {text}"
    if not isinstance(error, HfHubHTTPError) or error.response.status_code >= 500:
        return f"{part.name}: {constants.ENDPOINT} does not answer ({text}); try again later."
    answers = {
        401: "the Hub does not accept the access token; log in again with `hf auth login` or renew HF_TOKEN",
        402: f"the Hub wants a paid plan of {namespace} for this ({error.server_message})",
        403: f"the access token may not write to {namespace}; use one that may, or another --namespace",
    }
    return f"{part.name}: {answers.get(error.response.status_code, text)}."


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; gives the exit code, 2 with one line on stderr for anything that went wrong."""
    parser = argparse.ArgumentParser(prog="training.publish", description=(__doc__ or "").split("\n\n")[0])
    parser.add_argument("--namespace", required=True, help="user or organisation on the Hub")
    parser.add_argument("--only", choices=[part.name for part in PARTS], help="push this part alone")
    parser.add_argument("--private", action="store_true", help="make new repos private")
    parser.add_argument("--dry-run", action="store_true", help="say what would be pushed, and push nothing")
    parser.add_argument("--dataset-dir", type=Path, help="folder with README.md and data/*.parquet")
    parser.add_argument("--hub-dir", type=Path, default=ROOT / "hub", help="folder of both models (%(default)s)")
    parser.add_argument("--space-dir", type=Path, default=ROOT / "space", help="folder of the Space (%(default)s)")
    try:
        publish(parser.parse_args(arguments))
    except MarrowError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
