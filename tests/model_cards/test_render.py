"""Cards from metrics: what is in the two JSON files is in the card, and what is not, is not."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from huggingface_hub import ModelCard

from marrow.errors import MarrowError
from model_cards import readme
from model_cards.render import main, render

ROOT = Path(__file__).parents[2]

CLASSIFIER_CONFIG = {
    "model_type": "mobilenet_v2",
    "id2label": {"0": "BLA", "1": "EBO", "2": "PLM"},
    "temperature": 1.37,
    "uncertain_below": 0.61,
    "trained_on": {"BLA": {"bone_marrow": {"MLL": 612}}, "EBO": {"blood": {"Barcelona": 503}}, "PLM": {}},
    "initial_weights": "mobilenet_v2_1.0_imagenet_notop.weights.h5",
    "training": {"epochs": 12, "seconds": 7200, "processor": "Some CPU", "cores": 2},
    "outlier_exposure": {
        "share": 0.15,
        "cells": {"NIF": {"bone_marrow": {"MLL": 53}, "blood": {"Barcelona": 4}}},
    },
}
NAMED = {"n": 219, "labels": ["BLA", "EBO"], "confusion": [[112, 8], [11, 88]]}
CLASSIFIER_METRICS = {
    "data": {"validation": 215, "test": 219},
    "test": {
        "accuracy": 0.91234,
        "balanced_accuracy": 0.8765,
        "macro_f1": 0.8432,
        "per_class": {
            "BLA": {"precision": 0.951, "recall": 0.932, "f1": 0.941, "support": 120},
            "EBO": {"precision": 0.917, "recall": 0.889, "f1": 0.903, "support": 99},
        },
        "intervals": {
            "accuracy": [0.8711, 0.9449],
            "balanced_accuracy": [0.8366, 0.9188],
            "macro_f1": [0.8012, 0.8804],
            "per_class": {
                "BLA": {"precision": [0.9077, 0.9822], "recall": [0.8851, 0.9733]},
                "EBO": {"precision": [0.861, 0.962], "recall": [0.821, 0.944]},
            },
        },
        **NAMED,
    },
    "test_raw": {
        "accuracy": 0.7531,
        "balanced_accuracy": 0.7017,
        "macro_f1": 0.6999,
        "per_class": {},
        "intervals": {
            "accuracy": [0.7, 0.8],
            "balanced_accuracy": [0.65, 0.75],
            "macro_f1": [0.64, 0.74],
            "per_class": {},
        },
        **NAMED,
    },
    "bootstrap": {"resamples": 1000, "groups": 217},
    "by_laboratory": [
        {
            "origin": "bone_marrow",
            "laboratory": "MLL",
            "n": 120,
            "accuracy": 0.933,
            "accuracy_interval": [0.8833, 0.9755],
            "accuracy_raw": 0.777,
            "accuracy_raw_interval": [0.701, 0.849],
        },
        {
            "origin": "unknown",
            "laboratory": "BM_of_ours",
            "n": 99,
            "accuracy": 0.888,
            "accuracy_interval": [0.82, 0.94],
            "accuracy_raw": 0.7,
            "accuracy_raw_interval": [0.6, 0.79],
        },
    ],
    "across_laboratories": [
        {
            "code": "BLA",
            "origin": "blood",
            "laboratory": "Barcelona",
            "n": 21,
            "accuracy": 0.619,
            "interval": [0.4088, 0.7925],
            "accuracy_raw": 0.5238,
        },
        {
            "code": "BLA",
            "origin": "bone_marrow",
            "laboratory": "MLL",
            "n": 99,
            "accuracy": 0.9596,
            "interval": [0.9007, 0.9842],
            "accuracy_raw": 0.8081,
        },
    ],
    "calibration": {"temperature": 1.37, "ece_uncalibrated": 0.0713, "ece": 0.0218},
    "uncertain": {
        "uncertain_below": 0.61,
        "temperature": 1.37,
        "tta_rotations": 1,
        "known_test": 0.07,
        "known_bone_marrow": 0.083,
        "unseen": {
            "segpc_plasma_cells": {"n": 77, "share": 0.604, "interval": [0.49, 0.706]},
            "NIF": {"n": 25, "share": 0.8, "interval": [0.61, 0.91]},
        },
    },
    "environment": {"python": "3.11", "keras": "3.15.1"},
    "command": "python -m training.train_classifier --data cells",
}
SEGMENTER_CONFIG = {
    "input_size": 640,
    "confidence": 0.42,
    "iou": 0.55,
    "labels": ["cell"],
    "initial_weights": "bone-marrow-mobilenet",
    "trained_on": {
        "fields": {"composed": 500, "fields_bccd": 123, "our_composed_bccd": 3},
        "cells": {"marrow": 410, "drawn": 90, "marrow of ours": 7},
    },
}
SEGMENTER_METRICS = {
    "datasets": {
        "composed": {
            "n_images": 50,
            "cells": 700,
            "mask_map50": 0.912,
            "recall": 0.934,
            "intervals": {"recall": [0.9, 0.9512]},
            "recall_by_overlap": {"none": {"cells": 600, "recall": 0.961}, "above_20": {"cells": 12, "recall": 0.75}},
            "recall_by_diameter": {"30_60": {"cells": 333, "recall": 0.911}},
        },
        "bccd": {"n_images": 41, "cells": 44, "recall": 0.871},
    },
    "precision_recall": [
        {"confidence": 0.1, "recall": 0.99, "precision": 0.7, "f1": 0.82},
        {"confidence": 0.15, "recall": 0.98, "precision": 0.8, "f1": 0.881},
        {"confidence": 0.2, "recall": 0.97, "precision": 0.9, "f1": 0.934},
    ],
    "confidence": {"value": 0.42, "f1_tolerance": 0.005},
    "environment": {"ultralytics": "8.4.1"},
    "command": "python -m training.train_segmenter --data fields",
}


def model_folder(folder: Path, config: dict[str, Any], metrics: dict[str, Any], *others: str) -> Path:
    """Make a model folder with its two JSON files and some empty ones."""
    folder.mkdir(parents=True)
    (folder / "config.json").write_text(json.dumps(config))
    (folder / "metrics.json").write_text(json.dumps(metrics))
    for name in others:
        (folder / name).touch()
    return folder


def test_classifier_card_has_every_metric(tmp_path: Path) -> None:
    folder = model_folder(tmp_path / "bone-marrow-mobilenet", CLASSIFIER_CONFIG, CLASSIFIER_METRICS)
    text = render(folder)
    for row in (
        "| BLA | blast | 0 | 612 | 612 |",
        "| EBO | erythroblast | 503 | 0 | 503 |",
        "| PLM | plasma cell | 0 | 0 | 0 |",
        "| test | 219 |",
        "| code | class | blood (Barcelona) | bone marrow (MLL) | all |",
        "| blood (Barcelona) | 503 | peripheral-blood cells, Hospital Clínic de Barcelona",
        "| cropped as the runtime does | 0.912 (0.871–0.945) | 0.876 (0.837–0.919) | 0.843 (0.801–0.880) | 219 |",
        "| whole single-cell image, as in `pipeline` | 0.753 (0.700–0.800) | 0.702 (0.650–0.750) | 0.700 (0.640–",
        "| BLA | 0.951 (0.908–0.982) | 0.932 (0.885–0.973) | 0.941 | 120 |",
        "| EBO | 0.917 (0.861–0.962) | 0.889 (0.821–0.944) | 0.903 | 99 |",
        "| **EBO** | 11 | 88 |",
        "| bone marrow (MLL) | 120 | 0.933 (0.883–0.976) | 0.777 (0.701–0.849) |",
        "| unknown origin (BM_of_ours) | 99 | 0.888 (0.820–0.940) | 0.700 (0.600–0.790) |",
        "| BLA | blood (Barcelona) | 21 | 0.619 (0.409–0.792) | 0.524 |",
        "| BLA | bone marrow (MLL) | 99 | 0.960 (0.901–0.984) | 0.808 |",
        "from 0.071 to 0.022",
        "| EBO | BLA | 11 of 99 | 0.111 |",
        "| BLA | EBO | 8 of 120 | 0.067 |",
        "Training took 2.0 hours on 2 cores of Some CPU (measured; epochs: 12).",
        "that is 0.08 kWh",
        "from 1000 resamples of the\n217 groups",
        "| known marrow cells | – | 0.083 |",
        "| plasma cells (SegPC-2021) | 77 | 0.604 (0.490–0.706) |",
        "| NIF images not trained on | 25 | 0.800 (0.610–0.910) |",
        "For every 100 cells 15 views of no class were shown too",
        "halves of two cells, 57 images of NIF)",
        "| keras | 3.15.1 |",
        "python -m training.train_classifier --data cells",
    ):
        assert row in text, row
    assert "There were no images of PLM (plasma cell)" in text
    assert "There were hardly any or no marrow images of EBO (erythroblast)." in text
    assert "`temperature` of the probabilities (1.370)" in text


def test_what_a_model_that_goes_on_took_is_not_all_that_its_weights_took(tmp_path: Path) -> None:
    folder = model_folder(tmp_path / "m", CLASSIFIER_CONFIG | {"resumed_from": "you/first"}, CLASSIFIER_METRICS)
    text = render(folder)
    assert "Going on from you/first took 2.0 hours" in text and "nor is the training of you/first." in text
    assert ModelCard(text).data.co2_eq_emissions["source"].endswith("; without the training of you/first")


def test_classifier_metadata_is_complete(tmp_path: Path) -> None:
    folder = model_folder(tmp_path / "bone-marrow-mobilenet", CLASSIFIER_CONFIG, CLASSIFIER_METRICS)
    data = ModelCard(render(folder)).data
    assert (data.license, data.library_name, data.pipeline_tag) == (
        "agpl-3.0",
        "transformers",
        "image-classification",
    )
    assert data.datasets == ["NAMESPACE/bone-marrow-12"]
    assert data.model_name == "bone-marrow-mobilenet"
    assert (data.base_model, data.base_model_relation) == ("google/mobilenet_v2_1.0_224", "finetune")
    assert data.metrics == ["accuracy", "balanced_accuracy", "macro_f1"]
    assert {(r.dataset_type, r.dataset_split) for r in data.eval_results} == {("NAMESPACE/bone-marrow-12", "test")}
    # 2 hours of 2 cores at 20 W are 0.08 kWh
    assert data.co2_eq_emissions["emissions"] == pytest.approx(0.08 * 480)
    assert data.co2_eq_emissions["hardware_used"] == "2 cores of Some CPU"
    assert {result.metric_type: result.metric_value for result in data.eval_results} == {
        "accuracy": 0.9123,
        "balanced_accuracy": 0.8765,
        "macro_f1": 0.8432,
    }


def test_segmenter_card(tmp_path: Path) -> None:
    folder = model_folder(tmp_path / "bone-marrow-yolov8-seg", SEGMENTER_CONFIG, SEGMENTER_METRICS, "model.pt")
    text = render(folder)
    for row in (
        "| images | number | cells | recall | mask mAP50 |",
        "| composed fields | 50 | 700 | 0.934 (0.900–0.951) | 0.912 |",
        "| BCCD white cells, boxes (test part) | 41 | 44 | 0.871 | – |",
        "| composed fields | over 20 % | 12 | 0.750 |",
        "| composed fields | 30–60 px | 333 | 0.911 |",
        "| 0.2 | 0.970 | 0.900 | 0.934 |",
        "| cells/marrow | 410 | bone-marrow cells, MLL",
        "| fields/composed | 500 | fields composed by",
        "| fields/our_composed_bccd | 3 | not described here | – |",
        "| cells/marrow of ours | 7 | not described here | – |",
        "0.420 is the lowest within 0.005 of the highest F1",
        "640 × 640 px",
        'model("smear.jpg", conf=0.42)',
        "The backbone started from that classifier's weights.",
        "| BCCD white cells, boxes (test part) | 0.129 | – |",
        "The time that this training took was not written down",
    ):
        assert row in text, row
    assert "\n# bone-marrow-yolov8-seg\n" in text
    assert "[BCCD](https://github.com/Shenggan/BCCD_Dataset) | MIT |" in text
    data = ModelCard(text).data
    assert (data.license, data.library_name, data.pipeline_tag) == (
        "agpl-3.0",
        "ultralytics",
        "image-segmentation",
    )
    assert data.base_model == "NAMESPACE/bone-marrow-mobilenet"
    assert [result.metric_value for result in data.eval_results] == [0.934, 0.912, 0.871]
    assert {result.dataset_split for result in data.eval_results} == {"test"}
    assert "Beside other ways" not in text and "precision_recall.png" not in text and "How it looks" not in text


def test_segmenter_card_with_the_studies(tmp_path: Path) -> None:
    pictures = ("precision_recall.png", "transfer.png", "successes.png", "failures.png")
    folder = model_folder(tmp_path / "bone-marrow-yolov8-seg", SEGMENTER_CONFIG, SEGMENTER_METRICS, *pictures)
    for name in ("comparison", "transfer", "quantization"):
        (folder / f"{name}.md").write_text(f"table of the {name}\n")
    text = render(folder)
    for name in ("comparison", "transfer", "quantization"):
        assert f"\n\ntable of the {name}\n" in text
    assert all(f"]({name})" in text for name in pictures)


def test_the_card_says_that_marrow_segments_at_two_scales_where_it_does(tmp_path: Path) -> None:
    once = render(model_folder(tmp_path / "once", SEGMENTER_CONFIG, SEGMENTER_METRICS))
    twice = render(model_folder(tmp_path / "twice", SEGMENTER_CONFIG | {"max_object_size": 170}, SEGMENTER_METRICS))
    assert "up to 170 px" in twice and "up to 170 px" not in once


def test_no_metric_outlives_its_file(tmp_path: Path) -> None:
    bare = {"id2label": {"0": "BLA"}, "temperature": 1.0, "uncertain_below": 0.5}
    text = render(model_folder(tmp_path / "bone-marrow-mobilenet", bare, {}))
    for gone in ("0.912", "612", "219", "On held-out images", "Confusion", "model-index"):
        assert gone not in text
    assert "There were no images of BLA (blast)" in text


def test_the_config_of_release_0_1_still_makes_the_same_card(tmp_path: Path) -> None:
    old = {"BLA": {"marrow": 612}, "EBO": {"blood": 503}, "PLM": {}}
    unknown = {"share": 0.15, "cells": {"NIF": {"marrow": 53, "blood": 4}}}
    former = CLASSIFIER_CONFIG | {"trained_on": old, "outlier_exposure": unknown}
    folders = [
        model_folder(tmp_path / kind / "model", config, CLASSIFIER_METRICS)
        for kind, config in (("old", former), ("new", CLASSIFIER_CONFIG))
    ]
    assert render(folders[0]) == render(folders[1])


def test_a_name_that_is_merely_similar_is_no_marrow(tmp_path: Path) -> None:
    trained_on = {"BLA": {"marrow_flags": 612}, "EBO": {"unknown": {"marrow": 5}}, "PLM": {"bone_marrow": {"Lyon": 50}}}
    text = render(model_folder(tmp_path / "model", CLASSIFIER_CONFIG | {"trained_on": trained_on}, {}))
    assert "There were hardly any or no marrow images of BLA (blast), EBO (erythroblast)." in text
    assert "| unknown origin (marrow_flags) | 612 | not described here | – |" in text
    assert "| bone marrow (Lyon) | 50 | not described here | – |" in text


def test_shows_only_files_that_are_there(tmp_path: Path) -> None:
    bare = model_folder(tmp_path / "bare", CLASSIFIER_CONFIG, CLASSIFIER_METRICS)
    full = model_folder(tmp_path / "full", CLASSIFIER_CONFIG, CLASSIFIER_METRICS, "model.keras", "model.safetensors")
    for shown in ("keras.saving.load_model", 'pipeline("image-classification"'):
        assert shown not in render(bare)
        assert shown in render(full)


def test_plots_and_the_comparison_are_shown_where_they_are_there(tmp_path: Path) -> None:
    bare = model_folder(tmp_path / "bare", CLASSIFIER_CONFIG, CLASSIFIER_METRICS)
    full = model_folder(tmp_path / "full", CLASSIFIER_CONFIG, CLASSIFIER_METRICS, "explain.png", "comparison.png")
    (full / "comparison.md").write_text("| network | accuracy |\n| --- | --- |\n| vgg16 | 0.437 |\n")
    (full / "correction.md").write_text("a simulated case\n")
    wanted = ("](explain.png)", "](comparison.png)", "| vgg16 | 0.437 |", "How the network was chosen")
    for shown in (*wanted, "## What corrections bring\n\na simulated case\n"):
        assert shown not in render(bare)
        assert shown in render(full)


@pytest.mark.parametrize("name", ["bone-marrow-mobilenet", "bone-marrow-yolov8-seg"])
def test_the_card_of_the_release_says_what_its_metrics_say(name: str, tmp_path: Path) -> None:
    released = ROOT / "hub" / name
    card = (released / "README.md").read_text(encoding="utf-8")
    shutil.copytree(released, tmp_path / name)
    derived = tmp_path / name / "model.keras"  # made before publishing, and not kept with the release
    derived.touch() if '"model.keras"' in card else derived.unlink(missing_ok=True)
    assert render(tmp_path / name) == card, "run `make cards`"


def test_the_readme_says_what_the_metrics_of_the_release_say() -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    section = text.partition("<!-- results -->")[2].partition("<!-- /results -->")[0]
    assert section.strip() == readme.results().strip(), "run `make cards`"
    accuracy = json.loads((ROOT / "hub/bone-marrow-mobilenet/metrics.json").read_text())["test"]["accuracy"]
    assert f"{accuracy:.3f}" in section


def test_a_card_of_other_weights_than_were_measured_is_refused(tmp_path: Path) -> None:
    shutil.copytree(ROOT / "hub" / "bone-marrow-mobilenet", tmp_path / "model")
    render(tmp_path / "model")
    with (tmp_path / "model" / "model.onnx").open("ab") as file:
        file.write(b" ")
    with pytest.raises(MarrowError, match=r"model\.onnx of .* changed since metrics\.json was measured"):
        render(tmp_path / "model")


def test_a_changed_metric_changes_the_card(tmp_path: Path) -> None:
    released = ROOT / "hub" / "bone-marrow-mobilenet"
    shutil.copytree(released, tmp_path / released.name)
    path = tmp_path / released.name / "metrics.json"
    metrics = json.loads(path.read_text())
    before = render(path.parent)
    metrics["test"]["accuracy"] += 0.001
    path.write_text(json.dumps(metrics))
    assert render(path.parent) != before


def test_the_command_writes_readmes_or_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = model_folder(tmp_path / "model", SEGMENTER_CONFIG, SEGMENTER_METRICS)
    assert main([str(folder)]) == 0
    assert (folder / "README.md").read_text() == render(folder)
    assert sorted(path.name for path in folder.iterdir()) == ["README.md", "config.json", "metrics.json"]
    (folder / "metrics.json").write_text("{")
    capsys.readouterr()
    assert main([str(folder)]) == 2
    assert main([str(tmp_path / "nowhere")]) == 2
    first, second = capsys.readouterr().err.splitlines()
    assert "metrics.json is not JSON" in first
    assert "cannot be read" in second


@pytest.mark.parametrize("mark", ["near-duplicates", "large-input", "masks"])
def test_the_data_set_card_says_what_the_benchmark_found(mark: str) -> None:
    text = (ROOT / "dataset_scripts" / "README.md").read_text(encoding="utf-8")
    section = text.partition(f"<!-- {mark} -->")[2].partition(f"<!-- /{mark} -->")[0]
    assert section.strip() == readme.dataset_blocks()[mark].strip(), "run `make cards`"
