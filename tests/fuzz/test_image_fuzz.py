"""Some hundred cases of images and saved JSON, and a bug planted on purpose, which must be found."""

from __future__ import annotations

from collections import Counter
from itertools import islice
from pathlib import Path

import pytest

from marrow import images
from tests.fuzz.image_cases import cases, run_case

CASES = 600


@pytest.mark.filterwarnings("ignore::UserWarning", "ignore::PIL.Image.DecompressionBombWarning")
def test_each_is_read_or_refused_in_a_sentence(tmp_path: Path) -> None:
    outcomes = [(case, run_case(case, tmp_path)) for case in islice(cases(7), CASES)]
    assert [(case.name, outcome) for case, outcome in outcomes if not outcome.good] == []
    kinds = Counter(outcome.kind for _, outcome in outcomes)
    assert min(kinds["answer"], kinds["refused"]) > CASES / 10


def test_the_same_seed_gives_the_same_cases() -> None:
    assert list(islice(cases(3), 50)) == list(islice(cases(3), 50))
    assert list(islice(cases(3), 50)) != list(islice(cases(4), 50))


def test_a_planted_bug_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An image that lies on its side loses a channel."""
    whole = images._upright
    monkeypatch.setattr(images, "_upright", lambda pixels, turn: whole(pixels, turn)[..., : 3 if turn != 6 else 2])
    kinds = {run_case(case, tmp_path).kind for case in islice(cases(7), CASES)}
    assert "fault" in kinds
