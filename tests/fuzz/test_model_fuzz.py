"""Hundreds of model folders that are valid but for one field: each is loaded or refused in one sentence."""

from __future__ import annotations

import json
from collections import Counter
from itertools import islice
from pathlib import Path

import pytest

from tests.fuzz.model_cases import NOISE, base, cases, run_case

CASES = 300


def test_every_folder_is_loaded_or_refused_in_a_sentence(tmp_path: Path) -> None:
    outcomes = [(case, run_case(case, tmp_path / "model")) for case in islice(cases(15), CASES)]
    bad = [(case.kind, case.file, case.changed, outcome) for case, outcome in outcomes if not outcome.good]
    assert not bad, bad[:5]
    kinds = Counter(outcome.kind for _, outcome in outcomes)
    assert kinds["answer"] > CASES / 20 and kinds["refused"] > CASES / 3, kinds
    assert sum(case.content not in NOISE for case, _ in outcomes) > CASES / 2


def test_the_same_seed_gives_the_same_cases() -> None:
    one, other = (list(islice(cases(3), 40)) for _ in range(2))
    assert one == other != list(islice(cases(4), 40))


def test_a_bug_that_is_planted_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    digests = json.loads((base("classifier") / "config.json").read_text())["sha256"]
    monkeypatch.setattr("marrow.runtime.digest", lambda path: digests[path.name])
    monkeypatch.setattr("marrow.integrity.SelfTest.agrees", lambda *_: True)
    damaged = (case for case in cases(5) if case.kind == "classifier" and case.changed.startswith("a weight"))
    assert any(run_case(case, tmp_path / "model").kind == "fault" for case in islice(damaged, 20))
