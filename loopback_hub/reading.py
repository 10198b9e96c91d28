"""Routes: what a repo holds at a revision, and its files, whole or in ranges."""

import re
from typing import Any
from urllib.parse import parse_qs

from loopback_hub.accounts import card_data
from loopback_hub.handler import API, PAGE, Handler, route
from loopback_hub.replies import HubError, Reply
from loopback_hub.repos import Commit, File, tree_entries


@route("GET", rf"{API}(?:/revision/(?P<revision>[^/]+))?")
def info(request: Handler, kind: str, repo: str, revision: str | None = None) -> Any:
    found = request.repo(kind, repo)
    commit, first = found.at(revision or "main"), next(iter(found.commits.values()))
    readme = commit.files.get("README.md")
    card = card_data(request.hub.bytes_of(readme).decode(errors="replace")) if readme else {}
    siblings = [_sibling(path, file, request.asks("blobs")) for path, file in sorted(commit.files.items())]
    state = {name: getattr(found, name) for name in ("private", "gated", "sdk", "host")} | {"disabled": False}
    history = {"sha": commit.id, "lastModified": commit.date, "createdAt": first.date}
    described = {"id": repo, "author": found.owner, "tags": card.get("tags") or [], "cardData": card}
    return described | history | state | {"siblings": siblings}


def _sibling(path: str, file: File, blobs: bool) -> dict[str, Any]:
    if not blobs:
        return {"rfilename": path}
    lfs = {"sha256": file.sha256, "size": file.size, "pointerSize": 134}
    return {"rfilename": path, "size": file.size, "blobId": file.git} | ({"lfs": lfs} if file.lfs else {})


@route("GET", rf"{API}/refs")
def refs(request: Handler, kind: str, repo: str) -> Any:
    found = request.repo(kind, repo)

    def named(group: str, names: dict[str, str]) -> list[dict[str, str]]:
        return [{"name": n, "ref": f"{group}{n}", "targetCommit": c} for n, c in names.items()]

    pulls = {"pullRequests": named("", found.pulls)} if request.asks("include_prs") else {}
    both = {"branches": named("refs/heads/", found.branches), "tags": named("refs/tags/", found.tags)}
    return both | {"converts": []} | pulls


@route("GET", rf"{API}/commits/(?P<revision>[^/]+)")
def commits(request: Handler, kind: str, repo: str, revision: str) -> Any:
    found, answer = request.repo(kind, repo), []
    commit: Commit | None = found.at(revision)
    while commit:
        authors = {"message": "", "authors": [{"user": found.owner}]}
        answer.append({"id": commit.id, "title": commit.title, "date": commit.date} | authors)
        commit = found.commits.get(commit.parent or "")
    return answer


@route("GET", rf"{API}/tree/(?P<revision>[^/]+)(?:/(?P<path>.+))?")
def tree(request: Handler, kind: str, repo: str, revision: str, path: str | None = None) -> Any:
    prefix = f"{path.strip('/')}/" if path else ""
    entries = tree_entries(request.repo(kind, repo).at(revision).files)
    below = [entry for entry in entries if entry["path"].startswith(prefix)]
    if prefix and not below:
        raise HubError(404, f"{path} does not exist on {revision}", "EntryNotFound")
    if request.asks("recursive"):
        return below
    return [entry for entry in below if "/" not in entry["path"][len(prefix) :]]


@route("POST", rf"{API}/paths-info/(?P<revision>[^/]+)")
def paths_info(request: Handler, kind: str, repo: str, revision: str) -> Any:
    wanted = {path.strip("/") for path in parse_qs(request.body.decode()).get("paths", [])}
    entries = tree_entries(request.repo(kind, repo).at(revision).files)
    return [entry for entry in entries if entry["path"] in wanted]


@route("GET", rf"{PAGE}/resolve/(?P<revision>[^/]+)/(?P<path>.+)")
def resolve(request: Handler, kind: str | None, repo: str, revision: str, path: str) -> Any:
    found = request.repo(kind, repo)
    if found.gated and request.user != found.owner:
        raise HubError(403 if request.user else 401, f"Access to {repo} is restricted", "GatedRepo")
    commit = found.at(revision)
    file = commit.files.get(path)
    if file is None:
        raise HubError(404, f"{path} does not exist on {revision}", "EntryNotFound", X_Repo_Commit=commit.id)
    headers = {"X-Repo-Commit": commit.id, "ETag": f'"{file.oid}"'}
    headers |= {"Accept-Ranges": "bytes", "Content-Type": "application/octet-stream"}
    if file.lfs:
        headers |= {"X-Linked-ETag": f'"{file.sha256}"', "X-Linked-Size": str(file.size)}
    return _cut(request, request.hub.bytes_of(file), headers)


def _cut(request: Handler, content: bytes, headers: dict[str, str]) -> Reply:
    asked = re.fullmatch(r"bytes=(\d*)-(\d*)", request.headers.get("Range", ""))
    if not asked or asked.groups() == ("", ""):
        return Reply(200, content, headers)
    first, last = asked.groups()
    start = int(first) if first else max(0, len(content) - int(last))
    end = min(int(last) + 1, len(content)) if first and last else len(content)
    if start >= end:
        raise HubError(416, f"Range not satisfiable: {asked.string}")
    part = {"Content-Range": f"bytes {start}-{end - 1}/{len(content)}"}
    return Reply(206, content[start:end], headers | part)
