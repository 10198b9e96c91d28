"""A small Hugging Face Hub on loopback, for the unmodified ``huggingface_hub`` client.

It keeps model, dataset and Space repos with real commits, LFS uploads, tags, branches, private and gated
access and Space variables; it has no web pages, pull requests, Xet storage or search. Bytes lie in a folder,
the rest in memory.

In a test::

    with HubServer() as hub:
        subprocess.run([...], env=hub.environment(tmp_path))

From a shell, until interrupted: ``python tests/hub_server.py --port 0 --root DIR`` prints its address on one
line. The client reads ``HF_ENDPOINT`` when it is first imported, so it belongs in a process of its own, with
``HF_HUB_DISABLE_XET=1``.
"""

from __future__ import annotations

import argparse
import base64
import hashlib
import json
import os
import re
import signal
import tempfile
import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from urllib.parse import parse_qs, unquote, urlsplit

import yaml

LFS_SUFFIXES = (".bin", ".h5", ".keras", ".onnx", ".parquet", ".pt", ".safetensors", ".zip")
LFS_SIZE = 10 * 2**20  # above this the Hub stores every file as LFS
GIT_ATTRIBUTES = "".join(f"*{s} filter=lfs diff=lfs merge=lfs -text\n" for s in LFS_SUFFIXES).encode()
FRONT_MATTER = re.compile(r"\A---\r?\n(.*?)^---\s*$", re.DOTALL | re.MULTILINE)


@dataclass(frozen=True)
class Reply:
    """What goes back to the client."""

    status: int
    body: bytes
    headers: dict[str, str]

    @classmethod
    def json(cls, status: int, value: Any, **headers: str) -> Reply:
        """Reply with a JSON value; ``_`` in the name of a header stands for ``-``."""
        named = {name.replace("_", "-"): text for name, text in headers.items()}
        return cls(status, json.dumps(value).encode(), {"Content-Type": "application/json"} | named)


class HubError(Exception):
    """A reply other than success: HTTP status, a message for people and the Hub's ``X-Error-Code``."""

    def __init__(self, status: int, message: str, code: str = "", **headers: str) -> None:
        super().__init__(message)
        named = {"X_Error_Message": message, "X_Error_Code": code} | headers
        self.reply = Reply.json(status, {"error": message}, **named)


@dataclass(frozen=True)
class File:
    """One file of a commit: the SHA-256 of its bytes, their number, its git id, and whether it is LFS."""

    sha256: str
    size: int
    git: str
    lfs: bool

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
class Repo:
    """One repo of kind ``models``, ``datasets`` or ``spaces`` with its history and settings."""

    kind: str
    id: str
    private: bool = False
    gated: str | bool = False
    sdk: str | None = None
    commits: dict[str, Commit] = field(default_factory=dict)
    branches: dict[str, str] = field(default_factory=dict)
    tags: dict[str, str] = field(default_factory=dict)
    variables: dict[str, dict[str, str]] = field(default_factory=dict)

    @property
    def owner(self) -> str:
        """The user or organisation that the repo belongs to."""
        return self.id.split("/")[0]

    def at(self, revision: str) -> Commit:
        """Find the commit of a branch, tag or full commit id."""
        name = re.sub(r"\Arefs/(heads|tags)/", "", revision)
        commit = self.branches.get(name) or self.tags.get(name) or revision
        if commit not in self.commits:
            raise HubError(404, f"Invalid rev id: {revision}", "RevisionNotFound")
        return self.commits[commit]

    def commit(self, branch: str, files: dict[str, File], title: str) -> Commit:
        """Put a new commit with exactly these files on top of ``branch``."""
        parent = self.branches.get(branch)
        date = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "Z"
        tree = {path: file.sha256 for path, file in sorted(files.items())}
        content = json.dumps([self.kind, self.id, parent, tree, title, date])
        commit = Commit(hashlib.sha1(content.encode()).hexdigest(), files, title, date, parent)
        self.commits[commit.id] = commit
        self.branches[branch] = commit.id
        return commit


class HubServer:
    """A Hub on a free port of 127.0.0.1; use it as a context manager, or ``start()`` and ``close()`` it.

    Args:
        root: folder for the bytes of uploaded files; a temporary one that ``close()`` removes when not given.
        port: TCP port, 0 for a free one.
        tokens: access tokens and the user each belongs to; a user may write to the namespace of that name
            only. By default ``{"hf_tester": "tester"}``.

    Attributes:
        url: address for ``HF_ENDPOINT``.
        repos: every repo by ``(kind, id)``, for looking at what was pushed.
    """

    def __init__(self, root: Path | None = None, port: int = 0, tokens: dict[str, str] | None = None) -> None:
        self._temporary = None if root else tempfile.TemporaryDirectory(prefix="hub-")
        self.root = Path(root or self._temporary.name)
        self.root.mkdir(parents=True, exist_ok=True)
        self.tokens = tokens or {"hf_tester": "tester"}
        self.repos: dict[tuple[str, str], Repo] = {}
        self.lock = threading.RLock()
        handler = type("BoundHandler", (Handler,), {"hub": self})
        self._http = ThreadingHTTPServer(("127.0.0.1", port), handler)
        self.url = f"http://127.0.0.1:{self._http.server_port}"

    def start(self) -> Self:
        """Answer requests in a thread of its own."""
        threading.Thread(target=self._http.serve_forever, daemon=True).start()
        return self

    def close(self) -> None:
        """Stop answering, and forget the bytes when they lie in a temporary folder."""
        self._http.shutdown()
        self._http.server_close()
        if self._temporary:
            self._temporary.cleanup()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def environment(self, home: Path, token: str | None = None, **extra: str) -> dict[str, str]:
        """Give the environment of a client process: this Hub, a cache under ``home``, a token, no Xet.

        Args:
            home: folder for the client's cache and settings.
            token: access token, the first of ``tokens`` by default; empty for an anonymous client.
            extra: further variables.
        """
        inherited = {k: v for k, v in os.environ.items() if not k.startswith(("HF_", "HUGGING"))}
        own = {
            "HF_ENDPOINT": self.url,
            "HF_HOME": str(home),
            "HF_TOKEN": next(iter(self.tokens)) if token is None else token,
            "HF_HUB_DISABLE_XET": "1",
            "HF_HUB_DISABLE_TELEMETRY": "1",
            "HF_HUB_DISABLE_PROGRESS_BARS": "1",
        }
        return inherited | own | extra

    def store(self, content: bytes, lfs: bool = False) -> File:
        """Keep some bytes, once, under their SHA-256."""
        sha256 = hashlib.sha256(content).hexdigest()
        path = self.root / sha256
        if not path.exists():
            part = path.with_suffix(f".{threading.get_ident()}")
            part.write_bytes(content)
            os.replace(part, path)
        git = hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()
        return File(sha256, len(content), git, lfs)

    def read(self, kind: str, repo_id: str, path: str, revision: str = "main") -> bytes:
        """Give the bytes of one file, for looking at what was pushed; ``kind`` is ``models`` and so on."""
        return (self.root / self.repos[kind, repo_id].at(revision).files[path].sha256).read_bytes()


ROUTES: list[tuple[str, re.Pattern[str], Callable[..., Any]]] = []
API = r"/api/(?P<kind>models|datasets|spaces)/(?P<repo>[^/]+/[^/]+)"
PAGE = r"/(?:(?P<kind>datasets|spaces)/)?(?P<repo>[^/]+/[^/]+)"


def route(method: str, pattern: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Send requests whose still encoded path matches ``pattern`` to the decorated method."""

    def register(function: Callable[..., Any]) -> Callable[..., Any]:
        ROUTES.append((method, re.compile(pattern), function))
        return function

    return register


class Handler(BaseHTTPRequestHandler):
    """Answers one client; a route method returns a :class:`Reply`, or a value to send as JSON."""

    hub: HubServer
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def log_message(self, format: str, *args: Any) -> None:
        """Keep quiet: the client reports what goes wrong."""

    def do_GET(self) -> None:
        url = urlsplit(self.path)
        self.query = {key: values[-1] for key, values in parse_qs(url.query).items()}
        self.body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        try:
            function, groups = _find_route("GET" if self.command == "HEAD" else self.command, url.path)
            with self.hub.lock:
                self.user = self._authenticate()
                answer = function(self, **groups)
            reply = answer if isinstance(answer, Reply) else Reply.json(200, answer)
        except HubError as error:
            reply = error.reply
        # Sent without the lock: a client may leave one download half read and ask for something else.
        self.send_response(reply.status)
        for name, value in ({"Content-Length": str(len(reply.body))} | reply.headers).items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(reply.body)

    do_HEAD = do_POST = do_PUT = do_GET  # noqa: N815 - the names http.server looks for

    def _json(self) -> dict[str, Any]:
        return json.loads(self.body or b"{}")

    def _authenticate(self) -> str | None:
        token = self.headers.get("Authorization", "").removeprefix("Bearer ")
        if token and token not in self.hub.tokens:
            raise HubError(401, "Invalid credentials in Authorization header")
        return self.hub.tokens.get(token)

    def _may_write(self, namespace: str) -> None:
        if self.user is None:
            raise HubError(401, "Invalid username or password.")
        if self.user != namespace:
            raise HubError(403, f"You don't have the rights to create or change repos of {namespace}")

    def _repo(self, kind: str | None, repo: str, write: bool = False) -> Repo:
        found = self.hub.repos.get((kind or "models", repo))
        if found is None or (found.private and self.user != found.owner):
            # Like the Hub: who is not logged in does not learn whether a repo exists.
            raise HubError(404 if self.user else 401, "Repository not found", "RepoNotFound")
        if write:
            self._may_write(found.owner)
        return found

    # Accounts and repos

    @route("GET", r"/api/whoami-v2")
    def _whoami(self) -> Any:
        if self.user is None:
            raise HubError(401, "Invalid username or password.")
        token = {"accessToken": {"displayName": "loopback", "role": "write"}}
        return {"type": "user", "id": self.user, "name": self.user, "orgs": [], "auth": token}

    @route("POST", r"/api/validate-yaml")
    def _validate_yaml(self) -> Any:
        try:
            card = _card_data(self._json()["content"])
            if self._json().get("repoType") == "space" and "sdk" not in card:
                raise ValueError('"sdk" is required')
        except (yaml.YAMLError, ValueError) as error:
            return Reply.json(400, {"errors": [{"message": str(error)}], "warnings": []})
        return {"errors": [], "warnings": [] if card else [{"message": "empty or missing yaml metadata"}]}

    @route("POST", r"/api/repos/create")
    def _create_repo(self) -> Any:
        asked = self._json()
        namespace = asked.get("organization") or self.user or ""
        self._may_write(namespace)
        kind, repo_id = f"{asked.get('type') or 'model'}s", f"{namespace}/{asked['name']}"
        answer = {"url": f"{self.hub.url}{_page(kind, repo_id)}", "name": repo_id}
        if (kind, repo_id) in self.hub.repos:
            return Reply.json(409, answer | {"error": "You already created this repo"})
        private = asked.get("private") is True or asked.get("visibility") == "private"
        repo = self.hub.repos[kind, repo_id] = Repo(kind, repo_id, private, sdk=asked.get("sdk"))
        repo.variables = {item["key"]: item for item in asked.get("variables", [])}
        repo.commit("main", {".gitattributes": self.hub.store(GIT_ATTRIBUTES)}, "initial commit")
        return answer

    @route("PUT", rf"{API}/settings")
    def _change_settings(self, kind: str, repo: str) -> Any:
        found, asked = self._repo(kind, repo, write=True), self._json()
        found.gated = asked.get("gated", found.gated)
        found.private = asked.get("private", asked.get("visibility", found.private) in (True, "private"))
        return {"private": found.private, "gated": found.gated}

    @route("GET", rf"{API}(?:/revision/(?P<revision>[^/]+))?")
    def _info(self, kind: str, repo: str, revision: str | None = None) -> Any:
        found = self._repo(kind, repo)
        commit, first = found.at(revision or "main"), next(iter(found.commits.values()))
        card = {}
        if "README.md" in commit.files:
            card = _card_data(self.hub.read(kind, repo, "README.md", commit.id).decode(errors="replace"))
        return {
            "id": repo,
            "author": found.owner,
            "sha": commit.id,
            "lastModified": commit.date,
            "createdAt": first.date,
            "private": found.private,
            "gated": found.gated,
            "disabled": False,
            "tags": card.get("tags") or [],
            "cardData": card,
            "sdk": found.sdk,
            "siblings": [self._sibling(path, file) for path, file in sorted(commit.files.items())],
        }

    def _sibling(self, path: str, file: File) -> dict[str, Any]:
        if self.query.get("blobs", "").lower() != "true":
            return {"rfilename": path}
        lfs = {"sha256": file.sha256, "size": file.size, "pointerSize": 134}
        return {"rfilename": path, "size": file.size, "blobId": file.git} | ({"lfs": lfs} if file.lfs else {})

    @route("GET", rf"{API}/refs")
    def _refs(self, kind: str, repo: str) -> Any:
        found = self._repo(kind, repo)

        def refs(group: str, names: dict[str, str]) -> list[dict[str, str]]:
            return [{"name": n, "ref": f"refs/{group}/{n}", "targetCommit": c} for n, c in names.items()]

        return {"branches": refs("heads", found.branches), "tags": refs("tags", found.tags), "converts": []}

    @route("POST", rf"{API}/(?P<group>tag|branch)/(?P<name>[^/]+)")
    def _create_ref(self, kind: str, repo: str, group: str, name: str) -> Any:
        found, asked = self._repo(kind, repo, write=True), self._json()
        # A tag is named in the body and its place in the path, a branch the other way round.
        new, start = (asked["tag"], name) if group == "tag" else (name, asked.get("startingPoint") or "main")
        names = found.tags if group == "tag" else found.branches
        if new in names:
            raise HubError(409, f"Reference already exists: {new}")
        names[new] = found.at(start).id
        return {}

    @route("GET", r"/api/spaces/(?P<repo>[^/]+/[^/]+)/variables")
    def _get_variables(self, repo: str) -> Any:
        return self._repo("spaces", repo, write=True).variables

    @route("POST", r"/api/spaces/(?P<repo>[^/]+/[^/]+)/variables")
    def _set_variable(self, repo: str) -> Any:
        variables = self._repo("spaces", repo, write=True).variables
        variables[self._json()["key"]] = self._json()
        return variables

    # Reading files

    @route("GET", rf"{API}/commits/(?P<revision>[^/]+)")
    def _commits(self, kind: str, repo: str, revision: str) -> Any:
        found, answer = self._repo(kind, repo), []
        commit: Commit | None = found.at(revision)
        while commit:
            authors = {"message": "", "authors": [{"user": found.owner}]}
            answer.append({"id": commit.id, "title": commit.title, "date": commit.date} | authors)
            commit = found.commits.get(commit.parent or "")
        return answer

    @route("GET", rf"{API}/tree/(?P<revision>[^/]+)(?:/(?P<path>.+))?")
    def _tree(self, kind: str, repo: str, revision: str, path: str | None = None) -> Any:
        prefix = f"{path.strip('/')}/" if path else ""
        entries = _entries(self._repo(kind, repo).at(revision).files)
        below = [entry for entry in entries if entry["path"].startswith(prefix)]
        if prefix and not below:
            raise HubError(404, f"{path} does not exist on {revision}", "EntryNotFound")
        if self.query.get("recursive", "").lower() == "true":
            return below
        return [entry for entry in below if "/" not in entry["path"][len(prefix) :]]

    @route("POST", rf"{API}/paths-info/(?P<revision>[^/]+)")
    def _paths_info(self, kind: str, repo: str, revision: str) -> Any:
        wanted = {path.strip("/") for path in parse_qs(self.body.decode()).get("paths", [])}
        entries = _entries(self._repo(kind, repo).at(revision).files)
        return [entry for entry in entries if entry["path"] in wanted]

    @route("GET", rf"{PAGE}/resolve/(?P<revision>[^/]+)/(?P<path>.+)")
    def _resolve(self, kind: str | None, repo: str, revision: str, path: str) -> Any:
        found = self._repo(kind, repo)
        if found.gated and self.user != found.owner:
            raise HubError(403 if self.user else 401, f"Access to {repo} is restricted", "GatedRepo")
        commit = found.at(revision)
        file = commit.files.get(path)
        if file is None:
            message = f"{path} does not exist on {revision}"
            raise HubError(404, message, "EntryNotFound", X_Repo_Commit=commit.id)
        headers = {
            "X-Repo-Commit": commit.id,
            "ETag": f'"{file.sha256 if file.lfs else file.git}"',
            "Accept-Ranges": "bytes",
            "Content-Type": "application/octet-stream",
        }
        if file.lfs:
            headers |= {"X-Linked-ETag": f'"{file.sha256}"', "X-Linked-Size": str(file.size)}
        return self._cut((self.hub.root / file.sha256).read_bytes(), headers)

    def _cut(self, content: bytes, headers: dict[str, str]) -> Reply:
        asked = re.fullmatch(r"bytes=(\d*)-(\d*)", self.headers.get("Range", ""))
        if not asked or asked.groups() == ("", ""):
            return Reply(200, content, headers)
        first, last = asked.groups()
        start = int(first) if first else max(0, len(content) - int(last))
        end = min(int(last) + 1, len(content)) if first and last else len(content)
        if start >= end:
            raise HubError(416, f"Range not satisfiable: {asked.string}")
        part = {"Content-Range": f"bytes {start}-{end - 1}/{len(content)}"}
        return Reply(206, content[start:end], headers | part)

    # Writing files

    @route("POST", rf"{API}/preupload/(?P<revision>[^/]+)")
    def _preupload(self, kind: str, repo: str, revision: str) -> Any:
        files = self._repo(kind, repo, write=True).at(revision).files
        answer = []
        for asked in self._json()["files"]:
            path, known = asked["path"], files.get(asked["path"])
            binary = b"\0" in base64.b64decode(asked.get("sample", ""))
            lfs = path.endswith(LFS_SUFFIXES) or binary or asked["size"] > LFS_SIZE
            oid = (known.sha256 if known.lfs else known.git) if known else None
            mode = "lfs" if lfs else "regular"
            answer.append({"path": path, "uploadMode": mode, "shouldIgnore": False, "oid": oid})
        return {"files": answer}

    @route("POST", rf"{PAGE}\.git/info/lfs/objects/batch")
    def _lfs_batch(self, kind: str | None, repo: str) -> Any:
        self._repo(kind, repo, write=True)
        objects = self._json()["objects"]
        for item in objects:
            if not (self.hub.root / item["oid"]).exists():
                item["actions"] = {"upload": {"href": f"{self.hub.url}/lfs/{item['oid']}"}}
        return {"transfer": "basic", "objects": objects}

    @route("PUT", r"/lfs/(?P<oid>[0-9a-f]{64})")
    def _lfs_upload(self, oid: str) -> Any:
        if hashlib.sha256(self.body).hexdigest() != oid:
            raise HubError(400, f"The uploaded bytes are not {oid}")
        self.hub.store(self.body)
        return {}

    @route("POST", rf"{API}/commit/(?P<revision>[^/]+)")
    def _commit(self, kind: str, repo: str, revision: str) -> Any:
        found = self._repo(kind, repo, write=True)
        if "create_pr" in self.query or revision not in found.branches:
            raise HubError(400, f"Commits go to a branch, not to {revision} or a pull request")
        lines = [json.loads(line) for line in self.body.splitlines()]
        header = next(line["value"] for line in lines if line["key"] == "header")
        head = found.at(revision)
        if not head.id.startswith(header.get("parentCommit", head.id)):
            raise HubError(412, "A commit has happened since. Please refresh and try again.")
        files = dict(head.files)
        for line in lines:
            self._apply(line["key"], line["value"], files)
        commit = found.commit(revision, files, header["summary"])
        url = f"{self.hub.url}{_page(kind, repo)}/commit/{commit.id}"
        return {"success": True, "commitOid": commit.id, "commitUrl": url, "hookOutput": ""}

    def _apply(self, key: str, value: dict[str, Any], files: dict[str, File]) -> None:
        path = value.get("path", "")
        if key == "file":
            files[path] = self.hub.store(base64.b64decode(value["content"]))
        elif key == "lfsFile":
            blob = self.hub.root / value["oid"]
            if not blob.exists():
                raise HubError(400, f"LFS pointer pointed to a file that does not exist: {path}")
            files[path] = self.hub.store(blob.read_bytes(), lfs=True)
        elif key in ("deletedFile", "deletedFolder"):
            gone = [p for p in files if p == path or p.startswith(f"{path.rstrip('/')}/")]
            if not gone:
                raise HubError(404, f"A file with this name doesn't exist: {path}", "EntryNotFound")
            for name in gone:
                del files[name]


def _find_route(method: str, path: str) -> tuple[Callable[..., Any], dict[str, str]]:
    for wanted, pattern, function in ROUTES:
        if method == wanted and (match := pattern.fullmatch(path)):
            return function, {k: v and unquote(v) for k, v in match.groupdict().items()}
    raise HubError(404, f"This Hub has no {method} {path}")


def _page(kind: str, repo: str) -> str:
    return f"/{repo}" if kind == "models" else f"/{kind}/{repo}"


def _card_data(readme: str) -> dict[str, Any]:
    """Parse the YAML block at the top of a README; raises ``ValueError`` if it is not a mapping."""
    match = FRONT_MATTER.match(readme)
    data = yaml.safe_load(match[1]) if match else {}
    if not isinstance(data or {}, dict):
        raise ValueError("The metadata must be a YAML mapping")
    return data or {}


def _entries(files: dict[str, File]) -> Iterable[dict[str, Any]]:
    """List the files of a commit and the folders they lie in, by path."""
    entries = {path: file.entry(path) for path, file in files.items()}
    for path in files:
        for folder in map(str, Path(path).parents):
            if folder != ".":
                oid = hashlib.sha1(folder.encode()).hexdigest()
                entries[folder] = {"type": "directory", "path": folder, "size": 0, "oid": oid}
    return [entries[path] for path in sorted(entries)]


def main() -> None:
    """Serve a Hub until interrupted."""
    parser = argparse.ArgumentParser(description="A small Hugging Face Hub on 127.0.0.1.")
    parser.add_argument("--port", type=int, default=0, help="TCP port; 0, the default, takes a free one")
    parser.add_argument("--root", type=Path, help="folder for uploaded bytes; a temporary one by default")
    parser.add_argument("--token", default="hf_tester", help="the access token that may write (%(default)s)")
    parser.add_argument("--user", default="tester", help="the user it belongs to (%(default)s)")
    options = parser.parse_args()
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    with HubServer(options.root, options.port, {options.token: options.user}) as hub:
        print(hub.url, flush=True)
        stop.wait()


if __name__ == "__main__":
    main()
