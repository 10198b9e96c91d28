"""Fill the numbers into the project's README, the data set card and BENCHMARKS.md.

What stands between two marks (``<!-- results -->`` and ``<!-- /results -->``) is replaced with numbers from the
``metrics.json`` of the embedded release and from ``benchmarks/results.json``.

    python -m model_cards.readme
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from marrow.command import Command
from marrow.errors import MarrowError
from model_cards.aims import OURS, SAME, aims_table
from model_cards.batch_tables import batch_tables
from model_cards.browser_tables import browser_tables
from model_cards.classifier_tables import cleaned_rows, foreign_table, short_silence_table, uncertain_line
from model_cards.scale_tables import scale_tables
from model_cards.segmenter_tables import TITLES, confidence_text
from model_cards.soak_tables import soak_tables
from model_cards.sources import laboratory_name
from model_cards.speed_tables import speed_tables
from training.common.files import read_json, write_text
from training.common.markdown import number, table
from training.common.metrics_schema import ClassifierMetrics, SilenceMetrics, read_metrics
from training.common.paths import ROOT
from training.common.plots import draw_large
from training.common.segmenter_schema import FieldMetrics, SegmenterMetrics

FEW = 20
"""Images of a laboratory in the test split below which the README leaves it to the card."""

BENCHMARKS = ROOT / "benchmarks" / "results.json"
UPLOAD = 100
"""Megapixels of the largest picture that the Space takes: of this size the README quotes one."""

LARGE = ROOT / "model_cards" / "figures" / "large_pictures.png"
BENCHMARK_TABLES: dict[str, Callable[[Mapping[str, Any]], str]] = {
    "speed": speed_tables,
    "batch": batch_tables,
    "scale": scale_tables,
    "browser": browser_tables,
}
"""What writes the figures of each part of ``python -m benchmarks``."""


def results() -> str:
    """Return the results section as Markdown.

    Raises:
        MarrowError: a model of the embedded release was not measured in full.
    """
    hub = ROOT / "hub"
    classifier = read_metrics(ClassifierMetrics, hub / "bone-marrow-mobilenet" / "metrics.json")
    segmenter = read_metrics(SegmenterMetrics, hub / "bone-marrow-yolov8-seg" / "metrics.json")
    if not segmenter.confidence or not classifier.uncertain or not classifier.foreign:
        raise MarrowError("The embedded release was not measured in full: run training.measure for both models.")
    return "\n\n".join(
        [
            "**Naming cells in other laboratories**, none of whose pictures were trained on: this is what to expect on "
            "your own smear. A cell is counted when the model is certain enough:",
            foreign_table(classifier.foreign),
            "**Naming single cells at home**, in the laboratories that were trained on (real images of the test split; "
            "no patient ids exist to split by):",
            _classifier_table(classifier),
            "**Outlining cells**, at the default confidence of "
            f"{number(segmenter.confidence.value)} ({confidence_text(segmenter.confidence)}):",
            _segmenter_table(segmenter.datasets),
            "**Knowing what it has not seen**: share of cells called uncertain: "
            f"{uncertain_line(classifier.uncertain)}.",
            *(_silence(classifier.silence) if classifier.silence else ()),
            quoted(read_json(BENCHMARKS)),
        ]
    )


def _silence(silence: SilenceMetrics) -> tuple[str, str]:
    return (
        "**Silence on what it does not know**: share of pictures that get a warning, and then counts in the place of "
        "percentages:",
        short_silence_table(silence),
    )


def _classifier_table(metrics: ClassifierMetrics) -> str:
    inputs = {"cropped, as the runtime does": metrics.test, "whole image, as `pipeline` does": metrics.test_raw}
    rows = [
        [text, test.n, test.accuracy, test.balanced_accuracy, test.macro_f1] for text, test in inputs.items() if test
    ]
    rows += [
        [f"of these, {laboratory_name(one.origin, one.laboratory)}, cropped", one.n, one.accuracy, None, None]
        for one in metrics.by_laboratory
        if one.n >= FEW
    ]
    rows += [[*row, None, None] for row in cleaned_rows(metrics.cleaned)] if metrics.cleaned else []
    return table(["input", "images", "accuracy", "balanced accuracy", "macro F1"], rows)


def _segmenter_table(datasets: Mapping[str, FieldMetrics]) -> str:
    rows = [
        [TITLES[kind], metrics.n_images, metrics.recall, metrics.precision, metrics.mean_iou]
        for kind, metrics in datasets.items()
        if metrics.recall is not None or metrics.mean_iou is not None
    ]
    return table(["images", "number", "recall", "precision", "mean IoU"], rows)


def dataset_blocks() -> dict[str, str]:
    """Return the numbers of the data set card as Markdown, by the marks that they stand between."""
    return {"near-duplicates": near_duplicates(), "large-input": large_input(), "masks": masks()}


def near_duplicates() -> str:
    """Return how well near-duplicates are found as Markdown."""
    found = _benchmark("near_duplicates")
    planted = f"{found['copies_planted']:,} changed copies, encoded as JPEG of quality 40 to 90"
    strangers = [
        ["pairs compared", f"{found['pairs_of_strangers']:,}"],
        ["of these, looked at on pixels", f"{found['looked_at_on_pixels']:,}"],
        ["joined", found["wrong_joins"]],
        [f"similarity of the most alike ({found['similarity_needed']} joins)", found["most_alike_strangers"]],
        ["wrong joins per pair, from the tail of their similarity", f"{found['rate_from_tail']:.0e}"],
        ["images of 171,374 joined with a stranger, at that rate", percent(found["images_wrongly_joined_from_tail"])],
        ["the same, by the count of joins alone (95 % bound)", percent(found["images_wrongly_joined_upper_95"])],
    ]
    caught = [["all", f"{found['caught']:.4f}"], *found["caught_by_change"].items()]
    return (
        f"{planted}, planted among {found['images']:,} real images:\n\n{table(['copy', 'caught'], caught)}\n\n"
        f"The real images among themselves:\n\n{table(['', ''], strangers)}"
    )


def large_input() -> str:
    """Return time and memory for an archive of full size as Markdown."""
    found = _benchmark("large_input")
    rows = [
        [name, round(run["seconds"]), round(run["images_per_second"]), round(run["peak_mb"])]
        for name, run in found["runs"].items()
    ]
    return f"A made-up archive of {found['images']:,} tiny images in the true class counts, two cores:\n\n" + table(
        ["run", "seconds", "images of the archive per second", "peak memory of all processes, MB"], rows
    )


def masks() -> str:
    """Return how well single cells are outlined as Markdown."""
    rows = [
        [name, run["n_images"], run["mean_iou"], run["median_iou"], run["share_above_0.8"]]
        for name, run in _benchmark("masks").items()
    ]
    return table(["outlined by", "images", "mean IoU", "median IoU", "share above 0.8"], rows)


def benchmark_blocks(found: Mapping[str, Any]) -> dict[str, str]:
    """Return the tables of BENCHMARKS.md, by the marks that they stand between.

    Args:
        found: ``benchmarks/results.json``; of a part that it lacks the block says what measures it.
    """
    blocks = {
        name: f"{write(found[name])}\n\n{_when(found[name])}"
        if name in found
        else f"No figures yet: run `python -m benchmarks {name}`."
        for name, write in BENCHMARK_TABLES.items()
    }
    return blocks | {"soak": soak_tables(found.get("soak", {})), "aims": aims_table(found)}


def _when(found: Mapping[str, Any]) -> str:
    on = found["machine"]
    return f"*Measured on {found['date']}: {on['processor']}, {on['cores']} cores, Python {on['python']}.*"


def quoted(found: Mapping[str, Any]) -> str:
    """Return the lines of BENCHMARKS.md that the README quotes.

    Args:
        found: ``benchmarks/results.json``; what it lacks is not quoted.
    """
    lines = []
    if "speed" in found:
        ours, stock = (
            next(row for row in found["speed"]["rows"] if row["cells"] == 30 and row["stack"] == stack)
            for stack in (OURS, SAME)
        )
        lines.append(
            f"a field of 30 cells takes {ours['ms']:.0f} ms on two cores (recall {number(ours['recall'])}); "
            f"ultralytics with the same weights on OpenVINO {stock['ms']:.0f} ms ({number(stock['recall'])})"
        )
    if "scale" in found:
        row = min(
            (row for row in found["scale"]["large"] if row["picture"] == "cells everywhere"),
            key=lambda row: abs(row["megapixels"] - UPLOAD),
        )
        lines.append(
            f"a picture of {row['megapixels']:.0f} megapixels full of cells takes {row['seconds']:.0f} seconds and "
            f"{row['peak_mb']:,.0f} MB; {row['cells']:,} cells are found in it"
        )
    return f"**Speed**: {'; '.join([*lines, 'what falls short of its aim stands in [BENCHMARKS.md](BENCHMARKS.md)'])}."


def percent(share: float) -> str:
    """Return a share as a percentage with two significant digits after what is certain."""
    return f"{100 * share:.3g} %"


def _benchmark(section: str) -> dict[str, Any]:
    return read_json(BENCHMARKS)[section]


def fill(path: Path, blocks: dict[str, str]) -> None:
    """Replace what stands between the marks of each block in a file."""
    text = path.read_text(encoding="utf-8")
    for mark, block in blocks.items():
        before, _, rest = text.partition(f"<!-- {mark} -->")
        _, _, after = rest.partition(f"<!-- /{mark} -->")
        text = f"{before}<!-- {mark} -->\n{block}\n<!-- /{mark} -->{after}"
    write_text(path, text)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; return the exit code."""
    return Command("model_cards.readme", __doc__).run(_fill_all, arguments)


def _fill_all(_: argparse.Namespace) -> None:
    found = read_json(BENCHMARKS)
    fill(ROOT / "README.md", {"results": results()})
    fill(ROOT / "dataset_scripts" / "README.md", dataset_blocks())
    fill(ROOT / "BENCHMARKS.md", benchmark_blocks(found))
    if "scale" in found:
        draw_large(found["scale"]["large"], LARGE)


if __name__ == "__main__":
    sys.exit(main())
