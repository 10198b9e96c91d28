"""Routes: uploading files, committing them to a branch or a pull request, and naming commits."""

import base64
import hashlib
import json
from typing import Any

from loopback_hub.accounts import LFS_SUFFIXES
from loopback_hub.handler import API, PAGE, Handler, page, route
from loopback_hub.replies import HubError
from loopback_hub.repos import File
from loopback_hub.state import HubState

LFS_SIZE = 10 * 2**20  # above this the Hub stores every file as LFS


@route("POST", rf"{API}/preupload/(?P<revision>[^/]+)")
def preupload(request: Handler, kind: str, repo: str, revision: str) -> Any:
    # a commit that opens a pull request needs no right to write
    files = request.repo(kind, repo, write=not request.asks("create_pr")).at(revision).files
    answer = []
    for asked in request.json()["files"]:
        path, known = asked["path"], files.get(asked["path"])
        binary = b"\0" in base64.b64decode(asked.get("sample", ""))
        lfs = path.endswith(LFS_SUFFIXES) or binary or asked["size"] > LFS_SIZE
        told = {"path": path, "uploadMode": "lfs" if lfs else "regular", "shouldIgnore": False}
        answer.append(told | {"oid": known.oid if known else None})
    return {"files": answer}


@route("POST", rf"{PAGE}\.git/info/lfs/objects/batch")
def lfs_batch(request: Handler, kind: str | None, repo: str) -> Any:
    request.repo(kind, repo)
    objects = request.json()["objects"]
    for item in objects:
        if not request.hub.path(item["oid"]).exists():
            item["actions"] = {"upload": {"href": f"{request.hub.url}/lfs/{item['oid']}"}}
    return {"transfer": "basic", "objects": objects}


@route("PUT", r"/lfs/(?P<oid>[0-9a-f]{64})")
def lfs_upload(request: Handler, oid: str) -> Any:
    if hashlib.sha256(request.body).hexdigest() != oid:
        raise HubError(400, f"The uploaded bytes are not {oid}")
    request.hub.store(request.body)
    return {}


@route("POST", rf"{API}/commit/(?P<revision>[^/]+)")
def commit(request: Handler, kind: str, repo: str, revision: str) -> Any:
    new_pull = request.asks("create_pr")
    found = request.repo(kind, repo, write=not new_pull)
    if revision not in found.branches and revision not in found.pulls:
        raise HubError(400, f"Commits go to a branch or pull request, not to {revision}")
    lines = [json.loads(line) for line in request.body.splitlines()]
    header = next(line["value"] for line in lines if line["key"] == "header")
    head = found.at(revision)
    if not head.id.startswith(header.get("parentCommit", head.id)):
        raise HubError(412, "A commit has happened since. Please refresh and try again.")
    files = dict(head.files)
    for line in lines:
        _apply(request.hub, line["key"], line["value"], files)
    answer: dict[str, Any] = {"success": True, "hookOutput": ""}
    if new_pull:
        pull = found.discuss(header["summary"], request.signed_in(), header.get("description", ""), True, head.id)
        revision = pull.ref
        answer["pullRequestUrl"] = f"{request.hub.url}{page(kind, repo)}/discussions/{pull.num}"
    made = found.commit(revision, files, header["summary"])
    url = f"{request.hub.url}{page(kind, repo)}/commit/{made.id}"
    return answer | {"commitOid": made.id, "commitUrl": url}


def _apply(hub: HubState, key: str, value: dict[str, Any], files: dict[str, File]) -> None:
    path = value.get("path", "")
    if key == "file":
        files[path] = hub.store(base64.b64decode(value["content"]))
    elif key == "lfsFile":
        blob = hub.path(value["oid"])
        if not blob.exists():
            raise HubError(400, f"LFS pointer pointed to a file that does not exist: {path}")
        files[path] = hub.store(blob.read_bytes(), lfs=True)
    elif key in ("deletedFile", "deletedFolder"):
        gone = [p for p in files if p == path or p.startswith(f"{path.rstrip('/')}/")]
        if not gone:
            raise HubError(404, f"A file with this name doesn't exist: {path}", "EntryNotFound")
        for name in gone:
            del files[name]


@route("POST", rf"{API}/(?P<group>tag|branch)/(?P<name>[^/]+)")
def create_ref(request: Handler, kind: str, repo: str, group: str, name: str) -> Any:
    found, asked = request.repo(kind, repo, write=True), request.json()
    # A tag is named in the body and its place in the path, a branch the other way round.
    new, start = (asked["tag"], name) if group == "tag" else (name, asked.get("startingPoint") or "main")
    names = found.tags if group == "tag" else found.branches
    if new in names:
        raise HubError(409, f"Reference already exists: {new}")
    names[new] = found.at(start).id
    return {}


@route("DELETE", rf"{API}/(?P<group>tag|branch)/(?P<name>[^/]+)")
def delete_ref(request: Handler, kind: str, repo: str, group: str, name: str) -> Any:
    found = request.repo(kind, repo, write=True)
    names = found.tags if group == "tag" else found.branches
    if names.pop(name, None) is None:
        raise HubError(404, f"Reference does not exist: {name}", "RevisionNotFound")
    return {}
