"""Flags: read back by `datasets`, nothing of the file but its pixels, whole or not at all."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from urllib.parse import urlsplit

import numpy as np
import pytest
from PIL import Image

from dataset_scripts.bone_marrow_12 import CODES_12, find_images
from loopback_hub.server import HubServer
from marrow import Analysis, MarrowError, analyze
from marrow.flags import MAX_COMMENT, save_flag, start_upload

# The Hub's client reads HF_ENDPOINT at import, so it runs in a process of its own.
UPLOAD = """
import sys
from pathlib import Path
from marrow import MarrowError
from marrow.flags import start_upload
try:
    upload = start_upload(Path(sys.argv[1]))
except MarrowError as error:
    sys.exit(str(error))
if problem := upload.stop():
    sys.exit(problem)
from datasets import load_dataset
print(load_dataset("tester/bone-marrow-flags", split="train")["comment"])
"""

# The Hub comes back on the port that the parent names once it has said that it was away.
RETURN = """
import sys, time
from pathlib import Path
from marrow.flags import FlagUpload
from loopback_hub.replies import HubError
from loopback_hub.server import HubServer
folder, port = Path(sys.argv[1]), int(sys.argv[2])
upload = FlagUpload(folder, "tester/bone-marrow-flags", "hf_tester", retry=0.1)
(entry,) = folder.glob("data/*")
with HubServer(port=port) as hub:
    for _ in range(200):
        time.sleep(0.1)
        try:
            hub.read("datasets", "tester/bone-marrow-flags", f"data/{entry.name}/metadata.jsonl")
        except (KeyError, HubError):
            continue
        print("arrived", upload.stop())
        break
"""


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


def test_a_flag_with_edits_holds_the_mask_and_the_named_cells(smear, reviewed, analysis, tmp_path):
    from datasets import load_dataset

    folder = tmp_path / "flags"
    entry = save_flag(folder, smear, reviewed, "edited")
    save_flag(folder, smear, analysis, "untouched")
    rows = load_dataset("imagefolder", data_dir=str(folder), split="train", cache_dir=str(tmp_path / "c"))
    assert {row["comment"]: row["edited"] for row in rows} == {"edited": 6, "untouched": 0}
    mask = np.asarray(next(row["mask"] for row in rows if row["edited"]))
    assert mask.dtype == np.uint16
    for cell in reviewed.cells:
        assert (mask == cell.id).sum() == pytest.approx(cell.area, rel=0.03)
    assert set(np.unique(mask)) == {0, *(cell.id for cell in reviewed.cells)}
    found, _, other = find_images([folder], CODES_12)
    assert sorted((row.code, Path(row.path).name) for row in found) == [
        ("BLA", f"{entry.name}_1.png"),
        ("NGS", f"{entry.name}_2.png"),
    ]
    assert not other, "images, masks and metadata are no cells, and nothing to speak of"


def test_the_saved_image_has_no_metadata(smear, analysis, tmp_path):
    entry = save_flag(tmp_path, smear, analysis, "x")
    assert sorted(path.name for path in entry.iterdir()) == ["image.png", "mask.png", "metadata.jsonl"]
    with Image.open(entry / "image.png") as image:
        assert not image.getexif() and not image.info


def test_a_comment_that_is_too_long_saves_nothing(smear, analysis, tmp_path):
    with pytest.raises(MarrowError, match=f"shorten it to {MAX_COMMENT}"):
        save_flag(tmp_path / "flags", smear, analysis, "x" * (MAX_COMMENT + 1))
    assert not (tmp_path / "flags").exists()


def test_a_flag_that_cannot_be_saved_leaves_nothing(smear, reviewed, tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    with pytest.raises(MarrowError, match="cannot be saved"):
        save_flag(tmp_path / "file", smear, reviewed, "x")

    def full(source: Path, target: Path) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", full)
    with pytest.raises(MarrowError, match="No space left"):
        save_flag(tmp_path, smear, reviewed, "x")
    assert list((tmp_path / "data").iterdir()) == []


def test_without_a_dataset_nothing_is_sent(tmp_path, monkeypatch):
    monkeypatch.delenv("MARROW_FLAGS_REPO", raising=False)
    assert start_upload(tmp_path) is None


def test_flags_reach_the_dataset_whole(smear, reviewed, tmp_path):
    entry = save_flag(tmp_path / "flags", smear, reviewed, "hello")
    unfinished = entry.with_name(".half.x") / "half"
    unfinished.mkdir(parents=True)
    (unfinished / "image.png").write_bytes(b"half")
    with HubServer() as hub:
        done = _upload(hub.environment(tmp_path / "home", MARROW_FLAGS_REPO="tester/bone-marrow-flags"), tmp_path)
        assert done.stdout == "Column(['hello'])\n", done.stderr
        for path in ("image.png", "mask.png", f"crops/BLA/{entry.name}_1.png"):
            sent = hub.read("datasets", "tester/bone-marrow-flags", f"data/{entry.name}/{path}")
            assert sent == (entry / path).read_bytes()
        with pytest.raises(KeyError, match=r"half"):
            hub.read("datasets", "tester/bone-marrow-flags", "data/.half.x/half/image.png")


def test_a_hub_that_was_away_at_the_start_gets_the_flags_when_it_is_back(smear, analysis, tmp_path):
    save_flag(tmp_path / "flags", smear, analysis, "kept")
    with HubServer() as hub:
        environment = hub.environment(tmp_path / "home")
        port = urlsplit(hub.url).port
    command = [sys.executable, "-c", RETURN, str(tmp_path / "flags"), str(port)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
    assert done.stdout == "arrived None\n", done.stderr


def test_a_hub_that_stays_away_is_said_at_the_end(smear, analysis, tmp_path):
    save_flag(tmp_path / "flags", smear, analysis, "kept")
    with HubServer() as hub:
        environment = hub.environment(tmp_path / "home", MARROW_FLAGS_REPO="tester/bone-marrow-flags")
    done = _upload(environment, tmp_path)
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1].startswith("The last flags could not be sent to tester/bone-marrow-flags")


def test_a_hub_that_refuses_ends_the_start(tmp_path):
    with HubServer() as hub:
        environment = hub.environment(tmp_path / "home", MARROW_FLAGS_REPO="somebody-else/bone-marrow-flags")
        done = _upload(environment, tmp_path)
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1].startswith("The flags cannot be sent to somebody-else/bone-marrow-flags: check")


def _upload(environment: dict[str, str], folder: Path) -> subprocess.CompletedProcess[str]:
    """Send the flags as a Space does; nobody is told the token, even where the Hub's client logs all it does."""
    command = [sys.executable, "-c", UPLOAD, str(folder / "flags")]
    done = subprocess.run(command, env=environment | {"HF_DEBUG": "1"}, capture_output=True, text=True)
    assert environment["HF_TOKEN"] and environment["HF_TOKEN"] not in done.stdout + done.stderr
    return done
