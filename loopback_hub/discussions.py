"""Routes: discussions and pull requests, and merging these."""

from typing import Any

from loopback_hub.handler import API, Handler, route
from loopback_hub.replies import HubError
from loopback_hub.repos import Discussion, Repo

DISCUSSIONS = rf"{API}/discussions"


@route("GET", DISCUSSIONS)
def list_discussions(request: Handler, kind: str, repo: str) -> Any:
    found, wanted = request.repo(kind, repo), request.query
    kinds = {"pull_request": (True,), "discussion": (False,)}.get(wanted.get("type", ""), (True, False))
    states = {"open": ("open", "draft"), "closed": ("closed", "merged")}.get(wanted.get("status", ""))
    listed = [
        _summary(found, one)
        for one in reversed(found.discussions)
        if one.is_pull_request in kinds
        and (states is None or one.status in states)
        and wanted.get("author", one.author) == one.author
    ]
    start = 10 * int(wanted.get("p", 0))
    return {"count": len(listed), "start": start, "discussions": listed[start : start + 10]}


@route("POST", DISCUSSIONS)
def create_discussion(request: Handler, kind: str, repo: str) -> Any:
    user, found, asked = request.signed_in(), request.repo(kind, repo), request.json()
    pull_request = bool(asked.get("pullRequest"))
    new = found.discuss(asked["title"], user, asked.get("description", ""), pull_request, found.at("main").id)
    new.status = "draft" if pull_request else "open"
    return {"num": new.num, "pullRequest": pull_request}


@route("GET", rf"{DISCUSSIONS}/(?P<num>\d+)")
def discussion_details(request: Handler, kind: str, repo: str, num: str) -> Any:
    found = request.repo(kind, repo)
    one = _find(found, num)
    comment = {"edited": False, "hidden": False, "latest": {"raw": one.description}}
    details = _summary(found, one) | {"events": [_event(one, 0, "comment", one.author, comment)]}
    if not one.is_pull_request:
        return details
    changes = {"base": "refs/heads/main"} | ({"mergeCommitId": one.merged_as} if one.merged_as else {})
    return details | {"changes": changes, "filesWithConflicts": _conflicts(found, one), "diff": ""}


@route("POST", rf"{DISCUSSIONS}/(?P<num>\d+)/merge")
def merge(request: Handler, kind: str, repo: str, num: str) -> Any:
    found = request.repo(kind, repo, write=True)
    one = _find(found, num)
    if not one.is_pull_request or one.status not in ("open", "draft"):
        raise HubError(400, f"Number {num} is not an open pull request")
    if conflicts := _conflicts(found, one):
        raise HubError(409, f"Conflicts in {', '.join(conflicts)}")
    base, theirs = found.commits[one.base].files, found.at(one.ref).files
    changed = _changed(base, theirs)
    kept = {path: file for path, file in found.at("main").files.items() if path not in changed}
    merged = kept | {path: theirs[path] for path in changed & theirs.keys()}
    one.merged_as = found.commit("main", merged, f"{one.title} (#{one.num})").id
    one.status = "merged"
    return {}


@route("POST", rf"{DISCUSSIONS}/(?P<num>\d+)/status")
def change_status(request: Handler, kind: str, repo: str, num: str) -> Any:
    one = _find(request.repo(kind, repo), num)
    one.status = request.json()["status"]
    return {"newStatus": _event(one, 1, "status-change", request.user, {"status": one.status})}


def _event(one: Discussion, number: int, kind: str, author: str | None, data: dict[str, Any]) -> dict[str, Any]:
    event = {"id": f"{one.num}-{number}", "type": kind, "createdAt": one.created}
    return event | {"data": data, "author": {"name": author}}


def _find(repo: Repo, num: str) -> Discussion:
    if not 1 <= int(num) <= len(repo.discussions):
        raise HubError(404, f"There is no discussion {num}")
    return repo.discussions[int(num) - 1]


def _summary(repo: Repo, one: Discussion) -> dict[str, Any]:
    told = {"num": one.num, "title": one.title, "status": one.status, "createdAt": one.created}
    of_repo = {"name": repo.id, "type": repo.kind.removesuffix("s")}
    return told | {"author": {"name": one.author}, "isPullRequest": one.is_pull_request, "repo": of_repo}


def _changed(before: dict[str, Any], after: dict[str, Any]) -> set[str]:
    return {path for path in before | after if before.get(path) != after.get(path)}


def _conflicts(repo: Repo, one: Discussion) -> list[str]:
    """List the files that changed on ``main``, otherwise than here, since the pull request was opened."""
    base, here, main = repo.commits[one.base].files, repo.at(one.ref).files, repo.at("main").files
    both = _changed(base, here) & _changed(base, main)
    return sorted(path for path in both if here.get(path) != main.get(path))
