"""Some hundred odd questions to a real Space; ``make soak`` asks many more."""

from __future__ import annotations

import itertools
import time

from tests.fuzz.server_cases import ENDPOINTS, FUNCTIONS, cases, is_sentence, run_case, valid_questions
from tests.fuzz.visitor import Visitor

CASES, SEED = 300, 15


def test_every_odd_question_gets_an_answer_or_a_sentence(server, smear_file):
    visitor = Visitor(server.url)
    before = server.log.read_text()
    valid = valid_questions(visitor, smear_file)
    wrong = {}
    slowest = 0.0
    for case in itertools.islice(cases(SEED, valid), CASES):
        start = time.monotonic()
        outcome = run_case(case, visitor)
        slowest = max(slowest, time.monotonic() - start)
        if outcome not in ("answered", "refused"):
            wrong[f"{case.what}: {case.changed}"] = outcome
    assert not wrong
    assert slowest < 20
    assert "Traceback" not in server.log.read_text().removeprefix(before)


def test_the_valid_questions_are_answered(server, smear_file):
    visitor = Visitor(server.url)
    valid = valid_questions(visitor, smear_file)
    for what in FUNCTIONS + ENDPOINTS:
        outcome = run_case(
            next(case for case in cases(1, valid) if case.changed == "nothing" and case.what == what), visitor
        )
        assert outcome == "answered", f"{what}: {outcome}"


def test_what_a_program_says_is_no_sentence_for_people():
    assert is_sentence("This image is no longer kept: choose it again.")
    for text in (
        "KeyError: 'x'",
        "Traceback (most recent call last):",
        "'NoneType' object is not iterable.",
        "Internal Server Error",
    ):
        assert not is_sentence(text)
