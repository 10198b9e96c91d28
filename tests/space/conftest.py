"""The small models of ``known_models`` and an image that they know."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from marrow import Models
from tests.space.known_models import DISCS, make_classifier, make_segmenter


@pytest.fixture(scope="session")
def model_folders(tmp_path_factory) -> tuple[Path, Path]:
    """Folders of the two small models."""
    root = tmp_path_factory.mktemp("models")
    return make_segmenter(root / "discs"), make_classifier(root / "colours")


@pytest.fixture(scope="session")
def models(model_folders) -> Models:
    return Models.from_pretrained(*map(str, model_folders))


@pytest.fixture
def smear() -> np.ndarray:
    """320×320 RGB: the discs, reddish on the left and bluish on the right, on a pale ground."""
    image = np.full((320, 320, 3), (240, 225, 215), np.uint8)
    y, x = np.mgrid[:320, :320]
    for cx, cy, radius, _ in DISCS:
        image[(x - cx) ** 2 + (y - cy) ** 2 <= radius**2] = (200, 60, 90) if cx < 165 else (60, 60, 190)
    return image


@pytest.fixture
def smear_file(tmp_path, smear) -> Path:
    path = tmp_path / "smear.png"
    Image.fromarray(smear).save(path)
    return path
