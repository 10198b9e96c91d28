"""From an image to an analysis, on two models with known answers."""

import json

import numpy as np
import pytest

from marrow import Analysis, Models, analyze
from marrow.classifier import Classifier, probabilities
from marrow.stain import measure_stain
from tests.space.known_models import CODES, DISCS, make_classifier


def test_an_analysis_names_every_cell_in_order(models, smear):
    analysis = analyze(smear, models, 0.25)
    assert (analysis.width, analysis.height, analysis.confidence) == (320, 320, 0.25)
    assert [cell.id for cell in analysis.cells] == [1, 2, 3, 4, 5]
    assert [round(cell.score, 2) for cell in analysis.cells] == [score for *_, score in DISCS if score > 0.25]
    assert [cell.label for cell in analysis.cells] == ["NGS" if x < 165 else "EBO" for x, *_, s in DISCS if s > 0.25]
    assert analysis.report.found == 5 and analysis.report.counts["NGS"] + analysis.report.uncertain >= 3
    assert (analysis.segmenter.repo, analysis.classifier.repo) == ("discs", "colours")


def test_probabilities_add_up_and_the_label_is_the_best(models, smear):
    for cell in analyze(smear, models).cells:
        assert list(cell.probabilities) == CODES
        assert sum(cell.probabilities.values()) == pytest.approx(1, abs=1e-5)
        assert cell.probability == max(cell.probabilities.values()) == cell.probabilities[cell.label]


def test_the_models_own_confidence_is_used_and_told(models, smear):
    analysis = analyze(smear, models)
    assert analysis.confidence == 0.5 and len(analysis.cells) == 4


def test_an_image_without_cells_gives_an_empty_analysis(models, smear):
    analysis = analyze(smear, models, 0.99)
    assert analysis.cells == () and analysis.report.found == 0 and analysis.report.me_ratio is None
    assert json.loads(analysis.to_json())["cells"] == []


def test_the_same_image_gives_the_same_analysis(models, smear):
    assert analyze(smear, models).to_json() == analyze(smear, models).to_json()


def test_the_json_is_in_pixels_of_the_image_as_given(models, smear):
    wide = np.pad(smear, ((0, 0), (100, 0), (0, 0)), constant_values=230)
    plain = json.loads(analyze(wide, models, 0.05).to_json())
    assert plain["image"] == {"width": 420, "height": 320, "stain_distance": None}  # the model knows no stains
    for cell in plain["cells"]:
        points = np.array([*cell["polygon"], cell["box"][:2], cell["box"][2:]])
        assert (points >= 0).all() and (points <= (420, 320)).all()


def test_a_picture_unlike_the_training_is_said_to_be(familiar_models, models, smear):
    classifier = familiar_models.classifier
    assert classifier.knows and classifier.explains and not models.classifier.knows
    strange = analyze(smear, familiar_models)
    assert [warning.code for warning in strange.report.warnings] == ["no_smear"]
    assert strange.report.found == 4 and strange.report.total == 0
    assert 0 < strange.report.unlikeness == np.median([cell.unlikeness for cell in strange.cells]) < 1
    assert 0 < strange.stain_distance < 12
    assert Analysis.from_dict(json.loads(strange.to_json())).report.warnings == strange.report.warnings
    blank = analyze(np.full_like(smear, 255), familiar_models, 0.99)
    assert blank.stain_distance == 12 and [warning.code for warning in blank.report.warnings] == ["no_smear"]
    trusted = analyze(smear, familiar_models, reference=measure_stain(smear))
    assert trusted.stain_distance is None
    assert [warning.code for warning in trusted.report.warnings] == ["unlike_training"]


def test_the_unlikeness_of_a_cell_is_the_networks(familiar_models):
    image = np.zeros((64, 64, 3), np.uint8)
    image[:, 32:] = 255
    given, unlikeness = familiar_models.classifier.name(image, [(0, 0, 31, 63), (32, 0, 63, 63)])
    assert given.shape == (2, 12) and unlikeness.shape == (2,) and unlikeness[0] > unlikeness[1]
    assert familiar_models.classifier.name(image, [])[1].shape == (0,)


def test_the_classifier_names_no_boxes_and_many(models, smear):
    classifier = models.classifier
    assert classifier(smear, []).shape == (0, 12)
    boxes = [(x - r, y - r, x + r, y + r) for x, y, r, _ in DISCS] * 12  # more than two batches
    rows = classifier(smear, boxes)
    assert rows.shape == (72, 12) and rows.dtype == np.float32
    assert np.allclose(rows, np.tile(rows[:6], (12, 1)), atol=1e-6)
    assert np.allclose(rows[:6], np.concatenate([classifier(smear, [box]) for box in boxes[:6]]), atol=1e-6)


def test_the_temperature_softens_the_probabilities_only(model_folders, smear, tmp_path):
    folder = model_folders[1]
    config = json.loads((folder / "config.json").read_text())
    (tmp_path / "config.json").write_text(json.dumps(config | {"temperature": 3.0}))
    (tmp_path / "model.onnx").write_bytes((folder / "model.onnx").read_bytes())
    boxes = [(x - r, y - r, x + r, y + r) for x, y, r, _ in DISCS]
    sharp, soft = (Classifier.from_pretrained(str(path))(smear, boxes) for path in (folder, tmp_path))
    assert (sharp.argmax(axis=1) == soft.argmax(axis=1)).all()
    softened = sharp ** (1 / 3)
    assert np.allclose(soft, softened / softened.sum(axis=1, keepdims=True), atol=1e-5)


def test_an_unlike_cell_is_named_less_surely_where_the_model_is_softened(tmp_path):
    knowing = make_classifier(tmp_path / "knowing", unlike_above=0.9)
    config = json.loads((knowing / "config.json").read_text())
    classifier = Classifier.from_pretrained(str(knowing))
    crops = np.stack([np.full((64, 64, 3), (level, level // 2, level // 2), np.uint8) for level in (250, 90, 20)])
    logits, unlikeness = classifier.answers(crops)
    assert unlikeness[0] < unlikeness[1] < unlikeness[2]
    (knowing / "config.json").write_text(json.dumps(config | {"softening": {"unlikeness": 0.5, "exponent": 1.5}}))
    softened = Classifier.from_pretrained(str(knowing))
    expected = [probabilities(logits[:, [i]], (one / 0.5) ** 1.5)[0] for i, one in enumerate(unlikeness)]
    assert np.allclose(softened.predict(crops), expected, atol=1e-5)
    assert softened.predict(crops)[2].max() < classifier.predict(crops)[2].max()


def test_none_of_these_takes_its_share_where_no_class_speaks_up():
    loud, quiet = [9.0, 0.0, 0.0], [0.5, 0.0, 0.0]
    logits = np.array([[loud, quiet]])
    plain, shared = probabilities(logits), probabilities(logits, reject_logit=3.0)
    assert plain.sum(axis=1) == pytest.approx([1, 1])
    assert shared[0].sum() > 0.99 and shared[1].sum() < 0.2
    assert (plain.argmax(axis=1) == shared.argmax(axis=1)).all()
    weights = np.exp(np.array(quiet) / 2)
    cooler = probabilities(logits, temperature=2, reject_logit=3.0)[1]
    assert cooler == pytest.approx(weights / (weights.sum() + np.exp(1.5)), abs=1e-6)


def test_views_are_turns_that_are_averaged(model_folders, tmp_path):
    # the known classifier looks at the mean colour, which no turn changes: one that weighs the top does
    config = json.loads((model_folders[1] / "config.json").read_text())
    (tmp_path / "model.onnx").write_bytes((model_folders[1] / "model.onnx").read_bytes())
    (tmp_path / "config.json").write_text(json.dumps(config | {"tta_rotations": 4}))
    four, one = Classifier.from_pretrained(str(tmp_path)), Classifier.from_pretrained(str(model_folders[1]))
    seen = []
    four._network = lambda x: (seen.append(x.copy()), [x[:, :, : x.shape[2] // 2].mean(axis=(2, 3))])[1]
    crops = np.zeros((1, 8, 8, 3), np.uint8)
    crops[0, :4] = (255, 0, 0)
    logits = four.logits(crops)
    assert logits.shape == (4, 1, 3) and len({turn.tobytes() for turn in seen}) == 4
    assert sorted(logits[:, 0, 0].round(3)) == [-1, 0, 0, 1]
    assert probabilities(logits)[0] == pytest.approx(np.mean([probabilities(view[None])[0] for view in logits], axis=0))
    assert one.logits(crops).shape == (1, 1, 12)


def test_models_are_loaded_from_references(model_folders):
    models = Models.from_pretrained(*map(str, model_folders))
    assert models.segmenter.info.revision is None and models.classifier.labels == tuple(CODES)
