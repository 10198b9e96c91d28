"""Loading a model, saving it to a folder and pushing it to the Hub, as Hugging Face people expect."""

from __future__ import annotations

import logging
import shutil
from pathlib import Path
from typing import Self

from huggingface_hub import CommitInfo, CommitOperationAdd, HfApi, constants

from marrow.errors import MarrowError
from marrow.files import atomic_path
from marrow.hub import FILES, HubErrors, ModelFolder, is_away, refusal, resolve
from marrow.integrity import changed_since_measured

OWN_FILES = ("model.*", "*.json", "*.md", "*.png")
"""What of a model's folder is the model's own: weights in every format, configs and metrics, card and figures."""

CARD = "README.md"

_LOG = logging.getLogger(__name__)


class Pretrained:
    """A model that lies in a folder or on the Hub.

    Args:
        folder: a folder with ``config.json`` and ``model.onnx``, as :func:`marrow.hub.resolve` returns it.

    Attributes:
        info: which weights they are.
    """

    def __init__(self, folder: ModelFolder) -> None:
        self.info = folder.info
        if changed := changed_since_measured(folder.path, FILES):
            names = " and ".join(changed)
            _LOG.warning("%s of %s changed since it was measured: its metrics.json is of others.", names, folder.path)
        self._folder = folder.path.resolve()  # wherever the program goes

    @classmethod
    def from_pretrained(
        cls,
        reference: str,
        *,
        revision: str | None = None,
        token: str | bool | None = None,
        cache_dir: str | Path | None = None,
        local_files_only: bool = False,
    ) -> Self:
        """Load a model from the Hub or from a local folder; the variable ``HF_HUB_OFFLINE`` is honoured.

        Args:
            reference: a Hub id, ``id@revision``, or a local folder.
            revision: branch, tag or full commit id on the Hub; the default branch when ``None``.
            token: access token for the Hub; the saved one or ``HF_TOKEN`` when ``None``, none at all when ``False``.
            cache_dir: folder to keep what is pulled in; the Hub's cache when ``None``.
            local_files_only: use the cache alone and never ask the Hub.

        Raises:
            MarrowError: the model cannot be found, pulled or read.
        """
        return cls(resolve(reference, revision, token=token, cache_dir=cache_dir, local_files_only=local_files_only))

    def save_pretrained(self, folder: str | Path) -> list[Path]:
        """Copy the model's own files to a folder, from which :meth:`from_pretrained` loads it again.

        They are :data:`OWN_FILES` of the folder that it was loaded from, byte for byte; each is written whole or not
        at all. A card that the folder holds already stays.

        Args:
            folder: it is made if need be.

        Returns:
            The files that were written.

        Raises:
            MarrowError: the folder cannot be written, or the model's own is gone.
        """
        target = Path(folder)
        if target.resolve() == self._folder:
            return []
        written = []
        try:
            for path in self._own_files(without_card=(target / CARD).exists()):
                with atomic_path(target / path.name) as beside:
                    shutil.copyfile(path, beside)
                written.append(target / path.name)
        except OSError as error:
            raise MarrowError(f"{target} cannot be written ({error.strerror}): name another folder.") from error
        return written

    def push_to_hub(
        self,
        repo_id: str,
        *,
        revision: str | None = None,
        commit_message: str = "Upload model",
        private: bool | None = None,
        token: str | bool | None = None,
        create_pr: bool = False,
    ) -> CommitInfo:
        """Upload the model's own files to a model repo of the Hub, in one commit.

        They are those that :meth:`save_pretrained` copies. A card that the repo holds already stays, and no file is
        deleted there.

        Args:
            repo_id: ``namespace/name``; the repo is made if it is not there.
            revision: branch to push to, made from the default branch if need be; the default branch when ``None``.
            commit_message: title of the commit.
            private: make a new repo private; the default of the namespace when ``None``.
            token: access token that may write; the saved one or ``HF_TOKEN`` when ``None``.
            create_pr: open a pull request instead of committing to the branch.

        Returns:
            The commit, with its address and, if asked for, the pull request's.

        Raises:
            MarrowError: the Hub refuses or is away, or the model's own folder is gone.
        """
        api = HfApi(token=token)
        try:
            api.create_repo(repo_id, private=private, exist_ok=True)
            if revision and not create_pr:
                api.create_branch(repo_id, branch=revision, exist_ok=True)
            there = api.model_info(repo_id, revision=revision)
            has_card = any(file.rfilename == CARD for file in there.siblings or [])
            return api.create_commit(
                repo_id,
                [CommitOperationAdd(path.name, path) for path in self._own_files(without_card=has_card)],
                commit_message=commit_message,
                revision=revision,
                create_pr=create_pr,
                parent_commit=there.sha,  # so that the Hub refuses if someone else commits in between
            )
        except HubErrors as error:
            raise _push_refusal(error, repo_id, revision, token) from error

    def _own_files(self, without_card: bool) -> list[Path]:
        own = {path for pattern in OWN_FILES for path in self._folder.glob(pattern) if path.is_file()}
        if not own:
            raise MarrowError(f"The model's folder {self._folder} is gone: load the model again.")
        return sorted(path for path in own if not (without_card and path.name == CARD))


def _push_refusal(error: Exception, repo: str, revision: str | None, token: str | bool | None) -> MarrowError:
    if constants.HF_HUB_OFFLINE:
        return MarrowError("HF_HUB_OFFLINE is set; unset it to push.")
    if is_away(error):
        return MarrowError(f"{constants.ENDPOINT} does not answer; push again later.")
    status = error.response.status_code if hasattr(error, "response") else None
    if status == 403:
        return MarrowError(f"The access token may not write to {repo}; use one that may, or name another repo.")
    if status == 412:
        return MarrowError(f"Someone else changed {repo} just now; push again.")
    return refusal(error, repo, revision, token)
