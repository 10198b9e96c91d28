"""From a model reference to a folder with ``config.json`` and ``model.onnx``: a local one, or pulled from the Hub."""

from __future__ import annotations

import hashlib
import logging
import os
import re
from dataclasses import dataclass
from pathlib import Path

from huggingface_hub import HfApi, SpaceCard, constants, snapshot_download
from huggingface_hub.errors import (
    GatedRepoError,
    HfHubHTTPError,
    HFValidationError,
    HTTPError,
    LocalEntryNotFoundError,
    OfflineModeIsEnabled,
    RepositoryNotFoundError,
    RevisionNotFoundError,
)

from marrow.cell import Line
from marrow.errors import MarrowError

FILES = ("config.json", "model.onnx")

_HUB_ID = re.compile(r"(?P<repo>[\w-][\w.-]*/[\w-][\w.-]*)(@(?P<revision>.+))?")
_COMMIT = re.compile(r"[0-9a-f]{40}")
_TIMEOUT = 10.0  # seconds until the Hub counts as away
_LOG = logging.getLogger(__name__)

HubErrors = (HTTPError, HFValidationError, OfflineModeIsEnabled, LocalEntryNotFoundError)
"""What the Hub's client raises when the Hub refuses, is away, or may not be asked."""


@dataclass(frozen=True)
class ModelInfo:
    """Which weights were used: a Hub id or folder name, and the commit (``None`` for a local folder)."""

    repo: Line
    revision: Line | None

    def __str__(self) -> str:
        """Return ``repo@revision``, or the name alone."""
        return f"{self.repo}@{self.revision}" if self.revision else self.repo


@dataclass(frozen=True)
class ModelFolder:
    """A folder that holds :data:`FILES`, and which weights they are."""

    path: Path
    info: ModelInfo


def resolve(
    reference: str,
    revision: str | None = None,
    *,
    token: str | bool | None = None,
    cache_dir: str | Path | None = None,
    local_files_only: bool = False,
) -> ModelFolder:
    """Find the weights that a model reference names, and pull them if they are on the Hub.

    A folder that exists is taken before a Hub id of the same spelling. From the Hub come :data:`FILES` alone, and
    they are compared with the checksums of the Hub. A commit that is in the cache is used without asking the Hub; a
    branch or tag is looked up each time, and when the Hub is away its cached copy is used, with a logged warning.

    Args:
        reference: a local folder, a Hub id ``namespace/name``, or ``namespace/name@revision``.
        revision: branch, tag or full commit id on the Hub; the default branch when ``None``.
        token: access token for the Hub; the saved one or ``HF_TOKEN`` when ``None``, none at all when ``False``.
        cache_dir: folder to keep what is pulled in; the Hub's cache when ``None``.
        local_files_only: use the cache alone and never ask the Hub.

    Returns:
        The folder. Its revision is the full commit id, ``None`` for a local folder.

    Raises:
        MarrowError: there is no such folder, repo or revision, or it may not be read, or it holds no weights or
            damaged ones, or the Hub is away and nothing is cached.
    """
    local = Path(reference).expanduser()
    if local.is_dir():
        if revision:
            raise MarrowError(f"{reference} is a local folder and has no revision; leave out '{revision}'.")
        return _checked(ModelFolder(local, ModelInfo(local.resolve().name, None)))
    if local.exists():
        raise MarrowError(f"{reference} is a file; give the folder that holds {' and '.join(FILES)}.")
    hub_id = _HUB_ID.fullmatch(reference)
    if not hub_id:
        raise MarrowError(
            f"There is no model folder {reference}; give an existing folder or a Hub id like namespace/name."
        )
    if revision and hub_id["revision"]:
        raise MarrowError(f"{reference} already names a revision; leave out '{revision}'.")
    cache = Path(cache_dir or constants.HF_HUB_CACHE)
    return _Repo(hub_id["repo"], revision or hub_id["revision"], token, cache, local_files_only).pull()


def pinned_models(readme: Path) -> list[str]:
    """Read which models a Space is pinned to.

    Args:
        readme: the Space's ``README.md``, whose front matter may hold ``preload_from_hub``.

    Returns:
        The references ``namespace/name@commit``, in their order; empty if nothing is pinned to a commit.
    """
    lines = SpaceCard.load(readme).data.get("preload_from_hub") or [] if readme.is_file() else []
    named = [line.split() for line in lines]  # repo, files, commit
    return [f"{parts[0]}@{parts[2]}" for parts in named if len(parts) == 3 and _COMMIT.fullmatch(parts[2])]


def checksums(path: Path) -> tuple[str, str]:
    """Return a file's SHA-256 and its git id (SHA-1), by one of which the Hub knows it."""
    content = path.read_bytes()
    return hashlib.sha256(content).hexdigest(), hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()


@dataclass(frozen=True)
class _Repo:
    """A model repo of the Hub at a revision, and how it is asked for; see :func:`resolve`."""

    name: str
    revision: str | None
    token: str | bool | None
    cache: Path
    local_files_only: bool

    def pull(self) -> ModelFolder:
        try:
            folder = self._cached_only() if self.local_files_only else self._fetch()
        except HubErrors as error:
            if not is_away(error):
                raise refusal(error, self.name, self.revision, self.token) from error
            folder = self._cached_instead(error)
        except OSError as error:
            reason = " ".join((error.strerror or str(error)).split()).rstrip(".")
            if error.errno is None:  # what came is not what was announced
                where = f"pulled from {constants.ENDPOINT}"
                raise MarrowError(f"{self.name} could not be {where} ({reason}); try again.") from error
            raise MarrowError(
                f"{self.name} could not be kept in {self.cache} ({reason}); make room there, or set HF_HOME."
            ) from error
        # The Hub's cache names the folder of a snapshot after its commit.
        return _checked(ModelFolder(folder, ModelInfo(self.name, folder.name)))

    def _fetch(self) -> Path:
        if self.revision and _COMMIT.fullmatch(self.revision):
            try:
                return self._cached()
            except LocalEntryNotFoundError:
                pass  # not here yet
        # snapshot_download keeps silent when it falls back to its cache, so ask first whether the Hub is there.
        api = HfApi(token=self.token)
        info = api.model_info(self.name, revision=self.revision, timeout=_TIMEOUT, files_metadata=True)
        folder = self._snapshot(info.sha)
        sums = {file.rfilename: file.lfs.sha256 if file.lfs else file.blob_id for file in info.siblings or []}
        self._verify(folder, sums)
        if self.revision != info.sha:
            # Only what is whole and right may become the cache's copy of a branch or tag.
            self._snapshot(self.revision)
        return folder

    def _cached(self) -> Path:
        folder = self._snapshot(self.revision, local_files_only=True)
        # Another library may have cached some files of this commit, such as config.json alone.
        if not all((folder / name).is_file() for name in FILES):
            raise LocalEntryNotFoundError(f"{folder} is not complete")
        # The cache links each file to one that is named after its checksum, but not on every system.
        self._verify(folder, {name: (folder / name).resolve().name for name in FILES if (folder / name).is_symlink()})
        return folder

    def _cached_only(self) -> Path:
        try:
            return self._cached()
        except LocalEntryNotFoundError as error:
            raise MarrowError(
                f"{self._wanted} is not in the cache {self.cache}; leave out local_files_only to pull it."
            ) from error

    def _cached_instead(self, reason: Exception) -> Path:
        away = "HF_HUB_OFFLINE is set" if constants.HF_HUB_OFFLINE else f"{constants.ENDPOINT} does not answer"
        try:
            folder = self._cached()
        except LocalEntryNotFoundError:
            remedy = "unset it" if constants.HF_HUB_OFFLINE else "check the network"
            raise MarrowError(
                f"{away} and {self._wanted} is not in the cache; {remedy}, or give a local model folder."
            ) from reason
        _LOG.warning("%s; using the cached copy of %s, commit %s.", away, self.name, folder.name)
        return folder

    def _snapshot(self, revision: str | None, local_files_only: bool = False) -> Path:
        return Path(
            snapshot_download(
                self.name,
                revision=revision,
                token=self.token,
                cache_dir=self.cache,
                local_files_only=local_files_only,
                allow_patterns=list(FILES),
            )
        )

    def _verify(self, folder: Path, sums: dict[str, str | None]) -> None:
        """Compare pulled files with their checksums; a file that is damaged is removed, so that it is pulled again.

        (``HfApi.verify_repo_checksums`` needs the Hub for it, which a cached commit does not, and removes nothing.)

        Args:
            folder: snapshot in the cache.
            sums: SHA-256, or the git id of a small file, by name.

        Raises:
            MarrowError: a file is not what the Hub holds.
        """
        pulled = [name for name in FILES if (folder / name).is_file()]
        damaged = [name for name in pulled if sums.get(name) not in (None, *checksums(folder / name))]
        for name in damaged:
            (folder / name).resolve().unlink()
            (folder / name).unlink(missing_ok=True)
        if damaged:
            names = " and ".join(damaged)
            raise MarrowError(
                f"{names} of {self.name} came damaged from {constants.ENDPOINT} and was removed; try again."
            )

    @property
    def _wanted(self) -> str:
        return f"{self.name}@{self.revision}" if self.revision else self.name


def _checked(folder: ModelFolder) -> ModelFolder:
    missing = [name for name in FILES if not (folder.path / name).is_file()]
    if missing:
        raise MarrowError(
            f"The model {folder.info.repo} ({folder.path}) has no {' and no '.join(missing)}; "
            "give a folder or Hub repo with exported weights."
        )
    return folder


def is_away(error: Exception) -> bool:
    """Tell whether an error of the Hub's client means that the Hub cannot answer now, rather than that it refuses."""
    too_many_requests = 429
    if isinstance(error, HfHubHTTPError):
        return error.response.status_code >= 500 or error.response.status_code == too_many_requests
    return isinstance(error, (HTTPError, OfflineModeIsEnabled, LocalEntryNotFoundError))


def refusal(error: Exception, repo: str, revision: str | None = None, token: str | bool | None = None) -> MarrowError:
    """Say in one sentence why the Hub, which answers, does not do what it was asked for.

    Args:
        error: one of :data:`HubErrors`.
        repo: id of the model.
        revision: the one that was asked for.
        token: access token that was given; the saved one or ``HF_TOKEN`` when ``None``.
    """
    page = f"{constants.ENDPOINT}/{repo}"
    if isinstance(error, RevisionNotFoundError):
        return MarrowError(f"{repo} has no revision '{revision}'; see {page}/commits for what it has.")
    if isinstance(error, GatedRepoError):
        return MarrowError(f"{repo} is gated; ask for access at {page} and log in with `hf auth login`.")
    if isinstance(error, RepositoryNotFoundError):
        return MarrowError(
            f"There is no folder {repo}, and no such model at {page}; check the spelling, "
            "or log in with `hf auth login` if it is private."
        )
    if isinstance(error, HFValidationError):
        return MarrowError(f"{repo} is neither a folder nor a Hub id like namespace/name.")
    status = error.response.status_code if isinstance(error, HfHubHTTPError) else "no answer"
    if status == 401 and isinstance(token, str):
        return MarrowError("The Hub does not accept the token; give another, or none to use the saved one.")
    if status == 401:
        source = "HF_TOKEN" if os.environ.get("HF_TOKEN") else "the saved token"
        return MarrowError(f"The Hub does not accept {source}; log in again with `hf auth login`, or remove it.")
    return MarrowError(f"The Hub refuses {page} (HTTP {status}); try again later or use a local folder.")
