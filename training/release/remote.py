"""One repo on the Hub: what is there, what of it would change, and changing it in one commit."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from huggingface_hub import CommitOperationAdd, CommitOperationCopy, CommitOperationDelete, HfApi
from huggingface_hub.errors import RepositoryNotFoundError
from huggingface_hub.hf_api import RepoFile

from marrow.errors import MarrowError
from marrow.hub import checksums
from training.release.repos import SPACE, RepoSpec

TITLE = "Publish from source"
"""How the title of every commit of this command begins, by which it knows them again."""
KEPT = ".gitattributes"
"""The Hub's own file, which is left alone."""
OVERRIDES = ("MARROW_SEGMENTER", "MARROW_CLASSIFIER")
"""Variables by which a Space runs other models than those it is pinned to."""


@dataclass(frozen=True)
class Plan:
    """What is to be done to one repo.

    Attributes:
        spec: which of the four.
        repo: its id.
        files: path on disk by path in the repo, as it shall be.
        head: commit that is there now; ``None`` if the repo is still to be made.
        changed: paths to be added or replaced.
        gone: paths to be deleted.
        foreign: paths that others changed there since the last publishing, and that would be overwritten.
        published: the last commit of this command, if any.
    """

    spec: RepoSpec
    repo: str
    files: Mapping[str, Path]
    head: str | None
    changed: tuple[str, ...]
    gone: tuple[str, ...]
    foreign: tuple[str, ...]
    published: str | None

    @property
    def up_to_date(self) -> bool:
        """Nothing is to be committed."""
        return self.head is not None and not self.changed and not self.gone

    @property
    def size(self) -> int:
        """Bytes to be pushed."""
        return sum(self.files[name].stat().st_size for name in self.changed)


def diff_repo(api: HfApi, spec: RepoSpec, repo: str, files: Mapping[str, Path]) -> Plan:
    """Compare a repo with what it shall be; nothing is changed.

    Args:
        api: client of the Hub.
        spec: which of the four repos.
        repo: its id.
        files: path on disk by path in the repo, as it shall be.
    """
    try:
        head = head_commit(api, repo, spec.repo_type)
    except RepositoryNotFoundError:
        return Plan(spec, repo, files, None, tuple(files), (), (), None)
    there = _tree(api, spec, repo, head)
    same = {name for name, path in files.items() if there.get(name) in checksums(path)}
    gone = tuple(sorted(set(there) - set(files)))
    published = _last_published(api, spec, repo)
    before = _tree(api, spec, repo, published) if published not in (None, head) else there if published else {}
    foreign = [name for name in there if there[name] != before.get(name) and name not in same]
    changed = tuple(name for name in files if name not in same)
    return Plan(spec, repo, files, head, changed, gone, tuple(foreign), published)


def head_commit(api: HfApi, repo: str, repo_type: str, revision: str | None = None) -> str:
    """Return the commit of a revision, by default of the main branch."""
    commit = api.repo_info(repo, repo_type=repo_type, revision=revision).sha
    assert commit, "the Hub names a commit for every repo"
    return commit


def _tree(api: HfApi, spec: RepoSpec, repo: str, revision: str) -> dict[str, str]:
    """Return the checksum of each file: SHA-256 where it is LFS, else the git id."""
    entries = api.list_repo_tree(repo, recursive=True, revision=revision, repo_type=spec.repo_type)
    files = (entry for entry in entries if isinstance(entry, RepoFile) and entry.path != KEPT)
    return {file.path: file.lfs.sha256 if file.lfs else file.blob_id for file in files}


def _last_published(api: HfApi, spec: RepoSpec, repo: str) -> str | None:
    commits = api.list_repo_commits(repo, repo_type=spec.repo_type)
    return next((commit.commit_id for commit in commits if commit.title.startswith(TITLE)), None)


def refuse_to_overwrite(api: HfApi, plan: Plan) -> None:
    """Show what others changed on the Hub, line by line where it is text.

    Raises:
        MarrowError: always.
    """
    for name in plan.foreign:
        print("\n".join(_difference(api, plan, name)), flush=True)
    names = ", ".join(plan.foreign)
    if not plan.published:
        raise MarrowError(
            f"{plan.spec.name}: {plan.repo} is taken by something that this command did not publish ({names}); "
            "choose another --namespace, or give --force to replace it."
        )
    raise MarrowError(
        f"{plan.spec.name}: {names} of {plan.repo} was edited on the Hub, as shown above; "
        "take the change over into the source, or give --force to overwrite it."
    )


def _difference(api: HfApi, plan: Plan, name: str) -> Iterable[str]:
    def lines(revision: str) -> list[str]:
        path = api.hf_hub_download(plan.repo, name, revision=revision, repo_type=plan.spec.repo_type)
        return Path(path).read_text(encoding="utf-8").splitlines()

    there = f"{name} on the Hub"
    if not name.endswith((".md", ".json", ".py", ".txt", ".csv")):
        return [f"{there} is another file"]
    try:
        before, what = (lines(plan.published), f"{name} as published") if plan.published else ([], "nothing")
    except FileNotFoundError:
        before, what = [], "nothing"
    return difflib.unified_diff(before, lines(plan.head or "main"), what, there, lineterm="")


def push(api: HfApi, plan: Plan, title: str, private: bool = False, pull_request: bool = False) -> str:
    """Make a repo what it shall be, in one commit, and make it first if it is missing.

    Args:
        api: client of the Hub.
        plan: what is to be done.
        title: of the commit, beginning with :data:`TITLE`.
        private: make a new repo private.
        pull_request: open a pull request instead; the repo must be there.

    Returns:
        The commit at which it is that.
    """
    if plan.head and plan.up_to_date:
        return plan.head
    kind, head = plan.spec.repo_type, plan.head
    if head is None:
        sdk = "gradio" if plan.spec is SPACE else None
        api.create_repo(plan.repo, repo_type=kind, private=private or None, space_sdk=sdk, exist_ok=True)
        head = head_commit(api, plan.repo, kind)
    if pull_request and (waiting := _waiting(api, plan, title)):
        return waiting
    changes: list[CommitOperationAdd | CommitOperationCopy | CommitOperationDelete] = [
        *(CommitOperationDelete(name) for name in plan.gone),
        *(CommitOperationAdd(name, plan.files[name]) for name in plan.changed),
    ]
    # With its parent named, the Hub refuses the commit if someone else's came in between.
    made = api.create_commit(
        plan.repo, changes, commit_message=title, repo_type=kind, parent_commit=head, create_pr=pull_request
    )
    return made.oid


def _waiting(api: HfApi, plan: Plan, title: str) -> str | None:
    """Find an open pull request that holds just these files already."""
    kind, wanted = plan.spec.repo_type, {name: checksums(path) for name, path in plan.files.items()}
    for one in api.get_repo_discussions(
        plan.repo, repo_type=kind, discussion_type="pull_request", discussion_status="open"
    ):
        if one.title.startswith(TITLE):
            reference = f"refs/pr/{one.num}"
            there = _tree(api, plan.spec, plan.repo, reference)
            if there.keys() == wanted.keys() and all(there[name] in wanted[name] for name in wanted):
                return head_commit(api, plan.repo, kind, reference)
    return None


def overriding_variables(api: HfApi, space: str) -> dict[str, str]:
    """Return the variables of a Space by which it runs other models than those it is pinned to."""
    variables = api.get_space_variables(space)
    return {name: variables[name].value for name in OVERRIDES if name in variables}


def tag(api: HfApi, spec: RepoSpec, repo: str, commit: str, version: str) -> str:
    """Name a commit by its version: ``v0.1.0``, then ``v0.1.0.post1`` for another commit of the same version.

    Returns:
        The name, which may have been there before.
    """
    taken = tags(api, spec, repo)
    if known := version_tag(taken, commit, version):
        return known
    names = (f"v{version}", *(f"v{version}.post{n}" for n in range(1, len(taken) + 2)))
    new = next(name for name in names if name not in taken)
    api.create_tag(repo, tag=new, revision=commit, repo_type=spec.repo_type)
    return new


def tags(api: HfApi, spec: RepoSpec, repo: str) -> dict[str, str]:
    """Return the commit of each tag of a repo."""
    return {ref.name: ref.target_commit for ref in api.list_repo_refs(repo, repo_type=spec.repo_type).tags}


def version_tag(tags: Mapping[str, str], commit: str, version: str) -> str | None:
    """Find the tag of a version at a commit."""
    pattern = re.compile(rf"v{re.escape(version)}(\.post\d+)?")
    return next((name for name, at in tags.items() if at == commit and pattern.fullmatch(name)), None)
