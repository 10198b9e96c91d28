"""The profile: its stages are those of the code, and they add up to the whole."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.stages import STAGES, stage_rows
from dataset_scripts.drawing.pictures import draw_field
from marrow.defaults import default_reference
from marrow.pipeline import Models


def test_every_stage_takes_its_share_of_the_time():
    models = Models.from_pretrained(default_reference("segmenter"), default_reference("classifier"))
    rows = stage_rows([draw_field(np.random.default_rng(4), 400, 480, 8).image], models)
    assert [row["stage"] for row in rows] == [*STAGES, "all else"]
    shares = {row["stage"]: row["share"] for row in rows}
    assert sum(shares.values()) == pytest.approx(1)
    if not models.classifier.config.stains:
        assert shares.pop("the stain") == 0
    assert all(share > 0 for share in shares.values()), "a stage without time has another name in the code"
    assert shares["the segmenter's network"] + shares["the classifier's network"] > 0.3
