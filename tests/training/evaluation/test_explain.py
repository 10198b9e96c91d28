"""Explaining: one method for the Space and the cards, which ends in a picture."""

import numpy as np
import pytest
from PIL import Image

from dataset_scripts.drawing.pictures import CODES, draw_single
from marrow.classifier import Classifier
from marrow.crop import find_centre_cell
from marrow.drawing import HEAT
from tests.space.known_models import make_classifier
from training.evaluation.heat_maps import Explanation, explain, overlay
from training.explain import main


@pytest.fixture(scope="module")
def classifier(trained_classifier) -> Classifier:
    return Classifier.from_pretrained(str(trained_classifier.hub))


@pytest.fixture(scope="module")
def cell() -> np.ndarray:
    return draw_single("EOS", np.random.default_rng(4))


def test_an_explanation_names_what_the_runtime_names(classifier, cell):
    explained = explain(classifier, cell)
    probabilities = classifier(cell, [find_centre_cell(cell)])[0]
    assert explained.label == CODES[probabilities.argmax()]
    assert explained.probability == pytest.approx(probabilities.max(), abs=1e-6)
    assert explained.crop.shape == (65, 65, 3) and explained.evidence.shape == (65, 65)


def test_an_overlay_is_yellow_where_the_evidence_is_and_nowhere_else():
    evidence = np.zeros((65, 65), np.float32)
    evidence[:20], evidence[45:] = 1, -1
    panel = overlay(Explanation(np.full((65, 65, 3), 128, np.uint8), "EOS", 0.9, evidence), 100)
    assert panel.shape == (128, 200, 3)
    towards = np.array(HEAT) - 128
    assert (np.sign(panel[28 + 10, 150].astype(int) - 128) == np.sign(towards)).all()
    assert (panel[28 + 50 :, 150] == 128).all() and (panel[28:, :100] == 128).all()


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
    mapless = make_classifier(tmp_path / "mapless", maps=False)
    for arguments, word in (
        ([*model, "--out", str(tmp_path)], "--drawn"),
        ([str(tmp_path / "no.png"), *model, "--out", str(tmp_path)], "no.png"),
        ([str(tmp_path / "broken.png"), *model, "--out", str(tmp_path)], "broken.png"),
        (["--drawn", "--model", str(mapless), "--out", str(tmp_path)], "export it again"),
        (["--drawn", "--model", str(tmp_path), "--out", str(tmp_path)], str(tmp_path)),
    ):
        capsys.readouterr()
        assert main(arguments) == 2
        line = capsys.readouterr().err.rstrip().splitlines()[-1]
        assert line.startswith("explain: ") and word in line
