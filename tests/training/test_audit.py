"""The lock file is audited by the real pip-audit, against a mirror of OSV on loopback."""

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from tests.commands import ROOT
from training.audit import locked, main

FLAW = {
    "id": "GHSA-0000-0000-0000",
    "summary": "a flaw planted by the test",
    "published": "2026-01-01T00:00:00Z",
    "affected": [{"package": {"name": "flawed", "ecosystem": "PyPI"}, "ranges": [
        {"type": "ECOSYSTEM", "events": [{"introduced": "0"}, {"fixed": "1.3"}]}]}],
}  # fmt: skip


class Mirror(BaseHTTPRequestHandler):
    """Answers as OSV does: one package has a flaw, nothing is known against the others."""

    def do_POST(self):
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        answer = {"vulns": [FLAW]} if asked["package"]["name"] == "flawed" else {}
        body = json.dumps(answer).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


@pytest.fixture
def mirror():
    with ThreadingHTTPServer(("127.0.0.1", 0), Mirror) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/v1/query"
        server.shutdown()


LINES = """six==1.17.0 \\
    --hash=sha256:00
flawed==1.2 ; python_version > '3' \\
    --hash=sha256:00
"""


@pytest.fixture
def lock(tmp_path):
    path = tmp_path / "some.lock"
    path.write_text(LINES)
    return path


def test_a_known_flaw_is_named_with_the_version_that_mends_it(mirror, lock, capsys):
    assert main(["--lock", str(lock), "--osv-url", mirror]) == 1
    out = capsys.readouterr().out.splitlines()
    assert out == [
        "flawed==1.2: GHSA-0000-0000-0000 (mended in 1.3)",
        "1 packages without a known vulnerability, 1 with one.",
    ]


def test_nothing_known_is_told_from_not_looked_up(mirror, lock, capsys):
    lock.write_text("six==1.17.0\n")
    assert main(["--lock", str(lock), "--osv-url", mirror]) == 0
    assert main(["--lock", str(lock), "--osv-url", "http://127.0.0.1:9/v1/query"]) == 2
    assert "NOT AUDITED: 1 packages could not be looked up (six==1.17.0)" in capsys.readouterr().err


def test_every_package_of_the_lock_file_is_looked_up():
    names = locked(ROOT / "requirements.lock")
    assert len(names) > 150
    assert all(package.startswith(f"{name}==") for name, package in names.items())


def test_a_file_without_versions_is_refused(tmp_path, capsys):
    empty = tmp_path / "empty.lock"
    empty.write_text("# nothing\n")
    assert main(["--lock", str(empty)]) == 2
    assert main(["--lock", str(tmp_path / "absent.lock")]) == 2
    assert "names no package" in capsys.readouterr().err
