"""A release from its check to its tags.

The order keeps it whole: first the data set and the models, to commits that no Space runs; these are pulled back and
tried with the new Space; then the Space's one commit moves its code and, in its front matter, the commits of the models
that it runs. In the end everything is pulled back, an example is analyzed with that alone, and the commits are tagged
with the version. After a failure at any point the same command goes on.
"""

from __future__ import annotations

import os
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from huggingface_hub import HfApi, constants, get_token
from huggingface_hub.errors import HFValidationError, HTTPError, OfflineModeIsEnabled, RepositoryNotFoundError

from marrow import __version__
from marrow.errors import MarrowError
from training.common.model_folder import check_measured
from training.common.paths import ROOT
from training.release import remote
from training.release.cards import describe_copy, pin_space
from training.release.checks import analyze_example, pull_back
from training.release.errors import explain
from training.release.repos import DATASET, MODELS, REPO_SPECS, SPACE, RepoSpec, find_files


@dataclass(frozen=True)
class PublishOptions:
    """What is to be published, and how.

    Attributes:
        namespace: user or organisation on the Hub.
        hub_dir: folder of both models.
        space_dir: folder of the Space.
        dataset_dir: folder with ``README.md`` and ``data/*.parquet``; ``None`` leaves the data set out.
        only: remote.push this repo alone, by its name in :data:`training.release.repos.REPO_SPECS`.
        private: make new repos private.
        dry_run: say what would be pushed, and remote.push nothing.
        pr: open pull requests instead of pushing; no tags.
        force: overwrite what others changed on the Hub.
    """

    namespace: str
    hub_dir: Path = ROOT / "hub"
    space_dir: Path = ROOT / "space"
    dataset_dir: Path | None = None
    only: str | None = None
    private: bool = False
    dry_run: bool = False
    pr: bool = False
    force: bool = False


@dataclass
class Release:
    """One release: what is pushed where, from which folders, and what has become of it so far.

    Attributes:
        options: what is asked for.
        specs: the repos to remote.push, in order.
        folders: folder by repo, also of those that are not pushed.
        stage: an empty folder for cards as they are published.
        api: client of the Hub.
        commits: commit by repo, as far as pushed.
    """

    options: PublishOptions
    specs: list[RepoSpec]
    folders: dict[RepoSpec, Path]
    stage: Path
    api: HfApi = field(default_factory=HfApi)
    commits: dict[RepoSpec, str] = field(default_factory=dict)

    def repo(self, spec: RepoSpec) -> str:
        """Return the id of a repo."""
        return f"{self.options.namespace}/{spec.repo}"

    def url(self, spec: RepoSpec) -> str:
        """Return the address of a repo's page."""
        kind = "" if spec.repo_type == "model" else f"{spec.repo_type}s/"
        return f"{constants.ENDPOINT}/{kind}{self.repo(spec)}"

    def files(self, spec: RepoSpec) -> dict[str, Path]:
        """List the files of a repo, with its card as it is published; the Space needs the commits of the models."""
        files = find_files(spec, self.folders[spec])
        readme = files["README.md"].read_text(encoding="utf-8").replace("NAMESPACE/", f"{self.options.namespace}/")
        if spec is DATASET:
            readme = describe_copy(readme, files)
        if spec is SPACE:
            readme = pin_space(readme, self.options.namespace, self.pins())
        staged = self.stage / spec.name / "README.md"
        staged.parent.mkdir(exist_ok=True)
        staged.write_text(readme, encoding="utf-8")
        return files | {"README.md": staged}

    def pins(self) -> dict[str, str]:
        """Return the commit of each model by its repo: as just pushed, or as it is on the Hub."""
        return {self.repo(spec): self.commits.get(spec) or self._head(spec) for spec in MODELS}

    def _head(self, spec: RepoSpec) -> str:
        try:
            return remote.head_commit(self.api, self.repo(spec), spec.repo_type)
        except RepositoryNotFoundError as error:
            if spec in self.specs:
                return "0" * 40  # not pushed yet
            raise MarrowError(f"The Space needs {self.repo(spec)}; publish --only {spec.name} first.") from error

    def reference(self, spec: RepoSpec) -> str | None:
        """Name a model as just pushed, else as it lies here, else as it is on the Hub; ``None`` if it is nowhere."""
        if spec in self.commits:
            return f"{self.repo(spec)}@{self.commits[spec]}"
        if self.folders[spec].is_dir():
            return str(self.folders[spec].resolve())
        return self.repo(spec) if self.api.repo_exists(self.repo(spec)) else None

    @contextmanager
    def doing(self, name: str) -> Iterator[None]:
        """Turn errors of the Hub and of the disk into one line that begins with a name.

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


def plan_repo(release: Release, spec: RepoSpec) -> remote.Plan:
    """Compare one repo with what it shall be.

    Raises:
        MarrowError: the folder is incomplete, the Hub is away or refuses, something would be overwritten that others
            changed there, or there is nothing yet that a pull request could be opened for.
    """
    options = release.options
    with release.doing(spec.name):
        plan = remote.diff_repo(release.api, spec, release.repo(spec), release.files(spec))
        if options.pr and plan.head is None:
            raise MarrowError(f"{spec.name}: there is no {plan.repo} yet; publish it once without --pr.")
        if plan.foreign and not options.force:
            remote.refuse_to_overwrite(release.api, plan)
        if spec is SPACE and plan.head and not (options.force or options.dry_run):
            for name, value in remote.overriding_variables(release.api, plan.repo).items():
                raise MarrowError(
                    f"space: its variable {name} has it run {value} whatever is published; delete the variable "
                    "in the Space's settings, or give --force to have that done."
                )
    return plan


def say_what_would_be_done(release: Release, plans: dict[RepoSpec, remote.Plan]) -> None:
    """Print a line for each repo, and remote.push nothing."""
    for spec, plan in plans.items():
        what = f"would be made with {len(plan.files)} files, {plan.size / 1e6:.1f} MB"
        if plan.up_to_date:
            what = f"is up to date at {plan.head}"
        elif plan.head:
            names = ", ".join(plan.changed[:4]) + (", …" if len(plan.changed) > 4 else "")
            what = f"would get {len(plan.changed)} changed files ({names}), {plan.size / 1e6:.1f} MB"
            what += f", and lose {', '.join(plan.gone)}" if plan.gone else ""
        print(f"{spec.name:10} {release.url(spec)} {what}", flush=True)


def push_repo(release: Release, plan: remote.Plan) -> None:
    """Push one repo and print a line with its commit."""
    options, spec = release.options, plan.spec
    with release.doing(spec.name):
        title = f"{remote.TITLE} {source_revision()}"
        commit = remote.push(release.api, plan, title, private=options.private, pull_request=options.pr)
        if spec is SPACE and options.force and plan.head and not options.pr:
            for name in remote.overriding_variables(release.api, plan.repo):
                release.api.delete_space_variable(plan.repo, name)
    release.commits[spec] = commit
    done = "unchanged at" if plan.up_to_date else "pull request with" if options.pr else "commit"
    print(f"{spec.name:10} {release.url(spec)} {done} {commit}", flush=True)


def publish(options: PublishOptions) -> None:
    """Check everything, remote.push, pull back and try, then tag; with printed lines for what is done.

    Raises:
        MarrowError: something is missing or wrong; the line says what, and what to do.
    """
    folders = {spec: options.hub_dir / spec.repo for spec in MODELS} | {SPACE: options.space_dir}
    specs = [spec for spec in REPO_SPECS if options.only in (None, spec.name)]
    if options.dataset_dir is not None:
        folders[DATASET] = options.dataset_dir
    elif options.only == DATASET.name:
        raise MarrowError("Name the dataset's folder: --dataset-dir DIR, as dataset_scripts wrote it.")
    elif DATASET in specs:
        specs.remove(DATASET)
        print("dataset    left out, because no --dataset-dir is given", flush=True)
    try:
        with tempfile.TemporaryDirectory(prefix="publish-") as work:
            stage = Path(work) / "stage"
            stage.mkdir()
            release = Release(options, specs, folders, stage)
            for spec in specs:
                find_files(spec, folders[spec])
                if spec in MODELS:
                    check_measured(folders[spec])
            if not options.dry_run:
                check_token(release)
            plans = {spec: plan_repo(release, spec) for spec in specs}  # all of them, before any is changed
            if options.dry_run:
                say_what_would_be_done(release, plans)
            else:
                _carry_out(release, Path(work))
    except OSError as error:
        raise MarrowError(explain("files", options.namespace, error)) from error


def _carry_out(release: Release, work: Path) -> None:
    cache = work / "cache"
    models = [spec for spec in release.specs if spec in MODELS]
    for spec in release.specs:
        plan = plan_repo(release, spec)
        if spec is SPACE and not plan.up_to_date:
            _try_before_the_space_moves(release, cache, work)
        push_repo(release, plan)
    if all(_is_tagged(release, spec) for spec in release.specs):
        print("nothing to do: all of it was published and checked before", flush=True)
        return
    pulled = {spec: _pull(release, spec, cache) for spec in release.specs}
    said = "the same files came back"
    if SPACE in pulled:
        said = _analyze(release, pulled[SPACE], cache, work, pinned=True)
    elif models:
        said = _analyze(release, release.folders[SPACE], cache, work, pinned=False)
    print(f"checked    {said}", flush=True)
    for spec in release.specs if not release.options.pr else ():
        with release.doing(spec.name):
            repo, commit = release.repo(spec), release.commits[spec]
            print(f"tagged     {repo} {remote.tag(release.api, spec, repo, commit, __version__)}", flush=True)
    if release.options.private and SPACE in release.specs:
        print("private    give the Space the secret HF_TOKEN, one that may read, so that it can pull its models")


def _try_before_the_space_moves(release: Release, cache: Path, work: Path) -> None:
    """Run the models that the Space is about to be pinned to with the Space's own folder."""
    with release.doing(SPACE.name):
        for repo, commit in release.pins().items():
            release.api.snapshot_download(repo, revision=commit, cache_dir=cache)
    for spec in MODELS:
        if spec in release.commits:
            _pull(release, spec, cache)
    _analyze(release, release.folders[SPACE], cache, work, pinned=False)


def _pull(release: Release, spec: RepoSpec, cache: Path) -> Path:
    with release.doing(spec.name):
        commit, files = release.commits[spec], release.files(spec)
        return pull_back(release.api, spec, release.repo(spec), commit, files, cache)


def _analyze(release: Release, space: Path, cache: Path, work: Path, pinned: bool) -> str:
    out = work / "analysis"
    out.mkdir(exist_ok=True)
    if SPACE in release.specs:
        models = {spec.name: f"{release.repo(spec)}@{release.pins()[release.repo(spec)]}" for spec in MODELS}
    else:
        models = {}
        for spec in MODELS:
            if not (reference := release.reference(spec)):
                return f"the same files came back; nothing is analyzed, since there is no {spec.name} yet"
            models[spec.name] = reference
    with release.doing("analysis"):
        return analyze_example(space.resolve(), cache, out, models, pinned)


def _is_tagged(release: Release, spec: RepoSpec) -> bool:
    with release.doing(spec.name):
        tags = remote.tags(release.api, spec, release.repo(spec))
    return remote.version_tag(tags, release.commits[spec], __version__) is not None
