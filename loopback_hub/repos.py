"""Repos with commits, branches, tags and pull requests, in memory."""

import hashlib
import json
import re
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from loopback_hub.replies import HubError


@dataclass(frozen=True)
class File:
    """One file of a commit: the SHA-256 of its bytes, their number, its git id, and whether it is LFS."""

    sha256: str
    size: int
    git: str
    lfs: bool

    @property
    def oid(self) -> str:
        """The id by which the Hub's clients compare it."""
        return self.sha256 if self.lfs else self.git

    def entry(self, path: str) -> dict[str, Any]:
        """Describe the file as the Hub's tree listing does."""
        entry: dict[str, Any] = {"type": "file", "path": path, "size": self.size, "oid": self.git}
        return entry | ({"lfs": {"oid": self.sha256, "size": self.size, "pointerSize": 134}} if self.lfs else {})


@dataclass(frozen=True)
class Commit:
    """A snapshot of a repo; ``id`` is the SHA-1 of its files, title, date and parent."""

    id: str
    files: dict[str, File]
    title: str
    date: str
    parent: str | None


@dataclass
class Discussion:
    """A discussion of a repo, or a pull request, whose commits lie at ``refs/pr/NUM``."""

    num: int
    title: str
    author: str
    description: str
    is_pull_request: bool
    base: str
    status: str = "open"
    created: str = field(default_factory=lambda: now())
    merged_as: str | None = None

    @property
    def ref(self) -> str:
        """The git reference of a pull request."""
        return f"refs/pr/{self.num}"


@dataclass
class Repo:
    """One repo of kind ``models``, ``datasets`` or ``spaces`` with its history and settings.

    ``host`` is the address at which a test runs a Space, if it does.
    """

    kind: str
    id: str
    private: bool = False
    gated: str | bool = False
    sdk: str | None = None
    host: str | None = None
    commits: dict[str, Commit] = field(default_factory=dict)
    branches: dict[str, str] = field(default_factory=dict)
    tags: dict[str, str] = field(default_factory=dict)
    pulls: dict[str, str] = field(default_factory=dict)
    discussions: list[Discussion] = field(default_factory=list)
    variables: dict[str, dict[str, str]] = field(default_factory=dict)

    @property
    def owner(self) -> str:
        """The user or organisation that the repo belongs to."""
        return self.id.split("/")[0]

    def at(self, revision: str) -> Commit:
        """Find the commit of a branch, tag, pull request (``refs/pr/1``) or full commit id."""
        name = re.sub(r"\Arefs/(heads|tags)/", "", revision)
        commit = self.branches.get(name) or self.tags.get(name) or self.pulls.get(name) or revision
        if commit not in self.commits:
            raise HubError(404, f"Invalid rev id: {revision}", "RevisionNotFound")
        return self.commits[commit]

    def commit(self, reference: str, files: dict[str, File], title: str) -> Commit:
        """Put a new commit with exactly these files on top of a branch or pull request."""
        names = self.pulls if reference.startswith("refs/pr/") else self.branches
        parent, date = names.get(reference), now()
        tree = {path: file.sha256 for path, file in sorted(files.items())}
        content = json.dumps([self.kind, self.id, parent, tree, title, date])
        commit = Commit(hashlib.sha1(content.encode()).hexdigest(), files, title, date, parent)
        self.commits[commit.id] = commit
        names[reference] = commit.id
        return commit

    def discuss(self, title: str, author: str, description: str, pull_request: bool, start: str) -> Discussion:
        """Open a discussion, or a pull request that starts at a commit."""
        new = Discussion(len(self.discussions) + 1, title, author, description, pull_request, start)
        self.discussions.append(new)
        if pull_request:
            self.pulls[new.ref] = start
        return new


def now() -> str:
    """The time as the Hub writes it."""
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "Z"


def tree_entries(files: dict[str, File]) -> list[dict[str, Any]]:
    """List the files of a commit and the folders they lie in, by path."""
    folders = {str(folder) for path in files for folder in Path(path).parents} - {"."}
    ids = {folder: hashlib.sha1(folder.encode()).hexdigest() for folder in folders}
    entries = [{"type": "directory", "path": folder, "size": 0, "oid": oid} for folder, oid in ids.items()]
    return sorted([*entries, *(file.entry(path) for path, file in files.items())], key=lambda entry: entry["path"])
