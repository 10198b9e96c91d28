"""The stain of each laboratory in a set: the colours that it was drawn in, and how far its images lie around them."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from dataset_scripts.drawing.pictures import draw_single
from dataset_scripts.stain_statistics import main, stain_statistics
from marrow.stain import Stain
from tests.commands import succeed


def test_the_median_and_the_reach_are_those_of_the_images() -> None:
    stains = [Stain((200, 200, 200), (0.8 + 0.01 * i, 1.4, 0.4), (0.2, 0.3, 0.1)) for i in range(101)]
    found = stain_statistics(stains)
    assert found["stain"] == {"ground": [200] * 3, "nuclei": [1.3, 1.4, 0.4], "others": [0.2, 0.3, 0.1]}
    assert found["reach"] == pytest.approx(0.5 / 3, abs=0.005), "one of nine values differs by 0.5 at most"


def test_every_laboratory_of_a_set_is_measured(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rng = np.random.default_rng(3)
    for laboratory, gain in (("pale", 0.6), ("dark", 1.0)):
        for number in range(12):
            cell = 255 * (draw_single("LYT", rng) / 255.0) ** gain
            place = tmp_path / laboratory / "LYT" / f"{number}.png"
            place.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(cell.round().astype(np.uint8)).save(place)
    sources = [one for name in ("pale", "dark") for one in ("--data-dir", tmp_path / name, "--laboratory", name)]
    options = ("--classes", "LYT", "--per-class", "all", "--splits", "100/0/0", "--out", tmp_path / "set")
    succeed("dataset_scripts/bone_marrow_12.py", *sources, *options)
    assert main(["--data", str(tmp_path / "set"), "--images", "10"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert list(found) == ["dark", "pale"]
    for one in found.values():
        assert one["origin"] == "unknown" and one["images"] == 10 >= one["measured"] >= 8 and 0 < one["reach"] < 1
    dark, pale = (np.array(found[name]["stain"]["nuclei"]) for name in ("dark", "pale"))
    assert (pale[:2] < 0.8 * dark[:2]).all()
    assert main(["--data", str(tmp_path / "nothing")]) == 2
    assert "bone_marrow_12.py first" in capsys.readouterr().err
