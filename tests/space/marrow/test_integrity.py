"""Damaged, swapped and hostile model folders: none is loaded and answers differently, each is refused in a sentence."""

import base64
import json
import logging
import random
import shutil
from pathlib import Path

import numpy as np
import pytest

from marrow.classifier import Classifier
from marrow.errors import MarrowError
from marrow.integrity import changed_since_measured, digest
from marrow.segmenter import Segmenter
from tests.space.known_models import HUB, make_classifier, make_segmenter

RELEASE = {Classifier: HUB / "bone-marrow-mobilenet", Segmenter: HUB / "bone-marrow-yolov8-seg"}
PIXEL = base64.b64encode(b"no picture").decode()


def change_config(folder: Path, **values: object) -> None:
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | values))


def release(kind: type, tmp_path: Path) -> Path:
    """Copy what a release needs to run; tests skip where it is missing."""
    if not (RELEASE[kind] / "model.onnx").is_file():
        pytest.skip("needs hub/: the released models")
    for name in ("config.json", "model.onnx"):
        shutil.copy(RELEASE[kind] / name, tmp_path)
    return tmp_path


@pytest.mark.parametrize("kind", RELEASE)
def test_none_of_120_damaged_networks_is_loaded(kind, tmp_path):
    folder, rng = release(kind, tmp_path), random.Random(6)
    whole = (folder / "model.onnx").read_bytes()
    for number in range(120):
        damaged = bytearray(whole)
        for _ in range(rng.choice((1, 1, 8, 64))):
            damaged[rng.randrange(len(damaged))] ^= rng.randrange(1, 256)
        (folder / "model.onnx").write_bytes(damaged[: len(damaged) - rng.choice((0, 0, 1, 5000))])
        with pytest.raises(
            MarrowError, match=r"model\.onnx is damaged, or does not belong to its config\.json"
        ) as error:
            kind.from_pretrained(str(folder))
        assert "\n" not in str(error.value), number


@pytest.mark.parametrize("kind", RELEASE)
def test_a_network_of_other_weights_is_refused_by_its_answer_alone(kind, tmp_path):
    """Somebody swaps the network and also its digest: the picture still shows it."""
    onnx = pytest.importorskip("onnx")
    folder = release(kind, tmp_path)
    network = onnx.load(folder / "model.onnx")
    largest = max(network.graph.initializer, key=lambda tensor: np.prod(tensor.dims))
    array = onnx.numpy_helper.to_array(largest)
    largest.CopyFrom(onnx.numpy_helper.from_array(np.flip(array, 0).copy(), largest.name))
    onnx.save(network, folder / "model.onnx")
    change_config(folder, sha256={"model.onnx": digest(folder / "model.onnx")})
    with pytest.raises(MarrowError, match="does not belong to its config"):
        kind.from_pretrained(str(folder))


def test_the_release_names_the_files_that_were_measured():
    for folder in RELEASE.values():
        sha256 = json.loads((folder / "metrics.json").read_text())["sha256"]
        assert len(sha256) == 3 and changed_since_measured(folder) == []
        assert {name: digest(folder / name) for name in sha256} == sha256


def test_an_older_release_is_loaded_with_a_warning(tmp_path, caplog):
    with caplog.at_level(logging.WARNING):
        Classifier.from_pretrained(str(make_classifier(tmp_path / "model")))
    (record,) = caplog.records
    assert "names no digest of its weights" in record.getMessage() and "\n" not in record.getMessage()


def test_a_folder_that_changed_since_it_was_measured_is_loaded_with_a_warning(tmp_path, caplog):
    folder = make_classifier(tmp_path / "model")
    sha256 = {name: digest(folder / name) for name in ("config.json", "model.onnx")}
    change_config(folder, sha256={"model.onnx": sha256["model.onnx"]}, uncertain_below=0.7)
    (folder / "metrics.json").write_text(json.dumps({"sha256": sha256}))
    with caplog.at_level(logging.WARNING):
        assert Classifier.from_pretrained(str(folder)).config.uncertain_below == 0.7
    (record,) = caplog.records
    assert "config.json of " in record.getMessage() and "changed since it was measured" in record.getMessage()


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("temperature", 0),
        ("temperature", float("nan")),
        ("views", 1_000_000),
        ("tta_rotations", 1_000_000),
        ("tta_rotations", 0),
        ("uncertain_below", 1.5),
        ("reject_logit", "high"),
        ("crop", {"size": 10**9}),
        ("crop", []),
        ("id2label", {"0": "BLA"}),
        ("id2label", {"0": "../../x", **{str(i): f"C{i}" for i in range(1, 12)}}),
        ("id2label", {str(i): "BLA" for i in range(12)}),
        ("id2label", {str(i + 1): f"C{i}" for i in range(12)}),
        ("id2label", None),
        ("trained_on", {"BLA": {"blood": {"x": "many"}}}),
        ("self_test", {"picture": PIXEL, "outputs": [[0.0] * 12]}),
        ("self_test", {"picture": "", "outputs": []}),
        ("sha256", []),
    ],
)
def test_a_classifier_with_a_hostile_config_is_refused_in_a_sentence(key, value, tmp_path):
    folder = make_classifier(tmp_path / "model")
    change_config(folder, **{key: value})
    assert_refused(Classifier, folder)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("input_size", 100),
        ("input_size", 10**6),
        ("input_size", 640),  # which the network does not take
        ("confidence", -0.1),
        ("iou", float("inf")),
        ("labels", ["cell", "../../x"]),
        ("labels", ["cell", "nucleus"]),  # one more than the network has
        ("labels", ["cell", "cell"]),
        ("labels", []),
        ("max_object_size", -1),
    ],
)
def test_a_segmenter_with_a_hostile_config_is_refused_in_a_sentence(key, value, tmp_path):
    folder = make_segmenter(tmp_path / "model")
    change_config(folder, **{key: value})
    assert_refused(Segmenter, folder)


@pytest.mark.parametrize("content", ["[]", "null", "{", "", "[" * 100_000, '"x"', "{}"])
def test_a_config_that_is_none_is_refused_in_a_sentence(content, tmp_path):
    for kind, make in ((Classifier, make_classifier), (Segmenter, make_segmenter)):
        folder = make(tmp_path / kind.__name__)
        (folder / "config.json").write_text(content)
        assert_refused(kind, folder)


def assert_refused(kind: type, folder: Path) -> None:
    with pytest.raises(MarrowError) as error:
        kind.from_pretrained(str(folder))
    assert "\n" not in str(error.value) and str(error.value).endswith(".") and len(str(error.value)) < 500
