"""Measure a Hub folder: choose its thresholds on validation data, then write ``metrics.json`` on test data.

python -m training.measure classifier --model hub/bone-marrow-mobilenet --data DATASET [--unknown DATASET]
                                   [--benchmarks DIR [--fields FIELDS] [--left-out VARIANT…]] [--suspicious LIST]
python -m training.measure foreign --model hub/bone-marrow-mobilenet --benchmarks DIR
python -m training.measure segmenter --model hub/bone-marrow-yolov8-seg --data FIELDS [--benchmarks DIR]

``--benchmarks`` names a folder with real images kept out of training: ``fields_segpc``, ``fields_bccd`` and
``wbc_masks``, for the classifier also ``cells_lmu``, ``cells_jtsc`` and ``fields_lisc``. ``foreign`` measures a
classifier in the laboratories there that it was not trained on, chooses nothing, and leaves its other metrics alone.
``--left-out`` names folders of variants of training.laboratory_study, each trained in the same way without a
laboratory: they choose temperature and bounds, and their rows stand for the laboratories that the model was trained on.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from marrow.command import Command
from marrow.errors import MarrowError
from model_cards.segmenter_tables import results_table
from training.common.environment import runtime_versions
from training.common.metrics_schema import ClassifierMetrics, read_metrics, write_metrics
from training.common.model_folder import digests, replaced
from training.common.segmenter_schema import SegmenterMetrics


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return the exit code."""
    command = Command("measure", __doc__)
    command.add_argument("kind", choices=("classifier", "foreign", "segmenter"))
    command.add_argument("--model", type=Path, required=True, help="Hub folder, as training.export writes it")
    command.add_argument("--data", help="data set (classifier) or folder of fields (segmenter)")
    command.add_argument("--benchmarks", type=Path, help="folder of real images kept out of training")
    command.add_argument("--unknown", help="classifier alone: data set of cells of no class, trained or not")
    command.add_argument("--fields", type=Path, help="classifier alone: fields of smear_fields.py, to get no warnings")
    command.add_argument("--left-out", nargs="+", type=Path, default=[], help="classifier alone: variants of a study")
    command.add_argument("--suspicious", type=Path, help="classifier alone: list of training.suspicious_labels")
    return command.run(work, arguments)


def work(options: argparse.Namespace) -> None:
    """Measure, and write what was found, with what, by which command, and of which files."""
    if options.benchmarks and not options.benchmarks.is_dir():
        raise MarrowError(f"There is no folder {options.benchmarks}: name one with --benchmarks, or leave it out.")
    for name in ("unknown", "fields", "left_out", "suspicious"):
        if getattr(options, name) and options.kind != "classifier":
            raise MarrowError(f"--{name.replace('_', '-')} is for the classifier: leave it out.")
    if (options.fields or options.left_out) and not options.benchmarks:
        raise MarrowError("Name the folder of the laboratories with --benchmarks.")
    if options.kind == "foreign" and not options.benchmarks:
        raise MarrowError("Name the folder of the laboratories with --benchmarks.")
    if options.kind != "foreign" and not options.data:
        raise MarrowError("Name what to measure on with --data.")
    names = [name for name in ("unknown", "benchmarks", "fields", "left_out", "suspicious") if getattr(options, name)]
    given = "".join(f" --{name.replace('_', '-')} {name.upper()}" for name in names)
    again = f"python -m training.measure {options.kind} --model hub/{options.model.resolve().name} --data DATA{given}"
    with replaced(options.model) as folder:
        metrics = _measure(options, folder)
        if options.kind != "foreign":
            metrics = replace(metrics, environment=runtime_versions(), command=again, sha256=digests(folder))
        write_metrics(folder / "metrics.json", metrics)


def _measure(options: argparse.Namespace, folder: Path) -> ClassifierMetrics | SegmenterMetrics:
    # each import brings half of the machine learning stack
    if options.kind != "segmenter":
        from training.evaluation import classifier

        if options.kind == "foreign":
            known = read_metrics(ClassifierMetrics, folder / "metrics.json")
            return replace(known, foreign=classifier.measure_elsewhere(folder, options.benchmarks))
        given = (options.unknown, options.fields, options.left_out, options.suspicious)
        return classifier.measure(folder, options.data, options.benchmarks, *given)
    from training.evaluation import segmenter

    metrics = segmenter.measure(folder, options.data, options.benchmarks)
    print(results_table(metrics.datasets))
    return metrics


if __name__ == "__main__":
    sys.exit(main())
