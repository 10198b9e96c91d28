"""One training run, many files: Keras, Transformers, ONNX, and ultralytics all say the same."""

import json
import shutil
import zipfile
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from onnx import TensorProto, helper, numpy_helper
from PIL import Image
from safetensors import safe_open
from transformers import AutoImageProcessor, AutoModelForImageClassification, pipeline
from ultralytics import YOLO

from dataset_scripts.drawing.pictures import CODES, draw_field
from marrow.classifier import Classifier
from marrow.errors import MarrowError
from marrow.letterbox import letterbox
from marrow.segmenter import Segmenter
from tests.commands import assert_refused, python, succeed
from training.common.files import read_json
from training.common.model_folder import check_measured, digests, replaced
from training.export import main
from training.release.repos import MODELS, find_files
from training.weights.keras_to_transformers import transformers_model
from training.weights.onnx_storage import store_halved


@torch.no_grad()
def torch_logits(model: torch.nn.Module, crops: np.ndarray) -> np.ndarray:
    return model(torch.from_numpy(network_input(crops))).logits.numpy()


def network_input(crops: np.ndarray) -> np.ndarray:
    """Channels first, -1…1."""
    return crops.transpose(0, 3, 1, 2) / np.float32(127.5) - np.float32(1)


@pytest.fixture(scope="module")
def transformers_classifier(trained_classifier):
    return AutoModelForImageClassification.from_pretrained(trained_classifier.hub, dtype=torch.float32).eval()


def test_a_classifier_folder_holds_what_a_hub_repo_holds(trained_classifier):
    names = {path.name for path in trained_classifier.hub.iterdir()}
    wanted = {"config.json", "preprocessor_config.json", "model.safetensors", "model.onnx", "metrics.json"}
    assert names == wanted, "and nothing half-written"
    config = read_json(trained_classifier.hub / "config.json")
    assert [config["id2label"][str(i)] for i in range(12)] == list(CODES)
    assert config["label2id"] == {code: i for i, code in enumerate(CODES)}
    assert config["crop"] == {"size": 65, "context": 0.15, "background": 128}
    assert config["trained_on"] == {code: {"drawn": {"drawn": 8}} for code in CODES}
    assert config["temperature"] > 0 and 0 <= config["uncertain_below"] <= 1


def test_weights_are_stored_in_half_precision(trained_classifier):
    with safe_open(trained_classifier.hub / "model.safetensors", "pt") as file:
        kinds = {file.get_tensor(key).dtype for key in file.keys()}
    assert kinds <= {torch.float16, torch.int64} and torch.float16 in kinds
    for name in ("model.safetensors", "model.onnx"):
        assert (trained_classifier.hub / name).stat().st_size < 5_500_000


def test_transformers_has_the_logits_of_the_keras_model_as_trained(trained_classifier, keras_outputs):
    weights = np.load(trained_classifier.run_dir / "weights.npz")
    model = transformers_model(weights, CODES, 65)
    logits = torch_logits(model, keras_outputs.crops)
    assert len(logits) == 12 and logits.std(axis=0).mean() > 0.05, "logits depend on the image"
    assert np.abs(logits - keras_outputs.trained).max() < 1e-4


def test_the_keras_file_has_the_logits_of_the_transformers_model(transformers_classifier, keras_outputs):
    logits = torch_logits(transformers_classifier, keras_outputs.crops)
    assert np.abs(logits - keras_outputs.derived).max() < 1e-4
    assert np.abs(logits - keras_outputs.trained).max() < 0.2, "halving moves the logits a little"
    assert not np.array_equal(keras_outputs.derived, keras_outputs.trained)


@pytest.mark.parametrize("batch", [1, 5, 12])
def test_onnx_has_the_logits_of_the_transformers_model(
    batch, trained_classifier, transformers_classifier, keras_outputs
):
    session = onnxruntime.InferenceSession(trained_classifier.hub / "model.onnx")
    crops = keras_outputs.crops[:batch]
    logits, maps = session.run(["logits", "maps"], {"pixels": network_input(crops)})
    assert logits.shape == (batch, 12) and maps.shape == (batch, 12, 3, 3)
    assert np.abs(logits - torch_logits(transformers_classifier, crops)).max() < 1e-4
    bias = transformers_classifier.classifier.bias.detach().numpy()
    assert np.abs(maps.mean(axis=(2, 3)) + bias - logits).max() < 1e-5, "the maps add up to the logits"
    assert maps.std(axis=(2, 3)).min() > 0


def test_the_runtime_finds_cells_as_unlike_as_the_model_as_trained_does(trained_classifier, keras_outputs):
    unlikeness = Classifier.from_pretrained(str(trained_classifier.hub)).answers(keras_outputs.crops)[1]
    assert unlikeness.shape == keras_outputs.unlike.shape == (12,) and unlikeness.std() > 0.001
    assert np.abs(unlikeness - keras_outputs.unlike).max() < 0.02, "halving moves it a little"


def test_the_runtime_gives_its_probabilities(trained_classifier, transformers_classifier, keras_outputs):
    classifier = Classifier.from_pretrained(str(trained_classifier.hub))
    scaled = torch_logits(transformers_classifier, keras_outputs.crops) / classifier.config.temperature
    none = np.exp(classifier.config.reject_logit / classifier.config.temperature)
    expected = np.exp(scaled) / (np.exp(scaled).sum(axis=1, keepdims=True) + none)
    assert np.abs(classifier.predict(keras_outputs.crops) - expected).max() < 1e-4
    assert classifier.labels == CODES


def test_the_transformers_pipeline_names_a_whole_image(trained_classifier, transformers_classifier, drawn_cells):
    file = drawn_cells / "LYT" / "LYT_00001.jpg"
    answers = pipeline("image-classification", model=str(trained_classifier.hub), top_k=12)(str(file))
    assert {answer["label"] for answer in answers} == set(CODES)
    assert sum(answer["score"] for answer in answers) == pytest.approx(1, abs=1e-4)
    image = np.asarray(Image.open(file).resize((65, 65), Image.Resampling.BILINEAR))
    logits = torch.from_numpy(torch_logits(transformers_classifier, image[None]))
    expected = dict(zip(CODES, torch.softmax(logits, dim=1)[0].tolist(), strict=True))
    assert {a["label"]: a["score"] for a in answers} == pytest.approx(expected, abs=0.01)


def test_the_image_processor_scales_to_the_range_of_training(trained_classifier):
    processor = AutoImageProcessor.from_pretrained(trained_classifier.hub)
    white = processor(Image.new("RGB", (250, 200), "white"), return_tensors="pt")["pixel_values"]
    black = processor(Image.new("RGB", (250, 200)), return_tensors="pt")["pixel_values"]
    assert white.shape == (1, 3, 65, 65)
    assert white.numpy() == pytest.approx(1, abs=1e-6) and black.numpy() == pytest.approx(-1, abs=1e-6)


def test_large_weights_are_halved_and_small_ones_kept(tmp_path):
    rng = np.random.default_rng(0)
    large, small = (rng.normal(size=(3, n)).astype(np.float32) for n in (400, 2))
    graph = helper.make_graph(
        [
            helper.make_node("MatMul", ["x", "large"], ["y"]),
            helper.make_node("MatMul", ["x", "small"], ["z"]),
        ],
        "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, (1, 3))],
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, (1, n)) for name, n in (("y", 400), ("z", 2))],
        [numpy_helper.from_array(large, "large"), numpy_helper.from_array(small, "small")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
    onnx.save(model, tmp_path / "a.onnx")
    store_halved(tmp_path / "a.onnx", tmp_path / "b.onnx")
    x = rng.normal(size=(1, 3)).astype(np.float32)
    y, z = onnxruntime.InferenceSession(tmp_path / "b.onnx").run(None, {"x": x})
    assert np.allclose(y, x @ large.astype(np.float16).astype(np.float32), atol=1e-6)
    assert not np.allclose(y, x @ large, atol=1e-6)
    assert np.allclose(z, x @ small, atol=1e-6)
    assert (tmp_path / "b.onnx").stat().st_size < 0.6 * (tmp_path / "a.onnx").stat().st_size


def test_a_segmenter_folder_holds_what_a_hub_repo_holds(trained_segmenter):
    names = {path.name for path in trained_segmenter.hub.iterdir()}
    assert names == {"config.json", "model.onnx", "model.pt", "metrics.json", "precision_recall.png"}
    config = read_json(trained_segmenter.hub / "config.json")
    assert config["input_size"] == 160 and config["labels"] == ["cell"]
    assert config["trained_on"]["fields"] == {"composed": 8}
    assert config["trained_on"]["cells"].keys() == {"drawn"}
    assert 0.1 <= config["confidence"] <= 0.9 and 0 < config["iou"] < 1


def test_the_segmenter_in_onnx_gives_what_it_gives_in_torch(trained_segmenter):
    image = draw_field(np.random.default_rng(3), 120, 160, 5).image
    inputs, _, _ = letterbox(image, 160)
    session = onnxruntime.InferenceSession(trained_segmenter.hub / "model.onnx")
    rows, prototypes = session.run(None, {session.get_inputs()[0].name: inputs})
    model = YOLO(trained_segmenter.hub / "model.pt").model.float().eval().fuse()
    with torch.no_grad():
        outputs = model(torch.from_numpy(inputs))
    flat = [tensor.numpy() for tensor in flattened(outputs)]
    expected_rows, expected_prototypes = (
        next(array for array in flat if array.shape == shape) for shape in (rows.shape, prototypes.shape)
    )
    assert rows.shape[1] == 4 + 1 + 32 and prototypes.shape[1:] == (32, 40, 40)
    assert np.abs(rows[:, :4] - expected_rows[:, :4]).max() < 0.5, "boxes, in pixels"
    assert np.abs(rows[:, 4] - expected_rows[:, 4]).max() < 1e-3, "scores"
    assert np.abs(rows[:, 5:] - expected_rows[:, 5:]).max() < 0.02, "mask coefficients"
    assert np.abs(prototypes - expected_prototypes).max() < 0.02


def flattened(outputs) -> list[torch.Tensor]:
    if isinstance(outputs, torch.Tensor):
        return [outputs]
    parts = outputs.values() if isinstance(outputs, dict) else outputs
    return [tensor for part in parts for tensor in flattened(part)]


def test_plain_ultralytics_opens_the_weights_without_this_project(trained_segmenter, tmp_path):
    Image.fromarray(draw_field(np.random.default_rng(3), 120, 160, 5).image).save(tmp_path / "field.png")
    script = (
        "import sys; from ultralytics import YOLO; model = YOLO(sys.argv[1]);"
        "result = model('field.png', imgsz=160, verbose=False)[0];"
        "print(model.task, model.names, any(name.split('.')[0] in ('training', 'marrow') for name in sys.modules))"
    )
    done = succeed("-c", script, trained_segmenter.hub / "model.pt", cwd=tmp_path)
    assert done.stdout.splitlines()[-1] == "segment {0: 'cell'} False"


def test_the_published_files_do_not_name_folders_of_this_machine(trained_segmenter):
    with zipfile.ZipFile(trained_segmenter.hub / "model.pt") as archive:
        pickled = b"".join(archive.read(name) for name in archive.namelist() if name.endswith(".pkl"))
    graph = (trained_segmenter.hub / "model.onnx").read_bytes()
    for folder in (trained_segmenter.hub.parents[1], Path.cwd(), Path(__file__).parents[3]):
        assert str(folder).encode() not in pickled + graph
    assert b"data.yaml" in pickled, "the names themselves stay"


def test_files_of_others_survive_an_export_or_it_is_refused(trained_segmenter, tmp_path, capsys):
    arguments = ["segmenter", "--run-dir", str(trained_segmenter.run_dir), "--output-dir", str(tmp_path)]
    others = {"notes.txt": b"mine", "pictures/a.png": b"\x89PNG", ".hidden": b""}
    for name, content in others.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(content)
    (tmp_path / "config.json").write_text(json.dumps({"confidence": 0.35}))
    assert main(arguments) == 2
    assert "config.json of another origin" in capsys.readouterr().err
    assert {path.name for path in tmp_path.iterdir()} == {"notes.txt", "pictures", ".hidden", "config.json"}
    (tmp_path / "config.json").unlink()
    assert main(arguments) == 0
    assert {name: (tmp_path / name).read_bytes() for name in others} == others
    assert {path.name for path in tmp_path.iterdir()} == {
        *("notes.txt", "pictures", ".hidden"),
        *("config.json", "model.pt", "model.onnx"),
    }
    assert not list(tmp_path.parent.glob(f".{tmp_path.name}.*")), "nothing is left beside it"


@pytest.mark.parametrize(("kind", "key"), [("classifier", "temperature"), ("segmenter", "confidence")])
def test_an_export_is_neither_loaded_nor_published_before_it_is_measured(kind, key, request, tmp_path):
    trained, folder = request.getfixturevalue(f"trained_{kind}"), tmp_path / "hub"
    shutil.copytree(trained.hub, folder)
    assert main([kind, "--run-dir", str(trained.run_dir), "--output-dir", str(folder)]) == 0
    with pytest.raises(MarrowError, match=rf"lacks .*{key}.*run training\.measure"):
        {"classifier": Classifier, "segmenter": Segmenter}[kind].from_pretrained(str(folder))
    assert not (folder / "metrics.json").exists(), "which were of the model before"
    with pytest.raises(MarrowError, match=r"has no metrics\.json"):
        find_files(next(spec for spec in MODELS if spec.name == kind), folder)


def test_a_measured_folder_names_what_it_measured(trained_classifier, trained_segmenter, tmp_path):
    for trained, weights in ((trained_classifier, "model.safetensors"), (trained_segmenter, "model.pt")):
        names = {"config.json", "model.onnx", weights}
        assert read_json(trained.hub / "metrics.json")["sha256"] == digests(trained.hub, names)
        config = read_json(trained.hub / "config.json")
        assert config["sha256"] == digests(trained.hub, names - {"config.json"}) and config["self_test"]["picture"]
        check_measured(trained.hub)
        folder = tmp_path / weights
        shutil.copytree(trained.hub, folder)
        (folder / "config.json").write_text(json.dumps(config | {"note": "by hand"}))
        with pytest.raises(MarrowError, match=r"config.json of .* changed since metrics.json was measured"):
            check_measured(folder)


def test_a_release_stands_until_its_successor_does(trained_segmenter, tmp_path):
    folder = tmp_path / "hub"
    shutil.copytree(trained_segmenter.hub, folder)
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    with pytest.raises(RuntimeError), replaced(folder, anew=True) as new:
        (new / "config.json").write_text("{}")
        raise RuntimeError
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before and len(list(tmp_path.iterdir())) == 1
    folder.rename(tmp_path / ".hub.before")  # as a kill between the two renames leaves it
    with replaced(folder):
        pass
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before and len(list(tmp_path.iterdir())) == 1


@pytest.mark.parametrize("kind", ["classifier", "segmenter"])
def test_an_unfinished_run_is_refused(kind, tmp_path, capsys):
    assert main([kind, "--run-dir", str(tmp_path / "run"), "--output-dir", str(tmp_path / "hub")]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("export: ") and "run.json" in line


def test_a_run_whose_weights_are_gone_is_refused(trained_segmenter, tmp_path, capsys):
    run = tmp_path / "run"
    run.mkdir()
    shutil.copy(trained_segmenter.run_dir / "run.json", run)
    values = read_json(run / "run.json") | {"weights": str(tmp_path / "gone.pt")}
    (run / "run.json").write_text(json.dumps(values))
    assert main(["segmenter", "--run-dir", str(run), "--output-dir", str(tmp_path / "hub")]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert "gone.pt" in line and "train_segmenter" in line


def test_a_keras_file_of_a_folder_without_weights_is_refused(tmp_path):
    done = python("-m", "training.export", "keras", "--model", tmp_path, "--out", tmp_path / "model.keras")
    assert_refused(done, "config.json")
    assert not list(tmp_path.iterdir())
