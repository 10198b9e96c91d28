"""Write a model's card from its ``config.json`` and ``metrics.json``; no figure in a card is typed by hand.

``python -m model_cards.render hub/bone-marrow-mobilenet hub/bone-marrow-yolov8-seg``

Which template is used follows from the config: a classifier has ``id2label``. ``NAMESPACE`` in a card is replaced
when it is published.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from huggingface_hub import ModelCard, ModelCardData

from marrow import texts
from marrow.errors import MarrowError
from model_cards.classifier_tables import (
    across_sources_table,
    by_source_table,
    confusion_table,
    failure_table_of_classes,
    per_class_table,
    result_table,
)
from model_cards.cost import cost_text
from model_cards.metadata import CLASSIFIER, classifier_data, segmenter_data
from model_cards.segmenter_tables import curve_table, failure_table, recall_table, results_table
from training.common.markdown import key_table, leaves, number, table, uncertain_table

PARTS = ("comparison", "transfer", "precision", "correction")  # PART.md beside the weights, each with its own command
TEMPLATES = Path(__file__).parent

CLASS_NAMES = texts.CLASS_NAMES["en"]

# What the name of a source of training images contains, what the images are, and their licence.
SOURCES = (
    ("composed", "fields composed by `dataset_scripts/smear_fields.py` of the cells listed here", "that of the cells"),
    ("synthetic", "cells drawn by `dataset_scripts/synthetic_cells.py`", "part of this project"),
    ("drawn", "cells drawn by `dataset_scripts/synthetic_cells.py`", "part of this project"),
    (
        "marrow",
        "bone-marrow cells, MLL / Helmholtz / Fraunhofer: Matek et al. 2021, TCIA, "
        "[10.7937/TCIA.AXH3-T579](https://doi.org/10.7937/TCIA.AXH3-T579)",
        "CC BY 4.0",
    ),
    (
        "blood",
        "peripheral-blood cells, Hospital Clínic de Barcelona: Acevedo et al. 2020, "
        "[10.1016/j.dib.2020.105474](https://doi.org/10.1016/j.dib.2020.105474); "
        "platelets stand in for ART",
        "CC BY 4.0",
    ),
    ("bccd", "peripheral-blood fields, [BCCD](https://github.com/Shenggan/BCCD_Dataset)", "MIT"),
)


def render(folder: Path) -> str:
    """Fill the template that suits the model in ``folder``.

    Args:
        folder: a model folder with ``config.json`` and ``metrics.json``; other files only decide which ways of
            loading the model the card shows.

    Returns:
        The card: a YAML block, then Markdown.

    Raises:
        MarrowError: one of the two files is missing or is not JSON.
    """
    config, metrics = _read_json(folder / "config.json"), _read_json(folder / "metrics.json")
    name = folder.resolve().name
    kind = "classifier" if "id2label" in config else "segmenter"
    data, extra = (_classifier if kind == "classifier" else _segmenter)(name, config, metrics)
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
        environment=key_table(metrics.get("environment", {})),
        cost=cost_text(config.get("training")),
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


def _classifier(name: str, config: dict[str, Any], metrics: dict[str, Any]) -> tuple[ModelCardData, dict[str, Any]]:
    test = metrics.get("test", {})
    codes = [config["id2label"][str(i)] for i in range(len(config["id2label"]))]
    counts = {code: config.get("trained_on", {}).get(code, {}) for code in codes}
    sources = sorted({source for by_source in counts.values() for source in by_source})
    totals = {source: sum(by_source.get(source, 0) for by_source in counts.values()) for source in sources}
    class_rows = [
        [
            code,
            CLASS_NAMES.get(code, code),
            *(by_source.get(s, 0) for s in sources),
            sum(by_source.values()),
        ]
        for code, by_source in counts.items()
    ]
    unseen = [code for code, by_source in counts.items() if not sum(by_source.values())]
    from_marrow = [code for code in codes if sum(n for s, n in counts[code].items() if "marrow" in s)]
    return classifier_data(name, config, metrics), {
        "n_classes": len(codes),
        "classes": table(["code", "class", *sources, "all"], class_rows),
        "sources": _source_table(totals),
        "unseen": _name_classes(unseen),
        "not_from_marrow": _name_classes([c for c in codes if c not in unseen and c not in from_marrow]),
        "outlier_exposure": _outliers(config.get("outlier_exposure", {})),
        "split": key_table(metrics.get("data", {}), ("", "images")),
        "results": result_table(metrics),
        "per_class": per_class_table(test),
        "across_sources": across_sources_table(metrics.get("across_sources", {})),
        "confusion": confusion_table(test.get("labels", codes), test.get("confusion", [])),
        "failures": failure_table_of_classes(test.get("labels", codes), test.get("confusion", [])),
        "by_source": by_source_table(metrics.get("by_source", {})),
        "uncertain": uncertain_table(metrics.get("uncertain", {})),
    }


def _outliers(outliers: Mapping[str, Any]) -> str:
    """Say what else than cells of the classes was shown in training; empty text if nothing was."""
    if not outliers.get("share"):
        return ""
    unknown = outliers["cells"].items()
    images = "".join(f", {sum(by_source.values())} images of {code}" for code, by_source in unknown)
    return (
        f"For every 100 cells {round(100 * outliers['share'])} views of no class were shown too (the ground beside a "
        f"cell, halves of two cells{images}), whose target is *none of these*."
    )


def _segmenter(name: str, config: dict[str, Any], metrics: dict[str, Any]) -> tuple[ModelCardData, dict[str, Any]]:
    datasets = metrics.get("datasets", {})
    trained_on = {key: n for key, n in leaves(config.get("trained_on", {})) if isinstance(n, int)}
    return segmenter_data(name, config, metrics), {
        "from_classifier": config.get("initial_weights") == CLASSIFIER,
        "failures": failure_table(datasets),
        "sources": _source_table(trained_on),
        "results": results_table(datasets),
        "by_overlap": recall_table(datasets, "recall_by_overlap", "share under other cells"),
        "by_diameter": recall_table(datasets, "recall_by_diameter", "diameter at a 640 px input"),
        "confidence": key_table(metrics.get("confidence", {})),
        "curve": curve_table(metrics.get("precision_recall", [])),
    }


def _name_classes(codes: Sequence[str]) -> str:
    return ", ".join(f"{code} ({CLASS_NAMES.get(code, 'no name known')})" for code in codes)


def _source_table(totals: Mapping[str, int]) -> str:
    rows = []
    for source, total in totals.items():
        known = next((facts for key, *facts in SOURCES if key in source.lower()), ["not described here", None])
        rows.append([source, total, *known])
    return table(["source", "images", "what", "licence"], rows)


def main(arguments: Sequence[str] | None = None) -> int:
    """Write the ``README.md`` of each folder; return the exit code, 2 with one line on stderr for a bad folder."""
    parser = argparse.ArgumentParser(prog="model_cards.render", description=(__doc__ or "").split("\n\n")[0])
    parser.add_argument("folders", nargs="+", type=Path, metavar="FOLDER", help="a model folder")
    try:
        for folder in parser.parse_args(arguments).folders:
            card, part = render(folder), folder / "README.md.part"
            part.write_text(card, encoding="utf-8")
            os.replace(part, folder / "README.md")
            print(f"wrote {folder / 'README.md'}")
    except MarrowError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
