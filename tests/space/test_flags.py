"""Flags: read back by `datasets`, nothing of the file but its pixels, whole or not at all."""

from __future__ import annotations

import json

import numpy as np
import pytest
from PIL import Image

from marrow import Analysis, MarrowError, analyze
from marrow.flags import MAX_COMMENT, save_flag, start_upload


@pytest.fixture
def analysis(models, smear) -> Analysis:
    return analyze(smear, models, 0.5)


def test_flags_are_an_imagefolder(smear, analysis, tmp_path):
    from datasets import load_dataset

    save_flag(tmp_path / "flags", smear, analysis, " cell 3 is a lymphocyte ")
    save_flag(tmp_path / "flags", smear[:, ::-1], analysis, "")
    rows = load_dataset("imagefolder", data_dir=str(tmp_path / "flags"), split="train", cache_dir=str(tmp_path / "c"))
    assert sorted(rows["comment"]) == ["", "cell 3 is a lymphocyte"]
    row = next(row for row in rows if row["comment"])
    assert np.array_equal(np.asarray(row["image"]), smear)
    assert json.loads(row["analysis"]) == json.loads(analysis.to_json())
    assert (row["segmenter"], row["classifier"]) == ("discs", "colours")


def test_the_saved_image_has_no_metadata(smear, analysis, tmp_path):
    entry = save_flag(tmp_path, smear, analysis, "x")
    assert sorted(path.name for path in entry.iterdir()) == ["image.png", "metadata.jsonl"]
    with Image.open(entry / "image.png") as image:
        assert not image.getexif() and not image.info


def test_a_comment_that_is_too_long_saves_nothing(smear, analysis, tmp_path):
    with pytest.raises(MarrowError, match=f"shorten it to {MAX_COMMENT}"):
        save_flag(tmp_path / "flags", smear, analysis, "x" * (MAX_COMMENT + 1))
    assert not (tmp_path / "flags").exists()


def test_a_flag_that_cannot_be_saved_leaves_nothing(smear, analysis, tmp_path):
    with pytest.raises(TypeError):
        save_flag(tmp_path, smear[..., [0, 1, 2, 0, 1]], analysis, "not an RGB image")
    assert list((tmp_path / "data").iterdir()) == []
    (tmp_path / "file").write_text("")
    with pytest.raises(MarrowError, match="cannot be saved"):
        save_flag(tmp_path / "file", smear, analysis, "x")


def test_without_a_dataset_nothing_is_sent(tmp_path, monkeypatch):
    monkeypatch.delenv("MARROW_FLAGS_REPO", raising=False)
    assert start_upload(tmp_path) is None
