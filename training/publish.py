"""Push the dataset, both models and the Space to the Hub that ``HF_ENDPOINT`` names (huggingface.co by default).

python -m training.publish --namespace NAMESPACE [--only dataset|classifier|segmenter|space]

Each repo becomes a copy of its folder, in one commit whose message names the revision of this source; a repo that is
already the same gets no commit. In each card the word ``NAMESPACE`` before a slash becomes the real one. What others
changed on the Hub is shown, and not overwritten without ``--force``.

The order keeps a release whole: first the data set and the models, to commits that no Space runs; these are pulled
back and tried with the new Space; then the Space's one commit moves its code and, in its front matter, the commits of
the models that it runs. In the end everything is pulled back, an example is analyzed with that alone, and the commits
are tagged with the version. After a failure at any point the same command goes on.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from marrow.command import Command
from training.common.paths import ROOT
from training.release.publishing import PublishOptions, publish
from training.release.repos import REPO_SPECS


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return the exit code."""
    command = Command("publish", __doc__)
    command.add_argument("--namespace", required=True, help="user or organisation on the Hub")
    command.add_argument("--only", choices=[spec.name for spec in REPO_SPECS], help="push this repo alone")
    command.add_argument("--private", action="store_true", help="make new repos private")
    command.add_argument("--dry-run", action="store_true", help="say what would be pushed, and push nothing")
    command.add_argument("--pr", action="store_true", help="open pull requests instead of pushing; no tags")
    command.add_argument("--force", action="store_true", help="overwrite what others changed on the Hub")
    command.add_argument("--dataset-dir", type=Path, help="folder with README.md and data/*.parquet")
    command.add_argument("--hub-dir", type=Path, default=ROOT / "hub", help="folder of both models (%(default)s)")
    command.add_argument("--space-dir", type=Path, default=ROOT / "space", help="folder of the Space (%(default)s)")
    return command.run(work, arguments)


def work(options: argparse.Namespace) -> None:
    """Publish what is asked for."""
    publish(PublishOptions(**vars(options)))


if __name__ == "__main__":
    sys.exit(main())
