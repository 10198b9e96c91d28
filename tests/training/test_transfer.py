"""Weights carried from the classifier into the YOLO backbone: the features stay the same."""

import numpy as np
import pytest
import torch
from torch import nn

from training.train_segmenter import build_model, pull_classifier
from training.transfer import copy_backbone, pairs

BORDER = 288  # pixels; zero padding differs between inputs in -1…1 and 0…1, and spreads from there
BLOCKS = {8: 6, 16: 13, 32: 17}


@pytest.fixture(scope="module")
def backbone(trained_classifier) -> nn.Sequential:
    """The blocks of the segmenter's backbone, started from the classifier."""
    return build_model(pull_classifier(str(trained_classifier.hub))).model.eval().model[0].m


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
    model = build_model(pull_classifier(str(trained_classifier.hub))).model.eval()
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
    copy_backbone(pull_classifier(str(trained_classifier.hub)).mobilenet_v2, target)
    difference = np.abs(features(target, keras_outputs.scenes["drawn"], 17) - keras_outputs.features["drawn", 32])
    assert difference[9:-9, 9:-9].max() < 1e-3
    assert difference.max() > 0.01, "at the border, where padding differs"


def test_only_a_mobilenet_has_its_pairs():
    assert len(pairs(build_model(None).model.model[0].m)) == 51
    with pytest.raises(ValueError, match="52 convolutions"):
        pairs(nn.Sequential(nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8)))
