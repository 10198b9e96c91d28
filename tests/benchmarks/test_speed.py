"""Timing stacks: what is composed, what is compared, and in which order the stacks take their turns."""

from __future__ import annotations

from subprocess import run

import numpy as np
import pytest

from benchmarks.past_release import FILES, REVISION, fetch_release
from benchmarks.speed import compared, in_turn
from benchmarks.stacks import NamedCell, Worker
from benchmarks.timed_fields import TimedField, compose, recall
from dataset_scripts.fields.patch_bank import PatchBank
from dataset_scripts.fields.patches import drawn_patch
from marrow.errors import MarrowError
from marrow.integrity import digest
from tests.commands import ROOT


def cell(x: float, y: float, side: float, code: str = "LYT") -> NamedCell:
    corners = np.array([[x, y], [x + side, y], [x + side, y + side], [x, y + side]])
    return NamedCell((x, y, x + side, y + side), corners, code)


def test_the_fields_hold_as_many_cells_and_have_sizes_of_their_own():
    rng = np.random.default_rng(3)
    bank = PatchBank({"drawn": [drawn_patch(rng, ["LYT", "MON"]) for _ in range(6)]}, {"drawn": []})
    fields = compose(bank, 14, 3)
    assert len({field.image.shape for field in fields}) == 3
    for field in fields:
        assert 12 <= len(field.boxes) <= 14
        width = field.boxes[:, 2] - field.boxes[:, 0]
        assert 20 < np.median(width) < 140
    again = compose(bank, 14, 3)
    assert all((one.image == other.image).all() for one, other in zip(fields, again, strict=True))


def test_recall_counts_the_true_cells_that_are_found():
    field = TimedField(np.zeros((90, 90, 3), np.uint8), np.array([[10, 10, 30, 30], [50, 50, 70, 70.0]]))
    assert recall([field], [[cell(11, 10, 20)]]) == 0.5
    assert recall([field], [[cell(11, 10, 20), cell(50, 52, 20)]]) == 1
    assert recall([field], [[]]) == 0


def test_two_ways_are_compared_by_their_outlines_and_names():
    theirs = [[cell(10, 10, 40), cell(100, 10, 40), cell(10, 100, 40), cell(100, 100, 40)]]
    ours = [[cell(10, 10, 40), cell(100, 12, 40, "MON"), cell(30, 100, 40)]]
    figures = compared(ours, theirs)
    assert figures["kept"] == 2 / 4 and figures["known"] == pytest.approx(2 / 3)
    assert figures["name"] == 1 / 2 and 0.9 < figures["iou"] < 1
    assert compared(theirs, theirs) == {"kept": 1, "known": 1, "iou": 1, "name": 1}
    assert compared([[]], [[]]) == {"kept": 0, "known": 0, "iou": 0, "name": 0}


def test_each_stack_comes_first_in_its_turn():
    assert [in_turn(["a", "b", "c"], i)[0] for i in range(4)] == ["a", "b", "c", "a"]
    assert sorted(in_turn(["a", "b", "c"], 1)) == ["a", "b", "c"]


def doubling(factor: int):
    return lambda asked: factor * asked


def test_a_worker_answers_from_its_own_process_and_says_how_long_it_took():
    worker = Worker(doubling, 2)
    milliseconds, answer = worker(21)
    worker.close()
    assert answer == 42 and 0 < milliseconds < 1000


def test_the_past_release_is_that_of_its_digests(tmp_path, monkeypatch):
    if run(["git", "cat-file", "-e", REVISION], cwd=ROOT, capture_output=True).returncode:
        pytest.skip("the history of this checkout does not reach back to the release")
    release = fetch_release(tmp_path)
    assert {name: digest(release / name) for name in FILES} == FILES
    monkeypatch.setitem(FILES, "bone-marrow-mobilenet/config.json", "0" * 64)
    with pytest.raises(MarrowError, match="another file"):
        fetch_release(tmp_path)
    monkeypatch.setattr("benchmarks.past_release.REVISION", "0" * 40)
    with pytest.raises(MarrowError, match="history"):
        fetch_release(tmp_path)
