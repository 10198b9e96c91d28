"""Whether pictures unlike the training are noticed: exact figures, and the pictures that are no smear."""

from __future__ import annotations

import numpy as np
import pytest

from marrow.report import CountingRules, make_report
from training.evaluation.non_smears import KINDS, SIDES, draw_non_smears
from training.evaluation.silence import auroc, warned_share

RULES = CountingRules(("LYT",), 0.5, (), (), unlike_above=0.3, stain_far_above=0.2)


@pytest.mark.parametrize(("others", "expected"), [([3, 4], 1), ([0, -1], 0), ([1.5], 0.5), ([1, 2], 0.5), ([2], 0.75)])
def test_auroc_is_exact(others, expected):
    assert auroc(np.array([1.0, 2.0]), np.array(others)) == expected


def test_warnings_are_counted_by_code_and_names_beside_them():
    reports = [make_report([], RULES, stain_distance=distance) for distance in (0.1, 0.1, 0.1, 9.0)]
    share = warned_share(reports, [True, True, False, False])
    assert (share.n, share.warned, share.codes) == (4, 0.25, {"no_smear": 0.25})
    assert share.accuracy == {"warned": 0, "others": pytest.approx(2 / 3)}
    assert share.interval[0] < 0.25 < share.interval[1]
    assert warned_share(reports).accuracy == {}  # where no name is known


def test_there_are_ten_kinds_of_pictures_that_are_no_smear():
    assert len(KINDS) == 10


@pytest.mark.parametrize("kind", KINDS)
def test_a_kind_is_drawn_anew_for_each_number_and_the_same_for_a_seed(kind):
    first, second = draw_non_smears(kind, 2)
    for picture in (first, second):
        assert picture.dtype == np.uint8 and picture.ndim == 3 and picture.shape[2] == 3
        assert SIDES[0] - 1 <= max(picture.shape) <= SIDES[1]
    assert first.shape != second.shape or (first != second).any()
    np.testing.assert_array_equal(first, draw_non_smears(kind, 1)[0])
