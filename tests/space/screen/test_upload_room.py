"""Uploads fill no disk: what was used longest ago goes, and what is too large never comes in."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from screen.upload_room import make_room
from tests.fuzz.visitor import Visitor
from tests.space.served import Server, serve

MEGABYTE = 1_000_000


@pytest.fixture
def narrow(model_folders, tmp_path) -> Iterator[Server]:
    """A Space whose uploads have five megabytes."""
    yield from serve(tmp_path, *map(str, model_folders), MARROW_MAX_UPLOAD_MEGABYTES="5")


def test_any_number_of_uploads_stays_within_its_room(narrow, smear_file, tmp_path):
    visitor, uploads = Visitor(narrow.url), narrow.log.parent / "gradio"
    kept = []
    for number in range(12):
        path = tmp_path / f"{number}.png"
        path.write_bytes(os.urandom(MEGABYTE))
        kept.append(Path(visitor.upload(path)))
        assert sum(file.stat().st_size for file in uploads.rglob("*") if file.is_file()) <= 5 * MEGABYTE
    assert [path.exists() for path in kept] == [False] * 8 + [True] * 4
    assert visitor.show(visitor.upload(smear_file))  # there is still room for who comes next


def test_an_upload_that_is_too_large_is_refused_before_it_is_read(narrow):
    upload = f"{narrow.url}/gradio_api/upload"
    large = httpx.post(upload, files={"files": ("large.png", bytes(6 * MEGABYTE))})
    assert large.status_code == 413 and large.text == "Upload files of at most 50 MB, one at a time."
    endless = httpx.post(upload, content=iter([b"x"]), headers={"Content-Type": "multipart/form-data; boundary=a"})
    assert endless.status_code == 411
    assert not list((narrow.log.parent / "gradio").rglob("large.png"))


def test_the_file_used_longest_ago_goes_first(tmp_path):
    for age, name in enumerate(("old", "used", "new")):
        (tmp_path / name).mkdir()
        (tmp_path / name / "a.png").write_bytes(bytes(100))
        os.utime(tmp_path / name / "a.png", (age, age))
    os.utime(tmp_path / "used" / "a.png", (9, 9))
    make_room(tmp_path, 100)
    assert [path.parent.name for path in tmp_path.rglob("a.png")] == ["used"]
    make_room(tmp_path / "absent", 0)
