"""The folder of a run: another training does not go on from it, and files of others are left alone."""

import pytest

from marrow.errors import MarrowError
from marrow.files import atomic_path
from training.common.files import lock_run, read_json


def test_a_run_with_another_start_is_refused(tmp_path):
    lock_run(tmp_path, {"seed": 0, "shift": (1.0, 2.0)})
    lock_run(tmp_path, {"seed": 0, "shift": (1.0, 2.0)})
    with pytest.raises(MarrowError, match="another config"):
        lock_run(tmp_path, {"seed": 0, "shift": (1.0, 3.0)})
    with pytest.raises(MarrowError, match="another config"):
        lock_run(tmp_path, {"seed": 1})
    assert read_json(tmp_path / "started_with.json") == {"seed": 0, "shift": [1.0, 2.0]}


def test_a_folder_with_files_of_others_is_refused_and_kept(tmp_path):
    (tmp_path / "epoch-001.keras").write_bytes(b"mine")
    with pytest.raises(MarrowError, match="no training wrote"):
        lock_run(tmp_path, {"seed": 0})
    assert [(path.name, path.read_bytes()) for path in tmp_path.iterdir()] == [("epoch-001.keras", b"mine")]


def test_what_a_killed_run_wrote_by_half_is_removed_and_nothing_else(tmp_path):
    lock_run(tmp_path, {"seed": 0})
    (tmp_path / "notes.txt").write_text("mine")
    (tmp_path / ".git").mkdir()
    context = atomic_path(tmp_path / "weights.npz")
    half = context.__enter__()  # as if the process was killed inside
    half.write_bytes(b"half")
    lock_run(tmp_path, {"seed": 0})
    assert {path.name for path in tmp_path.iterdir()} == {"started_with.json", "notes.txt", ".git"}
