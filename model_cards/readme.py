"""Fill the figures of the project's README from the ``metrics.json`` of the embedded release.

``python -m model_cards.readme`` replaces what stands between the two ``results`` marks.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any

from model_cards.render import number, table

ROOT = Path(__file__).resolve().parent.parent
START, END = "<!-- results -->", "<!-- /results -->"


def results() -> str:
    """Give the results section as Markdown."""
    classifier, segmenter = (_metrics(name) for name in ("bone-marrow-mobilenet", "bone-marrow-yolov8-seg"))
    return "\n\n".join(
        [
            "**Naming single cells** (real images of the test split; no patient ids exist to split by):",
            _classifier_table(classifier),
            "**Outlining cells**, at the default confidence of "
            f"{number(segmenter['confidence']['value'])} ({segmenter['confidence']['chosen_on']}):",
            _segmenter_table(segmenter["datasets"]),
            "**Knowing what it has not seen**: share of cells called uncertain, at a bound chosen on validation cells:",
            _uncertain_table(classifier["uncertain"]),
        ]
    )


def _metrics(name: str) -> dict[str, Any]:
    return json.loads((ROOT / "hub" / name / "metrics.json").read_text(encoding="utf-8"))


def _classifier_table(metrics: dict[str, Any]) -> str:
    rows = [
        [text, *(metrics[key][k] for k in ("n", "accuracy", "balanced_accuracy", "macro_f1"))]
        for key, text in (("test", "cropped, as the runtime does"), ("test_raw", "whole image, as `pipeline` does"))
    ]
    rows += [
        [f"of these, {source}, cropped", figures["n"], figures["accuracy"], None, None]
        for source, figures in metrics["by_source"].items()
    ]
    return table(["input", "images", "accuracy", "balanced accuracy", "macro F1"], rows)


def _segmenter_table(datasets: dict[str, dict[str, Any]]) -> str:
    keys = {"recall": "recall", "precision": "precision", "mean_iou": "mean IoU"}
    rows = [
        [name, figures["n_images"], *(figures.get(key) for key in keys)]
        for name, figures in datasets.items()
        if any(key in figures for key in keys)
    ]
    return table(["images", "number", *keys.values()], rows)


def _uncertain_table(uncertain: dict[str, Any]) -> str:
    rows = [["known marrow cells", None, uncertain["known_marrow"]]]
    rows += [[name, figures["n"], figures["share"]] for name, figures in uncertain.get("unseen", {}).items()]
    return table(["cells", "number", "share"], rows)


def main() -> int:
    """Rewrite the README; gives the exit code."""
    path = ROOT / "README.md"
    before, _, rest = path.read_text(encoding="utf-8").partition(START)
    _, _, after = rest.partition(END)
    beside = path.with_name("README.md.part")
    beside.write_text(f"{before}{START}\n{results()}\n{END}{after}", encoding="utf-8")
    os.replace(beside, path)
    return 0


if __name__ == "__main__":
    sys.exit(main())
