"""Where the flags of visitors go: with their consent, and not without end."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from marrow import Analysis, MarrowError
from marrow.flags import MAX_COMMENT, save_flag
from screen.uploads import RefusedError


class FlagBox:
    """Saves flags.

    Args:
        folder: for the flags.
        most: flags that it holds.
    """

    def __init__(self, folder: Path, most: int) -> None:
        self.folder, self._most = folder, most

    def put(self, image: np.ndarray, analysis: Analysis, comment: object, consent: object) -> None:
        """Save a flag.

        Raises:
            RefusedError: there is no consent, the comment is no text or too long, or it cannot be saved.
        """
        if consent is not True:  # what is like it is no tick
            raise RefusedError("no_consent")
        if not isinstance(comment, str) or len(comment) > MAX_COMMENT:
            raise RefusedError("comment_too_long", characters=MAX_COMMENT)
        if sum(1 for _ in self.folder.glob("data/*")) >= self._most:
            raise RefusedError("flags_full")
        try:
            save_flag(self.folder, image, analysis, comment)
        except MarrowError as error:
            raise RefusedError("not_saved") from error
