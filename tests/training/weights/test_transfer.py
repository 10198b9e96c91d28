"""Weights carried from the classifier into the YOLO backbone: the features stay the same."""

import numpy as np
import pytest
import torch
from torch import nn

from marrow.errors import MarrowError
from tests.commands import succeed
from training.segmenter.model import build_model, pull_backbone
from training.weights.transfer import copy_backbone, keras_file_to_torch, pairs

# statistics and scales are moved from their start, so that no two layers are alike
SAVE_WEIGHTS = """
import sys, keras, numpy as np
from pathlib import Path
folder, rng = Path(sys.argv[1]), np.random.default_rng(1)
model = keras.applications.MobileNetV2(input_shape=(97, 97, 3), include_top=False, weights=None)
model.set_weights([w * rng.uniform(0.7, 1.4, w.shape) + 0.02 * rng.random(w.shape) for w in model.get_weights()])
model.save_weights(folder / "a.weights.h5")
np.save(folder / "features.npy", model.predict(np.load(folder / "image.npy"), verbose=0))
"""
BORDER = 288  # pixels; zero padding differs between inputs in -1…1 and 0…1, and spreads from there
BLOCKS = {8: 6, 16: 13, 32: 17}


@pytest.fixture(scope="module")
def backbone(trained_classifier) -> nn.Sequential:
    """The blocks of the segmenter's backbone, started from the classifier."""
    return build_model(pull_backbone(str(trained_classifier.hub))).model.eval().model[0].m


@torch.no_grad()
def features(backbone: nn.Sequential, image: np.ndarray, block: int) -> np.ndarray:
    """Features of an image as ultralytics feeds it, 0…1; channels last."""
    pixels = torch.from_numpy(image.transpose(2, 0, 1)[None] / np.float32(255))
    return backbone[: block + 1](pixels)[0].permute(1, 2, 0).numpy()


@pytest.mark.parametrize("stride", BLOCKS)
@pytest.mark.parametrize("scene", ["drawn", "real"])
def test_the_backbone_sees_what_the_classifier_sees(scene, stride, backbone, keras_outputs, request):
    if scene == "real":
        request.getfixturevalue("shared")
    ours = features(backbone, keras_outputs.scenes[scene], BLOCKS[stride])
    theirs = keras_outputs.features[scene, stride]
    assert ours.shape == theirs.shape
    inner = slice(BORDER // stride, -(BORDER // stride))
    centre, expected = ours[inner, inner], theirs[inner, inner]
    assert expected.std(axis=(0, 1)).mean() > 0.05, "features depend on the image"
    assert np.abs(centre - expected).max() < 1e-3


def test_the_head_reads_the_blocks_at_strides_8_16_and_32(trained_classifier):
    model = build_model(pull_backbone(str(trained_classifier.hub))).model.eval()
    pixels = torch.rand(1, 3, 160, 160)
    with torch.no_grad():
        outputs = model.model[0](pixels)
        for layer, (stride, block) in zip((1, 2, 3), BLOCKS.items(), strict=True):
            read = model.model[layer](outputs)
            assert read.shape[-1] == 160 // stride
            assert torch.equal(read, model.model[0].m[: block + 1](pixels))


def test_without_a_classifier_the_weights_are_others(backbone):
    torch.manual_seed(0)
    fresh = build_model(None).model.model[0].m
    assert not torch.allclose(fresh[0][0].weight, backbone[0][0].weight, atol=1e-3)


def test_a_copy_corrects_for_another_epsilon(trained_classifier, keras_outputs):
    from torchvision.models import mobilenet_v2

    target = mobilenet_v2().features.eval()
    assert {norm.eps for _, norm in pairs(target)} == {1e-5}
    copy_backbone(pull_backbone(str(trained_classifier.hub)), target)
    difference = np.abs(features(target, keras_outputs.scenes["drawn"], 17) - keras_outputs.features["drawn", 32])
    assert difference[9:-9, 9:-9].max() < 1e-3
    assert difference.max() > 0.01, "at the border, where padding differs"


def test_only_a_mobilenet_has_its_pairs():
    assert len(pairs(build_model(None).model.model[0].m)) == 51
    with pytest.raises(ValueError, match="52 convolutions"):
        pairs(nn.Sequential(nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8)))


def test_a_keras_file_gives_the_features_that_keras_gives(keras_file, trained_classifier):
    weights, image, expected = keras_file
    features = pull_backbone(str(weights)).eval()
    with torch.no_grad():
        ours = features(torch.from_numpy(image.transpose(0, 3, 1, 2))).last_hidden_state.permute(0, 2, 3, 1).numpy()
    assert expected.std() > 0.05 and np.abs(ours - expected).max() < 1e-3


@pytest.fixture(scope="module")
def keras_file(tmp_path_factory):
    """The weights of a MobileNetV2 without top as Keras saves them, an image in -1…1, and its features in Keras."""
    folder = tmp_path_factory.mktemp("weights")
    image = np.random.default_rng(0).uniform(-1, 1, (1, 97, 97, 3)).astype(np.float32)
    np.save(folder / "image.npy", image)
    succeed("-c", SAVE_WEIGHTS, folder)
    return folder / "a.weights.h5", image, np.load(folder / "features.npy")


def test_a_file_of_another_network_is_refused(tmp_path):
    import h5py

    with h5py.File(tmp_path / "other.weights.h5", "w") as file:
        file["layers/conv2d/vars/0"] = np.zeros((3, 3, 3, 16))
    with pytest.raises((KeyError, ValueError)):
        keras_file_to_torch(tmp_path / "other.weights.h5", build_model(None).model.model[0].m)
    (tmp_path / "none.weights.h5").write_text("no weights")
    for name in ("other", "none", "missing"):
        with pytest.raises(MarrowError, match=rf"{name}\.weights\.h5 cannot be read"):
            pull_backbone(str(tmp_path / f"{name}.weights.h5"))
