"""Hundreds of calls of the data set script that are valid but for one thing: each ends in a set or in one sentence."""

from __future__ import annotations

import shutil
from collections import Counter
from itertools import islice
from pathlib import Path

import pytest

from dataset_scripts import bone_marrow_12
from tests.commands import ROOT, python
from tests.fuzz.dataset_cases import cases, run_case

CASES = 300


def test_every_call_ends_in_a_set_or_a_sentence_and_changes_nothing_else(tmp_path: Path) -> None:
    outcomes = [(case, run_case(case, tmp_path / "case")) for case in islice(cases(15), CASES)]
    bad = [(case.kind, case.changed, outcome) for case, outcome in outcomes if not outcome.good]
    assert not bad, bad[:5]
    kinds = Counter(outcome.kind for _, outcome in outcomes)
    assert kinds["answer"] > CASES / 5 and kinds["refused"] > CASES / 5, kinds


def test_the_same_seed_gives_the_same_cases() -> None:
    one, other, another = ([case.changed for case in islice(cases(seed), 60)] for seed in (3, 3, 4))
    assert one == other != another


def test_a_planted_bug_that_removes_all_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bone_marrow_12, "check_out", lambda *_: None)
    monkeypatch.setattr(bone_marrow_12, "_remove", lambda folder, _: shutil.rmtree(folder, ignore_errors=True))
    chosen = (case for case in cases(5) if case.out != "nothing" or "--out" in case.changed)
    assert any(run_case(case, tmp_path / "case").kind == "fault" for case in islice(chosen, 20))


def test_a_planted_bug_that_follows_pipes_is_found(tmp_path: Path) -> None:
    """In a process of its own: what hangs there is hit by an alarm, which is not safe beside other threads."""
    assert python("-c", FOLLOWS_PIPES, tmp_path / "case", PYTHONPATH=str(ROOT)).stdout == "fault\n"


FOLLOWS_PIPES = """
import sys
from itertools import islice
from pathlib import Path
from dataset_scripts import bone_marrow_12
from tests.fuzz import dataset_folder
from tests.fuzz.dataset_cases import cases, run_case

bone_marrow_12.read_bytes = lambda row: Path(row.root, row.path).read_bytes()
dataset_folder.PATIENCE = 1.0
chosen = (case for case in cases(5) if case.pipes and case.kind == "folder")
kinds = (run_case(case, Path(sys.argv[1])).kind for case in islice(chosen, 20))
print(next((kind for kind in kinds if kind == "fault"), "no fault"))
"""
