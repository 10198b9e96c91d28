"""Fill the figures of the project's README and of the data set card.

``python -m model_cards.readme`` replaces what stands between two marks (``<!-- results -->`` and ``<!-- /results -->``)
with figures from the ``metrics.json`` of the embedded release and from ``benchmarks/results.json``.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any

from training.common.markdown import number, table, uncertain_table

ROOT = Path(__file__).resolve().parent.parent
BENCHMARKS = ROOT / "benchmarks" / "results.json"


def results() -> str:
    """Return the results section as Markdown."""
    classifier, segmenter = (_metrics(name) for name in ("bone-marrow-mobilenet", "bone-marrow-yolov8-seg"))
    return "\n\n".join(
        [
            "**Naming single cells** (real images of the test split; no patient ids exist to split by):",
            _classifier_table(classifier),
            "**Outlining cells**, at the default confidence of "
            f"{number(segmenter['confidence']['value'])} ({segmenter['confidence']['chosen_on']}):",
            _segmenter_table(segmenter["datasets"]),
            "**Knowing what it has not seen**: share of cells called uncertain, at a bound chosen on validation cells:",
            uncertain_table(classifier["uncertain"]),
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


def dataset_blocks() -> dict[str, str]:
    """Return the figures of the data set card as Markdown, by the marks that they stand between."""
    return {"near-duplicates": near_duplicates(), "large-input": large_input(), "masks": masks()}


def near_duplicates() -> str:
    """Return how well near-duplicates are found as Markdown."""
    figures = _benchmark("near_duplicates")
    planted = f"{figures['copies_planted']:,} changed copies, encoded as JPEG of quality 40 to 90"
    strangers = [
        ["pairs compared", f"{figures['pairs_of_strangers']:,}"],
        ["of these, looked at on pixels", f"{figures['looked_at_on_pixels']:,}"],
        ["joined", figures["wrong_joins"]],
        [f"similarity of the most alike ({figures['similarity_needed']} joins)", figures["most_alike_strangers"]],
        ["wrong joins per pair, from the tail of their similarity", f"{figures['rate_from_tail']:.0e}"],
        ["images of 171,374 joined with a stranger, at that rate", percent(figures["images_wrongly_joined_from_tail"])],
        ["the same, by the count of joins alone (95 % bound)", percent(figures["images_wrongly_joined_upper_95"])],
    ]
    caught = [["all", f"{figures['caught']:.4f}"], *figures["caught_by_change"].items()]
    return (
        f"{planted}, planted among {figures['images']:,} real images:\n\n{table(['copy', 'caught'], caught)}\n\n"
        f"The real images among themselves:\n\n{table(['', ''], strangers)}"
    )


def large_input() -> str:
    """Return time and memory for an archive of full size as Markdown."""
    figures = _benchmark("large_input")
    rows = [
        [name, round(run["seconds"]), round(run["images_per_second"]), round(run["peak_mb"])]
        for name, run in figures["runs"].items()
    ]
    return f"A made-up archive of {figures['images']:,} tiny images in the true class counts, two cores:\n\n" + table(
        ["run", "seconds", "images of the archive per second", "peak memory of all processes, MB"], rows
    )


def masks() -> str:
    """Return how well single cells are outlined as Markdown."""
    rows = [
        [name, run["n_images"], run["mean_iou"], run["median_iou"], run["share_above_0.8"]]
        for name, run in _benchmark("masks").items()
    ]
    return table(["outlined by", "images", "mean IoU", "median IoU", "share above 0.8"], rows)


def percent(share: float) -> str:
    """Return a share as a percentage with two significant digits after what is certain."""
    return f"{100 * share:.3g} %"


def _benchmark(section: str) -> dict[str, Any]:
    return json.loads(BENCHMARKS.read_text(encoding="utf-8"))[section]


def fill(path: Path, blocks: dict[str, str]) -> None:
    """Replace what stands between the marks of each block in a file."""
    text = path.read_text(encoding="utf-8")
    for mark, block in blocks.items():
        before, _, rest = text.partition(f"<!-- {mark} -->")
        _, _, after = rest.partition(f"<!-- /{mark} -->")
        text = f"{before}<!-- {mark} -->\n{block}\n<!-- /{mark} -->{after}"
    beside = path.with_name(path.name + ".part")
    beside.write_text(text, encoding="utf-8")
    os.replace(beside, path)


def main() -> int:
    """Rewrite the README and the data set card; return the exit code."""
    fill(ROOT / "README.md", {"results": results()})
    fill(ROOT / "dataset_scripts" / "README.md", dataset_blocks())
    return 0


if __name__ == "__main__":
    sys.exit(main())
