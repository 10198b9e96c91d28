"""Routes: who one is, making repos, their settings, and the variables of Spaces."""

import re
from typing import Any

import yaml

from loopback_hub.handler import API, Handler, page, route
from loopback_hub.replies import Reply
from loopback_hub.repos import Repo

LFS_SUFFIXES = (".bin", ".h5", ".keras", ".onnx", ".parquet", ".pt", ".safetensors", ".zip")
GIT_ATTRIBUTES = "".join(f"*{s} filter=lfs diff=lfs merge=lfs -text\n" for s in LFS_SUFFIXES).encode()
VARIABLES = r"/api/spaces/(?P<repo>[^/]+/[^/]+)/variables"
_FRONT_MATTER = re.compile(r"\A---\r?\n(.*?)^---\s*$", re.DOTALL | re.MULTILINE)


def card_data(readme: str) -> dict[str, Any]:
    """Parse the YAML block at the top of a README; raises ``ValueError`` if it is not a mapping."""
    match = _FRONT_MATTER.match(readme)
    data = yaml.safe_load(match[1]) if match else {}
    if not isinstance(data or {}, dict):
        raise ValueError("The metadata must be a YAML mapping")
    return data or {}


@route("GET", r"/api/whoami-v2")
def whoami(request: Handler) -> Any:
    user, role = request.signed_in(), "read" if request.token in request.hub.readers else "write"
    orgs = [{"type": "org", "name": name} for name in request.hub.organisations]
    auth = {"type": "access_token", "accessToken": {"displayName": "loopback", "role": role}}
    return {"type": "user", "id": user, "name": user, "orgs": orgs, "auth": auth}


@route("POST", r"/api/validate-yaml")
def validate_yaml(request: Handler) -> Any:
    try:
        card = card_data(request.json()["content"])
        if request.json().get("repoType") == "space" and "sdk" not in card:
            raise ValueError('"sdk" is required')
    except (yaml.YAMLError, ValueError) as error:
        return Reply.json(400, {"errors": [{"message": str(error)}], "warnings": []})
    return {"errors": [], "warnings": [] if card else [{"message": "empty or missing yaml metadata"}]}


@route("POST", r"/api/repos/create")
def create_repo(request: Handler) -> Any:
    asked, hub = request.json(), request.hub
    namespace = asked.get("organization") or request.user or ""
    request.may_write(namespace)
    kind, repo_id = f"{asked.get('type') or 'model'}s", f"{namespace}/{asked['name']}"
    answer = {"url": f"{hub.url}{page(kind, repo_id)}", "name": repo_id}
    if (kind, repo_id) in hub.repos:
        return Reply.json(409, answer | {"error": "You already created this repo"})
    private = asked.get("private") is True or asked.get("visibility") == "private"
    repo = hub.repos[kind, repo_id] = Repo(kind, repo_id, private, sdk=asked.get("sdk"))
    repo.variables = {item["key"]: item for item in asked.get("variables", [])}
    repo.commit("main", {".gitattributes": hub.store(GIT_ATTRIBUTES)}, "initial commit")
    return answer


@route("PUT", rf"{API}/settings")
def change_settings(request: Handler, kind: str, repo: str) -> Any:
    found, asked = request.repo(kind, repo, write=True), request.json()
    found.gated = asked.get("gated", found.gated)
    found.private = asked.get("private", asked.get("visibility", found.private) in (True, "private"))
    return {"private": found.private, "gated": found.gated}


@route("GET", VARIABLES)
@route("POST", VARIABLES)
@route("DELETE", VARIABLES)
def variables(request: Handler, repo: str) -> Any:
    known = request.repo("spaces", repo, write=True).variables
    if request.command == "POST":
        known[request.json()["key"]] = request.json()
    elif request.command == "DELETE":
        known.pop(request.json()["key"], None)
    return known


@route("GET", r"/api/spaces/(?P<repo>[^/]+/[^/]+)/runtime")
def runtime(request: Handler, repo: str) -> Any:
    running = request.repo("spaces", repo).host
    hardware = {"current": "cpu-basic" if running else None, "requested": "cpu-basic"}
    return {"stage": "RUNNING" if running else "STOPPED", "hardware": hardware, "gcTimeout": None, "storage": None}
