"""What the Space holds: it forgets answers, and gives memory back."""

from __future__ import annotations

import socket
import subprocess
import sys

import pytest
from gradio_client import Client, handle_file

from screen.actions import Actions
from screen.page import serve

ANSWER = """
import resource, sys, threading
from screen.memory import hold_little

if sys.argv[1] == "little":
    hold_little()
there, turn = threading.Barrier(40), threading.Semaphore(2)

def answer(number):
    there.wait()
    with turn:
        kept.append([bytes(1000) for _ in range(20_000)][::1000])

kept, threads = [], [threading.Thread(target=answer, args=(number,)) for number in range(40)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
with open("/proc/self/statm") as file:
    print(int(file.read().split()[1]) * resource.getpagesize())
"""
"""Forty threads, two at a time, take 20 MB each in small pieces, and keep a little of it."""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="glibc alone keeps a pool for each thread")
def test_many_threads_hold_little():
    held = {
        how: int(subprocess.run([sys.executable, "-c", ANSWER, how], capture_output=True, text=True, check=True).stdout)
        for how in ("little", "much")
    }
    assert held["little"] < 0.6 * held["much"]


def test_answers_of_former_sessions_are_forgotten(models, tmp_path, monkeypatch, smear_file):
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(tmp_path / "gradio"))
    monkeypatch.setattr("screen.page.SESSIONS", 3)
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    app = serve(Actions(models, tmp_path / "flags"), "127.0.0.1", port)
    try:
        visitors = [Client(f"http://127.0.0.1:{port}", verbose=False) for _ in range(6)]
        # the first visitor again, whom it has forgotten
        answers = [one.predict(handle_file(smear_file), 0.4, api_name="/analyze") for one in (*visitors, visitors[0])]
        assert all(answer == answers[0] for answer in answers) and answers[0]["cells"]
        assert len(app.app.state_holder.session_data) <= 4  # the one that comes is let in before another goes
    finally:
        app.close()
