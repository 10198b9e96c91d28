"""Checkpoints are pickles: the released one is opened, and one that would run a command is not."""

import os
from pathlib import Path

import pytest
import torch
from torch import nn

from marrow.errors import MarrowError
from tests.commands import ROOT
from training.weights.checkpoint import load_checkpoint


class Hostile:
    """Makes a file as soon as it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self):
        return os.system, (f"touch {self.path}",)


def test_the_released_segmenter_is_opened():
    file = ROOT / "hub" / "bone-marrow-yolov8-seg" / "model.pt"
    if not file.is_file():
        pytest.skip("needs hub/: the released segmenter")
    model = load_checkpoint(file)["model"]
    assert isinstance(model, nn.Module) and sum(one.numel() for one in model.parameters()) > 3e6


def test_a_checkpoint_that_would_run_a_command_is_refused_and_runs_none(tmp_path):
    torch.save({"epoch": -1, "model": Hostile(tmp_path / "made")}, tmp_path / "last.pt")
    with pytest.raises(MarrowError, match=r"last\.pt is no checkpoint of a segmenter \(it holds posix\.system\)"):
        load_checkpoint(tmp_path / "last.pt")
    assert not (tmp_path / "made").exists()


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04", b"\x80\x04."])
def test_a_file_that_is_no_checkpoint_is_refused_in_a_line(content, tmp_path):
    (tmp_path / "last.pt").write_bytes(content)
    with pytest.raises(MarrowError, match="train it again") as error:
        load_checkpoint(tmp_path / "last.pt")
    assert "\n" not in str(error.value)
