"""Going on from a published classifier with corrected cells: which cells count, how often, and what comes of it."""

import json
import shutil
from pathlib import Path

import cv2
import numpy as np
import pytest

from dataset_scripts.drawing.pictures import CODES
from loopback_hub.server import HubServer
from marrow.classifier import Classifier
from marrow.errors import MarrowError
from tests.commands import assert_refused, python, succeed
from tests.training.classifier.test_training import CUT_SHORT, EACH, history
from training.classifier.corrected import joined, load_corrected
from training.classifier.data import load_cells
from training.classifier.fine_tuning import CONFIG, FineTuning, mixed_order
from training.classifier.pretrained import pull_published
from training.common.config import load_config
from training.common.files import read_json

TINY = """
epochs = 2
batch_size = 16
learning_rate = 1e-3
outlier_exposure = 0.125
batch_norm_momentum = 0.3
old_cells = 48
"""

# what Keras computes with the published weights, before any training
START = """
import sys
import numpy as np
from training.classifier.architectures import build_model
from training.common.config import load_config
from training.classifier.fine_tuning import FineTuning
from training.classifier.pretrained import pull_published
from training.classifier.training import start_from
published = pull_published(sys.argv[1])
model = build_model(load_config(FineTuning, None, published.options()), len(published.config.labels))
start_from(published, model)
np.save(sys.argv[3], model.predict(np.load(sys.argv[2]) / np.float32(127.5) - np.float32(1), verbose=0))
"""

# a client of the Hub on loopback: HF_ENDPOINT is read at import
FROM_HUB = """
import json, sys
from huggingface_hub import HfApi
from marrow.errors import MarrowError
from training.classifier.corrected import load_corrected
from training.classifier.pretrained import pull_published
api = HfApi()
for kind, folder in zip(("model", "dataset"), sys.argv[1:], strict=True):
    api.create_repo(f"tester/{kind}", repo_type=kind)
    api.upload_folder(repo_id=f"tester/{kind}", repo_type=kind, folder_path=folder)
    api.create_tag(f"tester/{kind}", repo_type=kind, tag="v1")
published = pull_published("tester/model@v1")
cells = load_corrected("tester/dataset", published.config.labels)
api.delete_file("model.safetensors", "tester/model")
said = []
for ask in (lambda: pull_published("tester/model"), lambda: load_corrected("tester/nothing", "ab")):
    try:
        ask()
    except MarrowError as error:
        said.append(str(error))
print(json.dumps([published.name, published.digest(), cells.counts(), said]))
"""


def crop(drawn_cells: Path, code: str, number: int, folder: Path) -> Path:
    """Put a drawn cell, in another stain, where a flag holds a crop."""
    image = cv2.imread(str(drawn_cells / code / f"{code}_{number:05d}.jpg"))
    folder.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(folder / f"{number}.png"), np.ascontiguousarray(image[..., ::-1]))
    return folder / f"{number}.png"


@pytest.fixture(scope="module")
def flags(drawn_cells, tmp_path_factory) -> Path:
    """Two flags of one field: a cell was named NGB at first and BLA in the end, and two more were named."""
    folder = tmp_path_factory.mktemp("flagged") / "bone-marrow-flags"
    first, last = (folder / "data" / f"2026112{day}T120000Z-0a1b2c3d" for day in (3, 4))
    crop(drawn_cells, "BLA", 1, first / "crops" / "NGB")
    for code, number in (("BLA", 1), ("BLA", 2), ("LYT", 1)):
        crop(drawn_cells, code, number, last / "crops" / code)
    for entry in (first, last):
        cv2.imwrite(str(entry / "image.png"), np.full((90, 90, 3), 200, np.uint8))
        (entry / "metadata.jsonl").write_text(json.dumps({"file_name": "image.png"}) + "\n")
    return folder


@pytest.fixture(scope="module")
def tiny(tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("config") / "tiny.toml"
    path.write_text(TINY)
    return path


def counted(cells) -> dict[str, dict[str, int]]:
    """Count the cells by code and laboratory: nobody said where they are from."""
    return {code: origins["unknown"] for code, origins in cells.counts().items() if origins}


def test_of_a_field_flagged_twice_the_later_names_count(flags):
    cells = load_corrected(str(flags), CODES)
    assert cells.codes == CODES and counted(cells) == {
        "BLA": {"bone-marrow-flags": 2},
        "LYT": {"bone-marrow-flags": 1},
    }
    height, width = cells.images[0].shape[:2]
    x0, y0, x1, y1 = cells.boxes[0]
    assert x0 < width / 2 < x1 and y0 < height / 2 < y1, "the cell in the middle is found"


def test_a_zip_of_crops_and_a_built_set_give_the_same_cells(flags, tmp_path):
    (entry,) = (flags / "data").glob("20261124*")
    packed = shutil.make_archive(str(tmp_path / "smear_crops"), "zip", entry / "crops")
    assert counted(load_corrected(packed, CODES)) == {"BLA": {"smear_crops": 2}, "LYT": {"smear_crops": 1}}
    source = ("--data-dir", entry / "crops", "--out", tmp_path / "set", "--classes", "LYT", "BLA", "PLM")
    options = ("--config", "imbalanced-12", "--allow-short", "--splits", "100/0/0")
    succeed("dataset_scripts/bone_marrow_12.py", *source, *options)
    cells = load_corrected(str(tmp_path / "set"), CODES)
    assert counted(cells) == {"BLA": {"crops": 2}, "LYT": {"crops": 1}}, "whatever the order of its classes"
    by_code = {CODES[label]: image for image, label in zip(cells.images, cells.labels, strict=True)}
    assert np.array_equal(by_code["LYT"], cv2.imread(str(entry / "crops" / "LYT" / "1.png"))[..., ::-1])


def test_an_epoch_shows_each_old_cell_once_and_corrected_ones_again_and_again():
    config = FineTuning(corrected=0.25, repeats=5)
    order = mixed_order(90, 10, config, 0)
    old, corrected = order[order < 90], order[order >= 90]
    assert sorted(old) == list(range(90)) and len(corrected) == 30
    assert set(np.bincount(corrected - 90)) == {3}
    assert np.array_equal(order, mixed_order(90, 10, config, 0)) and list(order) != list(mixed_order(90, 10, config, 1))
    few = mixed_order(90, 2, config, 0)
    assert (few >= 90).sum() == 10, "each at most five times"
    config = FineTuning(corrected=0.25, old_cells=30)
    drawn = [mixed_order(90, 100, config, epoch) for epoch in range(20)]
    assert all((order < 90).sum() == 30 and (order >= 90).sum() == 10 for order in drawn)
    assert len(set(np.concatenate(drawn).tolist())) > 160, "others each time"


def test_the_config_of_the_project_is_one_of_a_fine_tuning():
    config = load_config(FineTuning, CONFIG, {"size": 65, "context": 0.3, "tta_rotations": 4})
    assert (config.size, config.context, config.tta_rotations) == (65, 0.3, 4) and 0 < config.corrected < 1
    with pytest.raises(MarrowError, match="tta_rotations is 2, but 4"):
        load_config(FineTuning, CONFIG, {"tta_rotations": 4}, tta_rotations=2)


def test_what_the_old_model_saw_counts_too(trained_classifier, tmp_path):
    folder = shutil.copytree(trained_classifier.hub, tmp_path / "old")
    config = read_json(folder / "config.json")
    config["trained_on"] = {"BLA": {"marrow": 9, "blood": 2}, "LYT": {"drawn": 8}}  # as release 0.1 wrote it
    (folder / "config.json").write_text(json.dumps(config))
    now = {"BLA": {"bone_marrow": {"MLL": 5, "Pune": 1}}, "LYT": {"unknown": {"flags": 3}}, "EOS": {}}
    assert pull_published(str(folder)).history(now)["trained_on"] == {
        "BLA": {"bone_marrow": {"MLL": 5, "Pune": 1}, "blood": {"Barcelona": 2}},
        "LYT": {"drawn": {"drawn": 8}, "unknown": {"flags": 3}},
        "EOS": {},
    }


def test_training_starts_from_exactly_the_published_function(trained_classifier, cell_set, tmp_path):
    classifier = Classifier.from_pretrained(str(trained_classifier.hub))
    crops = load_cells(str(cell_set), "test").crops(classifier.crop)
    np.save(tmp_path / "crops.npy", crops)
    succeed("-c", START, trained_classifier.hub, tmp_path / "crops.npy", tmp_path / "logits.npy")
    expected = classifier.logits(crops)[0]
    assert expected.std() > 0.05 and np.abs(np.load(tmp_path / "logits.npy") - expected).max() < 1e-4


@pytest.fixture(scope="module")
def fine_tuned(trained_classifier, cell_set, unknown_set, flags, tiny, tmp_path_factory) -> Path:
    """The folder that holds a run, which was cut short and went on, and the Hub folder that came of it."""
    root = tmp_path_factory.mktemp("tuned")
    given = command(trained_classifier, cell_set, unknown_set, flags, tiny)
    cut = python("-c", CUT_SHORT, *given[2:], *places(root))
    assert cut.returncode == 9 and len(history(root / "run")) == 1
    more = shutil.copytree(flags, root / "bone-marrow-flags")
    shutil.copytree(
        more / "data" / "20261124T120000Z-0a1b2c3d" / "crops" / "LYT", more / "data" / "x" / "crops" / "MON"
    )
    others = command(trained_classifier, cell_set, unknown_set, more, tiny)
    assert_refused(python(*others, *places(root)), "another config or other data")
    assert "resuming after epoch 1" in succeed(*given, *places(root)).stdout
    return root


def command(trained_classifier, cell_set, unknown_set, flags, tiny) -> tuple:
    data = ("--data", cell_set, "--unknown", unknown_set, "--extra-data", flags, "--config", tiny)
    return ("-m", "training.train_classifier", "--resume-from", trained_classifier.hub, *data)


def places(root: Path) -> tuple:
    return "--run-dir", root / "run", "--output-dir", root / "hub"


@pytest.mark.slow
def test_the_new_model_says_what_it_was_trained_on_and_from(fine_tuned, trained_classifier):
    config, old = (read_json(folder / "config.json") for folder in (fine_tuned / "hub", trained_classifier.hub))
    corrected = {code: config["trained_on"][code].pop("unknown", {}).get("bone-marrow-flags", 0) for code in CODES}
    assert corrected == dict.fromkeys(CODES, 0) | {"BLA": 2, "LYT": 1}
    assert config["trained_on"] == {code: {"drawn": {"drawn": 8}} for code in CODES}
    assert config["resumed_from"] == "bone-marrow-mobilenet" and config["initial_weights"] == old["initial_weights"]
    assert all(config[key] == old[key] for key in ("crop", "tta_rotations", "id2label"))
    assert read_json(fine_tuned / "hub" / "metrics.json")["test"]["n"] == 12
    weights, before = (np.load(folder / "weights.npz") for folder in (fine_tuned / "run", trained_classifier.run_dir))
    moved = np.abs(weights["logits/kernel"] - before["logits/kernel"]).max()
    assert 1e-4 < moved < 0.1, "trained, from where the other ended"
    assert [line["epoch"] for line in history(fine_tuned / "run")] == [1, 2]


def test_bad_input_is_refused_in_one_line(trained_classifier, cell_set, flags, tiny, drawn_cells, tmp_path):
    (tmp_path / "size.toml").write_text("size = 97")
    bare = shutil.copytree(trained_classifier.hub, tmp_path / "bare")
    (bare / "model.safetensors").unlink()
    damaged = shutil.copytree(trained_classifier.hub, tmp_path / "damaged")
    (damaged / "model.safetensors").write_bytes(b"an error page")
    unnamed = tmp_path / "unnamed"
    shutil.copytree(flags, unnamed)
    for crops in unnamed.glob("data/*/crops"):
        shutil.rmtree(crops)
    strange = tmp_path / "strange"
    crop(drawn_cells, "LYT", 1, strange / "data" / "x" / "crops" / "LYT")
    crop(drawn_cells, "LYT", 2, strange / "data" / "x" / "crops" / "PEB")
    succeed("dataset_scripts/bone_marrow_12.py", "--data-dir", drawn_cells, "--out", tmp_path / "two", "--per-class",
            "10", "--classes", "LYT", "BLA")  # fmt: skip
    ref, extra, data = str(trained_classifier.hub), str(flags), str(cell_set)
    cases = {
        "model.safetensors": [str(bare), extra, data],
        "model.safetensors of damaged is damaged": [str(damaged), extra, data],
        "no/model": ["no/model", extra, data],
        "no corrected cells": [ref, str(unnamed), data],
        "PEB": [ref, str(strange), data],
        "no-flags": [ref, str(tmp_path / "no-flags"), data],
        "--classes": [ref, extra, str(tmp_path / "two")],
        "size is 97, but 65": [ref, extra, data, "--config", str(tmp_path / "size.toml")],
        "arch is 'vgg16'": [ref, extra, data, "--arch", "vgg16"],
        "another --output-dir": [ref, extra, data, "--output-dir", ref],
        "needs --resume-from": ["", extra, data],
    }
    lines = []
    for number, (model, corrected, built, *more) in enumerate(cases.values()):
        out = ["--output-dir", str(tmp_path / "hub"), "--run-dir", str(tmp_path / f"run {number}")]
        config = [] if "--config" in more else ["--config", str(tiny)]
        lines.append(["--resume-from", model, "--extra-data", corrected, "--data", built, *out, *config, *more])
    done = succeed("-c", EACH, json.dumps(lines), HF_HUB_OFFLINE="1")
    for word, (code, said) in zip(cases, json.loads(done.stdout.splitlines()[-1]), strict=True):
        last = said.rstrip().splitlines()[-1]
        assert code == 2 and last.startswith("train_classifier: ") and word in last, said
        assert "Traceback" not in said
    assert read_json(trained_classifier.hub / "config.json")["trained_on"]["BLA"] == {"drawn": {"drawn": 8}}


def test_old_and_corrected_cells_need_the_same_classes(flags, cell_set):
    with pytest.raises(MarrowError, match="--classes"):
        joined(load_cells(str(cell_set), "test"), load_corrected(str(flags), ("NGB", "BLA", "LYT")))


@pytest.mark.slow
def test_model_and_flags_come_from_the_hub(trained_classifier, flags, tmp_path):
    with HubServer() as hub:
        done = succeed("-c", FROM_HUB, trained_classifier.hub, flags, **hub.environment(tmp_path))
    name, digest, counts, said = json.loads(done.stdout.splitlines()[-1])
    assert name.startswith("tester/model@") and len(name) == len("tester/model@") + 40
    assert digest == pull_published(str(trained_classifier.hub)).digest()
    assert {code: n for code, n in counts.items() if n} == {
        "BLA": {"unknown": {"dataset": 2}},
        "LYT": {"unknown": {"dataset": 1}},
    }
    assert "model.safetensors" in said[0] and "tester/nothing" in said[1]
