"""Tables of the classifier's figures, as ``training.evaluation.classifier`` gives them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from training.common.markdown import number, table, with_interval

WORST = 6
"""Rows of the table of failures."""


def result_table(metrics: Mapping[str, Any]) -> str:
    """Return the main figures, a row for each kind of input."""
    inputs = {"test": "cropped as the runtime does", "test_raw": "whole single-cell image, as in `pipeline`"}
    if metrics.get("uncertain", {}).get("tta_rotations", 1) > 1:
        inputs["test_one_view"] = "cropped, looked at once"
    keys = ("accuracy", "balanced_accuracy", "macro_f1")
    rows = [
        [text, *(with_interval(metrics[key], name) for name in keys), metrics[key].get("n")]
        for key, text in inputs.items()
        if key in metrics
    ]
    return table(["input", "accuracy", "balanced accuracy", "macro F1", "images"], rows)


def per_class_table(test: Mapping[str, Any]) -> str:
    """Return precision, recall and F1 by class."""
    intervals = test.get("intervals", {}).get("per_class", {})
    rows = []
    for code, figures in test.get("per_class", {}).items():
        both = {**figures, "intervals": intervals.get(code, {})}
        shares = [with_interval(both, name) for name in ("precision", "recall")]
        rows.append([code, *shares, figures.get("f1"), figures.get("support")])
    return table(["class", "precision", "recall", "F1", "images"], rows)


def by_source_table(by_source: Mapping[str, Mapping[str, Any]]) -> str:
    """Return accuracy by the source of the images."""
    rows = [
        [source, figures.get("n"), _named_right(figures, "accuracy"), _named_right(figures, "accuracy_raw")]
        for source, figures in by_source.items()
    ]
    return table(["source", "images", "accuracy, cropped", "accuracy, whole image"], rows)


def _named_right(figures: Mapping[str, Any], name: str) -> str:
    return with_interval({**figures, "intervals": {name: figures.get(f"{name}_interval")}}, name)


def across_sources_table(across: Mapping[str, Mapping[str, Mapping[str, Any]]]) -> str:
    """Return what is named right of the classes that several sources hold."""
    rows = [
        [
            code,
            source,
            figures["n"],
            f"{number(figures['accuracy'])} ({number(figures['interval'])})",
            figures["accuracy_raw"],
        ]
        for code, by_source in across.items()
        for source, figures in by_source.items()
    ]
    return table(["class", "source", "images", "named right, cropped", "whole image"], rows)


def confusion_table(labels: Sequence[str], counts: Sequence[Sequence[int]]) -> str:
    """Return the confusion matrix, a row for each true class."""
    return table(["", *labels], [[f"**{label}**", *row] for label, row in zip(labels, counts, strict=False)])


def failure_table_of_classes(labels: Sequence[str], counts: Sequence[Sequence[int]]) -> str:
    """Return the commonest mistakes of a confusion matrix, by the share of their class."""
    mistakes = [
        (n / sum(row), n, sum(row), true, said)
        for true, row in zip(labels, counts, strict=False)
        for said, n in zip(labels, row, strict=False)
        if n and said != true
    ]
    worst = sorted(mistakes, key=lambda one: one[0], reverse=True)[:WORST]
    rows = [[true, said, f"{n} of {of}", share] for share, n, of, true, said in worst]
    return table(["a cell labelled", "is named", "images", "share of its class"], rows)
