"""The released classifier on real cells: Keras, Transformers and ONNX say the same, from the same pixels."""

from pathlib import Path

import numpy as np
import onnxruntime
import pytest
import torch
from PIL import Image
from transformers import AutoImageProcessor, AutoModelForImageClassification, pipeline

from marrow.crop import CropConfig, crop_cell, find_centre_cell
from marrow.images import read_image
from tests.commands import ROOT, succeed
from training.common.files import read_json

RELEASE = ROOT / "hub" / "bone-marrow-mobilenet"
CELLS = 24


@pytest.fixture(scope="module")
def real_cells(shared) -> list[Path]:
    """Four images each of six classes."""
    codes = ("BLA", "EOS", "LYT", "MON", "NGS", "PMO")
    return [file for code in codes for file in sorted((shared / "data" / "marrow" / code).glob("*.jpg"))[:4]]


@pytest.fixture(scope="module")
def crops(real_cells) -> np.ndarray:
    config = CropConfig(**read_json(RELEASE / "config.json")["crop"])
    images = [read_image(file) for file in real_cells]
    return np.stack([crop_cell(image, find_centre_cell(image), config) for image in images])


@pytest.fixture(scope="module")
def keras_logits(crops, tmp_path_factory) -> np.ndarray:
    root = tmp_path_factory.mktemp("release")
    succeed("-m", "training.export", "keras", "--model", RELEASE, "--out", root / "model.keras")
    np.savez(root / "in.npz", crops=crops / np.float32(127.5) - np.float32(1))
    succeed("-m", "tests.training.keras_outputs", root / "in.npz", root / "out.npz", root / "model.keras")
    return np.load(root / "out.npz")["logits 0"]


@torch.no_grad()
def test_transformers_and_its_processor_agree_with_keras(crops, keras_logits):
    processor = AutoImageProcessor.from_pretrained(RELEASE)
    model = AutoModelForImageClassification.from_pretrained(RELEASE, dtype=torch.float32).eval()
    inputs = processor([Image.fromarray(crop) for crop in crops], return_tensors="pt")
    expected = crops.transpose(0, 3, 1, 2) / np.float32(127.5) - np.float32(1)
    assert np.abs(inputs["pixel_values"].numpy() - expected).max() < 1e-5, "the processor changes a crop's pixels"
    assert np.abs(model(**inputs).logits.numpy() - keras_logits).max() < 1e-4
    assert len(set(keras_logits.argmax(axis=1))) >= 5, "the cells are told apart"


def test_onnx_agrees_with_keras(crops, keras_logits):
    session = onnxruntime.InferenceSession(RELEASE / "model.onnx")
    pixels = crops.transpose(0, 3, 1, 2) / np.float32(127.5) - np.float32(1)
    (logits,) = session.run(["logits"], {"pixels": pixels})
    assert np.abs(logits - keras_logits).max() < 1e-4


def test_the_pipeline_names_whole_images(real_cells):
    answers = pipeline("image-classification", model=str(RELEASE), top_k=1)([str(file) for file in real_cells])
    right = [answer[0]["label"] == file.parent.name for answer, file in zip(answers, real_cells, strict=True)]
    assert np.mean(right) > 0.75
