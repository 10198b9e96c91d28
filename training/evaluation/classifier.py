"""Measuring the classifier: temperature, the bound of uncertainty, and metrics on the test split."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from pathlib import Path

import evaluate
import numpy as np

from dataset_scripts.drawing.pictures import draw_single
from marrow.cell import Box
from marrow.classifier import Classifier, probabilities
from marrow.defaults import default_reference
from marrow.errors import MarrowError
from marrow.pipeline import Models
from marrow.report import NOT_IN_DIFFERENTIAL, wilson_interval
from marrow.segmenter import Segmenter
from training.classifier.data import Cells, load_cells, real_cells
from training.common import metrics_schema as schema
from training.common.model_folder import note_self_test, note_weights, update_config
from training.common.plots import draw_risks
from training.evaluation.bootstrap import RESAMPLES, intervals
from training.evaluation.calibration import calibrate, from_marrow, read_left_out
from training.evaluation.foreign import laboratories_trained_on, measure_foreign
from training.evaluation.framing import measure_framing
from training.evaluation.ground_truth import bccd_fields, coco_fields, segpc_fields
from training.evaluation.matching import rle_box
from training.evaluation.silence import measure_silence
from training.evaluation.suspicious import read_list

METRICS = Path(__file__).parent / "metrics"

COMPOSED = 20
"""Composed fields to be framed anew."""

FoundCells = tuple[np.ndarray, list[Box]]
"""An image, and the boxes of cells in it."""


def measure(
    model: Path,
    data: str,
    benchmarks: Path | None,
    unknown: str | None = None,
    fields: Path | None = None,
    left_out: Sequence[Path] = (),
    suspicious: Path | None = None,
) -> schema.ClassifierMetrics:
    """Calibrate a classifier, and measure it on the test split and in other laboratories.

    Args:
        model: Hub folder; what :func:`calibrate` chooses is set in its ``config.json``, with digests of the weights and
            a self-test.
        data: data set with the splits ``validation`` and ``test``.
        benchmarks: folder with ``fields_segpc``, plasma cells that were never trained, and with the laboratories of
            :mod:`training.evaluation.foreign`, whose fields the segmenter that is used by default looks through.
        unknown: data set of cells of no class, of which the validation and test splits were never trained.
        fields: composed fields, whose test split is to get no warnings.
        left_out: variants of a study by :mod:`training.laboratory_study`, trained in the same way without a laboratory;
            they calibrate instead of the validation split.
        suspicious: list of test images whose labels look wrong, by :mod:`training.suspicious_labels`.

    Returns:
        The metrics, but for ``environment`` and ``command``; of real images only, where the set has any.
    """
    validation, test = (real_cells(load_cells(data, split)) for split in ("validation", "test"))
    note_weights(model)
    # an export has none
    update_config(model, temperature=1.0, softening=None, reject_logit=None, uncertain_below=0.0)
    asked = Classifier.from_pretrained(str(model)).config
    away = read_left_out(left_out, benchmarks, asked) if benchmarks else []
    rows = calibrate(model, validation, away)
    classifier = Classifier.from_pretrained(str(model))
    note_self_test(model, classifier, draw_single("LYT", np.random.default_rng(0)))
    config = classifier.config
    logits, unlikeness = classifier.answers(test.crops(classifier.crop))
    temperatures = config.temperatures(unlikeness)
    predicted = probabilities(logits, temperatures, config.reject_logit)
    # as the Transformers pipeline does: the whole image, not turned
    raw = probabilities(classifier.logits(test.raw(classifier.crop.size))[:1], config.temperature)
    unseen = _unknown_cells(unknown) | _plasma_cells(benchmarks)
    models = Models(Segmenter.from_pretrained(default_reference("segmenter")), classifier) if benchmarks else None
    return schema.ClassifierMetrics(
        data=schema.SplitSizes(len(validation), len(test)),
        test=classification_metrics(predicted, test),
        test_without_tta=classification_metrics(probabilities(logits[:1]), test),
        test_raw=classification_metrics(raw, test),
        bootstrap=schema.Bootstrap(RESAMPLES, len(set(test.groups)) or len(test)),
        by_laboratory=by_laboratory(predicted, raw, test),
        across_laboratories=across_laboratories(predicted, raw, test),
        foreign=measure_elsewhere(model, benchmarks, rows) if benchmarks else [],
        calibration=schema.Calibration(
            temperature=config.temperature,
            ece_uncalibrated=expected_calibration_error(probabilities(logits), test.labels),
            ece=expected_calibration_error(probabilities(logits, temperatures), test.labels),
        ),
        uncertain=_uncertain_metrics(classifier, predicted, test, unseen),
        silence=_silence(models, test, unseen, benchmarks, fields)
        if models and benchmarks and classifier.knows
        else None,
        cleaned=cleaned_metrics(predicted, test, config.rules.not_from_marrow, read_list(suspicious))
        if suspicious
        else None,
        framing=measure_framing(models, _smears(benchmarks, fields)) if models and benchmarks and fields else {},
    )


def _smears(benchmarks: Path, fields: Path) -> Iterator[np.ndarray]:
    """Read test fields: composed ones, and as many real ones as there are."""
    composed = [one for one in coco_fields(fields, "test") if one.composed and one.cells]
    yield from (one.image() for one in (*composed[:COMPOSED], *bccd_fields(benchmarks / "fields_bccd")))


def _silence(
    models: Models, test: Cells, unseen: dict[str, list[FoundCells]], benchmarks: Path, fields: Path | None
) -> schema.SilenceMetrics:
    rows = {name: [models.classifier.name(image, boxes)[1] for image, boxes in cells] for name, cells in unseen.items()}
    others = {name: np.concatenate([row for row in found if row is not None]) for name, found in rows.items()}
    return measure_silence(models, test, others, benchmarks, fields)


def measure_elsewhere(
    model: Path, benchmarks: Path, left_out: Sequence[schema.ForeignMetrics] = ()
) -> list[schema.ForeignMetrics]:
    """Measure a classifier in the laboratories of a folder that it was not trained on.

    Draws ``risk_coverage.png`` into the folder of the model.

    Args:
        model: Hub folder, calibrated.
        benchmarks: see :func:`measure`.
        left_out: rows of laboratories that it was trained on, by networks that were not.

    Returns:
        These rows, and those of the other laboratories.
    """
    classifier = Classifier.from_pretrained(str(model))
    segmenter = Segmenter.from_pretrained(default_reference("segmenter"))
    rows = [*left_out, *measure_foreign(classifier, segmenter, benchmarks, laboratories_trained_on(classifier))]
    if rows:
        draw_risks(rows, model / "risk_coverage.png")
    return rows


def expected_calibration_error(predicted: np.ndarray, labels: np.ndarray) -> float:
    """Return the error of probabilities, ``(n, classes)``, by ``training/evaluation/metrics/calibration_error``."""
    metric = evaluate.load(str(METRICS / "calibration_error"))
    return float(metric.compute(predictions=predicted, references=labels)["ece"])


def classification_metrics(predicted: np.ndarray, cells: Cells) -> schema.ClassificationMetrics:
    """Return what ``training/evaluation/metrics/cell_classification`` does, with 95 % intervals.

    Args:
        predicted: ``(n, classes)`` probabilities.
        cells: the ``n`` cells.
    """
    metric = evaluate.load(str(METRICS / "cell_classification"))
    guesses = predicted.argmax(axis=1)
    values = metric.compute(predictions=guesses, references=cells.labels, codes=list(cells.codes))
    values["per_class"] = {code: schema.ClassMetrics(**one) for code, one in values["per_class"].items()}
    return schema.ClassificationMetrics(**values, intervals=intervals(guesses, cells.labels, cells.groups, cells.codes))


def by_laboratory(predicted: np.ndarray, raw: np.ndarray, cells: Cells) -> list[schema.LaboratoryMetrics]:
    """Return the accuracy in each laboratory, in alphabetical order of origin and laboratory.

    Args:
        predicted: ``(n, classes)`` probabilities of the crops.
        raw: the same of the whole images.
        cells: the ``n`` cells.
    """
    rows = []
    for (origin, laboratory), chosen in _laboratories(cells).items():
        part = cells.select(chosen)
        cropped, whole = (_accuracy(given[chosen], part) for given in (predicted, raw))
        rows.append(schema.LaboratoryMetrics(origin, laboratory, len(part), *cropped, *whole))
    return rows


def _accuracy(predicted: np.ndarray, cells: Cells) -> tuple[float, schema.Interval]:
    guesses = predicted.argmax(axis=1)
    interval = intervals(guesses, cells.labels, cells.groups, cells.codes).accuracy
    return float((guesses == cells.labels).mean()), interval


def across_laboratories(predicted: np.ndarray, raw: np.ndarray, cells: Cells) -> list[schema.ClassInLaboratory]:
    """Return the share named right by class and laboratory, for the classes that more than one laboratory holds.

    Args:
        predicted: ``(n, classes)`` probabilities of the crops.
        raw: the same of the whole images.
        cells: the ``n`` cells.
    """
    right, right_raw = (given.argmax(axis=1) == cells.labels for given in (predicted, raw))
    rows = []
    for index, code in enumerate(cells.codes):
        parts = {place: chosen & (cells.labels == index) for place, chosen in _laboratories(cells).items()}
        held = {place: part for place, part in parts.items() if part.any()}
        for (origin, laboratory), part in held.items() if len(held) > 1 else ():
            n, hits = int(part.sum()), int(right[part].sum())
            shares = float(right[part].mean()), _wilson_share(hits, n), float(right_raw[part].mean())
            rows.append(schema.ClassInLaboratory(code, origin, laboratory, n, *shares))
    return rows


def cleaned_metrics(
    predicted: np.ndarray, cells: Cells, not_from_marrow: Collection[str], suspicious: Collection[tuple[str, str]]
) -> schema.CleanedMetrics:
    """Return the accuracy on marrow cells with and without those whose label looks wrong.

    Args:
        predicted: ``(n, classes)`` probabilities of the crops.
        cells: the ``n`` cells of the test split.
        not_from_marrow: codes that were not seen in marrow.
        suspicious: laboratory and path of images.

    Raises:
        MarrowError: an image of the list is not there, so that the list belongs to another set.
    """
    images = list(zip(cells.laboratories, cells.paths, strict=True))
    if missing := sorted(set(suspicious) - set(images)):
        raise MarrowError(f"The test split holds no {missing[0][1]} of {missing[0][0]}: the list is of another set.")
    codes = [code for code in cells.codes if code not in NOT_IN_DIFFERENTIAL.union(not_from_marrow)]
    marrow = from_marrow(cells) & np.isin(np.array(cells.codes)[cells.labels], codes)
    listed = np.array([image in suspicious for image in images], bool)
    parts = (marrow & ~listed, marrow)
    kept, full = (_accuracy(predicted[part], cells.select(part)) for part in parts)
    return schema.CleanedMetrics(codes, int(marrow.sum()), int((marrow & listed).sum()), *kept, *full)


def _laboratories(cells: Cells) -> dict[tuple[str, str], np.ndarray]:
    """Mark the cells of each origin and laboratory, ``(n,)`` bool."""
    places = list(zip(cells.origins, cells.laboratories, strict=True))
    return {place: np.array([one == place for one in places]) for place in sorted(set(places))}


def _wilson_share(count: int, total: int) -> schema.Interval:
    low, high = wilson_interval(count, total)
    return round(low / 100, 4), round(high / 100, 4)


def _uncertain_metrics(
    classifier: Classifier, predicted: np.ndarray, test: Cells, unseen: dict[str, list[FoundCells]]
) -> schema.UncertainMetrics:
    config = classifier.config
    uncertain, marrow = predicted.max(axis=1) < config.uncertain_below, from_marrow(test)
    return schema.UncertainMetrics(
        uncertain_below=config.uncertain_below,
        temperature=config.temperature,
        reject_logit=config.reject_logit,
        tta_rotations=config.tta_rotations,
        known_test=float(uncertain.mean()),
        known_bone_marrow=float(uncertain[marrow].mean()) if marrow.any() else None,
        unseen={name: _uncertain_share(classifier, cells) for name, cells in unseen.items()},
    )


def _uncertain_share(classifier: Classifier, cells: Sequence[FoundCells]) -> schema.UncertainShare:
    best = np.concatenate([classifier(image, boxes).max(axis=1) for image, boxes in cells])
    uncertain = int((best < classifier.config.uncertain_below).sum())
    return schema.UncertainShare(len(best), uncertain / len(best), _wilson_share(uncertain, len(best)))


def _unknown_cells(unknown: str | None) -> dict[str, list[FoundCells]]:
    """Read the cells of no class that were not trained, by the code that the data set gives them."""
    found: dict[str, list[FoundCells]] = {}
    if not unknown:
        return found
    for split in ("validation", "test"):
        cells = load_cells(unknown, split)
        for image, box, label in zip(cells.images, cells.boxes, cells.labels, strict=True):
            found.setdefault(cells.codes[label], []).append((image, [box]))
    return found


def _plasma_cells(benchmarks: Path | None) -> dict[str, list[FoundCells]]:
    """Read the plasma cells of SegPC-2021, a class without any real training image."""
    fields = segpc_fields(benchmarks / "fields_segpc") if benchmarks else ()
    found = [(field.image(), [rle_box(cell) for cell in field.cells]) for field in fields if field.cells]
    return {"segpc_plasma_cells": found} if found else {}
