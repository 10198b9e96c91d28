"""Tables of a classifier's metrics."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from marrow.report import wilson_interval
from model_cards.sources import laboratory_name
from training.common import metrics_schema as schema
from training.common.markdown import number, table, with_interval

WORST = 6
"""Rows of the table of failures."""
UNSEEN = {"segpc_plasma_cells": "plasma cells (SegPC-2021)"}
"""Cells that no class of the model stands for; others are called by their code."""
SMEARS = {
    "composed": "fields composed of held-out cells",
    "bccd_test": "BCCD, fields kept for tests",
    "segpc": "SegPC-2021, bone marrow",
}
"""Kinds of smears; others are called by their laboratory."""
LEFT_OUT = (
    "\\* The release was trained on these laboratories too. Their rows are of networks trained in the same way without "
    "the laboratory, at most as long, with bounds chosen without it."
)


def result_table(metrics: schema.ClassifierMetrics) -> str:
    """Return the main metrics, a row for each kind of input."""
    inputs = {
        "cropped as the runtime does": metrics.test,
        "whole single-cell image, as in `pipeline`": metrics.test_raw,
    }
    if metrics.uncertain and metrics.uncertain.tta_rotations > 1:
        inputs["cropped, not turned"] = metrics.test_without_tta
    names = ("accuracy", "balanced_accuracy", "macro_f1")
    rows = [
        [text, *(with_interval(getattr(test, name), getattr(test.intervals, name)) for name in names), test.n]
        for text, test in inputs.items()
        if test
    ]
    return table(["input", "accuracy", "balanced accuracy", "macro F1", "images"], rows)


def per_class_table(test: schema.ClassificationMetrics) -> str:
    """Return precision, recall and F1 by class."""
    rows = []
    for code, metrics in test.per_class.items():
        bounds = test.intervals.per_class[code]
        shares = with_interval(metrics.precision, bounds.precision), with_interval(metrics.recall, bounds.recall)
        rows.append([code, *shares, metrics.f1, metrics.support])
    return table(["class", "precision", "recall", "F1", "images"], rows)


def by_laboratory_table(laboratories: Sequence[schema.LaboratoryMetrics]) -> str:
    """Return accuracy by the origin and laboratory of the images."""
    rows = []
    for one in laboratories:
        cropped, raw = (one.accuracy, one.accuracy_interval), (one.accuracy_raw, one.accuracy_raw_interval)
        rows.append([laboratory_name(one.origin, one.laboratory), one.n, with_interval(*cropped), with_interval(*raw)])
    return table(["origin", "images", "accuracy, cropped", "accuracy, whole image"], rows)


def across_laboratories_table(classes: Sequence[schema.ClassInLaboratory]) -> str:
    """Return what is named right of the classes that several laboratories hold."""
    rows = []
    for one in classes:
        shares = with_interval(one.accuracy, one.interval), one.accuracy_raw
        rows.append([one.code, laboratory_name(one.origin, one.laboratory), one.n, *shares])
    return table(["class", "origin", "images", "named right, cropped", "whole image"], rows)


NO_TEST = (
    "Nothing here tests `EBO MMZ MYB NGB` in bone marrow, nor `PLM` anywhere: no pictures of them could be had. "
    "All five laboratories photographed blood."
)


def foreign_table(laboratories: Sequence[schema.ForeignMetrics]) -> str:
    """Return how cells are named in laboratories that were not trained on, and what that table does not test."""
    heads = ["laboratory", "cells", "named right", "balanced", "lineage right", "counted", "of these right"]
    rows: list[list[object]] = [
        [
            one.laboratory + ("\\*" if one.left_out else ""),
            one.n,
            with_interval(one.accuracy, one.accuracy_interval),
            with_interval(one.balanced_accuracy, one.balanced_accuracy_interval),
            one.lineage_accuracy,
            one.counted,
            with_interval(one.precision, one.precision_interval),
            one.calibration_error,
            one.risk_coverage_area,
        ]
        for one in laboratories
    ]
    mean = [sum(values) / len(rows) for values in zip(*map(_shares, laboratories), strict=True)]
    rows.append(["**mean**", None, *mean[:3], mean[3], None, *mean[4:]])
    marked = f"\n\n{LEFT_OUT}" if any(one.left_out for one in laboratories) else ""
    return f"{NO_TEST}\n\n" + table([*heads, "calibration error", "risk–coverage area"], rows) + marked


def _shares(one: schema.ForeignMetrics) -> list[float]:
    accuracies = [one.accuracy, one.balanced_accuracy, one.lineage_accuracy]
    return [*accuracies, one.counted, one.calibration_error, one.risk_coverage_area]


def foreign_class_table(laboratories: Sequence[schema.ForeignMetrics]) -> str:
    """Return the share named right of each class in each laboratory, with the number of its cells."""
    codes = sorted({code for one in laboratories for code in one.per_class})
    rows = [
        [code, *(_share_of(one.per_class[code]) if code in one.per_class else None for one in laboratories)]
        for code in codes
    ]
    return table(["class", *(one.laboratory for one in laboratories)], rows)


def _share_of(one: schema.ClassShare) -> str:
    return f"{number(one.accuracy)} of {one.n}"


def confusion_table(test: schema.ClassificationMetrics) -> str:
    """Return the confusion matrix, a row for each true class."""
    rows = [[f"**{label}**", *row] for label, row in zip(test.labels, test.confusion, strict=True)]
    return table(["", *test.labels], rows)


def failure_table(test: schema.ClassificationMetrics) -> str:
    """Return the commonest mistakes, by the share of their class."""
    mistakes = [
        (n / sum(row), n, sum(row), true, predicted)
        for true, row in zip(test.labels, test.confusion, strict=True)
        for predicted, n in zip(test.labels, row, strict=True)
        if n and predicted != true
    ]
    worst = sorted(mistakes, key=lambda one: one[0], reverse=True)[:WORST]
    rows = [[true, predicted, f"{n} of {of}", share] for share, n, of, true, predicted in worst]
    return table(["a cell labelled", "is named", "images", "share of its class"], rows)


def uncertain_table(uncertain: schema.UncertainMetrics) -> str:
    """Return the shares of cells called uncertain."""
    return table(["cells", "number", "share called uncertain"], _uncertain_rows(uncertain))


def uncertain_line(uncertain: schema.UncertainMetrics) -> str:
    """Return the same in one line."""
    return "; ".join(f"{name} {share}" for name, _, share in _uncertain_rows(uncertain))


def _uncertain_rows(uncertain: schema.UncertainMetrics) -> list[list[object]]:
    rows: list[list[object]] = []
    if uncertain.known_bone_marrow is not None:
        rows.append(["known marrow cells", None, number(uncertain.known_bone_marrow)])
    for name, unseen in uncertain.unseen.items():
        text = UNSEEN.get(name, f"{name} images not trained on")
        rows.append([text, unseen.n, with_interval(unseen.share, unseen.interval)])
    return rows


def silence_table(silence: schema.SilenceMetrics) -> str:
    """Return the shares of smears and of other pictures that get a warning."""
    rows = [[SMEARS.get(name, name), *_warned(one)] for name, one in silence.smears.items()]
    rows += [[f"*no smear:* {name}", *_warned(one)] for name, one in silence.non_smears.items()]
    heads = ["pictures", "number", "with a warning", "named right under a warning", "without one", "warnings"]
    return table(heads, rows)


def _warned(one: schema.WarnedShare) -> list[object]:
    codes = ", ".join(f"`{code}` {number(share)}" for code, share in one.codes.items())
    shares = [one.accuracy.get("warned"), one.accuracy.get("others")]
    return [one.n, with_interval(one.warned, one.interval), *shares, codes or None]


def short_silence_table(silence: schema.SilenceMetrics) -> str:
    """Return these shares without the laboratories that were trained on, with all that is no smear in one row."""
    others = silence.non_smears.values()
    n, warned = sum(one.n for one in others), round(sum(one.n * one.warned for one in others))
    low, high = wilson_interval(warned, n)
    rows = [
        [SMEARS.get(name, name), *_warned(one)[:-1]]
        for name, one in silence.smears.items()
        if name in SMEARS or one.accuracy
    ]
    share = with_interval(warned / max(n, 1), (low / 100, high / 100))
    rows.append([f"*no smear:* {', '.join(silence.non_smears)}", n, share, None, None])
    return table(["pictures", "number", "with a warning", "named right under a warning", "without one"], rows)


def unlikeness_table(silence: schema.SilenceMetrics) -> str:
    """Return how well unlikeness tells cells from those of the laboratories trained on."""
    names = UNSEEN | {"non_smears": "what is outlined in pictures that are no smear"}
    return table(["cells", "AUROC"], [[names.get(name, name), value] for name, value in silence.auroc.items()])


def cleaned_rows(cleaned: schema.CleanedMetrics) -> list[list[object]]:
    """Return rows of images, their number and accuracy: the marrow cells, and those without a suspicious label."""
    full = with_interval(cleaned.full_accuracy, cleaned.full_accuracy_interval)
    kept = with_interval(cleaned.accuracy, cleaned.accuracy_interval)
    return [
        [f"marrow cells ({' '.join(cleaned.codes)})", cleaned.n, full],
        ["the same without suspicious labels", cleaned.n - cleaned.removed, kept],
    ]


FRAMINGS = {
    "eyepiece": "through an eyepiece, black around a disc",
    "half_empty": "beside as much bare ground",
    "one_cell": "cut down to the cell and what surrounds it",
    "single": "the cell alone, as `marrow classify` names it",
}


def framing_table(framing: Mapping[str, schema.FramedShare]) -> str:
    """Return whether cells keep their name in other framings."""
    rows = [[FRAMINGS[name], one.n, one.found, one.same, one.same_counted] for name, one in framing.items()]
    return table(["framing", "cells", "found again", "same name", "same name where it was counted"], rows)
