"""Explaining: the maps add up to the logits, follow the cell, and end in a picture."""

import numpy as np
import pytest
from PIL import Image

from dataset_scripts.synthetic_cells import CODES, draw_single
from marrow.classifier import Classifier
from marrow.crop import find_centre_cell
from training.explain import Explainer, Explanation, main, overlay


@pytest.fixture(scope="module")
def explainer(trained_classifier) -> Explainer:
    return Explainer(str(trained_classifier.hub))


@pytest.fixture(scope="module")
def cell() -> np.ndarray:
    return draw_single("EOS", np.random.default_rng(4))


def test_the_maps_add_up_to_the_logits(explainer, keras_outputs):
    maps, logits = explainer.class_maps(keras_outputs.crops)
    bias = explainer.network.classifier.bias.detach().numpy()
    assert np.abs(maps.mean(axis=(2, 3)) + bias - logits).max() < 1e-4
    assert np.abs(logits - keras_outputs.derived).max() < 1e-4, "and these are the model's"


def test_an_explanation_names_what_the_runtime_names(explainer, trained_classifier, cell):
    explained = explainer(cell)
    probabilities = Classifier.from_pretrained(str(trained_classifier.hub))(cell, [find_centre_cell(cell)])[0]
    assert explained.label == CODES[probabilities.argmax()]
    assert explained.probability == pytest.approx(probabilities.max(), abs=1e-3)
    assert explained.crop.shape == (65, 65, 3) and explained.evidence.shape == (65, 65)


@pytest.mark.parametrize(("x", "y"), [(10, 10), (52, 12), (34, 30), (12, 50)])
def test_evidence_lies_where_the_features_are(x, y, explainer, monkeypatch):
    """A stand-in for the network's maps: dark pixels are evidence, averaged over squares of 32 pixels as there."""

    def dark_squares(crops: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        darkness = 255.0 - crops[:, :64, :64, 0].astype(np.float32)
        maps = darkness.reshape(-1, 2, 32, 2, 32).mean(axis=(2, 4))[:, None]
        return np.concatenate([maps, np.zeros_like(maps)], axis=1), np.zeros((len(crops), 2))

    monkeypatch.setattr(explainer, "class_maps", dark_squares)
    crop = np.full((65, 65, 3), explainer.crop.background, np.uint8)
    crop[y - 3 : y + 4, x - 3 : x + 4] = 0
    evidence = explainer._evidence(crop, 0)
    rows, columns = np.mgrid[:65, :65]
    above = (evidence - np.median(evidence)).clip(0) ** 3
    assert np.average(columns, weights=above) == pytest.approx(x, abs=10)
    assert np.average(rows, weights=above) == pytest.approx(y, abs=10)


def test_an_overlay_is_red_where_it_speaks_for_and_blue_where_against():
    evidence = np.zeros((65, 65), np.float32)
    evidence[:20], evidence[45:] = 1, -1
    panel = overlay(Explanation(np.full((65, 65, 3), 128, np.uint8), "EOS", 0.9, evidence), 100)
    assert panel.shape == (128, 200, 3)
    red, blue = panel[28 + 10, 150].astype(int), panel[28 + 90, 150].astype(int)
    assert red[0] > red[2] + 60 and blue[2] > blue[0] + 60
    assert (panel[28 + 50, 150] == 128).all() and (panel[28:, :100] == 128).all()


def test_the_command_writes_a_picture_for_each_image_and_the_drawn_plate(trained_classifier, cell, tmp_path, capsys):
    Image.fromarray(cell).save(tmp_path / "cell.png")
    model = ["--model", str(trained_classifier.hub)]
    assert main([str(tmp_path / "cell.png"), *model, "--out", str(tmp_path / "out"), "--drawn"]) == 0
    assert capsys.readouterr().out.splitlines()[-1].startswith(f"{tmp_path / 'cell.png'}: ")
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["cell_explained.png", "explain.png"]
    assert Image.open(tmp_path / "out" / "explain.png").size == (3 * 320, 4 * 188)


def test_bad_input_is_refused_in_one_line(trained_classifier, tmp_path, capsys):
    model = ["--model", str(trained_classifier.hub)]
    (tmp_path / "broken.png").write_bytes(b"no image")
    for arguments, word in (
        ([*model, "--out", str(tmp_path)], "--drawn"),
        ([str(tmp_path / "no.png"), *model, "--out", str(tmp_path)], "no.png"),
        ([str(tmp_path / "broken.png"), *model, "--out", str(tmp_path)], "broken.png"),
        (["--drawn", "--model", str(tmp_path), "--out", str(tmp_path)], str(tmp_path)),
    ):
        capsys.readouterr()
        assert main(arguments) == 2
        line = capsys.readouterr().err.rstrip().splitlines()[-1]
        assert line.startswith("explain: ") and word in line
