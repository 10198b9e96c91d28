"""Push the dataset, both models and the Space to the Hub that ``HF_ENDPOINT`` names (huggingface.co by default).

``python -m training.publish --namespace NAMESPACE [--only dataset|classifier|segmenter|space]``

Each repo becomes a copy of its folder, in one commit whose message names the revision of this source; a repo that is
already the same gets no commit. In each card the word ``NAMESPACE`` before a slash becomes the real one. What others
changed on the Hub is shown, and not overwritten without ``--force``.

The order keeps a release whole: first the data set and the models, to commits that no Space runs; these are pulled
back and tried with the new Space; then the Space's one commit moves its code and, in its front matter, the commits of
the models that it runs. In the end everything is pulled back, an example is analyzed with that alone, and the commits
are tagged with the version. After a failure at any point the same command goes on.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from huggingface_hub import HfApi, constants, get_token
from huggingface_hub.errors import HFValidationError, HTTPError, OfflineModeIsEnabled, RepositoryNotFoundError

from marrow import __version__
from marrow.errors import MarrowError
from training.release.cards import describe_copy, pin_space
from training.release.checks import analyze_example, pull_back
from training.release.errors import explain
from training.release.remote import (
    TITLE,
    Plan,
    diff_repo,
    overriding_variables,
    push,
    refuse_to_overwrite,
    tag,
    version_tag,
)
from training.release.repos import DATASET, MODELS, PARTS, SPACE, RepoSpec, find_files

ROOT = Path(__file__).resolve().parents[1]


@dataclass
class Release:
    """One run of the command: what is pushed where, from which folders, and what has become of it so far.

    Attributes:
        options: the command line.
        parts: the parts to push, in order.
        folders: folder by part, also of those that are not pushed.
        stage: an empty folder for cards as they are published.
        commits: commit by part, as far as pushed.
    """

    options: argparse.Namespace
    parts: list[RepoSpec]
    folders: dict[RepoSpec, Path]
    stage: Path
    api: HfApi = field(default_factory=HfApi)
    commits: dict[RepoSpec, str] = field(default_factory=dict)

    def repo(self, part: RepoSpec) -> str:
        """Return the id of a part's repo."""
        return f"{self.options.namespace}/{part.repo}"

    def url(self, part: RepoSpec) -> str:
        """Return the address of a part's page."""
        kind = "" if part.repo_type == "model" else f"{part.repo_type}s/"
        return f"{constants.ENDPOINT}/{kind}{self.repo(part)}"

    def files(self, part: RepoSpec) -> dict[str, Path]:
        """List the files of a part, with its card as it is published; the Space needs the commits of the models."""
        files = find_files(part, self.folders[part])
        readme = files["README.md"].read_text(encoding="utf-8").replace("NAMESPACE/", f"{self.options.namespace}/")
        if part is DATASET:
            readme = describe_copy(readme, files)
        if part is SPACE:
            readme = pin_space(readme, self.options.namespace, self.pins())
        staged = self.stage / part.name / "README.md"
        staged.parent.mkdir(exist_ok=True)
        staged.write_text(readme, encoding="utf-8")
        return files | {"README.md": staged}

    def pins(self) -> dict[str, str]:
        """Return the commit of each model by its repo: as just pushed, or as it is on the Hub."""
        return {self.repo(part): self.commits.get(part) or self._head(part) for part in MODELS}

    def _head(self, part: RepoSpec) -> str:
        try:
            return self.api.model_info(self.repo(part)).sha
        except RepositoryNotFoundError as error:
            if part in self.parts:
                return "0" * 40  # not pushed yet
            raise MarrowError(f"The Space needs {self.repo(part)}; publish --only {part.name} first.") from error

    def reference(self, part: RepoSpec) -> str | None:
        """Name a model as just pushed, else as it lies here, else as it is on the Hub; ``None`` if it is nowhere."""
        if part in self.commits:
            return f"{self.repo(part)}@{self.commits[part]}"
        if self.folders[part].is_dir():
            return str(self.folders[part].resolve())
        return self.repo(part) if self.api.repo_exists(self.repo(part)) else None

    @contextmanager
    def doing(self, name: str) -> Iterator[None]:
        """Return errors of the Hub and of the disk as one line that begins with a name.

        Raises:
            MarrowError: anything that went wrong.
        """
        try:
            yield
        except (HTTPError, OfflineModeIsEnabled, HFValidationError, OSError, ValueError, RuntimeError) as error:
            raise MarrowError(explain(name, self.options.namespace, error)) from error


def source_revision() -> str:
    """Name the revision of this source.

    Returns:
        ``SOURCE_REVISION`` where it is set, as for a job that has no git; else what git says, with ``-dirty`` if files
        have changed; else ``unknown``.
    """
    if named := os.environ.get("SOURCE_REVISION"):
        return named
    command = ["git", "-C", str(ROOT), "describe", "--always", "--dirty", "--abbrev=12"]
    try:
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return "unknown"


def check_token(release: Release) -> None:
    """Ask the Hub who the access token belongs to.

    Raises:
        MarrowError: there is none, or it is refused, or it may only read.
    """
    if not get_token():
        raise MarrowError("No access token; run `hf auth login` or set HF_TOKEN to a token that may write.")
    with release.doing("access token"):
        token = release.api.whoami().get("auth", {}).get("accessToken", {})
    if token.get("role") == "read":
        raise MarrowError(
            f"The access token '{token.get('displayName', '')}' may only read; make one that may write "
            f"at {constants.ENDPOINT}/settings/tokens."
        )


def plan_part(release: Release, part: RepoSpec) -> Plan:
    """Look at one repo.

    Raises:
        MarrowError: the folder is incomplete, the Hub is away or refuses, something would be overwritten that others
            changed there, or there is nothing yet that a pull request could be opened for.
    """
    options = release.options
    with release.doing(part.name):
        plan = diff_repo(release.api, part, release.repo(part), release.files(part))
        if options.pr and plan.head is None:
            raise MarrowError(f"{part.name}: there is no {plan.repo} yet; publish it once without --pr.")
        if plan.foreign and not options.force:
            refuse_to_overwrite(release.api, plan)
        if part is SPACE and plan.head and not (options.force or options.dry_run):
            for name, value in overriding_variables(release.api, plan.repo).items():
                raise MarrowError(
                    f"space: its variable {name} has it run {value} whatever is published; delete the variable "
                    "in the Space's settings, or give --force to have that done."
                )
    return plan


def say_what_would_be_done(release: Release, plans: dict[RepoSpec, Plan]) -> None:
    """Print a line for each part, and push nothing."""
    for part, plan in plans.items():
        what = f"would be made with {len(plan.files)} files, {plan.size / 1e6:.1f} MB"
        if plan.up_to_date:
            what = f"is up to date at {plan.head}"
        elif plan.head:
            names = ", ".join(plan.changed[:4]) + (", …" if len(plan.changed) > 4 else "")
            what = f"would get {len(plan.changed)} changed files ({names}), {plan.size / 1e6:.1f} MB"
            what += f", and lose {', '.join(plan.gone)}" if plan.gone else ""
        print(f"{part.name:10} {release.url(part)} {what}", flush=True)


def push_part(release: Release, plan: Plan) -> None:
    """Push one part and print a line with its commit."""
    options, part = release.options, plan.part
    with release.doing(part.name):
        title = f"{TITLE} {source_revision()}"
        commit = push(release.api, plan, title, private=options.private, pull_request=options.pr)
        if part is SPACE and options.force and plan.head and not options.pr:
            for name in overriding_variables(release.api, plan.repo):
                release.api.delete_space_variable(plan.repo, name)
    release.commits[part] = commit
    done = "unchanged at" if plan.up_to_date else "pull request with" if options.pr else "commit"
    print(f"{part.name:10} {release.url(part)} {done} {commit}", flush=True)


def publish(options: argparse.Namespace) -> None:
    """Check everything, push, pull back and try, then tag; with printed lines for what is done.

    Raises:
        MarrowError: something is missing or wrong; the line says what, and what to do.
    """
    folders = {part: options.hub_dir / part.repo for part in MODELS}
    folders |= {DATASET: options.dataset_dir, SPACE: options.space_dir}
    parts = [part for part in PARTS if options.only in (None, part.name)]
    if options.dataset_dir is None:
        if options.only == DATASET.name:
            raise MarrowError("Name the dataset's folder: --dataset-dir DIR, as dataset_scripts wrote it.")
        if DATASET in parts:
            parts.remove(DATASET)
            print("dataset    left out, because no --dataset-dir is given", flush=True)
    try:
        with tempfile.TemporaryDirectory(prefix="publish-") as work:
            stage = Path(work) / "stage"
            stage.mkdir()
            release = Release(options, parts, folders, stage)
            for part in parts:
                find_files(part, folders[part])
            if not options.dry_run:
                check_token(release)
            plans = {part: plan_part(release, part) for part in parts}  # all of them, before any is changed
            if options.dry_run:
                say_what_would_be_done(release, plans)
            else:
                _carry_out(release, Path(work))
    except OSError as error:
        raise MarrowError(explain("publish", options.namespace, error)) from error


def _carry_out(release: Release, work: Path) -> None:
    cache = work / "cache"
    models = [part for part in release.parts if part in MODELS]
    for part in release.parts:
        plan = plan_part(release, part)
        if part is SPACE and not plan.up_to_date:
            _try_before_the_space_moves(release, cache, work)
        push_part(release, plan)
    if all(_is_tagged(release, part) for part in release.parts):
        print("nothing to do: all of it was published and checked before", flush=True)
        return
    pulled = {}
    for part in release.parts:
        with release.doing(part.name):
            commit, files = release.commits[part], release.files(part)
            pulled[part] = pull_back(release.api, part, release.repo(part), commit, files, cache)
    said = "the same files came back"
    if SPACE in pulled:
        said = _analyze(release, pulled[SPACE], cache, work, pinned=True)
    elif models:
        said = _analyze(release, release.folders[SPACE], cache, work, pinned=False)
    print(f"checked    {said}", flush=True)
    if not release.options.pr:
        for part in release.parts:
            with release.doing(part.name):
                repo, commit = release.repo(part), release.commits[part]
                print(f"tagged     {repo} {tag(release.api, part, repo, commit, __version__)}", flush=True)
    if release.options.private and SPACE in release.parts:
        print("private    give the Space the secret HF_TOKEN, one that may read, so that it can pull its models")


def _try_before_the_space_moves(release: Release, cache: Path, work: Path) -> None:
    """Run the models that the Space is about to be pinned to with the Space's own folder."""
    with release.doing(SPACE.name):
        for repo, commit in release.pins().items():
            release.api.snapshot_download(repo, revision=commit, cache_dir=cache)
    for part in MODELS:
        if part in release.commits:
            with release.doing(part.name):
                files, commit = release.files(part), release.commits[part]
                pull_back(release.api, part, release.repo(part), commit, files, cache)
    _analyze(release, release.folders[SPACE], cache, work, pinned=False)


def _analyze(release: Release, space: Path, cache: Path, work: Path, pinned: bool) -> str:
    out = work / "analysis"
    out.mkdir(exist_ok=True)
    if SPACE in release.parts:
        models = {part.name: f"{release.repo(part)}@{release.pins()[release.repo(part)]}" for part in MODELS}
    else:
        models = {part.name: release.reference(part) for part in MODELS}
        if missing := [name for name, reference in models.items() if not reference]:
            return f"the same files came back; nothing is analyzed, since there is no {missing[0]} yet"
    with release.doing("analysis"):
        return analyze_example(space.resolve(), cache, out, models, pinned)


def _is_tagged(release: Release, part: RepoSpec) -> bool:
    with release.doing(part.name):
        refs = release.api.list_repo_refs(release.repo(part), repo_type=part.repo_type)
    tags = {ref.name: ref.target_commit for ref in refs.tags}
    return version_tag(tags, release.commits[part], __version__) is not None


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; return the exit code, 2 with one line on stderr for anything that went wrong."""
    parser = argparse.ArgumentParser(prog="training.publish", description=(__doc__ or "").split("\n\n")[0])
    parser.add_argument("--namespace", required=True, help="user or organisation on the Hub")
    parser.add_argument("--only", choices=[part.name for part in PARTS], help="push this part alone")
    parser.add_argument("--private", action="store_true", help="make new repos private")
    parser.add_argument("--dry-run", action="store_true", help="say what would be pushed, and push nothing")
    parser.add_argument("--pr", action="store_true", help="open pull requests instead of pushing; no tags")
    parser.add_argument("--force", action="store_true", help="overwrite what others changed on the Hub")
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
