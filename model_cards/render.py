"""Write a model's card from its ``config.json`` and ``metrics.json``; no number in a card is typed by hand.

Which template is used follows from the config: a classifier has ``id2label``. ``NAMESPACE`` in a card is replaced
when it is published.

    python -m model_cards.render hub/bone-marrow-mobilenet hub/bone-marrow-yolov8-seg
"""

from __future__ import annotations

import argparse
import json
import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from huggingface_hub import ModelCard, ModelCardData

from marrow import texts
from marrow.classifier import SEEN_IN_MARROW, read_trained_on
from marrow.command import Command
from marrow.errors import MarrowError
from marrow.outputs import MARK
from model_cards import classifier_tables, segmenter_tables
from model_cards.cost import cost_text
from model_cards.metadata import CLASSIFIER, classifier_data, segmenter_data
from model_cards.sources import field_table, laboratory_name, laboratory_table
from training.common.files import write_text
from training.common.markdown import key_table, number, table
from training.common.metrics_schema import ClassifierMetrics, read_metrics
from training.common.model_folder import check_unchanged
from training.common.segmenter_schema import SegmenterMetrics

PARTS = ("comparison", "transfer", "quantization", "correction")  # PART.md, each by its own command
TEMPLATES = Path(__file__).parent

MARKS = (MARK, b"NAMESPACE/bone-marrow-")
"""One of them is in every card; cards of 0.2.0 and before have the second alone."""

CLASS_NAMES = texts.CLASS_NAMES["en"]

Place = tuple[str, str]
"""The origin and the laboratory of an image."""


def render(folder: Path) -> str:
    """Fill the template that suits the model in ``folder``.

    Args:
        folder: a model folder with ``config.json`` and ``metrics.json``; other files only decide which ways of
            loading the model the card shows.

    Returns:
        The card: a YAML block, then Markdown.

    Raises:
        MarrowError: one of the two files is missing, is not JSON, or lacks what belongs to it, or the metrics are not
            those of the config and the weights beside them.
    """
    config, path = _read_json(folder / "config.json"), folder / "metrics.json"
    check_unchanged(folder)
    name = folder.resolve().name
    metrics: ClassifierMetrics | SegmenterMetrics
    if "id2label" in config:
        kind, metrics = "classifier", read_metrics(ClassifierMetrics, path)
        data, extra = _classifier(name, config, metrics)
    else:
        kind, metrics = "segmenter", read_metrics(SegmenterMetrics, path)
        data, extra = _segmenter(name, config, metrics)
    card = ModelCard.from_template(
        data,
        template_path=str(TEMPLATES / f"{kind}.md"),
        name=name,
        repo=f"NAMESPACE/{name}",
        config=config,
        metrics=metrics,
        files={path.name for path in folder.iterdir()},
        **{part: _read_text(folder / f"{part}.md") for part in PARTS},
        number=number,
        environment=key_table(metrics.environment),
        cost=cost_text(config.get("training"), config.get("resumed_from")),
        **extra,
    )
    return str(card)


def _read_text(path: Path) -> str:
    return path.read_text(encoding="utf-8").strip() if path.is_file() else ""


def _read_json(path: Path) -> dict[str, Any]:
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise MarrowError(f"{path} cannot be read ({error.strerror}); export the model first.") from error
    except ValueError as error:
        raise MarrowError(f"{path} is not JSON ({error}); export the model again.") from error
    if not isinstance(value, dict):
        raise MarrowError(f"{path} is not a JSON object; export the model again.")
    return value


def _from_marrow(count: Counter[Place]) -> int:
    return sum(n for (origin, _), n in count.items() if origin == "bone_marrow")


def _classifier(name: str, config: dict[str, Any], metrics: ClassifierMetrics) -> tuple[ModelCardData, dict[str, Any]]:
    test, codes = metrics.test, [config["id2label"][str(i)] for i in range(len(config["id2label"]))]
    trained_on = _trained_on(config.get("trained_on", {}))
    counts = {code: trained_on.get(code, Counter()) for code in codes}
    totals = sum(counts.values(), Counter[Place]())
    places = sorted(totals)
    class_rows = [
        [code, CLASS_NAMES.get(code, code), *(count[place] for place in places), count.total()]
        for code, count in counts.items()
    ]
    unseen = [code for code, count in counts.items() if not count.total()]
    elsewhere = [code for code, count in counts.items() if _from_marrow(count) < SEEN_IN_MARROW]
    return classifier_data(name, config, metrics), {
        "n_classes": len(codes),
        "classes": table(["code", "class", *(laboratory_name(*place) for place in places), "all"], class_rows),
        "sources": laboratory_table({place: totals[place] for place in places}),
        "unseen": _name_classes(unseen),
        "not_from_marrow": _name_classes([code for code in elsewhere if code not in unseen]),
        "outlier_exposure": _outlier_exposure(config.get("outlier_exposure", {})),
        "split": key_table(asdict(metrics.data), ("", "images")) if metrics.data else "",
        "left_out": [one.laboratory for one in metrics.foreign if one.left_out],
        "foreign": classifier_tables.foreign_table(metrics.foreign) if metrics.foreign else "",
        "silence": classifier_tables.silence_table(metrics.silence) if metrics.silence else "",
        "unlikeness": classifier_tables.unlikeness_table(metrics.silence) if metrics.silence else "",
        "cleaned": table(["images", "number", "accuracy"], classifier_tables.cleaned_rows(metrics.cleaned))
        if metrics.cleaned
        else "",
        "framing": classifier_tables.framing_table(metrics.framing) if metrics.framing else "",
        "foreign_classes": classifier_tables.foreign_class_table(metrics.foreign),
        "results": classifier_tables.result_table(metrics),
        "per_class": classifier_tables.per_class_table(test) if test else "",
        "across_laboratories": classifier_tables.across_laboratories_table(metrics.across_laboratories),
        "confusion": classifier_tables.confusion_table(test) if test else "",
        "failures": classifier_tables.failure_table(test) if test else "",
        "by_laboratory": classifier_tables.by_laboratory_table(metrics.by_laboratory),
        "uncertain": classifier_tables.uncertain_table(metrics.uncertain) if metrics.uncertain else "",
    }


def _trained_on(plain: Any) -> dict[str, Counter[Place]]:
    """Return the number of training images by code, and origin and laboratory."""
    try:
        trained_on = read_trained_on(plain)
    except ValueError as error:
        raise MarrowError(f"config.json cannot be used ({error}): export the model again.") from error
    counts: dict[str, Counter[Place]] = {code: Counter() for code in trained_on}
    for code, origins in trained_on.items():
        for origin, numbers in origins.items():
            counts[code].update({(origin, laboratory): n for laboratory, n in numbers.items()})
    return counts


def _outlier_exposure(exposure: Mapping[str, Any]) -> str:
    """Say what else than cells of the classes was shown in training; empty text if nothing was."""
    if not exposure.get("share"):
        return ""
    unknown = _trained_on(exposure["cells"])
    images = "".join(f", {count.total()} images of {code}" for code, count in unknown.items())
    return (
        f"For every 100 cells {round(100 * exposure['share'])} views of no class were shown too (the ground beside a "
        f"cell, halves of two cells{images}), whose target is *none of these*."
    )


def _segmenter(name: str, config: dict[str, Any], metrics: SegmenterMetrics) -> tuple[ModelCardData, dict[str, Any]]:
    datasets, chosen = metrics.datasets, metrics.confidence
    return segmenter_data(name, config, metrics), {
        "from_classifier": config.get("initial_weights") == CLASSIFIER,
        "failures": segmenter_tables.failure_table(datasets),
        "sources": field_table(config.get("trained_on", {})),
        "results": segmenter_tables.results_table(datasets),
        "by_overlap": segmenter_tables.overlap_table(datasets),
        "by_diameter": segmenter_tables.diameter_table(datasets),
        "confidence": f"{number(chosen.value)} is the {segmenter_tables.confidence_text(chosen)}." if chosen else "",
        "curve": segmenter_tables.curve_table(metrics.precision_recall),
    }


def _name_classes(codes: Sequence[str]) -> str:
    return ", ".join(f"{code} ({CLASS_NAMES.get(code, 'no name known')})" for code in codes)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; return the exit code."""
    command = Command("model_cards.render", __doc__)
    command.add_argument("folders", nargs="+", type=Path, metavar="FOLDER", help="a model folder")
    return command.run(_render, arguments)


def _render(options: argparse.Namespace) -> None:
    for folder in options.folders:
        card, text = folder / "README.md", render(folder)
        if card.is_file() and not any(mark in card.read_bytes() for mark in MARKS):
            raise MarrowError(f"{card} was not written by this command: move it elsewhere first.")
        write_text(card, text)
        print(f"wrote {card}")


if __name__ == "__main__":
    sys.exit(main())
