"""Some hundred odd questions to a real Space; ``make soak`` asks many more."""

from __future__ import annotations

import itertools

from tests.fuzz.server_cases import ENDPOINTS, FUNCTIONS, cases, is_sentence, run_case, valid_questions
from tests.fuzz.visitor import Visitor

CASES, SEED = 300, 15


def test_every_odd_question_gets_an_answer_or_a_sentence(server, smear_file):
    visitor = Visitor(server.url)
    before = server.log.read_text()
    valid = valid_questions(visitor, smear_file)
    asked = list(itertools.islice(cases(SEED, valid), CASES))
    outcomes = [run_case(case, visitor) for case in asked]
    bad = [
        (case.what, case.changed, outcome) for case, outcome in zip(asked, outcomes, strict=True) if not outcome.good
    ]
    assert not bad, bad[:5]
    assert {outcome.kind for outcome in outcomes} == {"answer", "refused"}
    assert "Traceback" not in server.log.read_text().removeprefix(before)


def test_the_valid_questions_are_answered(server, smear_file):
    visitor = Visitor(server.url)
    valid = valid_questions(visitor, smear_file)
    for what in FUNCTIONS + ENDPOINTS:
        outcome = run_case(
            next(case for case in cases(1, valid) if case.changed == "nothing" and case.what == what), visitor
        )
        assert outcome.kind == "answer", f"{what}: {outcome}"


def test_what_a_program_says_is_no_sentence_for_people():
    assert is_sentence("This image is no longer kept: choose it again.")
    for text in (
        "KeyError: 'x'",
        "Traceback (most recent call last):",
        "'NoneType' object is not iterable.",
        "Internal Server Error",
    ):
        assert not is_sentence(text)
