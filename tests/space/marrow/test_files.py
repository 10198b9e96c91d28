"""Files that are there whole or not at all."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest
from PIL import Image

from marrow.errors import MarrowError
from marrow.files import atomic_path, write_whole


def test_a_file_is_there_at_the_end_and_nothing_else(tmp_path: Path) -> None:
    target = tmp_path / "new" / "picture.png"
    with atomic_path(target) as beside:
        Image.new("RGB", (4, 3)).save(beside)  # Pillow reads the format from the suffix
        assert not target.exists() and beside.name == "picture.png"
    assert Image.open(target).size == (4, 3)
    assert list(target.parent.iterdir()) == [target]


@pytest.mark.parametrize("stop", [ValueError, KeyboardInterrupt])
def test_after_an_error_the_old_file_stays_and_nothing_is_left_beside(tmp_path: Path, stop: type) -> None:
    target = tmp_path / "model.keras"
    target.write_text("old")
    with pytest.raises(stop), atomic_path(target) as beside:
        beside.write_text("half")
        (beside.parent / "more").write_text("what a library writes beside")
        raise stop
    assert target.read_text() == "old"
    assert list(tmp_path.iterdir()) == [target]


def test_nothing_written_is_an_error_and_not_an_empty_file(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError), atomic_path(tmp_path / "file.json"):
        pass
    assert not list(tmp_path.iterdir())


def test_a_folder_may_be_written_too(tmp_path: Path) -> None:
    with atomic_path(tmp_path / "set") as beside:
        beside.mkdir()
        (beside / "a").touch()
    assert (tmp_path / "set" / "a").is_file() and len(list(tmp_path.iterdir())) == 1


def test_bytes_replace_what_was_there_and_everyone_may_read_them(tmp_path: Path) -> None:
    path = write_whole(tmp_path / "a" / "b.txt", b"old")
    assert write_whole(path, b"new").read_bytes() == b"new"
    umask = os.umask(0)
    os.umask(umask)
    assert stat.S_IMODE(path.stat().st_mode) == 0o666 & ~umask


def test_a_place_that_cannot_be_written_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(MarrowError, match="name another folder"):
        write_whole(tmp_path / "file" / "under.json", b"")


def test_a_write_that_fails_keeps_the_old_file_and_no_part(tmp_path, monkeypatch):
    path = write_whole(tmp_path / "a.json", b"old")

    def full(source: Path, target: Path) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", full)
    with pytest.raises(MarrowError, match="No space left"):
        write_whole(path, b"new")
    assert [p.name for p in tmp_path.iterdir()] == ["a.json"]
    assert path.read_bytes() == b"old"
