"""From outside the process: an analysis, a classification and a serving Space reach no host, native code included.

In a network namespace of their own there is nothing to reach; strace names every address that is tried.
"""

from __future__ import annotations

import re
import shutil
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.space.served import APP, environment

STRACE = ["strace", "-D", "-f", "-qq", "-e", "trace=connect,sendto,sendmsg,sendmmsg", "-o"]


def _works(*command: str) -> bool:
    return bool(shutil.which(command[0])) and not subprocess.run(command, capture_output=True, check=False).returncode


def test_an_analysis_runs_without_any_network(tmp_path, model_folders, smear_file):
    alone = ["unshare", "-r", "-n"]
    if not _works(*alone, "true"):
        pytest.skip("this machine forbids network namespaces")
    variables = environment(*map(str, model_folders), "1", tmp_path)
    for arguments in (["analyze", "smear.png", "--out", "out"], ["classify", "smear.png", "--out", "names.json"]):
        command = [*alone, sys.executable, "-m", "marrow.cli", *arguments]
        assert subprocess.run(command, cwd=tmp_path, env=variables, check=False).returncode == 0


@pytest.mark.parametrize("command", ["analyze", "classify", "serve"])
def test_no_host_is_asked(tmp_path, model_folders, smear_file, command):
    if not _works("strace", "-o", "/dev/null", "true"):
        pytest.skip("strace is not here, or forbidden: what leaves the process is not seen from outside")
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = str(free.getsockname()[1])
    trace, variables = tmp_path / "trace", environment(*map(str, model_folders), port, tmp_path)
    arguments = {
        "analyze": ["-m", "marrow.cli", "analyze", str(smear_file), "--out", str(tmp_path / "out")],
        "classify": ["-m", "marrow.cli", "classify", str(smear_file), "--out", str(tmp_path / "names.json")],
        "serve": [str(APP)],
    }[command]
    run = [*STRACE, str(trace), sys.executable, *arguments]
    with subprocess.Popen(run, env=variables, stdout=subprocess.PIPE, text=True, cwd=tmp_path) as process:
        if command == "serve":
            assert process.stdout.readline().startswith("Serving")
            time.sleep(5)
            process.terminate()
    assert trace.is_file() and _addresses(trace) <= {"127.0.0.1", "::1"}


def _addresses(trace: Path) -> set[str]:
    """Find the hosts that a trace names: those connected to, and the name servers that were asked."""
    text = trace.read_text(errors="replace")
    return {*re.findall(r'inet_addr\("([^"]+)"\)', text), *re.findall(r'inet_pton\(AF_INET6, "([^"]+)"', text)}
