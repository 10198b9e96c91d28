"""The YAML block of a model's card, by which the Hub finds and shows it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from huggingface_hub import EvalResult, ModelCardData

from model_cards.cost import emissions
from model_cards.segmenter_tables import TITLES
from training.common.metrics_schema import ClassificationMetrics, ClassifierMetrics
from training.common.segmenter_schema import FieldMetrics, SegmenterMetrics

DATASET = "NAMESPACE/bone-marrow-12"
CLASSIFIER = "bone-marrow-mobilenet"
IMAGENET = "google/mobilenet_v2_1.0_224"
"""Another port of the same TensorFlow checkpoint that the ImageNet weights of Keras Applications are made from."""
METRIC_NAMES = {
    "accuracy": "Accuracy",
    "balanced_accuracy": "Balanced accuracy",
    "macro_f1": "Macro F1",
    "recall": "Recall at IoU 0.5",
    "precision": "Precision at IoU 0.5",
    "f1": "F1 at IoU 0.5",
    "mean_iou": "Mean IoU",
    "count_error": "Count error per field",
    "mask_map50": "Mask mAP50",
    "mask_map50_95": "Mask mAP50-95",
    "false_cells_per_field": "False cells per field",
}


def classifier_data(name: str, config: Mapping[str, Any], metrics: ClassifierMetrics) -> ModelCardData:
    """Return the metadata of a classifier's card."""
    results = _results("image-classification", "bone-marrow-12, cells cropped", DATASET, metrics.test)
    imagenet = "imagenet" in config.get("initial_weights", "")
    base, tags = IMAGENET if imagenet else None, ["keras", "mobilenet_v2"]
    return _card_data(name, "image-classification", results, config, base, tags, library_name="transformers")


def segmenter_data(name: str, config: Mapping[str, Any], metrics: SegmenterMetrics) -> ModelCardData:
    """Return the metadata of a segmenter's card."""
    results = [
        result
        for kind, fields in metrics.datasets.items()
        for result in _results("image-segmentation", TITLES[kind], TITLES[kind].lower().replace(" ", "-"), fields)
    ]
    base = f"NAMESPACE/{CLASSIFIER}" if config.get("initial_weights") == CLASSIFIER else None
    tags = ["instance-segmentation", "yolov8", "mobilenet_v2"]
    return _card_data(name, "image-segmentation", results, config, base, tags, library_name="ultralytics")


def _card_data(
    name: str,
    task: str,
    results: list[EvalResult],
    config: Mapping[str, Any],
    base: str | None,
    tags: list[str],
    library_name: str,
) -> ModelCardData:
    training, before = config.get("training"), config.get("resumed_from")
    cost: dict[str, Any] = {"co2_eq_emissions": emissions(training, before)} if training else {}
    descent: dict[str, Any] = {"base_model": base, "base_model_relation": "finetune"} if base else {}
    return ModelCardData(
        model_name=name,
        license="agpl-3.0",
        pipeline_tag=task,
        datasets=[DATASET],
        tags=["medical", "hematology", "cytology", "bone-marrow", "onnx", "openvino", *tags],
        metrics=list(dict.fromkeys(result.metric_type for result in results)) or None,
        eval_results=results or None,
        **descent,
        library_name=library_name,
        **cost,
    )


def _results(
    task: str, dataset: str, kind: str, metrics: ClassificationMetrics | FieldMetrics | None
) -> list[EvalResult]:
    """Return the metrics there are; all were measured on images that training and thresholds did not see."""
    values = {name: getattr(metrics, name, None) for name in METRIC_NAMES}
    return [
        EvalResult(
            task_type=task,
            dataset_type=kind,
            dataset_name=dataset,
            dataset_split="test",
            metric_type=name,
            metric_name=METRIC_NAMES[name],
            metric_value=round(value, 4),
        )
        for name, value in values.items()
        if value is not None
    ]
