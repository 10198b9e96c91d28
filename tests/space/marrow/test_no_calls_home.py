"""An analysis asks nobody anything, and leaves nothing in the home folder."""

from __future__ import annotations

import os

from tests.commands import succeed

# every look-up and connection of the process, by Python's audit events; OpenVINO's sender is Python too
WATCHED = """
import sys
asked = []
events = ("socket.getaddrinfo", "socket.gethostbyname", "socket.connect", "subprocess.Popen")
sys.addaudithook(lambda event, values: asked.append((event, values[:2])) if event in events else None)
from marrow.cli import main
code = main(sys.argv[1:])
assert not asked, asked
raise SystemExit(code)
"""


def test_an_analysis_asks_nobody_and_leaves_nothing_at_home(tmp_path, model_folders, smear_file):
    home = tmp_path / "home"
    home.mkdir()
    segmenter, classifier = model_folders
    options = ("--out", tmp_path / "out", "--segmenter", segmenter, "--classifier", classifier)
    succeed("-c", WATCHED, "analyze", smear_file, *options, HOME=str(home), CI="")
    assert (tmp_path / "out" / "smear.json").is_file()
    assert os.listdir(home) == []
